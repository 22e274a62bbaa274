# Writes results: one function for each kind, one record for each call.

cdef enum:
    LIKELY_RESULTS = 2  # for each command: more are rare


cdef void lend_results(Core* core, char* memory, size_t size) noexcept nogil:
    # Results go to the `bytes` that the caller gets, so that they need not be copied, as long as it has room.
    core.results = memory
    core.results_capacity = size
    core.results_used = 0
    core.results_lent = True


cdef void grow_results(Core* core) noexcept nogil:
    cdef char* lent = core.results
    core.results_capacity *= 2
    if core.results_lent:
        core.results = <char*>checked(malloc(core.results_capacity))
        memcpy(core.results, lent, core.results_used)
        core.results_lent = False
    else:
        core.results = <char*>checked(realloc(core.results, core.results_capacity))


cdef inline void say(
    Core* core, u64 head, u64 order_id, u64 other_id, i64 price, i64 quantity, i64 remaining, i64 other_remaining
) noexcept nogil:
    cdef Result* result
    if unlikely(core.results_used == core.results_capacity):
        grow_results(core)
    result = <Result*>(core.results + core.results_used)
    core.results_used += RECORD_BYTES
    result.head = head
    result.index = core.command
    result.order_id = order_id
    result.other_id = other_id
    result.price = price
    result.quantity = quantity
    result.remaining = remaining
    result.other_remaining = other_remaining


cdef inline u64 head_of(u64 kind, u64 side, u64 reason, u64 flags, u64 market) noexcept nogil:
    return kind | side << 8 | reason << 16 | flags << 24 | market << 32


cdef inline void say_about(Core* core, u64 kind, const Incoming* order, i64 price) noexcept nogil:
    cdef i64 quantity = 0 if order.by_budget else order.filled + order.prevented + order.remaining
    cdef u64 head = head_of(kind, order.side, 0, FLAG_BUDGET if order.by_budget else 0, order.market)
    say(core, head, order.order_id, 0, price, quantity, order.remaining, 0)


cdef inline void say_closed(Core* core, const Incoming* order, u64 reason) noexcept nogil:
    cdef u64 head = head_of(KIND_CLOSED, order.side, reason, FLAG_BUDGET if order.by_budget else 0, order.market)
    say(core, head, order.order_id, 0, order.price, order.filled, order.remaining, 0)


cdef inline void say_order_closed(Core* core, const Order* order, u64 reason) noexcept nogil:
    cdef u64 flags = FLAG_BUDGET if order.marks & MARK_BY_BUDGET else 0
    cdef u64 head = head_of(KIND_CLOSED, order.side, reason, flags, order.market)
    say(core, head, order.order_id, 0, order.price, order.filled, order.remaining, 0)


cdef inline void say_between(
    Core* core, u64 kind, u64 flags, const Incoming* taker, const Order* maker, i64 price, i64 quantity
) noexcept nogil:
    cdef u64 head
    if taker.by_budget:
        flags |= FLAG_BUDGET
    head = head_of(kind, taker.side, 0, flags, taker.market)
    say(core, head, taker.order_id, maker.order_id, price, quantity, taker.remaining, maker.remaining)


cdef inline void say_filled(
    Core* core, const Incoming* taker, const Order* maker, i64 price, i64 quantity
) noexcept nogil:
    cdef u64 flags = 0 if maker.remaining else FLAG_MAKER_DONE
    if not taker.remaining:
        flags |= FLAG_TAKER_DONE
    say_between(core, KIND_FILLED, flags, taker, maker, price, quantity)
