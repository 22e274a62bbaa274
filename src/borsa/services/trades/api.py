"""The door of trades: what was executed, the public tape and book, and what only admins may do."""

import asyncio
from typing import Annotated, Any, Literal

from msgspec import UNSET, Meta, UnsetType

from borsa.errors import Refused
from borsa.events import CrossRejected
from borsa.markets import amount_text, symbol_of
from borsa.money import UNITS_MAX
from borsa.requests import AgreeBlockTrade, CrossOrders, Requested
from borsa.runtime.clock import time_text
from borsa.runtime.codec import Body, Number, Reply, required_number
from borsa.runtime.http.call import Call, first_of
from borsa.runtime.http.page import PageQuery, after_cursor, encode_cursor
from borsa.runtime.http.route import Route
from borsa.services.trades import store, tape
from borsa.services.trades.model import Annotate, BustTrade, Trade

Text = Annotated[str, Meta(min_length=1, max_length=500, pattern=r"^[^\x00-\x1f\x7f]+\Z")]
Tag = Annotated[str, Meta(min_length=1, max_length=40, pattern=r"^[A-Za-z0-9_.:-]+\Z")]
Id = Annotated[str, Meta(min_length=1, max_length=64)]

ENGINE_SECONDS = 10
"""How long an admin's trade waits for the engine."""


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
    taker_side: Literal["buy", "sell"]
    fee: str | None
    fee_asset: str | None
    role: Literal["maker", "taker"] | None
    status: Literal["executed", "busted"]
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


class TradeQuery(PageQuery, frozen=True, rename="camel"):
    """Which trades."""

    symbol: Annotated[str, Meta(max_length=32)] | None = None
    order_id: Annotated[int, Meta(ge=1, le=UNITS_MAX)] | None = None


async def list_trades(call: Call) -> TradePage:
    """GET /api/trades"""
    query: TradeQuery = call.query
    owner = None if call.identity.is_admin else call.identity.user_id
    symbol = symbol_of(query.symbol) if query.symbol else None
    (before,) = after_cursor(query.cursor, (UNITS_MAX,))
    found = store.trades_page(call.reader, owner, symbol, query.order_id, before, query.limit)
    cursor = encode_cursor(found[-1].trade_id) if len(found) == query.limit else None
    return TradePage(data=[_seen_by(call, trade) for trade in found], next_cursor=cursor)


async def get_trade(call: Call) -> TradeReply:
    """GET /api/trades/{id}"""
    trade = store.trade_by_id(call.reader, _id(call))
    if trade is None or not (call.identity.is_admin or call.identity.user_id in (trade.buyer_id, trade.seller_id)):
        raise Refused("not_found")
    return _seen_by(call, trade)


async def execute_trade(call: Call, body: NewTrade) -> TradeReply:
    """POST /api/trades"""
    quantity, price = required_number(body.quantity, "quantity"), required_number(body.price, "price")
    requested = await _request(call, body, quantity, price)
    told = call.watch("trades", requested.event_id)
    try:
        trade = _made_by(call, requested)
        event = None if trade else await first_of(asyncio.shield(told), ENGINE_SECONDS)
    finally:
        told.cancel()
    if isinstance(event, CrossRejected):
        raise Refused("not_crossable", f"The engine refused: {event.reason}")
    trade = trade or _made_by(call, requested)
    if trade is None:
        raise Refused("overloaded", "The engine has not answered yet")
    return _seen_by(call, trade)


async def _request(call: Call, body: NewTrade, quantity: str, price: str) -> Requested:
    block = (body.symbol, body.buyer_id, body.seller_id)
    cross = (body.buy_order_id, body.sell_order_id)
    if all(cross) and not any(block):
        return await call.ask(
            CrossOrders(
                buy_order_id=_order_id(cross[0], "buyOrderId"),
                sell_order_id=_order_id(cross[1], "sellOrderId"),
                quantity=quantity,
                price=price,
            )
        )
    if body.symbol and body.buyer_id and body.seller_id and not any(cross):
        return await call.ask(
            AgreeBlockTrade(
                symbol=symbol_of(body.symbol),
                buyer_id=body.buyer_id,
                seller_id=body.seller_id,
                quantity=quantity,
                price=price,
            )
        )
    raise Refused(
        "invalid_request",
        "needs symbol, buyerId and sellerId, or buyOrderId and sellOrderId",
        field="buyerId" if not all(block) else "buyOrderId",
    )


def _made_by(call: Call, requested: Requested) -> Trade | None:
    return store.trade_caused_by(call.reader, int(requested.event_id.partition("/")[2]))


async def annotate(call: Call, body: TradeNote) -> TradeReply:
    """PUT /api/trades/{id}"""
    for name in ("quantity", "price", "buyer_id", "seller_id"):
        if getattr(body, name) is not UNSET:
            raise Refused("immutable_trade")
    trade = await call.ask(Annotate(trade_id=_id(call), note=body.note, tags=body.tags))
    return _seen_by(call, trade)


async def bust(call: Call, body: Bust) -> TradeReply:
    """DELETE /api/trades/{id}"""
    return _seen_by(call, await call.ask(BustTrade(trade_id=_id(call), reason=body.reason)))


def _id(call: Call) -> int:
    text = call.path["id"]
    if not (text.isascii() and text.isdigit() and len(text) <= 18):
        raise Refused("not_found")
    return int(text)


def _order_id(text: str | None, field: str) -> int:
    if text is None or not (text.isascii() and text.isdigit() and len(text) <= 18):
        raise Refused("invalid_request", f"{field} must be the id of an order", field=field)
    return int(text)


def _seen_by(call: Call, trade: Trade) -> TradeReply:
    mine = call.identity.user_id
    base, _, quote = trade.symbol.partition("-")
    fees = {"buy": amount_text(base, trade.buyer_fee), "sell": amount_text(quote, trade.seller_fee)}
    side = None if call.identity.is_admin else ("buy" if mine == trade.buyer_id else "sell")
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
        taker_side="buy" if trade.taker_side == "buy" else "sell",
        fee=fees[side] if side else None,
        fee_asset=(base if side == "buy" else quote) if side else None,
        role=("taker" if side == trade.taker_side else "maker") if side else None,
        status="busted" if trade.status == "busted" else "executed",
        executed_at=time_text(trade.executed_at),
        block=bool(trade.block),
        note=trade.note,
        tags=trade.tags.split("\n") if trade.tags else [],
        **both,
    )


_ONE = "/api/trades/{id}"

ROUTES = (
    Route(
        method="GET",
        path="/api/trades",
        handle=list_trades,
        access="user",
        summary="Own trades, newest first; all of them for admins",
        query=TradeQuery,
        reply=TradePage,
    ),
    Route(
        method="GET",
        path=_ONE,
        handle=get_trade,
        access="user",
        summary="A trade, for its parties",
        reply=TradeReply,
    ),
    Route(
        method="POST",
        path="/api/trades",
        handle=execute_trade,
        access="admin",
        summary="Execute a negotiated block trade, or cross two open orders",
        body=NewTrade,
        reply=TradeReply,
        status=201,
        errors=("not_crossable", "insufficient_funds", "unknown_symbol", "not_found", "off_tick", "off_lot"),
    ),
    Route(
        method="PUT",
        path=_ONE,
        handle=annotate,
        access="admin",
        summary="Change a trade's note and tags; the rest is a fact",
        body=TradeNote,
        reply=TradeReply,
        errors=("immutable_trade",),
    ),
    Route(
        method="DELETE",
        path=_ONE,
        handle=bust,
        access="admin",
        summary="Declare a trade void: its money is moved back, its row stays",
        body=Bust,
        reply=TradeReply,
        errors=("already_busted", "funds_gone"),
    ),
    *tape.ROUTES,
)
