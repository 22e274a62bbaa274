"""Trades on the wire: what the door takes, and what it answers."""

from datetime import datetime
from typing import Annotated, Any, Literal
from zlib import crc32

from msgspec import UNSET, Meta, Struct, UnsetType, field

from borsa import money
from borsa.markets import Market, amount_text
from borsa.money import UNITS_MAX
from borsa.runtime.clock import time_text
from borsa.runtime.codec import Body, Number, Reply, line
from borsa.runtime.http.page import PAGE_ROWS_MAX, OwnedQuery
from borsa.services.trades.model import Candle, Levels, OnTape, Trade
from borsa.services.trades.replica import BookSide, Replica

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


class Depth(Reply, frozen=True):
    """The best levels of a book as price and quantity, best first, and the sequence of the book at that moment."""

    sequence: int
    bids: list[tuple[str, str]]
    asks: list[tuple[str, str]]


class TickerReply(Reply, frozen=True):
    """The last 24 hours of a market, by the minute. Null where there is nothing to say."""

    symbol: str
    last_price: str | None
    open: str | None
    high: str | None
    low: str | None
    change: str | None
    change_percent: str | None
    volume: str
    quote_volume: str
    trades: int
    best_bid: str | None
    best_ask: str | None
    at: str


class TickerList(Reply, frozen=True):
    """The tickers of all markets."""

    data: list[TickerReply]


class Said(Reply, frozen=True, tag_field="type"):
    """A message of a channel."""

    channel: str


class BookSnapshot(Said, frozen=True, tag="snapshot"):
    """A whole book, as far as it is told."""

    sequence: int
    bids: list[tuple[str, str]]
    asks: list[tuple[str, str]]


class BookChanged(Said, frozen=True, tag="change"):
    """The new totals of levels, "0" for one that is gone: what happened from the sequence `first` to `sequence`."""

    first: int
    sequence: int
    bids: list[tuple[str, str]]
    asks: list[tuple[str, str]]


class TickerSnapshot(Said, frozen=True, tag="snapshot"):
    """The ticker of a market."""

    ticker: TickerReply


class TickerChanged(Said, frozen=True, tag="change"):
    """The ticker of a market, as it is now."""

    ticker: TickerReply


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


class TapeSnapshot(Said, frozen=True, tag="snapshot"):
    """The newest trades of a market, newest first."""

    trades: list[TapeEntry]


class TapeChanged(Said, frozen=True, tag="change"):
    """More trades of a market, oldest first; one that is known has another status now."""

    trades: list[TapeEntry]


Interval = Literal["1s", "1m", "5m", "15m", "1h", "4h", "1d"]
Moment = Annotated[datetime, Meta(tz=True)]


class CandleQuery(Struct, frozen=True):
    """Which candles: from a time to before another one (now, unless said), or, without `from`, the newest."""

    interval: Interval = "1m"
    start: Moment | None = field(name="from", default=None)
    end: Moment | None = field(name="to", default=None)
    limit: Annotated[int, Meta(ge=1, le=PAGE_ROWS_MAX)] = 500


class CandleReply(Reply, frozen=True):
    """What was traded in a stretch of time; without trades, all four prices are the last close."""

    start: str
    open: str
    high: str
    low: str
    close: str
    volume: str
    quote_volume: str
    trades: int


class CandleList(Reply, frozen=True):
    """Candles of a market, oldest first, without gaps."""

    data: list[CandleReply]


class CandlesSnapshot(Said, frozen=True, tag="snapshot"):
    """The last two candles, oldest first: the one before, and the one that is running."""

    candles: list[CandleReply]


class CandlesChanged(Said, frozen=True, tag="change"):
    """Candles as they are now: the one that is running, and those that ended since."""

    candles: list[CandleReply]


CHECKED_LEVELS = 10
"""Levels of each side that a checksum is over."""


def levels_reply(market: Market, levels: Levels) -> list[tuple[str, str]]:
    """Levels as they are answered."""
    return [(market.price_text(price), market.quantity_text(quantity)) for price, quantity in levels]


def checksum_of(market: Market, bids: BookSide, asks: BookSide) -> int:
    """The CRC-32 of the best levels: price and quantity of each, bids first, best first, all joined by colons."""
    best = levels_reply(market, [*bids.best(CHECKED_LEVELS), *asks.best(CHECKED_LEVELS)])
    return crc32(":".join([text for level in best for text in level]).encode())


def ticker_reply(replica: Replica, now: int) -> TickerReply:
    """A ticker as it is answered."""
    market, day = replica.market, replica.day.summary(now)
    last = replica.last_price
    bid, ask = replica.book.bids.best(1), replica.book.asks.best(1)
    return TickerReply(
        symbol=replica.symbol,
        last_price=None if last is None else amount_text(market.quote, last),
        open=amount_text(market.quote, day.open) if day else None,
        high=amount_text(market.quote, day.high) if day else None,
        low=amount_text(market.quote, day.low) if day else None,
        change=amount_text(market.quote, day.close - day.open) if day else None,
        change_percent=_percent(day.close - day.open, day.open) if day else None,
        volume=amount_text(market.base, day.volume if day else 0),
        quote_volume=amount_text(market.quote, day.quote_volume if day else 0),
        trades=day.trades if day else 0,
        best_bid=market.price_text(bid[0][0]) if bid else None,
        best_ask=market.price_text(ask[0][0]) if ask else None,
        at=time_text(now),
    )


def _percent(part: int, whole: int) -> str:
    """In hundredths of a percent, towards zero."""
    hundredths = abs(part) * 10_000 // whole
    return money.write(-hundredths if part < 0 else hundredths, 2, 2)


def candle_reply(candle: Candle) -> CandleReply:
    """A candle as it is answered."""
    base, _, quote = candle.symbol.partition("-")
    return CandleReply(
        start=time_text(candle.start),
        open=amount_text(quote, candle.open),
        high=amount_text(quote, candle.high),
        low=amount_text(quote, candle.low),
        close=amount_text(quote, candle.close),
        volume=amount_text(base, candle.volume),
        quote_volume=amount_text(quote, candle.quote_volume),
        trades=candle.trades,
    )


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


def tape_entry(symbol: str, trade: Trade | OnTape) -> TapeEntry:
    """A trade as anybody may see it."""
    base, _, quote = symbol.partition("-")
    return TapeEntry(
        trade_id=str(trade.trade_id),
        quantity=amount_text(base, trade.quantity),
        price=amount_text(quote, trade.price),
        taker_side=_side(trade),
        status=_status(trade),
        executed_at=time_text(trade.executed_at),
    )


def _side(trade: Trade | OnTape) -> Side:
    return "buy" if trade.taker_side == "buy" else "sell"


def _status(trade: Trade | OnTape) -> Status:
    return "busted" if trade.status == "busted" else "executed"
