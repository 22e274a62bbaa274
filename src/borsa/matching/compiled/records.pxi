# What crosses the boundary, and the numbers of `layout` as C constants. Little endian: kernel.pyx refuses to load elsewhere.

ctypedef uint8_t u8
ctypedef uint16_t u16
ctypedef uint32_t u32
ctypedef uint64_t u64
ctypedef int64_t i64

cdef extern from *:
    """
    /* A level may hold more than 2^64 lots: any number of orders, each of up to 2^63 - 1. */
    typedef unsigned __int128 borsa_u128;
    /* Without the empty asm, gcc takes a function that only asks for memory for one without effect, and leaves it out. */
    #define borsa_fetch(address) do { __builtin_prefetch(address); __asm__ volatile (""); } while (0)
    #define borsa_likely(condition) __builtin_expect(!!(condition), 1)
    #define borsa_unlikely(condition) __builtin_expect(!!(condition), 0)
    """
    ctypedef unsigned long long u128 "borsa_u128"
    void fetch "borsa_fetch"(const void*) noexcept nogil
    bint likely "borsa_likely"(bint) noexcept nogil
    bint unlikely "borsa_unlikely"(bint) noexcept nogil

cdef struct Command:  # layout.COMMAND
    u8 op
    u8 side
    u8 order_type
    u8 time_in_force
    u8 post_only
    u8 prevention
    u16 market
    u64 order_id
    u64 owner
    i64 price
    i64 quantity
    i64 budget
    i64 stop_price
    u64 other_id

cdef struct Result:  # layout.RESULT, its first eight bytes as one number
    u64 head
    u64 index
    u64 order_id
    u64 other_id
    i64 price
    i64 quantity
    i64 remaining
    i64 other_remaining

cdef enum:
    RECORD_BYTES = 64

    OP_PLACE = 1
    OP_CANCEL = 2
    OP_AMEND = 3
    OP_CROSS = 4
    OP_SET_STATE = 5
    OP_CANCEL_ALL = 6

    BUY = 0
    SELL = 1

    TYPE_LIMIT = 0
    TYPE_MARKET = 1
    TYPE_STOP = 2
    TYPE_STOP_LIMIT = 3

    TIF_GTC = 0
    TIF_IOC = 1
    TIF_FOK = 2

    STP_CANCEL_NEWEST = 0
    STP_CANCEL_OLDEST = 1
    STP_CANCEL_BOTH = 2
    STP_DECREMENT = 3
    STP_NONE = 4

    STATE_OPEN = 0
    STATE_HALTED = 2

    KIND_ACCEPTED = 1
    KIND_FILLED = 2
    KIND_CLOSED = 3
    KIND_AMENDED = 4
    KIND_REFUSED = 5
    KIND_TRIGGERED = 6
    KIND_PREVENTED = 7

    REASON_NONE = 0
    REASON_FILLED = 1
    REASON_CANCELLED = 2
    REASON_EXPIRED_IOC = 3
    REASON_EXPIRED_FOK = 4
    REASON_NO_LIQUIDITY = 5
    REASON_WOULD_CROSS = 6
    REASON_SELF_TRADE = 7
    REASON_HALTED = 8
    REASON_BUDGET_SPENT = 9
    REASON_AMENDED_DOWN = 10
    REASON_PRICE_BAND = 11
    REASON_UNKNOWN_ORDER = 16
    REASON_DUPLICATE_ORDER = 17
    REASON_NOT_CROSSABLE = 18
    REASON_NOT_AMENDABLE = 19
    REASON_INVALID = 20

    FLAG_MAKER_DONE = 1
    FLAG_TAKER_DONE = 2
    FLAG_BUDGET = 4

    MARKETS = 65536
