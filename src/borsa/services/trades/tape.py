"""The public side of a market: its book and its tape. (Candles and tickers belong here.)"""

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from borsa.markets import amount_text, symbol_of
from borsa.money import UNITS_MAX
from borsa.runtime.clock import time_text
from borsa.runtime.codec import Reply
from borsa.runtime.http.call import Call
from borsa.runtime.http.page import PageQuery, after_cursor, encode_cursor
from borsa.runtime.http.route import Route
from borsa.services.trades import store
from borsa.services.trades.model import Depth, ReadDepth


class DepthQuery(msgspec.Struct, frozen=True):
    """How many levels of each side."""

    depth: Annotated[int, Meta(ge=1, le=1000)] = 50


class TapeEntry(Reply, frozen=True):
    """A trade as anybody may see it: no orders, no users."""

    trade_id: str
    quantity: str
    price: str
    taker_side: Literal["buy", "sell"]
    status: Literal["executed", "busted"]
    executed_at: str


class Tape(Reply, frozen=True):
    """Trades of a market, newest first."""

    data: list[TapeEntry]
    next_cursor: str | None


async def get_book(call: Call) -> Depth:
    """GET /api/markets/{symbol}/book"""
    return await call.ask(ReadDepth(symbol=symbol_of(call.path["symbol"]), levels=call.query.depth))


async def get_tape(call: Call) -> Tape:
    """GET /api/markets/{symbol}/trades"""
    query: PageQuery = call.query
    symbol = symbol_of(call.path["symbol"])
    await call.ask(ReadDepth(symbol=symbol, levels=1))
    (before,) = after_cursor(query.cursor, (UNITS_MAX,))
    found = store.tape_page(call.reader, symbol, before, query.limit)
    cursor = encode_cursor(found[-1].trade_id) if len(found) == query.limit else None
    base, _, quote = symbol.partition("-")
    entries = [
        TapeEntry(
            trade_id=str(trade.trade_id),
            quantity=amount_text(base, trade.quantity),
            price=amount_text(quote, trade.price),
            taker_side="buy" if trade.taker_side == "buy" else "sell",
            status="busted" if trade.status == "busted" else "executed",
            executed_at=time_text(trade.executed_at),
        )
        for trade in found
    ]
    return Tape(data=entries, next_cursor=cursor)


ROUTES = (
    Route(
        method="GET",
        path="/api/markets/{symbol}/book",
        handle=get_book,
        access="public",
        summary="The best levels of a market's book",
        query=DepthQuery,
        reply=Depth,
        errors=("unknown_symbol",),
    ),
    Route(
        method="GET",
        path="/api/markets/{symbol}/trades",
        handle=get_tape,
        access="public",
        summary="A market's trades, newest first",
        query=PageQuery,
        reply=Tape,
        errors=("unknown_symbol",),
    ),
)
