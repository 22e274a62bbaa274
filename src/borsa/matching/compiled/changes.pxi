# What becomes of open orders by command: mass cancel, amending, crossing.

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
