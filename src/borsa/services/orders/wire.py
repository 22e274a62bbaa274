"""Orders and markets on the wire: what the door takes, and what it answers."""

from typing import Annotated, Any, Literal

import msgspec
from msgspec import UNSET, Meta, UnsetType

from borsa.markets import Market
from borsa.money import UNITS_MAX
from borsa.runtime.clock import time_text
from borsa.runtime.codec import AssetCode, Body, Number, Reply
from borsa.runtime.http.page import OwnedQuery
from borsa.services.orders.model import OrderState
from borsa.services.orders.publishing import market_texts, order_texts

Symbol = Annotated[str, Meta(min_length=1, max_length=32, examples=["BTC-USD"])]
Side = Literal["buy", "sell"]
ClientId = Annotated[str, Meta(pattern=r"^[A-Za-z0-9_-]{1,36}\Z")]
Status = Literal["pending", "open", "partially_filled", "filled", "cancelled", "expired", "rejected"]
MarketState = Literal["open", "cancel_only", "halted"]
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
    """An order as it stands. `quantity` is null where only a budget bounds it. `worstPrice` is the furthest price at
    which a market or stop order may trade: what is left then expires with the reason `price_band`."""

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
    worst_price: str | None
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


class OrderQuery(OwnedQuery, frozen=True, rename="camel"):
    """Which orders."""

    symbol: Symbol | None = None
    status: Status | None = None
    client_order_id: ClientId | None = None


class SymbolQuery(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which market. A misspelt parameter is refused: without it, everything would be cancelled."""

    symbol: Symbol | None = None


class NewMarket(Body, frozen=True):
    """A market to admit. Fees and `priceBand` are fractions: "0.001" is 0.1 %; a band of "0" is none."""

    symbol: Annotated[str, Meta(max_length=32)]
    base: AssetCode
    quote: AssetCode
    tick_size: Number
    lot_size: Number
    min_notional: Number | UnsetType = UNSET
    maker_fee: Number | UnsetType = UNSET
    taker_fee: Number | UnsetType = UNSET
    price_band: Number | UnsetType = UNSET


class MarketChange(Body, frozen=True):
    """What may change of a market, from this point of the orders log on."""

    maker_fee: Number | UnsetType = UNSET
    taker_fee: Number | UnsetType = UNSET
    price_band: Number | UnsetType = UNSET
    state: MarketState | None = None


class MarketReply(Reply, frozen=True):
    """A market: prices are multiples of `tickSize`, quantities of `lotSize`."""

    symbol: str
    base: str
    quote: str
    tick_size: str
    lot_size: str
    min_notional: str
    maker_fee: str
    taker_fee: str
    price_band: str
    state: MarketState


class MarketList(Reply, frozen=True):
    """All markets."""

    data: list[MarketReply]


def order_reply(state: OrderState) -> OrderReply:
    """An order as it is answered."""
    order = state.order
    return OrderReply(
        type="buy" if order.side == "buy" else "sell",
        reason=order.reason,
        created_at=time_text(order.created_at),
        updated_at=time_text(order.updated_at),
        **order_texts(order, state.market),
    )


class MarketsSnapshot(Reply, frozen=True, tag_field="type", tag="snapshot"):
    """All markets."""

    channel: str
    markets: list[MarketReply]


class MarketsChanged(Reply, frozen=True, tag_field="type", tag="change"):
    """Markets that are new, or whose state or fees are others now."""

    channel: str
    markets: list[MarketReply]


def market_reply(market: Market) -> MarketReply:
    """A market as it is answered."""
    texts = market_texts(market)
    del texts["number"]
    return MarketReply(**texts)
