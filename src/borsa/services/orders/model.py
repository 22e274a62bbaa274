"""What an order is, what may be asked of orders, and how their status moves. Pure."""

from typing import ClassVar

import msgspec

from borsa.errors import Refusal
from borsa.markets import Market
from borsa.requests import Request

PENDING, RESTING, PARTIAL = "pending", "open", "partially_filled"
FILLED, CANCELLED, EXPIRED, REJECTED = "filled", "cancelled", "expired", "rejected"
TERMINAL = (FILLED, CANCELLED, EXPIRED, REJECTED)

STATUS_OF_REASON = {
    "filled": FILLED,
    "amended_down": FILLED,
    "cancelled": CANCELLED,
    "self_trade": CANCELLED,
    "would_cross": REJECTED,
    "halted": REJECTED,
    "expired_ioc": EXPIRED,
    "expired_fok": EXPIRED,
    "no_liquidity": EXPIRED,
    "budget_spent": EXPIRED,
    "price_band": EXPIRED,
}
"""What an order is after the engine closed it for a reason."""

LIMITED = ("limit", "stop_limit")
STOPS = ("stop", "stop_limit")
BLOCK = "block"


class Order(msgspec.Struct, frozen=True, gc=False):
    """An order: price, stop_price, worst_price in ticks (0: none), quantity, filled and prevented in lots (quantity 0:
    bounded by its budget only), quote_quantity and spent in quote units, held in units of the asset it spends.

    quantity = filled + prevented + remaining. `revision` counts amendments, `amending` is the one in flight (0: none).
    """

    order_id: int
    user_id: str
    wallet_id: str
    symbol: str
    side: str
    order_type: str
    time_in_force: str
    post_only: int
    self_trade_prevention: str
    quantity: int
    price: int
    stop_price: int
    quote_quantity: int
    held: int
    filled: int
    prevented: int
    spent: int
    status: str
    reason: str | None
    cancel_requested: int
    revision: int
    amending: int
    version: int
    client_order_id: str | None
    digest: bytes | None
    created_at: int
    updated_at: int
    worst_price: int = 0  # last, and with a default: answers that were kept before there was one are read again

    @property
    def remaining(self) -> int:
        """Lots still to fill."""
        return max(0, self.quantity - self.filled - self.prevented)

    @property
    def is_closed(self) -> bool:
        """Has the engine said that it ended?"""
        return self.status in TERMINAL


class LastPrice(msgspec.Struct, frozen=True):
    """The last trade of a market, in ticks."""

    symbol: str
    price: int


class ShardOfMarket(msgspec.Struct, frozen=True):
    """Which shard of trades has the book of a market; all others are with the first."""

    symbol: str
    shard: str


class Amendment(msgspec.Struct, frozen=True):
    """An amendment that was put to the engine."""

    order_id: int
    revision: int
    quantity: int
    price: int
    requested_at: int


class Counter(msgspec.Struct, frozen=True):
    """A number that is reserved in blocks."""

    name: str
    value: int


# what the door asks ------------------------------------------------------------------------------------------------


class OrderState(msgspec.Struct, frozen=True, gc=False):
    """An order and its market. `repeated`: it was placed before, by the same client id and body."""

    order: Order
    market: Market
    repeated: bool = False


class PlaceOrder(Request[OrderState], frozen=True, kw_only=True):
    """A new order, numbers as the client wrote them; `digest` is of the body, where it has a client_order_id."""

    answered_by: ClassVar[str] = "orders"
    user_id: str
    symbol: str
    side: str
    order_type: str
    time_in_force: str
    post_only: bool
    self_trade_prevention: str
    quantity: str | None
    price: str | None
    stop_price: str | None
    quote_quantity: str | None
    client_order_id: str | None
    wallet_id: str | None
    digest: bytes | None


class Placement(msgspec.Struct, frozen=True, gc=False):
    """What became of one order of many: the order, placed now or before, or why there is none."""

    order: Order | None
    refusal: Refusal | None = None


class Placements(msgspec.Struct, frozen=True):
    """What became of each order, in order, and the markets that they are in, by symbol."""

    placements: list[Placement]
    markets: dict[str, Market]


class PlaceOrders(Request[Placements], frozen=True, kw_only=True):
    """New orders of one user; each is placed or refused for itself."""

    answered_by: ClassVar[str] = "orders"
    orders: list[PlaceOrder]

    @property
    def weight(self) -> int:
        return len(self.orders)

    @property
    def user(self) -> str:
        return self.orders[0].user_id if self.orders else ""


class AmendOrder(Request[OrderState], frozen=True, kw_only=True):
    """Another price or total quantity (None: as it is)."""

    answered_by: ClassVar[str] = "orders"
    order_id: int
    user_id: str
    quantity: str | None
    price: str | None
    version: int | None


class CancelOrder(Request[OrderState], frozen=True, kw_only=True):
    """End an order; `user_id` is None when an admin asks."""

    answered_by: ClassVar[str] = "orders"
    passes: ClassVar[bool] = True
    order_id: int
    user_id: str | None


CANCELS_AT_ONCE = 50
"""Orders that one CancelAll ends at most."""


class Cancelling(msgspec.Struct, frozen=True):
    """Orders that are being cancelled, oldest first. `rest` asks for the next part; None when there is none."""

    orders: list[OrderState]
    rest: "CancelAll | None" = None


class CancelAll(Request[Cancelling], frozen=True, kw_only=True):
    """End the oldest open orders of a user, of all markets or one, whose ids are above `after`: so many at most. What
    it costs to end thousands would be felt by everybody else, were it done at once. `until` is the newest id that was
    there when the first part was asked for: what is placed meanwhile stays."""

    answered_by: ClassVar[str] = "orders"
    user_id: str
    symbol: str | None
    after: int = 0
    until: int | None = None
    passes: ClassVar[bool] = True

    @property
    def weight(self) -> int:
        return CANCELS_AT_ONCE


class CreateMarket(Request[Market], frozen=True, kw_only=True):
    """Admit a market; its number is given by the service."""

    answered_by: ClassVar[str] = "orders"
    market: Market


class ChangeMarket(Request[Market], frozen=True, kw_only=True):
    """Change fees (millionths), band (millionths) or state; None leaves as it is."""

    answered_by: ClassVar[str] = "orders"
    symbol: str
    maker_fee: int | None
    taker_fee: int | None
    price_band_ppm: int | None
    state: str | None


# the engine's word -------------------------------------------------------------------------------------------------


def filled(order: Order, quantity: int, cost: int, now: int) -> Order:
    """The order after a fill of `quantity` lots for `cost` quote units."""
    total = order.filled + quantity
    return msgspec.structs.replace(
        order,
        filled=total,
        spent=order.spent + cost,
        status=FILLED if total == order.quantity else PARTIAL,
        version=order.version + 1,
        updated_at=now,
    )


def closed(order: Order, reason: str, now: int) -> Order:
    """The order after the engine's last word on it."""
    return msgspec.structs.replace(
        order,
        status=STATUS_OF_REASON[reason],
        reason=reason,
        amending=0,
        version=order.version + 1,
        updated_at=now,
    )
