"""Orders on the wire: what the door takes, and what it answers."""

from typing import Annotated, Any, Literal

import msgspec
from msgspec import UNSET, Meta, UnsetType

from borsa.markets import amount_text
from borsa.money import UNITS_MAX
from borsa.runtime.clock import time_text
from borsa.runtime.codec import Body, Number, Reply
from borsa.runtime.http.page import PageQuery
from borsa.services.orders.model import OrderState
from borsa.services.orders.publishing import average_price_text

Symbol = Annotated[str, Meta(min_length=1, max_length=32, examples=["BTC-USD"])]
Side = Literal["buy", "sell"]
ClientId = Annotated[str, Meta(pattern=r"^[A-Za-z0-9_-]{1,36}\Z")]
Status = Literal["pending", "open", "partially_filled", "filled", "cancelled", "expired", "rejected"]
OrderType = Literal["limit", "market", "stop", "stop_limit"]
TimeInForce = Literal["gtc", "ioc", "fok"]
Prevention = Literal["cancel_newest", "cancel_oldest", "cancel_both", "decrement", "none"]


class NewOrder(Body, frozen=True):
    """An order. `type` is its side (`side` says the same), `product` is accepted for `symbol`; a bare asset is
    traded against USD."""

    symbol: Symbol | None = None
    product: Symbol | None = None
    type: Side | None = None
    side: Side | None = None
    order_type: OrderType = "limit"
    time_in_force: TimeInForce | None = None
    quantity: Number | UnsetType = UNSET
    price: Number | UnsetType = UNSET
    stop_price: Number | UnsetType = UNSET
    quote_quantity: Number | UnsetType = UNSET
    post_only: bool = False
    self_trade_prevention: Prevention = "cancel_newest"
    client_order_id: ClientId | None = None
    wallet_id: Annotated[str, Meta(min_length=1, max_length=64)] | None = None


class NewOrders(Body, frozen=True):
    """Several orders, each accepted or refused for itself."""

    orders: Annotated[list[NewOrder], Meta(min_length=1, max_length=500)]


class Amendment(Body, frozen=True):
    """What changes: the price, the total quantity (what is filled counts). `version`: only if it is still that."""

    quantity: Number | UnsetType = UNSET
    price: Number | UnsetType = UNSET
    version: Annotated[int, Meta(ge=1, le=UNITS_MAX)] | None = None


class OrderReply(Reply, frozen=True):
    """An order as it stands. `quantity` is null where only a budget bounds it."""

    order_id: str
    user_id: str
    wallet_id: str
    symbol: str
    product: str
    type: Side
    order_type: Literal["limit", "market", "stop", "stop_limit", "block"]
    time_in_force: TimeInForce
    post_only: bool
    self_trade_prevention: Prevention
    quantity: str | None
    price: str | None
    stop_price: str | None
    quote_quantity: str | None
    filled_quantity: str
    remaining_quantity: str
    average_price: str | None
    status: Status
    reason: str | None
    client_order_id: str | None
    version: int
    created_at: str
    updated_at: str


class OrderPage(Reply, frozen=True):
    """Orders, newest first."""

    data: list[OrderReply]
    next_cursor: str | None


def _ref(name: str) -> dict[str, str]:
    return {"$ref": f"#/components/schemas/{name}"}


class OrderResults(Reply, frozen=True):
    """For each order of a batch, in order: the order, or the problem with it."""

    results: Annotated[list[Any], Meta(extra_json_schema={"items": {"anyOf": [_ref("OrderReply"), _ref("Problem")]}})]


class CancelledOrders(Reply, frozen=True):
    """The orders that were open, as they are now."""

    data: list[OrderReply]


class OrderQuery(PageQuery, frozen=True, rename="camel"):
    """Which orders."""

    symbol: Symbol | None = None
    status: Status | None = None
    client_order_id: ClientId | None = None


class SymbolQuery(msgspec.Struct, frozen=True):
    """Which market."""

    symbol: Symbol | None = None


def reply_of(state: OrderState) -> OrderReply:
    """An order as it is answered."""
    order, market = state.order, state.market
    values: dict[str, Any] = {
        "type": order.side,
        "order_type": order.order_type,
        "time_in_force": order.time_in_force,
        "self_trade_prevention": order.self_trade_prevention,
        "status": order.status,
    }
    return OrderReply(
        order_id=str(order.order_id),
        user_id=order.user_id,
        wallet_id=order.wallet_id,
        symbol=order.symbol,
        product=market.base,
        post_only=bool(order.post_only),
        quantity=market.quantity_text(order.quantity) if order.quantity else None,
        price=market.price_text(order.price) if order.price else None,
        stop_price=market.price_text(order.stop_price) if order.stop_price else None,
        quote_quantity=amount_text(market.quote, order.quote_quantity) if order.quote_quantity else None,
        filled_quantity=market.quantity_text(order.filled),
        remaining_quantity=market.quantity_text(order.remaining),
        average_price=average_price_text(order, market),
        reason=order.reason,
        client_order_id=order.client_order_id,
        version=order.version,
        created_at=time_text(order.created_at),
        updated_at=time_text(order.updated_at),
        **values,
    )
