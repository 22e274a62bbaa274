# Commands: checked, then handed to their book.

cdef enum:
    # How many commands ahead memory is asked for: first the index, then the order, then its neighbours and its level.
    # A cancel names an order that nobody has touched for long; without this, most of its time is waiting.
    AHEAD_COMMAND = 32
    AHEAD_INDEX = 16
    AHEAD_ORDER = 10
    AHEAD_LEVEL = 5


cdef inline bint is_valid(const Command* command) noexcept nogil:
    # Whether the fields of a PLACE are what `layout.Op.PLACE` allows.
    cdef bint limited, has_stop_price
    if command.order_id == 0 or command.side > SELL or command.time_in_force > TIF_FOK:
        return False
    if command.post_only > 1 or command.prevention > STP_NONE or command.order_type > TYPE_STOP_LIMIT:
        return False
    if command.quantity < 0 or command.budget < 0 or not (command.quantity or command.budget):
        return False
    limited = is_limited(command.order_type)
    has_stop_price = command.order_type >= TYPE_STOP
    if command.price < 0 or command.stop_price < 0:
        return False
    if (limited and command.price == 0) or (command.stop_price > 0) != has_stop_price:
        return False
    if command.budget and (command.side != BUY or limited):
        return False
    return not command.post_only or (limited and command.time_in_force == TIF_GTC)


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


cdef inline u64 word(const char* command, int number) noexcept nogil:
    cdef u64 found
    memcpy(&found, command + number * sizeof(u64), sizeof(u64))
    return found


cdef inline void read_command(const char* source, Command* command) noexcept nogil:
    # Word by word, so that the compiler keeps them in registers.
    cdef u64 head = word(source, 0)
    command.op = <u8>head
    command.side = <u8>(head >> 8)
    command.order_type = <u8>(head >> 16)
    command.time_in_force = <u8>(head >> 24)
    command.post_only = <u8>(head >> 32)
    command.prevention = <u8>(head >> 40)
    command.market = <u16>(head >> 48)
    command.order_id = word(source, 1)
    command.owner = word(source, 2)
    command.price = <i64>word(source, 3)
    command.quantity = <i64>word(source, 4)
    command.budget = <i64>word(source, 5)
    command.stop_price = <i64>word(source, 6)
    command.other_id = word(source, 7)


cdef u64 apply_rare(Core* core, Book* book, const char* source) noexcept nogil:
    cdef Command command
    read_command(source, &command)
    if command.op == OP_AMEND:
        return apply_amend(core, book, &command)
    if command.op == OP_CROSS:
        return apply_cross(core, book, &command)
    if command.op == OP_CANCEL_ALL:
        cancel_all(core, book, command.owner)
        return REASON_NONE
    if command.op != OP_SET_STATE or command.quantity < STATE_OPEN or command.quantity > STATE_HALTED:
        return REASON_INVALID
    book.state = <u8>command.quantity
    return REASON_NONE


cdef void say_refused(Core* core, u64 reason, const char* source) noexcept nogil:
    cdef Command command
    cdef u64 head
    read_command(source, &command)
    head = head_of(KIND_REFUSED, command.side, reason, 0, command.market)
    say(core, head, command.order_id, command.other_id, command.price, command.quantity, 0, 0)


cdef inline u32 likely_place(const Core* core, const char* command) noexcept nogil:
    # Where the order is that a command names, most likely: the first entry that a search would look at.
    return core.index[home_of(core, word(command, 1))]


cdef inline void look_ahead(const Core* core, const char* command, size_t left) noexcept nogil:
    # Ask for the memory that later commands will need. What is asked for may be gone by then, which harms nobody.
    # New orders too are looked for, and mostly not found: to ask for number 0 costs less than a branch on what comes.
    cdef const char* later
    cdef const Order* order
    if left <= AHEAD_COMMAND:
        return
    fetch(command + AHEAD_COMMAND * RECORD_BYTES)
    fetch(&core.index[home_of(core, word(command + AHEAD_INDEX * RECORD_BYTES, 1))])
    later = command + AHEAD_ORDER * RECORD_BYTES
    fetch(&core.orders[likely_place(core, later)])
    later = command + AHEAD_LEVEL * RECORD_BYTES
    order = &core.orders[likely_place(core, later)]
    fetch(&core.levels[order.level])
    fetch(&core.orders[order.next])
    fetch(&core.orders[order.previous])


cdef void apply_all(Core* core, const char* commands, size_t count) noexcept nogil:
    cdef Command command
    cdef Book* book
    cdef u64 reason
    cdef size_t number
    for number in range(count):
        look_ahead(core, commands, count - number)
        read_command(commands, &command)
        core.command = number
        book = core.books[command.market]
        if unlikely(book == NULL):
            book = new_book(core, command.market)
        if command.op == OP_PLACE:
            reason = apply_place(core, book, &command)
        elif command.op == OP_CANCEL:
            reason = apply_cancel(core, book, command.order_id)
        else:
            reason = apply_rare(core, book, commands)
        if unlikely(reason != REASON_NONE):
            say_refused(core, reason, commands)
        commands += RECORD_BYTES
