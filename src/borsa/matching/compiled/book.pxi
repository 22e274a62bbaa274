# One market's order book and its rules: line for line those of book.py, which explains them.

cdef struct Book:
    Ladder ladders[2]
    Heap stops[2]
    i64 last_price
    i64 low  # of the trades since stops were last looked at
    i64 high  # 0: no such trades
    u64 sequence
    u32 armed
    u32 armed_first
    u32 armed_last
    u16 market
    u8 state


cdef Book* new_book(Core* core, u16 market) noexcept nogil:
    cdef Book* book = <Book*>checked(calloc(1, sizeof(Book)))
    book.market = market
    book.low = INT64_MAX
    book.ladders[BUY].sign = 1
    book.ladders[SELL].sign = -1
    core.books[market] = book
    return book


cdef void free_book(Book* book) noexcept nogil:
    cdef Ladder* ladder
    cdef int side
    cdef u32 number
    for side in range(2):
        ladder = &book.ladders[side]
        for number in range(ladder.count):
            free(ladder.chunks[number])
        free(ladder.chunks)
        free(ladder.firsts)
        free(book.stops[side].items)
    free(book)


# Where open orders are

cdef inline u32 keep(Core* core, const Incoming* incoming) noexcept nogil:
    # A place in the pool and in the index.
    cdef u32 place = take_order(core), number = 0
    cdef Order* order = &core.orders[place]
    cdef Extra* extra
    order.order_id = incoming.order_id
    order.owner = incoming.owner
    order.price = incoming.price
    order.remaining = incoming.remaining
    order.filled = incoming.filled
    order.market = incoming.market
    order.side = incoming.side
    order.order_type = incoming.order_type
    order.time_in_force = incoming.time_in_force
    order.marks = (
        incoming.post_only * MARK_POST_ONLY | incoming.by_budget * MARK_BY_BUDGET | incoming.capped * MARK_CAPPED
        | incoming.prevention << PREVENTION_SHIFT
    )
    if unlikely(incoming.stop_price or incoming.prevented or incoming.budget_left):
        number = take_extra(core)
        extra = &core.extras[number]
        extra.prevented = incoming.prevented
        extra.budget_left = incoming.budget_left
        extra.stop_price = incoming.stop_price
    order.extra = number
    enter_index(core, incoming.order_id, place)
    return place


cdef inline void forget(Core* core, u32 place) noexcept nogil:
    leave_index(core, core.orders[place].order_id, place)
    free_order(core, place)


cdef void read_order(const Core* core, u32 place, Incoming* incoming) noexcept nogil:
    cdef const Order* order = &core.orders[place]
    cdef const Extra* extra = &core.extras[order.extra]
    incoming.order_id = order.order_id
    incoming.owner = order.owner
    incoming.price = order.price
    incoming.remaining = order.remaining
    incoming.filled = order.filled
    incoming.prevented = extra.prevented  # an order without has number 0, where all is 0
    incoming.budget_left = extra.budget_left
    incoming.stop_price = extra.stop_price
    incoming.market = order.market
    incoming.side = order.side
    incoming.order_type = order.order_type
    incoming.time_in_force = order.time_in_force
    incoming.post_only = order.marks & MARK_POST_ONLY
    incoming.prevention = order.marks >> PREVENTION_SHIFT
    incoming.by_budget = (order.marks & MARK_BY_BUDGET) != 0
    incoming.capped = (order.marks & MARK_CAPPED) != 0


cdef inline void rest(Core* core, Book* book, const Incoming* incoming) noexcept nogil:
    append(core, &book.ladders[incoming.side], keep(core, incoming))


cdef inline void take_out(Core* core, Book* book, u32 place) noexcept nogil:
    if unlikely(core.orders[place].marks & MARK_ARMED):
        disarm(core, book, place)
    else:
        unlink(core, &book.ladders[core.orders[place].side], place)


cdef inline void cancel(Core* core, Book* book, u32 place) noexcept nogil:
    take_out(core, book, place)
    say_order_closed(core, &core.orders[place], REASON_CANCELLED)
    forget(core, place)


# Incoming orders

cdef inline bint crosses(i64 limit, u8 side, i64 price) noexcept nogil:
    # Whether a limit allows a trade at this price; 0 allows any.
    if side == BUY:
        return price <= limit or limit == 0
    return price >= limit


cdef inline bint would_take(const Core* core, const Book* book, u8 side, i64 price) noexcept nogil:
    cdef u32 best = book.ladders[1 - side].best
    if best == 0:
        return False
    return core.levels[best].price <= price if side == BUY else core.levels[best].price >= price


cdef inline i64 lots_wanted(const Incoming* taker, i64 remaining, i64 budget_left, i64 price) noexcept nogil:
    # How many lots at this price; 0: the budget can't buy one more. A product with the price is only ever of lots that
    # were counted here, so it is at most the budget: nothing overflows.
    if likely(not taker.by_budget and not taker.capped):
        return remaining
    if taker.by_budget:
        return remaining // price
    return min(remaining, budget_left // price)


cdef bint can_fill_whole(const Core* core, const Book* book, const Incoming* taker) noexcept nogil:
    # Walk what `match` would, changing nothing.
    cdef const Ladder* makers = &book.ladders[1 - taker.side]
    cdef const Chunk* chunk
    cdef const Level* level
    cdef const Order* maker
    cdef i64 remaining = taker.remaining, budget_left = taker.budget_left, wanted, quantity
    cdef u32 at = makers.count, number, place
    while at:
        at -= 1
        chunk = makers.chunks[at]
        number = chunk.count
        while number:
            number -= 1
            level = &core.levels[chunk.levels[number]]
            if not crosses(taker.price, taker.side, level.price):
                return False
            place = level.head
            while place:
                maker = &core.orders[place]
                place = maker.next
                wanted = lots_wanted(taker, remaining, budget_left, level.price)
                if not wanted:
                    return taker.by_budget and remaining < taker.remaining
                if maker.owner == taker.owner and taker.prevention != STP_NONE:
                    if taker.prevention == STP_CANCEL_OLDEST:
                        continue
                    return False
                quantity = min(wanted, maker.remaining)
                if taker.by_budget:
                    remaining -= quantity * level.price
                else:
                    remaining -= quantity
                if taker.capped:
                    budget_left -= quantity * level.price
                if not remaining or quantity < maker.remaining:  # the latter: the budget ends within this maker
                    return not remaining or taker.by_budget
    return False


cdef inline u64 why_not_match(const Core* core, const Book* book, const Incoming* taker) noexcept nogil:
    if taker.post_only and would_take(core, book, taker.side, taker.price):
        return REASON_WOULD_CROSS
    if taker.time_in_force == TIF_FOK and not can_fill_whole(core, book, taker):
        return REASON_EXPIRED_FOK
    return REASON_NONE


cdef inline void trade(
    Core* core, Book* book, Ladder* makers, Incoming* taker, u32 place, i64 price, i64 quantity
) noexcept nogil:
    cdef Order* maker = &core.orders[place]
    reduce(core, makers, place, quantity)
    maker.filled += quantity
    taker.filled += quantity
    taker.remaining -= quantity * price if taker.by_budget else quantity
    if taker.capped:
        taker.budget_left -= quantity * price
    book.last_price = price
    book.low = min(book.low, price)
    book.high = max(book.high, price)
    say_filled(core, taker, maker, price, quantity)
    if maker.remaining == 0:
        say_order_closed(core, maker, REASON_FILLED)
        forget(core, place)


cdef void prevent(
    Core* core, Ladder* makers, Incoming* taker, u32 place, i64 price, i64 quantity
) noexcept nogil:
    # Apply the taker's mode to a self-trade; closing the taker is left to the caller.
    cdef u8 mode = taker.prevention
    cdef Order* maker = &core.orders[place]
    cdef u64 flags = 0
    cdef i64 lowered
    if mode == STP_DECREMENT:
        lowered = quantity * price if taker.by_budget else quantity
        taker.remaining -= lowered
        taker.prevented += lowered
        reduce(core, makers, place, quantity)
        if maker.extra == 0:
            maker.extra = take_extra(core)
        core.extras[maker.extra].prevented += quantity
    if mode == STP_CANCEL_NEWEST or mode == STP_CANCEL_BOTH or taker.remaining == 0:
        flags |= FLAG_TAKER_DONE
    if mode == STP_CANCEL_OLDEST or mode == STP_CANCEL_BOTH or maker.remaining == 0:
        flags |= FLAG_MAKER_DONE
    say_between(core, KIND_PREVENTED, flags, taker, maker, price, quantity)
    if flags & FLAG_MAKER_DONE:
        if maker.remaining:
            unlink(core, makers, place)
        say_order_closed(core, maker, REASON_SELF_TRADE)
        forget(core, place)


cdef inline u64 match(Core* core, Book* book, Incoming* taker) noexcept nogil:
    # Trade while there is something at an allowed price. Why the taker ended, or REASON_NONE.
    cdef Ladder* makers = &book.ladders[1 - taker.side]
    cdef u8 mode = taker.prevention
    cdef i64 price, wanted, quantity
    cdef u32 place
    while taker.remaining:
        if makers.best == 0:
            return REASON_NONE
        price = makers.best_key * makers.sign
        if not crosses(taker.price, taker.side, price):
            return REASON_NONE
        wanted = lots_wanted(taker, taker.remaining, taker.budget_left, price)
        if not wanted:
            return REASON_FILLED if taker.by_budget and taker.filled else REASON_BUDGET_SPENT
        place = core.levels[makers.best].head
        quantity = min(wanted, core.orders[place].remaining)
        if unlikely(mode != STP_NONE and core.orders[place].owner == taker.owner):
            prevent(core, makers, taker, place, price, quantity)
            if mode == STP_CANCEL_NEWEST or mode == STP_CANCEL_BOTH or taker.remaining == 0:
                return REASON_SELF_TRADE
        else:
            trade(core, book, makers, taker, place, price, quantity)
    return REASON_FILLED


cdef inline u64 why_not_rest(const Incoming* taker) noexcept nogil:
    if taker.price == 0:
        return REASON_NO_LIQUIDITY
    if taker.time_in_force != TIF_GTC:
        return REASON_EXPIRED_IOC
    return REASON_NONE


cdef inline void enter(Core* core, Book* book, Incoming* taker) noexcept nogil:
    # Match an incoming order, then close it or let its remainder rest.
    cdef u64 reason = why_not_match(core, book, taker)
    if reason == REASON_NONE:
        reason = match(core, book, taker)
    if reason == REASON_NONE:
        reason = why_not_rest(taker)
    if reason:
        say_closed(core, taker, reason)
    else:
        rest(core, book, taker)


cdef void fire_reached(Core* core, Book* book) noexcept nogil:
    cdef Incoming taker
    cdef u32 place
    while True:
        if book.high and book.armed:
            collect_reached(core, book)
        book.low = INT64_MAX
        book.high = 0
        if core.triggered.count == 0:
            return
        place = core.triggered.items[1].place
        remove_item(core, &core.triggered, 1)
        read_order(core, place, &taker)
        forget(core, place)
        say_about(core, KIND_TRIGGERED, &taker, taker.stop_price)
        enter(core, book, &taker)


cdef inline void fire_stops(Core* core, Book* book) noexcept nogil:
    # Let every stop enter that the trades of this command reached, and those that their trades reach.
    if book.high:
        fire_reached(core, book)


cdef inline void place_order(Core* core, Book* book, Incoming* order) noexcept nogil:
    say_about(core, KIND_ACCEPTED, order, order.price)
    if unlikely(book.state != STATE_OPEN):
        say_closed(core, order, REASON_HALTED)
        return
    if unlikely(order.stop_price != 0):
        if not (book.last_price and is_through(order, book.last_price)):
            arm(core, book, keep(core, order))
            return
        say_about(core, KIND_TRIGGERED, order, order.stop_price)
    enter(core, book, order)
    fire_stops(core, book)


# Mass cancel, amending and crossing

cdef int by_id(const void* one, const void* other) noexcept nogil:
    cdef u64 first = (<const u64*>one)[0], second = (<const u64*>other)[0]
    return (first > second) - (first < second)


cdef void cancel_all(Core* core, Book* book, u64 owner) noexcept nogil:
    # By ascending id. Looks at all orders: it is rare, and lists by owner would cost every other command.
    cdef u64* mine = NULL
    cdef size_t count = 0, capacity = 0, number
    cdef const Order* order
    cdef u32 place
    for place in range(1, core.orders_made):
        order = &core.orders[place]
        if order.owner != owner or order.market != book.market or order.order_id == 0:
            continue
        if count == capacity:
            capacity = capacity * 2 if capacity else 64
            mine = <u64*>checked(realloc(mine, capacity * sizeof(u64)))
        mine[count] = order.order_id
        count += 1
    if count > 1:
        qsort(mine, count, sizeof(u64), by_id)
    for number in range(count):
        cancel(core, book, find(core, mine[number]))
    free(mine)


cdef u64 why_not_amend(const Core* core, const Book* book, u32 place, i64 price, i64 quantity) noexcept nogil:
    cdef const Order* order = &core.orders[place]
    cdef bint ends
    if book.state != STATE_OPEN or order.marks & (MARK_BY_BUDGET | MARK_CAPPED):
        return REASON_NOT_AMENDABLE
    if quantity <= 0 or price < 0 or (price == 0) != (order.price == 0):
        return REASON_INVALID
    ends = quantity <= order.filled + prevented_of(core, order)
    if order.marks & MARK_POST_ONLY and not order.marks & MARK_ARMED and not ends:
        if would_take(core, book, order.side, price):
            return REASON_WOULD_CROSS
    return REASON_NONE


cdef void amend_in_place(Core* core, Book* book, u32 place, i64 price, i64 remaining) noexcept nogil:
    cdef Order* order = &core.orders[place]
    cdef Incoming amended
    if remaining == 0:
        take_out(core, book, place)
        order.remaining = 0
    elif order.marks & MARK_ARMED:
        order.remaining = remaining
    elif remaining < order.remaining:
        reduce(core, &book.ladders[order.side], place, order.remaining - remaining)
    order.price = price
    read_order(core, place, &amended)
    say_about(core, KIND_AMENDED, &amended, price)
    if remaining == 0:
        say_closed(core, &amended, REASON_AMENDED_DOWN)
        forget(core, place)


cdef void amend_to_back(Core* core, Book* book, u32 place, i64 price, i64 remaining) noexcept nogil:
    cdef bint armed = core.orders[place].marks & MARK_ARMED
    cdef Incoming amended
    take_out(core, book, place)
    read_order(core, place, &amended)
    forget(core, place)
    amended.price = price
    amended.remaining = remaining
    say_about(core, KIND_AMENDED, &amended, price)
    if armed:
        arm(core, book, keep(core, &amended))
    else:
        enter(core, book, &amended)
        fire_stops(core, book)


cdef u64 amend(Core* core, Book* book, u32 place, i64 price, i64 quantity) noexcept nogil:
    cdef Order* order = &core.orders[place]
    cdef i64 remaining
    cdef u64 reason = why_not_amend(core, book, place, price, quantity)
    if reason:
        return reason
    remaining = max(0, quantity - order.filled - prevented_of(core, order))
    if remaining == 0 or (price == order.price and remaining <= order.remaining):
        amend_in_place(core, book, place, price, remaining)
    else:
        amend_to_back(core, book, place, price, remaining)
    return REASON_NONE


cdef bint is_crossable(const Book* book, const Order* buy, const Order* sell, i64 price, i64 quantity) noexcept nogil:
    return (
        book.state == STATE_OPEN
        and buy.side == BUY and sell.side == SELL
        and buy.owner != sell.owner
        and not (buy.marks | sell.marks) & MARK_ARMED
        and crosses(buy.price, BUY, price)
        and crosses(sell.price, SELL, price)
        and quantity <= buy.remaining and quantity <= sell.remaining
    )


cdef u64 cross(Core* core, Book* book, u32 buy_place, u32 sell_place, i64 price, i64 quantity) noexcept nogil:
    # Sets no last price: a price that two parties agreed on must not fire other people's stops.
    cdef Order* buy = &core.orders[buy_place]
    cdef Order* sell = &core.orders[sell_place]
    cdef Incoming taker
    if not is_crossable(book, buy, sell, price, quantity):
        return REASON_NOT_CROSSABLE
    reduce(core, &book.ladders[BUY], buy_place, quantity)
    reduce(core, &book.ladders[SELL], sell_place, quantity)
    buy.filled += quantity
    sell.filled += quantity
    read_order(core, buy_place, &taker)
    say_filled(core, &taker, sell, price, quantity)
    if sell.remaining == 0:
        say_order_closed(core, sell, REASON_FILLED)
        forget(core, sell_place)
    if buy.remaining == 0:
        say_order_closed(core, buy, REASON_FILLED)
        forget(core, buy_place)
    return REASON_NONE
