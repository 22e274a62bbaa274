# Commands: checked, then handed to their book.

cdef enum:
    # How many commands ahead memory is asked for: first the index, then the order, then its neighbours and its level.
    # A cancel names an order that nobody has touched for long; without this, most of its time is waiting.
    AHEAD_INDEX = 12
    AHEAD_ORDER = 8
    AHEAD_LEVEL = 4


cdef inline bint is_valid(const Command* command) noexcept nogil:
    # Whether the fields of a PLACE are what `layout.Op.PLACE` allows.
    cdef bint has_price, has_stop_price
    if command.order_id == 0 or command.side > SELL or command.time_in_force > TIF_FOK:
        return False
    if command.post_only > 1 or command.prevention > STP_NONE or command.order_type > TYPE_STOP_LIMIT:
        return False
    if command.quantity < 0 or command.budget < 0 or not (command.quantity or command.budget):
        return False
    has_price = command.order_type == TYPE_LIMIT or command.order_type == TYPE_STOP_LIMIT
    has_stop_price = command.order_type >= TYPE_STOP
    if command.price < 0 or command.stop_price < 0:
        return False
    if (command.price > 0) != has_price or (command.stop_price > 0) != has_stop_price:
        return False
    if command.budget and (command.side != BUY or has_price):
        return False
    return not command.post_only or (has_price and command.time_in_force == TIF_GTC)


cdef inline u64 apply_place(Core* core, Book* book, const Command* command) noexcept nogil:
    cdef Incoming order
    if unlikely(not is_valid(command)):
        return REASON_INVALID
    if unlikely(find(core, command.order_id) != 0):
        return REASON_DUPLICATE_ORDER
    order.order_id = command.order_id
    order.owner = command.owner
    order.price = command.price
    order.remaining = command.quantity if command.quantity else command.budget
    order.filled = 0
    order.prevented = 0
    order.budget_left = command.budget
    order.stop_price = command.stop_price
    order.market = command.market
    order.side = command.side
    order.order_type = command.order_type
    order.time_in_force = command.time_in_force
    order.post_only = command.post_only
    order.prevention = command.prevention
    order.by_budget = command.quantity == 0
    order.capped = command.quantity != 0 and command.budget != 0
    place_order(core, book, &order)
    return REASON_NONE


cdef inline u32 find_in(const Core* core, const Book* book, u64 order_id) noexcept nogil:
    cdef u32 place = find(core, order_id)
    return place if place and core.orders[place].market == book.market else 0


cdef inline u64 apply_cancel(Core* core, Book* book, u64 order_id) noexcept nogil:
    cdef u32 place = find_in(core, book, order_id)
    if place == 0:
        return REASON_UNKNOWN_ORDER
    cancel(core, book, place)
    return REASON_NONE


cdef u64 apply_amend(Core* core, Book* book, const Command* command) noexcept nogil:
    cdef u32 place = find_in(core, book, command.order_id)
    if place == 0:
        return REASON_UNKNOWN_ORDER
    return amend(core, book, place, command.price, command.quantity)


cdef u64 apply_cross(Core* core, Book* book, const Command* command) noexcept nogil:
    cdef u32 buy = find_in(core, book, command.order_id), sell = find_in(core, book, command.other_id)
    if buy == 0 or sell == 0:
        return REASON_UNKNOWN_ORDER
    if command.price <= 0 or command.quantity <= 0:
        return REASON_INVALID
    return cross(core, book, buy, sell, command.price, command.quantity)


cdef u64 apply_rare(Core* core, Book* book, const Command* command) noexcept nogil:
    if command.op == OP_AMEND:
        return apply_amend(core, book, command)
    if command.op == OP_CROSS:
        return apply_cross(core, book, command)
    if command.op == OP_CANCEL_ALL:
        cancel_all(core, book, command.owner)
        return REASON_NONE
    if command.op != OP_SET_STATE or command.quantity < STATE_OPEN or command.quantity > STATE_HALTED:
        return REASON_INVALID
    book.state = <u8>command.quantity
    return REASON_NONE


cdef inline u64 id_of(const char* command) noexcept nogil:
    cdef u64 order_id
    memcpy(&order_id, command + ORDER_ID_OFFSET, sizeof(u64))
    return order_id


cdef inline void look_ahead(const Core* core, const char* command, size_t left) noexcept nogil:
    # Ask for the memory that later commands will need. What is asked for may be gone by then, which harms nobody.
    cdef const Order* order
    cdef u32 place
    if left > AHEAD_INDEX:
        fetch(&core.index[hash_of(id_of(command + AHEAD_INDEX * RECORD_BYTES)) >> core.index_shift])
    if left > AHEAD_ORDER and command[AHEAD_ORDER * RECORD_BYTES] != OP_PLACE:
        place = <u32>core.index[hash_of(id_of(command + AHEAD_ORDER * RECORD_BYTES)) >> core.index_shift]
        fetch(&core.orders[place])
    if left > AHEAD_LEVEL and command[AHEAD_LEVEL * RECORD_BYTES] != OP_PLACE:
        place = <u32>core.index[hash_of(id_of(command + AHEAD_LEVEL * RECORD_BYTES)) >> core.index_shift]
        order = &core.orders[place]
        fetch(&core.levels[order.level])
        fetch(&core.orders[order.next])
        fetch(&core.orders[order.previous])


cdef void apply_all(Core* core, const char* commands, size_t count) noexcept nogil:
    cdef Command command
    cdef Book* book
    cdef u64 reason
    cdef size_t number
    core.results_used = 0
    for number in range(count):
        look_ahead(core, commands, count - number)
        # copied once: another thread may write into a bytearray meanwhile, and what was checked must be what is used
        memcpy(&command, commands, RECORD_BYTES)
        commands += RECORD_BYTES
        core.command = number
        book = core.books[command.market]
        if unlikely(book == NULL):
            book = new_book(core, command.market)
        if command.op == OP_PLACE:
            reason = apply_place(core, book, &command)
        elif command.op == OP_CANCEL:
            reason = apply_cancel(core, book, command.order_id)
        else:
            reason = apply_rare(core, book, &command)
        if unlikely(reason != REASON_NONE):
            say_refused(core, reason, &command)
