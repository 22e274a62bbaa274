"""Trades on the wire: what the door takes, and what it answers."""

from typing import Annotated, Any, Literal

from msgspec import UNSET, Meta, Struct, UnsetType

from borsa.markets import amount_text
from borsa.money import UNITS_MAX
from borsa.runtime.clock import time_text
from borsa.runtime.codec import Body, Number, Reply, line
from borsa.runtime.http.page import PAGE_ROWS_MAX, OwnedQuery
from borsa.services.trades.model import Trade

Text = Annotated[str, line(500)]
Tag = Annotated[str, Meta(min_length=1, max_length=40, pattern=r"^[A-Za-z0-9_.:-]+\Z")]
Id = Annotated[str, Meta(min_length=1, max_length=64)]
Side = Literal["buy", "sell"]
Status = Literal["executed", "busted"]


class NewTrade(Body, frozen=True):
    """Either `symbol`, `buyerId` and `sellerId` (a negotiated block trade), or two open orders to cross."""

    quantity: Number
    price: Number
    symbol: Annotated[str, Meta(max_length=32)] | None = None
    buyer_id: Id | None = None
    seller_id: Id | None = None
    buy_order_id: Id | None = None
    sell_order_id: Id | None = None


class TradeNote(Body, frozen=True):
    """What may change of a trade. The rest is a fact: naming it is refused with `immutable_trade`."""

    note: Text | None = None
    tags: Annotated[list[Tag], Meta(max_length=20)] | None = None
    quantity: Number | UnsetType = UNSET
    price: Number | UnsetType = UNSET
    buyer_id: str | UnsetType = UNSET
    seller_id: str | UnsetType = UNSET


class Bust(Body, frozen=True):
    """Why a trade is void."""

    reason: Text


class TradeReply(Reply, frozen=True):
    """A trade as one of its parties sees it. Admins see both sides: then `fee`, `feeAsset` and `role` are null, and
    the parties and both fees are there."""

    trade_id: str
    symbol: str
    product: str
    buy_order_id: str
    sell_order_id: str
    quantity: str
    price: str
    taker_side: Side
    fee: str | None
    fee_asset: str | None
    role: Literal["maker", "taker"] | None
    status: Status
    executed_at: str
    block: bool
    note: str | None
    tags: list[str]
    buyer_id: str | UnsetType = UNSET
    seller_id: str | UnsetType = UNSET
    buyer_fee: str | UnsetType = UNSET
    seller_fee: str | UnsetType = UNSET


class TradePage(Reply, frozen=True):
    """Trades, newest first."""

    data: list[TradeReply]
    next_cursor: str | None


class TradeQuery(OwnedQuery, frozen=True, rename="camel"):
    """Which trades."""

    symbol: Annotated[str, Meta(max_length=32)] | None = None
    order_id: Annotated[int, Meta(ge=1, le=UNITS_MAX)] | None = None


class DepthQuery(Struct, frozen=True):
    """How many levels of each side."""

    depth: Annotated[int, Meta(ge=1, le=PAGE_ROWS_MAX)] = 50


class TapeEntry(Reply, frozen=True):
    """A trade as anybody may see it: no orders, no users."""

    trade_id: str
    quantity: str
    price: str
    taker_side: Side
    status: Status
    executed_at: str


class Tape(Reply, frozen=True):
    """Trades of a market, newest first."""

    data: list[TapeEntry]
    next_cursor: str | None


def trade_reply(trade: Trade, seen_by: str | None) -> TradeReply:
    """A trade as one of its parties sees it, or an admin (None)."""
    base, _, quote = trade.symbol.partition("-")
    fees = {"buy": amount_text(base, trade.buyer_fee), "sell": amount_text(quote, trade.seller_fee)}
    side = None if seen_by is None else ("buy" if seen_by == trade.buyer_id else "sell")
    both: dict[str, Any] = {}
    if side is None:
        both = {"buyer_id": trade.buyer_id, "seller_id": trade.seller_id}
        both |= {"buyer_fee": fees["buy"], "seller_fee": fees["sell"]}
    return TradeReply(
        trade_id=str(trade.trade_id),
        symbol=trade.symbol,
        product=base,
        buy_order_id=str(trade.buy_order_id),
        sell_order_id=str(trade.sell_order_id),
        quantity=amount_text(base, trade.quantity),
        price=amount_text(quote, trade.price),
        taker_side=_side(trade),
        fee=fees[side] if side else None,
        fee_asset=(base if side == "buy" else quote) if side else None,
        role=("taker" if side == trade.taker_side else "maker") if side else None,
        status=_status(trade),
        executed_at=time_text(trade.executed_at),
        block=bool(trade.block),
        note=trade.note,
        tags=trade.tags.split("\n") if trade.tags else [],
        **both,
    )


def tape_entry(trade: Trade) -> TapeEntry:
    """A trade as anybody may see it."""
    base, _, quote = trade.symbol.partition("-")
    return TapeEntry(
        trade_id=str(trade.trade_id),
        quantity=amount_text(base, trade.quantity),
        price=amount_text(quote, trade.price),
        taker_side=_side(trade),
        status=_status(trade),
        executed_at=time_text(trade.executed_at),
    )


def _side(trade: Trade) -> Side:
    return "buy" if trade.taker_side == "buy" else "sell"


def _status(trade: Trade) -> Status:
    return "busted" if trade.status == "busted" else "executed"
