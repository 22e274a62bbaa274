"""The public side of a market: its book and its tape. (Candles and tickers belong here.)"""

from borsa.markets import symbol_of
from borsa.runtime.http.call import Call
from borsa.runtime.http.page import NEWEST_NUMBER, PageQuery, after_cursor, next_cursor
from borsa.runtime.http.route import Route
from borsa.services.trades import store
from borsa.services.trades.model import Depth, ReadDepth
from borsa.services.trades.wire import DepthQuery, Tape, tape_entry


async def get_book(call: Call) -> Depth:
    """GET /api/markets/{symbol}/book"""
    return await call.ask(ReadDepth(symbol=symbol_of(call.path["symbol"]), levels=call.query.depth))


async def get_tape(call: Call) -> Tape:
    """GET /api/markets/{symbol}/trades"""
    query: PageQuery = call.query
    symbol = symbol_of(call.path["symbol"])
    await call.ask(ReadDepth(symbol=symbol, levels=1))
    (before,) = after_cursor(query.cursor, NEWEST_NUMBER)
    found = await call.read(store.tape_page, symbol, before, query.limit)
    data = [tape_entry(trade) for trade in found]
    return Tape(data=data, next_cursor=next_cursor(found, query.limit, lambda trade: (trade.trade_id,)))


ROUTES = (
    Route(
        "GET",
        "/api/markets/{symbol}/book",
        get_book,
        "public",
        "The best levels of a market's book",
        query=DepthQuery,
        reply=Depth,
        errors=("unknown_symbol",),
    ),
    Route(
        "GET",
        "/api/markets/{symbol}/trades",
        get_tape,
        "public",
        "A market's trades, newest first",
        query=PageQuery,
        reply=Tape,
        errors=("unknown_symbol",),
    ),
)
