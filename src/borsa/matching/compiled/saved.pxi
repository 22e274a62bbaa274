# The state as bytes, and back: the format is that of snapshot.py, to the byte.

cdef struct SavedBook:
    u16 market
    u8 state
    u8 zero
    u32 resting
    u32 armed

cdef struct SavedOrder:
    u8 side
    u8 order_type
    u8 time_in_force
    u8 post_only
    u8 prevention
    u8 flags
    u16 market
    u64 order_id
    u64 owner
    i64 price
    i64 remaining
    i64 filled
    i64 prevented
    i64 budget_left
    i64 stop_price

cdef enum:
    SAVED_BOOK_BYTES = 20  # 12, and the last price
    SAVED_ORDER_BYTES = 72
    SAVED_BY_BUDGET = 1
    SAVED_CAPPED = 2


cdef u32 count_resting(const Core* core, const Book* book) noexcept nogil:
    cdef u32 resting = 0, at, number, place
    cdef int side
    for side in range(2):
        for at in range(book.ladders[side].count):
            for number in range(book.ladders[side].chunks[at].count):
                place = core.levels[book.ladders[side].chunks[at].levels[number]].head
                while place:
                    resting += 1
                    place = core.orders[place].next
    return resting


cdef bint has_state(const Book* book) noexcept nogil:
    return (
        book.state != STATE_OPEN or book.last_price or book.armed
        or book.ladders[BUY].best or book.ladders[SELL].best
    )


cdef char* save_order(const Core* core, u32 place, char* to) noexcept nogil:
    cdef Incoming order
    cdef SavedOrder saved
    read_order(core, place, &order)
    saved.side = order.side
    saved.order_type = order.order_type
    saved.time_in_force = order.time_in_force
    saved.post_only = order.post_only
    saved.prevention = order.prevention
    saved.flags = order.by_budget * SAVED_BY_BUDGET | order.capped * SAVED_CAPPED
    saved.market = order.market
    saved.order_id = order.order_id
    saved.owner = order.owner
    saved.price = order.price
    saved.remaining = order.remaining
    saved.filled = order.filled
    saved.prevented = order.prevented
    saved.budget_left = order.budget_left
    saved.stop_price = order.stop_price
    memcpy(to, &saved, SAVED_ORDER_BYTES)
    return to + SAVED_ORDER_BYTES


cdef void list_places(const Core* core, const Book* book, u32* places) noexcept nogil:
    # Every open order: bids, asks, both best first and longest waiting first in a level, then armed stops.
    cdef const Chunk* chunk
    cdef u32 at, number, place
    cdef int side
    for side in range(2):
        at = book.ladders[side].count
        while at:
            at -= 1
            chunk = book.ladders[side].chunks[at]
            number = chunk.count
            while number:
                number -= 1
                place = core.levels[chunk.levels[number]].head
                while place:
                    places[0] = place
                    places += 1
                    place = core.orders[place].next
    place = book.armed_first
    while place:
        places[0] = place
        places += 1
        place = core.orders[place].next


cdef void save_book(const Core* core, const Book* book, u32 resting, const u32* places, char* to) noexcept nogil:
    cdef SavedBook head
    cdef u32 number
    head.market = book.market
    head.state = book.state
    head.zero = 0
    head.resting = resting
    head.armed = book.armed
    memcpy(to, &head, sizeof(SavedBook))
    memcpy(to + sizeof(SavedBook), &book.last_price, sizeof(i64))
    to += SAVED_BOOK_BYTES
    for number in range(resting + book.armed):
        to = save_order(core, places[number], to)


cdef bint is_sound(const SavedOrder* order, u16 market, bint armed) noexcept nogil:
    # Whether an order could be in this place: see `snapshot.is_sound`, which is the same.
    cdef bint limited = is_limited(order.order_type)
    cdef bint has_stop_price = order.order_type >= TYPE_STOP
    if order.order_id == 0 or order.market != market or order.side > SELL or order.order_type > TYPE_STOP_LIMIT:
        return False
    if order.time_in_force > TIF_FOK or order.post_only > 1 or order.prevention > STP_NONE:
        return False
    if order.price < 0 or (limited and order.price == 0):
        return False
    if order.stop_price < 0 or (order.stop_price > 0) != has_stop_price:
        return False
    if order.remaining <= 0 or order.filled < 0 or order.prevented < 0 or order.budget_left < 0:
        return False
    if order.filled > INT64_MAX - order.remaining or order.prevented > INT64_MAX - order.remaining - order.filled:
        return False
    if order.flags > SAVED_CAPPED or (order.flags != 0) != (order.budget_left != 0):
        return False
    if order.flags and (order.side != BUY or limited):
        return False
    if order.post_only and (not limited or order.time_in_force != TIF_GTC):
        return False
    if armed:
        return has_stop_price
    return limited and order.time_in_force == TIF_GTC


cdef bint restore_order(Core* core, Book* book, const char* source, bint armed) noexcept nogil:
    cdef SavedOrder saved
    cdef Incoming order
    memcpy(&saved, source, SAVED_ORDER_BYTES)
    if not is_sound(&saved, book.market, armed) or find(core, saved.order_id):
        return False
    order.order_id = saved.order_id
    order.owner = saved.owner
    order.price = saved.price
    order.remaining = saved.remaining
    order.filled = saved.filled
    order.prevented = saved.prevented
    order.budget_left = saved.budget_left
    order.stop_price = saved.stop_price
    order.market = saved.market
    order.side = saved.side
    order.order_type = saved.order_type
    order.time_in_force = saved.time_in_force
    order.post_only = saved.post_only
    order.prevention = saved.prevention
    order.by_budget = saved.flags == SAVED_BY_BUDGET
    order.capped = saved.flags == SAVED_CAPPED
    if armed:
        arm(core, book, keep(core, &order))
    else:
        rest(core, book, &order)
    return True


cdef bint restore_all(Core* core, const char* source, size_t left, u32 count) noexcept nogil:
    # Fill a new core from the books of a snapshot; False when they can't be such.
    cdef SavedBook head
    cdef Book* book
    cdef i64 last_price
    cdef u64 orders, number
    cdef u32 at
    for at in range(count):
        if left < SAVED_BOOK_BYTES:
            return False
        memcpy(&head, source, sizeof(SavedBook))
        memcpy(&last_price, source + sizeof(SavedBook), sizeof(i64))
        source += SAVED_BOOK_BYTES
        left -= SAVED_BOOK_BYTES
        orders = <u64>head.resting + head.armed
        if core.books[head.market] or head.state > STATE_HALTED or last_price < 0 or left // SAVED_ORDER_BYTES < orders:
            return False
        book = new_book(core, head.market)
        book.state = head.state
        book.last_price = last_price
        for number in range(orders):
            if not restore_order(core, book, source, number >= head.resting):
                return False
            source += SAVED_ORDER_BYTES
        left -= orders * SAVED_ORDER_BYTES
    return left == 0
