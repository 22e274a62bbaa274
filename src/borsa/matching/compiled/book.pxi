# One market's order book. Its rules, here, in incoming.pxi and in changes.pxi, are line for line those of book.py, which
# explains them.

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
        free(ladder.known)
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
