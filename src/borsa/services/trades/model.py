"""The law of trades: what an execution is, and what it costs. Pure."""

from collections.abc import Sequence
from heapq import merge
from itertools import islice
from typing import ClassVar

import msgspec

from borsa.markets import Market
from borsa.money import RATE_SCALE, ceil_divide
from borsa.requests import Request

EXECUTED, BUSTING, BUSTED = "executed", "busting", "busted"

BOOK_LEVELS_MAX = 5_000
"""Levels of a side of a book that are told at once."""

TAPE_TRADES_MAX = 50
"""Trades that are told at once."""

FILLS_PER_INPUT_MAX = 1_000_000
"""A trade's id is the sequence of the order event that caused it times this, plus the fill's number: it follows from
the input alone, so a replay can only make the same trade again, and it ascends."""


def trade_id_of(sequence: int, number: int) -> int:
    """The id of the `number`-th fill (from 0) that the event `sequence` of the orders log caused."""
    if number >= FILLS_PER_INPUT_MAX:
        raise ValueError(f"event {sequence} caused more than {FILLS_PER_INPUT_MAX} trades")
    return sequence * FILLS_PER_INPUT_MAX + number


class Trade(msgspec.Struct, frozen=True, gc=False):
    """One match of two orders, as it is kept: a fact that only notes, tags and the status may follow.

    `price` in 10**-8 quote per base, `quantity` and `buyer_fee` in base units, `notional` and `seller_fee` in quote
    units; `sequence` is the market's, `tags` are separated by newlines.
    """

    trade_id: int
    symbol: str
    buy_order_id: int
    sell_order_id: int
    buyer_id: str
    seller_id: str
    taker_side: str
    price: int
    quantity: int
    notional: int
    buyer_fee: int
    seller_fee: int
    sequence: int
    block: int
    status: str
    note: str | None
    tags: str
    bust_reason: str | None
    executed_at: int
    bust_attempts: int = 0  # last, and with a default: answers that were kept before there was one are read again


class Snapshot(msgspec.Struct, frozen=True):
    """The head of the engine's whole state after an event of the orders log; `digest` is over it and its pieces."""

    sequence: int
    taken_at: int
    orders: int
    digest: bytes


class Piece(msgspec.Struct, frozen=True):
    """A part of a snapshot; the numbers ascend from 0."""

    sequence: int
    number: int
    body: bytes


class BookChange(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """What a commit changed of a market's book: the sequences from `first` to `last`, and the new totals of the levels
    that were touched; 0 where nothing is left. A level may be named whose total is what it was."""

    symbol: str
    first: int
    last: int
    bids: list[tuple[int, int]]
    asks: list[tuple[int, int]]


class OnTape(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """A trade as anybody may see it, in the units of `Trade`."""

    trade_id: int
    price: int
    quantity: int
    notional: int
    taker_side: str
    executed_at: int
    status: str


class Candle(msgspec.Struct, frozen=True, gc=False):
    """What was traded in a market in a stretch of `interval` seconds from `start` on, in microseconds since 1970.

    Prices in 10**-8 quote per base, `volume` in base units, `quote_volume` in quote units; a volume that is more than
    a database keeps stays at the greatest number that it does.
    """

    symbol: str
    interval: int
    start: int
    open: int
    high: int
    low: int
    close: int
    volume: int
    quote_volume: int
    trades: int


class MarketMoved(msgspec.Struct, frozen=True, array_like=True, tag=True, gc=False):
    """What a commit changed of what everybody sees of a market; broadcast."""

    change: BookChange
    trades: list[OnTape]


class MarketsAt(msgspec.Struct, frozen=True, array_like=True, tag=True, gc=False):
    """How far markets are that moved, or began, not long ago, by their symbols; broadcast. By it is seen what was lost
    although nothing follows."""

    sequences: dict[str, int]


class MarketMade(msgspec.Struct, frozen=True, array_like=True, tag=True, gc=False):
    """There is a new market; broadcast."""

    symbol: str


class TradeVoid(msgspec.Struct, frozen=True, array_like=True, tag=True, gc=False):
    """A trade on the tape was busted; broadcast."""

    symbol: str
    trade: OnTape


def next_fee(numerator: int, charged: int) -> int:
    """What an order pays for its newest fill.

    `numerator` is the sum over its fills of proceeds times rate in millionths, `charged` what it paid before. Rounded
    up over the sum and not over each fill: a thousand small fills pay what one large fill pays, and dust is not free.
    """
    return ceil_divide(numerator, 10**RATE_SCALE) - charged


# what the door asks ------------------------------------------------------------------------------------------------


Levels = list[tuple[int, int]]
"""Price in ticks and total quantity in lots."""


class MarketSeen(msgspec.Struct, frozen=True):
    """What everybody may see of a market, all of it at one moment.

    The best levels, best first, at most BOOK_LEVELS_MAX of a side, and the sequence of the book; the newest trades on
    the tape, oldest first; the candles of the last 24 hours' minutes; and of each interval the last two candles.
    """

    market: Market
    sequence: int
    bids: Levels
    asks: Levels
    tape: list[OnTape]
    minutes: list[Candle]
    candles: list[Candle]


class LookAtMarket(Request[MarketSeen], frozen=True, kw_only=True):
    """What is to be seen of a market: for replicas, which follow it from there. Refused: unknown_symbol."""

    answered_by: ClassVar[str] = "trades"
    symbol: str


class Symbols(msgspec.Struct, frozen=True):
    """All markets, by their symbols."""

    symbols: list[str]


class ListMarkets(Request[Symbols], frozen=True, kw_only=True):
    """Which markets there are."""

    answered_by: ClassVar[str] = "trades"


class Annotate(Request[Trade], frozen=True, kw_only=True):
    """Change a trade's note or tags (None leaves as it is). Refused: not_found."""

    answered_by: ClassVar[str] = "trades"
    trade_id: int
    note: str | None
    tags: list[str] | None


class BustTrade(Request[Trade], frozen=True, kw_only=True):
    """Declare a trade void. Refused: not_found, already_busted, funds_gone."""

    answered_by: ClassVar[str] = "trades"
    trade_id: int
    reason: str


def newest_of(pages: Sequence[Sequence[Trade]], limit: int) -> list[Trade]:
    """The newest trades of several lists that have the newest first."""
    return list(islice(merge(*pages, key=lambda trade: trade.trade_id, reverse=True), limit))
