"""The public side of a market: its book, its tape and its candles."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from operator import attrgetter

from borsa.markets import symbol_of
from borsa.runtime.http.call import Call
from borsa.runtime.http.page import NEWEST_NUMBER, PageQuery, after_cursor, next_cursor
from borsa.runtime.http.route import Route
from borsa.services.trades import store
from borsa.services.trades.candles import INTERVALS, MICROSECONDS, in_turn, start_of, without_gaps
from borsa.services.trades.feeds import Markets
from borsa.services.trades.model import Candle, newest_of
from borsa.services.trades.replica import Replica
from borsa.services.trades.wire import (
    CandleList,
    CandleQuery,
    Depth,
    DepthQuery,
    Tape,
    TickerList,
    TickerReply,
    candle_reply,
    levels_reply,
    tape_entry,
    ticker_reply,
)

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


async def get_book(call: Call) -> Depth:
    """GET /api/markets/{symbol}/book"""
    replica = await _replica(call)
    book, market, levels = replica.book, replica.market, call.query.depth
    bids, asks = book.bids.best(levels), book.asks.best(levels)
    return Depth(sequence=book.sequence, bids=levels_reply(market, bids), asks=levels_reply(market, asks))


async def _replica(call: Call) -> Replica:
    markets: Markets = call.door
    return await markets.replica(symbol_of(call.path["symbol"]))


async def get_tape(call: Call) -> Tape:
    """GET /api/markets/{symbol}/trades"""
    query: PageQuery = call.query
    symbol = (await _replica(call)).symbol
    (before,) = after_cursor(query.cursor, NEWEST_NUMBER)
    found = newest_of(await call.read_each(store.tape_page, symbol, before, query.limit), query.limit)
    data = [tape_entry(symbol, trade) for trade in found]
    return Tape(data=data, next_cursor=next_cursor(found, query.limit, lambda trade: (trade.trade_id,)))


async def get_candles(call: Call) -> CandleList:
    """GET /api/markets/{symbol}/candles"""
    query: CandleQuery = call.query
    symbol = (await _replica(call)).symbol
    interval = INTERVALS[query.interval]
    start, end = _stretch(query, interval, call.means.clock.now())
    # a market was with the first shard before it was with another, and never goes back
    before = [each for each in await call.read_each(store.candle_before, symbol, interval, start) if each]
    found = in_turn(await call.read_each(store.candles_between, symbol, interval, start, end))
    return CandleList(data=[candle_reply(candle) for candle in without_gaps(found, _last(before), start, end)])


def _last(candles: Sequence[Candle]) -> Candle | None:
    return in_turn([[each] for each in sorted(candles, key=attrgetter("start"))])[-1] if candles else None


async def get_ticker(call: Call) -> TickerReply:
    """GET /api/markets/{symbol}/ticker"""
    return ticker_reply(await _replica(call), call.means.clock.now())


async def list_tickers(call: Call) -> TickerList:
    """GET /api/tickers"""
    markets: Markets = call.door
    replicas = [await markets.replica(symbol) for symbol in await markets.symbols()]
    return TickerList(data=[ticker_reply(replica, call.means.clock.now()) for replica in replicas])


def _stretch(query: CandleQuery, interval: int, now: int) -> tuple[int, int]:
    """When the first of the candles begins, and when the last one ends: not after the one that is running."""
    step = interval * MICROSECONDS
    running = start_of(now, interval) + step
    end = min(running, start_of(_microseconds(query.end) - 1, interval) + step) if query.end else running
    if query.start is None:
        return max(0, end - query.limit * step), end
    start = max(0, start_of(_microseconds(query.start) + step - 1, interval))
    return start, min(end, start + query.limit * step)


def _microseconds(time: datetime) -> int:
    return (time - EPOCH) // timedelta(microseconds=1)


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
    Route(
        "GET",
        "/api/markets/{symbol}/ticker",
        get_ticker,
        "public",
        "The last 24 hours of a market",
        reply=TickerReply,
        errors=("unknown_symbol",),
    ),
    Route("GET", "/api/tickers", list_tickers, "public", "The last 24 hours of all markets", reply=TickerList),
    Route(
        "GET",
        "/api/markets/{symbol}/candles",
        get_candles,
        "public",
        "A market's candles, oldest first",
        query=CandleQuery,
        reply=CandleList,
        errors=("unknown_symbol",),
    ),
)
