# Incoming orders: new ones, those amended to the back, and stops that fired.

cdef inline bint crosses(i64 limit, u8 side, i64 price) noexcept nogil:
    # Whether a limit or worst price allows a trade at this price; 0 allows any.
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


cdef inline u64 why_not_rest(const Book* book, const Incoming* taker) noexcept nogil:
    if unlikely(not is_limited(taker.order_type)):
        return REASON_PRICE_BAND if book.ladders[1 - taker.side].best else REASON_NO_LIQUIDITY
    if taker.time_in_force != TIF_GTC:
        return REASON_EXPIRED_IOC
    return REASON_NONE


cdef inline void enter(Core* core, Book* book, Incoming* taker) noexcept nogil:
    # Match an incoming order, then close it or let its remainder rest.
    cdef u64 reason = why_not_match(core, book, taker)
    if reason == REASON_NONE:
        reason = match(core, book, taker)
    if reason == REASON_NONE:
        reason = why_not_rest(book, taker)
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
