"""The channels of a market: what each of them says of the replica, as a whole and since a position."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any

from borsa.runtime.clock import Clock
from borsa.services.trades.candles import INTERVALS, MINUTE, start_of
from borsa.services.trades.model import TAPE_TRADES_MAX
from borsa.services.trades.replica import Replica
from borsa.services.trades.wire import (
    BookChanged,
    BookSnapshot,
    CandlesChanged,
    CandlesSnapshot,
    TapeChanged,
    TapeSnapshot,
    TickerChanged,
    TickerReply,
    TickerSnapshot,
    candle_reply,
    checksum_of,
    levels_reply,
    tape_entry,
    ticker_reply,
)

CANDLES_SHOWN = 2


class MarketChannel(ABC):
    """A `Channel` (its docstrings say what the methods promise) of a market, whose replica may be another one after
    something was missed: then everybody is told anew."""

    is_paced = False
    may_begin_again = True

    def __init__(self, name: str, replica: Replica, clock: Clock) -> None:
        self.name = name
        self._replica = replica
        self._clock = clock
        self._base = self._begun = 0

    def take(self, replica: Replica) -> None:
        """The market was looked at anew."""
        before = self.position
        self._replica = replica
        self._base = before + 1 - self._number()
        self._begun = self.position

    @property
    def position(self) -> int:
        return self._base + self._number()

    def since(self, after: int) -> Sequence[Any] | None:
        message = None if after < self._begun else self._since(after - self._base)
        return None if message is None else [message]

    @abstractmethod
    def snapshot(self) -> Any: ...

    @abstractmethod
    def _number(self) -> int:
        """How far the replica is."""

    @abstractmethod
    def _since(self, number: int) -> Any | None:
        """What changed since the replica was so far."""


class BookChannel(MarketChannel):
    """book:SYMBOL. Its positions are the sequences of the book."""

    def take(self, replica: Replica) -> None:
        self._replica = replica

    def snapshot(self) -> BookSnapshot:
        book, market = self._replica.book, self._replica.market
        bids, asks = levels_reply(market, book.bids.best()), levels_reply(market, book.asks.best())
        return BookSnapshot(channel=self.name, sequence=book.sequence, bids=bids, asks=asks)

    def checksum(self) -> tuple[int, int]:
        """The sequence, and what clients may compare their books by."""
        book, market = self._replica.book, self._replica.market
        return book.sequence, checksum_of(market, book.bids, book.asks)

    def _number(self) -> int:
        return self._replica.book.sequence

    def _since(self, number: int) -> BookChanged | None:
        book, market = self._replica.book, self._replica.market
        changed = book.since(number)
        if changed is None:
            return None
        first, bids, asks = changed
        return BookChanged(
            channel=self.name,
            first=first,
            sequence=book.sequence,
            bids=levels_reply(market, bids),
            asks=levels_reply(market, asks),
        )


class TradeChannel(MarketChannel):
    """trades:SYMBOL"""

    def snapshot(self) -> TapeSnapshot:
        newest = self._replica.tape.newest(TAPE_TRADES_MAX)
        return TapeSnapshot(channel=self.name, trades=[tape_entry(self._replica.symbol, trade) for trade in newest])

    def _number(self) -> int:
        return self._replica.tape.last

    def _since(self, number: int) -> TapeChanged | None:
        trades = self._replica.tape.since(number)
        if trades is None:
            return None
        return TapeChanged(channel=self.name, trades=[tape_entry(self._replica.symbol, trade) for trade in trades])


class TickerChannel(MarketChannel):
    """ticker:SYMBOL"""

    is_paced = True

    def snapshot(self) -> TickerSnapshot:
        return TickerSnapshot(channel=self.name, ticker=self._ticker())

    def _ticker(self) -> TickerReply:
        return ticker_reply(self._replica, self._clock.now())

    def _number(self) -> int:
        # what is older than 24 hours falls out by the minute, also when nothing happens
        return self._replica.moves + start_of(self._clock.now(), MINUTE) // (MINUTE * 1_000_000)

    def _since(self, number: int) -> TickerChanged:
        return TickerChanged(channel=self.name, ticker=self._ticker())


class CandleChannel(MarketChannel):
    """candles:SYMBOL:INTERVAL"""

    is_paced = True

    def __init__(self, name: str, replica: Replica, clock: Clock) -> None:
        self._interval = INTERVALS[name.rpartition(":")[2]]
        super().__init__(name, replica, clock)

    def snapshot(self) -> CandlesSnapshot:
        newest = self._replica.candles[self._interval].newest(CANDLES_SHOWN)
        return CandlesSnapshot(channel=self.name, candles=[candle_reply(candle) for candle in newest])

    def _number(self) -> int:
        return self._replica.candles[self._interval].last

    def _since(self, number: int) -> CandlesChanged | None:
        candles = self._replica.candles[self._interval].since(number)
        if candles is None:
            return None
        return CandlesChanged(channel=self.name, candles=[candle_reply(candle) for candle in candles])
