# The armed stops of one market: a heap for each side, whose top is reached first, and a list in arming order.


cdef inline void put_item(Core* core, Heap* heap, u32 at, Item item) noexcept nogil:
    heap.items[at] = item
    core.extras[core.orders[item.place].extra].position = at


cdef void raise_item(Core* core, Heap* heap, u32 at, Item item) noexcept nogil:
    while at > 1 and heap.items[at >> 1].key > item.key:
        put_item(core, heap, at, heap.items[at >> 1])
        at >>= 1
    put_item(core, heap, at, item)


cdef void sink_item(Core* core, Heap* heap, u32 at, Item item) noexcept nogil:
    cdef u32 child = at * 2
    while child <= heap.count:
        if child < heap.count and heap.items[child + 1].key < heap.items[child].key:
            child += 1
        if heap.items[child].key >= item.key:
            break
        put_item(core, heap, at, heap.items[child])
        at = child
        child = at * 2
    put_item(core, heap, at, item)


cdef void push_item(Core* core, Heap* heap, i64 key, u32 place) noexcept nogil:
    cdef Item item
    item.key = key
    item.place = place
    if heap.count + 1 >= heap.capacity:
        heap.capacity = heap.capacity * 2 if heap.capacity else 16
        heap.items = <Item*>checked(realloc(heap.items, heap.capacity * sizeof(Item)))
    heap.count += 1
    raise_item(core, heap, heap.count, item)


cdef void remove_item(Core* core, Heap* heap, u32 at) noexcept nogil:
    cdef Item last = heap.items[heap.count]
    heap.count -= 1
    if at <= heap.count:
        if at > 1 and heap.items[at >> 1].key > last.key:
            raise_item(core, heap, at, last)
        else:
            sink_item(core, heap, at, last)


cdef void arm(Core* core, Book* book, u32 place) noexcept nogil:
    # At the back of the arming order.
    cdef Order* order = &core.orders[place]
    cdef Extra* extra = &core.extras[order.extra]
    book.sequence += 1
    extra.sequence = book.sequence
    order.marks |= MARK_ARMED
    order.next = 0
    order.previous = book.armed_last
    if book.armed_last:
        core.orders[book.armed_last].next = place
    else:
        book.armed_first = place
    book.armed_last = place
    book.armed += 1
    push_item(core, &book.stops[order.side], -extra.stop_price if order.side else extra.stop_price, place)


cdef void disarm(Core* core, Book* book, u32 place) noexcept nogil:
    cdef Order* order = &core.orders[place]
    cdef u32 before = order.previous, behind = order.next
    if before:
        core.orders[before].next = behind
    else:
        book.armed_first = behind
    if behind:
        core.orders[behind].previous = before
    else:
        book.armed_last = before
    book.armed -= 1
    order.marks &= ~MARK_ARMED
    remove_item(core, &book.stops[order.side], core.extras[order.extra].position)


cdef void collect_reached(Core* core, Book* book) noexcept nogil:
    # Disarm every stop that trades from `low` to `high` reached: buys up to `high`, sells from `low`. They wait in the
    # arming order, which is that of their sequences.
    cdef i64 furthest[2]
    cdef Heap* heap
    cdef u32 place
    cdef int side
    furthest[0] = book.high
    furthest[1] = -book.low
    for side in range(2):
        heap = &book.stops[side]
        while heap.count and heap.items[1].key <= furthest[side]:
            place = heap.items[1].place
            disarm(core, book, place)
            push_item(core, &core.triggered, <i64>core.extras[core.orders[place].extra].sequence, place)


cdef inline bint is_through(const Incoming* order, i64 price) noexcept nogil:
    # Whether a trade at this price triggers this stop.
    return price <= order.stop_price if order.side else price >= order.stop_price
