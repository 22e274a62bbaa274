# Where everything is: pools that hand out numbers instead of pointers (half the size, and they survive growth), and the
# index from an order's id to its place in the pool. Number 0 is never handed out: it says "none".

cdef enum:
    MARK_POST_ONLY = 1
    MARK_BY_BUDGET = 2
    MARK_CAPPED = 4
    MARK_ARMED = 8
    PREVENTION_SHIFT = 4

cdef struct Order:
    # An order that rests or is armed: one cache line. What few orders have is in an Extra.
    u64 order_id  # 0: this place is free
    u64 owner
    i64 price
    i64 remaining
    i64 filled
    u32 next  # behind it at its price; of an armed stop: in arming order; of a free place: the next free one
    u32 previous
    u32 level  # where it rests
    u32 extra
    u16 market
    u8 side
    u8 order_type
    u8 time_in_force
    u8 marks

cdef struct Extra:
    i64 prevented
    i64 budget_left
    i64 stop_price
    u64 sequence
    u32 position  # in the heap of its stop price; of a free one: the next free one

cdef struct Incoming:
    # An order on its way: new, amended to the back, or a stop that fired.
    u64 order_id
    u64 owner
    i64 price
    i64 remaining
    i64 filled
    i64 prevented
    i64 budget_left
    i64 stop_price
    u16 market
    u8 side
    u8 order_type
    u8 time_in_force
    u8 post_only
    u8 prevention
    u8 by_budget
    u8 capped

cdef struct Level:
    u128 total
    i64 price
    u32 head  # of a free one: the next free one
    u32 tail

cdef struct Item:
    i64 key
    u32 place

cdef struct Heap:  # see stops.pxi
    Item* items  # from 1
    u32 count
    u32 capacity

cdef struct Core:
    # All state of a kernel.
    Order* orders
    Extra* extras
    Level* levels
    u32* index  # the place of every open order, by open addressing; 0: empty
    Book** books  # by market; NULL: never named
    char* results  # while commands are applied
    bint results_lent
    u64 command  # number of the one being applied, in its batch
    size_t results_used
    size_t results_capacity
    u32 orders_free
    u32 orders_made
    u32 orders_capacity
    u32 extras_free
    u32 extras_made
    u32 extras_capacity
    u32 levels_free
    u32 levels_made
    u32 levels_capacity
    u32 index_mask
    u32 index_shift
    u32 open_orders
    Heap triggered


cdef inline bint is_limited(u8 order_type) noexcept nogil:
    # Whether it may rest at its price. If not, it is a market order, or becomes one when it triggers.
    return order_type == TYPE_LIMIT or order_type == TYPE_STOP_LIMIT


cdef void* checked(void* memory) noexcept nogil:
    # Half a command can't be taken back, and the log has what is needed to begin again: end here, not with wrong books.
    if memory == NULL:
        fputs("borsa: the matching kernel is out of memory\n", stderr)
        abort()
    return memory


cdef void* grown(void* memory, size_t size, u32* capacity, u32 least) noexcept nogil:
    # Twice as many records of `size` bytes, on cache lines. The new ones are not written yet: what nobody uses costs no
    # memory. Number 0 is all zeros.
    cdef u32 wanted = capacity[0] * 2 if capacity[0] else least
    cdef size_t used = capacity[0] * size, bytes = (wanted * size + 63) & ~(<size_t>63)
    cdef void* fresh = checked(aligned_alloc(64, bytes) if wanted > capacity[0] else NULL)
    if memory != NULL:
        memcpy(fresh, memory, used)
    else:
        memset(fresh, 0, size)
    free(memory)
    capacity[0] = wanted
    return fresh


cdef u32 fresh_order(Core* core) noexcept nogil:
    if core.orders_made == core.orders_capacity:
        core.orders = <Order*>grown(core.orders, sizeof(Order), &core.orders_capacity, 1024)
    core.orders_made += 1
    return core.orders_made - 1


cdef inline u32 take_order(Core* core) noexcept nogil:
    cdef u32 place = core.orders_free
    if unlikely(place == 0):
        return fresh_order(core)
    core.orders_free = core.orders[place].next
    return place


cdef inline void free_order(Core* core, u32 place) noexcept nogil:
    cdef Order* order = &core.orders[place]
    if order.extra:
        core.extras[order.extra].position = core.extras_free
        core.extras_free = order.extra
    order.order_id = 0
    order.next = core.orders_free
    core.orders_free = place


cdef u32 take_extra(Core* core) noexcept nogil:
    cdef u32 number = core.extras_free
    if number:
        core.extras_free = core.extras[number].position
    else:
        if core.extras_made == core.extras_capacity:
            core.extras = <Extra*>grown(core.extras, sizeof(Extra), &core.extras_capacity, 64)
        number = core.extras_made
        core.extras_made += 1
    memset(&core.extras[number], 0, sizeof(Extra))
    return number


cdef inline u32 take_level(Core* core, i64 price) noexcept nogil:
    cdef u32 number = core.levels_free
    if number:
        core.levels_free = core.levels[number].head
    else:
        if core.levels_made == core.levels_capacity:
            core.levels = <Level*>grown(core.levels, sizeof(Level), &core.levels_capacity, 256)
        number = core.levels_made
        core.levels_made += 1
    cdef Level* level = &core.levels[number]
    level.total = 0
    level.price = price
    level.head = level.tail = 0
    return number


cdef inline void free_level(Core* core, u32 number) noexcept nogil:
    core.levels[number].head = core.levels_free
    core.levels_free = number


cdef inline i64 prevented_of(const Core* core, const Order* order) noexcept nogil:
    return core.extras[order.extra].prevented if order.extra else 0


cdef inline i64 total_of(const Core* core, const Order* order) noexcept nogil:
    return order.filled + prevented_of(core, order) + order.remaining


# The index. Its hash spreads ascending ids evenly. At most a quarter full: nobody can predict whether a search goes on
# behind the first entry, so it should seldom have to. An entry is a place and no more: what is found has to be looked at
# anyway. Whatever ids are in use (old ones far apart, one near 2^64), an open order costs 16 to 32 bytes here.

cdef inline u32 home_of(const Core* core, u64 order_id) noexcept nogil:
    # Where in the index an order is, unless others were there before it.
    return <u32>((order_id * <u64>0x9E3779B97F4A7C15) >> core.index_shift)


cdef inline u32 find(const Core* core, u64 order_id) noexcept nogil:
    # The place of an open order; 0: there is none with this id.
    cdef u32 at = home_of(core, order_id), place = core.index[at]
    while place:
        if core.orders[place].order_id == order_id:
            return place
        at = (at + 1) & core.index_mask
        place = core.index[at]
    return 0


cdef void put_entry(Core* core, u64 order_id, u32 place) noexcept nogil:
    cdef u32 at = home_of(core, order_id)
    while core.index[at]:
        at = (at + 1) & core.index_mask
    core.index[at] = place


cdef void grow_index(Core* core) noexcept nogil:
    cdef u32* old = core.index
    cdef u64 size = <u64>core.index_mask + 1, number
    core.index = <u32*>checked(calloc(size * 2, sizeof(u32)))
    core.index_shift -= 1
    core.index_mask = <u32>(size * 2 - 1)
    for number in range(size):
        if old[number]:
            put_entry(core, core.orders[old[number]].order_id, old[number])
    free(old)


cdef inline void enter_index(Core* core, u64 order_id, u32 place) noexcept nogil:
    if unlikely(core.open_orders > core.index_mask >> 2):
        grow_index(core)
    core.open_orders += 1
    put_entry(core, order_id, place)


cdef inline void leave_index(Core* core, u64 order_id, u32 place) noexcept nogil:
    cdef u32 at = home_of(core, order_id), mask = core.index_mask, behind, home, entry
    while core.index[at] != place:
        at = (at + 1) & mask
    core.open_orders -= 1
    behind = at
    while True:  # close the gap, so that no search stops at it
        behind = (behind + 1) & mask
        entry = core.index[behind]
        if not entry:
            break
        home = home_of(core, core.orders[entry].order_id)
        if ((behind - home) & mask) >= ((behind - at) & mask):
            core.index[at] = entry
            at = behind
    core.index[at] = 0


cdef Core* new_core() noexcept nogil:
    cdef Core* core = <Core*>checked(calloc(1, sizeof(Core)))
    core.books = <Book**>checked(calloc(MARKETS, sizeof(void*)))
    core.index_shift = 64 - 8
    core.index_mask = (1 << 8) - 1
    core.index = <u32*>checked(calloc(1 << 8, sizeof(u32)))
    core.orders = <Order*>grown(NULL, sizeof(Order), &core.orders_capacity, 64)
    core.extras = <Extra*>grown(NULL, sizeof(Extra), &core.extras_capacity, 8)
    core.levels = <Level*>grown(NULL, sizeof(Level), &core.levels_capacity, 16)
    core.orders_made = core.extras_made = core.levels_made = 1
    return core


cdef void free_core(Core* core) noexcept nogil:
    cdef u32 market
    if core == NULL:
        return
    for market in range(MARKETS):
        if core.books[market]:
            free_book(core.books[market])
    free(core.books)
    free(core.index)
    free(core.orders)
    free(core.extras)
    free(core.levels)
    free(core.triggered.items)
    free(core)
