"""The packed records of the matching kernel: 64 bytes a command, 64 bytes a result, little endian.

Units: prices and stop prices in ticks, quantities in lots, budgets in tick*lots (price times quantity), ids
unsigned. Every number that a command names must be 0 or positive; 0 in a field means "not given".

The plain `int` constants are for code that runs once an order; the `IntEnum` classes are the same numbers
with names, for packing by hand, decoding and messages."""

from collections.abc import Iterator
from enum import IntEnum
from struct import Struct
from typing import Final, NamedTuple

COMMAND: Final = Struct("<BBBBBBHQQqqqqQ")
"""op, side, order_type, time_in_force, post_only, self_trade_prevention, market, order_id, owner, price,
quantity, budget, stop_price, other_id."""

RESULT: Final = Struct("<BBBBH2xI4xQQqqqq")
"""kind, side, reason, flags, market, (2 zero bytes), index, (4 zero bytes), order_id, other_id, price,
quantity, remaining, other_remaining."""

COMMAND_BYTES: Final = 64
RESULT_BYTES: Final = 64

OP_PLACE: Final = 1
OP_CANCEL: Final = 2
OP_AMEND: Final = 3
OP_CROSS: Final = 4
OP_SET_STATE: Final = 5
OP_CANCEL_ALL: Final = 6

BUY: Final = 0
SELL: Final = 1

TYPE_LIMIT: Final = 0
TYPE_MARKET: Final = 1
TYPE_STOP: Final = 2
TYPE_STOP_LIMIT: Final = 3

TIF_GTC: Final = 0
TIF_IOC: Final = 1
TIF_FOK: Final = 2

STP_CANCEL_NEWEST: Final = 0
STP_CANCEL_OLDEST: Final = 1
STP_CANCEL_BOTH: Final = 2
STP_DECREMENT: Final = 3
STP_NONE: Final = 4

STATE_OPEN: Final = 0
STATE_CANCEL_ONLY: Final = 1
STATE_HALTED: Final = 2

KIND_ACCEPTED: Final = 1
KIND_FILLED: Final = 2
KIND_CLOSED: Final = 3
KIND_AMENDED: Final = 4
KIND_REFUSED: Final = 5
KIND_TRIGGERED: Final = 6
KIND_PREVENTED: Final = 7

REASON_NONE: Final = 0
REASON_FILLED: Final = 1
REASON_CANCELLED: Final = 2
REASON_EXPIRED_IOC: Final = 3
REASON_EXPIRED_FOK: Final = 4
REASON_NO_LIQUIDITY: Final = 5
REASON_WOULD_CROSS: Final = 6
REASON_SELF_TRADE: Final = 7
REASON_HALTED: Final = 8
REASON_BUDGET_SPENT: Final = 9
REASON_AMENDED_DOWN: Final = 10
REASON_PRICE_BAND: Final = 11
REASON_UNKNOWN_ORDER: Final = 16
REASON_DUPLICATE_ORDER: Final = 17
REASON_NOT_CROSSABLE: Final = 18
REASON_NOT_AMENDABLE: Final = 19
REASON_INVALID: Final = 20

FLAG_MAKER_DONE: Final = 1
FLAG_TAKER_DONE: Final = 2
FLAG_BUDGET: Final = 4


class Op(IntEnum):
    """What a command asks for, and the fields it reads beside `op`, `market` and `order_id`."""

    PLACE = OP_PLACE
    """side, order_type, time_in_force, post_only, self_trade_prevention, owner, price, quantity, budget,
    stop_price.

    Price is above 0 for limit and stop_limit: the limit. For market and stop it is the worst price at which
    they may trade, 0 for none. stop_price is above 0 for stop and stop_limit only. Only a limit or stop_limit
    with gtc may be post_only. Only a buy of type market or stop may have a budget; it then may leave quantity
    0 (spend the budget), or give both (buy the quantity, never for more than the budget).
    """
    CANCEL = OP_CANCEL
    """Nothing else. Works in every market state, for resting orders and for armed stops."""
    AMEND = OP_AMEND
    """price and quantity, both always given: quantity is the new TOTAL, filled part included. An order
    without a price stays without, one with a price keeps one."""
    CROSS = OP_CROSS
    """order_id (the buy), other_id (the sell), price, quantity: trade two resting orders with one another."""
    SET_STATE = OP_SET_STATE
    """quantity: a `State`. Has no result unless it is refused."""
    CANCEL_ALL = OP_CANCEL_ALL
    """owner: closes that owner's resting orders and armed stops of this market, by ascending order id."""


class Side(IntEnum):
    """Of an order; in FILLED, PREVENTED: of the taker."""

    BUY = BUY
    SELL = SELL


class OrderType(IntEnum):
    """A stop becomes a market order when it triggers, a stop_limit a limit order."""

    LIMIT = TYPE_LIMIT
    MARKET = TYPE_MARKET
    STOP = TYPE_STOP
    STOP_LIMIT = TYPE_STOP_LIMIT


class TimeInForce(IntEnum):
    """gtc rests (a market order never does), ioc fills what it can at once, fok fills whole or not at all."""

    GTC = TIF_GTC
    IOC = TIF_IOC
    FOK = TIF_FOK


class SelfTradePrevention(IntEnum):
    """What happens when a taker meets a resting order of its own owner. The taker's mode decides."""

    CANCEL_NEWEST = STP_CANCEL_NEWEST
    """The taker closes."""
    CANCEL_OLDEST = STP_CANCEL_OLDEST
    """The maker closes, the taker goes on."""
    CANCEL_BOTH = STP_CANCEL_BOTH
    """Both close."""
    DECREMENT = STP_DECREMENT
    """Both lose what would have traded; whoever is at zero closes."""
    NONE = STP_NONE
    """They trade."""


class State(IntEnum):
    """Of a market. A market that no command has named is open. Not open: only CANCEL and CANCEL_ALL work,
    nothing matches and nothing triggers; the two closed states differ in name only."""

    OPEN = STATE_OPEN
    CANCEL_ONLY = STATE_CANCEL_ONLY
    HALTED = STATE_HALTED


class Kind(IntEnum):
    """What a result says. `remaining` is always the subject's after this, `quantity` as named here.

    For an order at any time: its quantity (ACCEPTED, or the last AMENDED) = filled + prevented (sum of its
    PREVENTED under decrement) + remaining. An order that has ACCEPTED and no CLOSED is open: resting, or
    armed.

    FLAG_BUDGET is set where the subject is a buy by budget (its command gave quantity 0): its `remaining`
    is then the budget left, in tick*lots, and in ACCEPTED and TRIGGERED its `quantity` is 0."""

    ACCEPTED = KIND_ACCEPTED
    """First result of every PLACE that is not refused. price, quantity: as asked; remaining = quantity."""
    FILLED = KIND_FILLED
    """A trade: order_id is the taker, other_id the maker, price the maker's (after CROSS: order_id is the
    buy, other_id the sell, price the command's). quantity traded; remaining the taker's, other_remaining
    the maker's. Flags: which of the two has nothing left. The maker's CLOSED, when it is done, comes next,
    before the taker's."""
    CLOSED = KIND_CLOSED
    """An order ended: exactly once for each accepted order that is not open. quantity: the total it filled
    (lots); remaining: what was cut off; price: its limit or worst price (0: none)."""
    AMENDED = KIND_AMENDED
    """price and quantity (the total) that hold from now on. A total below what is filled and prevented is
    raised to that, with remaining 0, and CLOSED amended_down follows; otherwise the fills that it causes
    follow."""
    REFUSED = KIND_REFUSED
    """The command did nothing. side, order_id, other_id, price, quantity repeat the command; remaining is
    0."""
    TRIGGERED = KIND_TRIGGERED
    """A stop fired, and enters as a taker now. price: its stop price; quantity: its total."""
    PREVENTED = KIND_PREVENTED
    """A self-trade that did not happen: order_id the taker, other_id the maker, price the maker's, quantity
    what would have traded. Flags: which of the two closes for it. Under decrement remaining and
    other_remaining are already lowered, otherwise they are unchanged and the CLOSED that follows cuts them
    off."""


class Reason(IntEnum):
    """Why an order CLOSED or a command was REFUSED."""

    NONE = REASON_NONE
    FILLED = REASON_FILLED
    """Done as asked. A buy by budget too, when it bought something and what is left can't buy a lot at the
    best ask."""
    CANCELLED = REASON_CANCELLED
    EXPIRED_IOC = REASON_EXPIRED_IOC
    """A limit ioc's remainder."""
    EXPIRED_FOK = REASON_EXPIRED_FOK
    """A fok that could not fill whole. Own orders that prevention would not let trade are not counted."""
    NO_LIQUIDITY = REASON_NO_LIQUIDITY
    """A market order's remainder: the other side is empty."""
    WOULD_CROSS = REASON_WOULD_CROSS
    """A post_only order that would have taken. As a refusal: an AMEND that would have made it so; the order
    stands."""
    SELF_TRADE = REASON_SELF_TRADE
    HALTED = REASON_HALTED
    """Placed in a market that is not open."""
    BUDGET_SPENT = REASON_BUDGET_SPENT
    """A buy with a quantity and a budget, whose budget can't buy one more lot; or a buy by budget that
    never could."""
    AMENDED_DOWN = REASON_AMENDED_DOWN
    """Amended to a total that it had already reached: filled, as far as anyone is concerned."""
    PRICE_BAND = REASON_PRICE_BAND
    """A market order's remainder: what the other side has left is beyond its worst price."""
    UNKNOWN_ORDER = REASON_UNKNOWN_ORDER
    """CANCEL, AMEND, CROSS of an id that is not open in that market (never placed, or ended)."""
    DUPLICATE_ORDER = REASON_DUPLICATE_ORDER
    """PLACE with the id of an order that is open, in whichever market. Ended ids are not remembered."""
    NOT_CROSSABLE = REASON_NOT_CROSSABLE
    """CROSS: not a buy and a sell, of one owner, armed, outside a limit, more than remains, or market not
    open."""
    NOT_AMENDABLE = REASON_NOT_AMENDABLE
    """AMEND in a market that is not open, or of an armed stop with a budget."""
    INVALID = REASON_INVALID
    """A field outside what its op allows (see `Op`): a bug of the sender, which is to check before it
    logs."""


class Result(NamedTuple):
    """One decoded result; see `Kind` for what the fields mean in each."""

    kind: int
    side: int
    reason: int
    flags: int
    market: int
    command_index: int
    """Which command of the batch caused it, from 0."""
    order_id: int
    other_id: int
    price: int
    quantity: int
    remaining: int
    other_remaining: int


class OpenOrder(NamedTuple):
    """One order of `Kernel.open_orders`. quantity = filled + prevented + remaining, in lots.

    Of a buy by budget (armed, quantity 0 in its command) quantity and remaining are its budget in tick*lots.
    """

    market: int
    order_id: int
    owner: int
    side: int
    price: int
    remaining: int
    quantity: int
    filled: int
    order_type: int
    stop_price: int
    armed: bool
    """True: a stop that waits for its price. False: it rests on the book."""


def pack_command(
    op: int,
    market: int,
    order_id: int = 0,
    *,
    side: int = BUY,
    order_type: int = TYPE_LIMIT,
    time_in_force: int = TIF_GTC,
    post_only: bool | int = False,
    self_trade_prevention: int = STP_CANCEL_NEWEST,
    owner: int = 0,
    price: int = 0,
    quantity: int = 0,
    budget: int = 0,
    stop_price: int = 0,
    other_id: int = 0,
) -> bytes:
    """One command as 64 bytes. Raises struct.error for a number that does not fit its field."""
    return COMMAND.pack(
        op, side, order_type, time_in_force, post_only, self_trade_prevention, market,
        order_id, owner, price, quantity, budget, stop_price, other_id,
    )  # fmt: skip


def iter_results(results: bytes | bytearray | memoryview) -> Iterator[Result]:
    """The results of one `process` call, in the order in which they happened."""
    return map(Result._make, RESULT.iter_unpack(results))
