"""What everybody may see of a market, as the door keeps it: it begins with a look, and follows what is broadcast.

Every channel of the streams and every public read comes from here, so that nobody who looks costs the writer anything.
"""

from collections import deque
from collections.abc import Mapping

from borsa.services.trades.candles import INTERVALS, MINUTE, SECOND, Day, candle_of, joined, moved
from borsa.services.trades.model import (
    BOOK_LEVELS_MAX,
    BookChange,
    Candle,
    Levels,
    MarketMoved,
    MarketSeen,
    OnTape,
)

SHOWN_LEVELS_MAX = 1_000
"""Levels of a side that anybody may ask for: where fewer are known, though there are more, it is to be looked anew."""

CHANGES_KEPT_MAX = 4_096
"""Changes of a book that are remembered, for those who read slowly."""

TRADES_KEPT_MAX = 1_000
CANDLES_KEPT_MAX = 60

Changed = tuple[int, Levels, Levels]
"""The sequences from the first to the last, and the levels whose totals are new."""


class BookSide:
    """One side of a book as totals by price. `horizon`: the worst price that is known of; behind it there is more."""

    def __init__(self, levels: Levels, sign: int) -> None:
        self._totals = dict(levels)
        self._sign = sign
        self._sorted: list[int] | None = [price for price, _ in levels]
        self._horizon = levels[-1][0] * sign if len(levels) >= BOOK_LEVELS_MAX else None

    def apply(self, levels: Levels) -> list[int]:
        """Take new totals; the prices whose totals are others now."""
        found = []
        for price, total in levels:
            if self._horizon is not None and price * self._sign > self._horizon:
                continue
            before = self._totals.get(price, 0)
            if before == total:
                continue
            found.append(price)
            if not total:
                del self._totals[price]
                self._sorted = None
            else:
                self._totals[price] = total
                if not before:
                    self._sorted = None
        return found

    @property
    def is_short(self) -> bool:
        """Is less known than may be asked for?"""
        return self._horizon is not None and len(self._totals) < SHOWN_LEVELS_MAX

    def best(self, levels: int | None = None) -> Levels:
        """The best levels, best first; all, where it is not said how many."""
        if self._sorted is None:
            self._sorted = sorted(self._totals, reverse=self._sign < 0)
        return [(price, self._totals[price]) for price in self._sorted[:levels]]

    def of(self, prices: Mapping[int, None]) -> Levels:
        """The totals at some prices; 0 where nothing is left."""
        return [(price, self._totals.get(price, 0)) for price in prices]


class BookReplica:
    """A market's book."""

    def __init__(self, seen: MarketSeen) -> None:
        self.sequence = self._begun = seen.sequence
        self.bids, self.asks = BookSide(seen.bids, -1), BookSide(seen.asks, 1)
        self._changes: deque[tuple[int, list[int], list[int]]] = deque()

    def apply(self, change: BookChange) -> bool:
        """Follow a change; False when one is missing before it, or too little is left: then look anew."""
        if change.last <= self.sequence:
            return True
        if change.first != self.sequence + 1:
            return False
        if len(self._changes) >= CHANGES_KEPT_MAX:
            self._begun = self._changes.popleft()[0]
        self._changes.append((change.last, self.bids.apply(change.bids), self.asks.apply(change.asks)))
        self.sequence = change.last
        return not (self.bids.is_short or self.asks.is_short)

    def since(self, after: int) -> Changed | None:
        """All that changed after a sequence, in one; None when that is not known any more."""
        if after < self._begun:
            return None
        bids: dict[int, None] = {}
        asks: dict[int, None] = {}
        for last, of_bids, of_asks in reversed(self._changes):
            if last <= after:
                break
            bids.update(dict.fromkeys(of_bids))
            asks.update(dict.fromkeys(of_asks))
        return after + 1, self.bids.of(bids), self.asks.of(asks)


class Tape:
    """The newest trades; each has a number, from 1 on, in the order in which they became known here."""

    def __init__(self, trades: list[OnTape]) -> None:
        self._trades: deque[tuple[int, OnTape]] = deque(enumerate(trades, 1), TRADES_KEPT_MAX)
        self.last = len(trades)

    def add(self, trade: OnTape) -> None:
        """One more, or one that is there, whose status is another now."""
        self.last += 1
        self._trades.append((self.last, trade))

    def newest(self, limit: int) -> list[OnTape]:
        """Newest first, each as it is now."""
        found: dict[int, OnTape] = {}
        for _, trade in reversed(self._trades):
            found.setdefault(trade.trade_id, trade)
        return sorted(found.values(), key=lambda trade: -trade.trade_id)[:limit]

    def since(self, after: int) -> list[OnTape] | None:
        """Those with higher numbers, oldest first; None when some are not known any more."""
        if self._trades and self._trades[0][0] > after + 1:
            return None
        return [trade for number, trade in self._trades if number > after]


class Candles:
    """The newest candles of one interval; each has the number of the change that it is of."""

    def __init__(self, candles: list[Candle]) -> None:
        self._candles: deque[tuple[int, Candle]] = deque(((0, candle) for candle in candles), CANDLES_KEPT_MAX)
        self.last = 0

    def add(self, part: Candle) -> None:
        """More trades of one stretch."""
        self.last += 1
        if self._candles and self._candles[-1][1].start == part.start:
            _, known = self._candles.pop()
            part = joined(known, part)
        self._candles.append((self.last, part))

    def newest(self, limit: int) -> list[Candle]:
        """The last ones, oldest first."""
        return [candle for _, candle in self._candles][-limit:]

    def since(self, after: int) -> list[Candle] | None:
        """Those that are others now than they were; None when some are not known any more."""
        if len(self._candles) == CANDLES_KEPT_MAX and self._candles[0][0] > after + 1:
            return None
        return [candle for number, candle in self._candles if number > after]


class Replica:
    """A market."""

    def __init__(self, seen: MarketSeen) -> None:
        self.market = seen.market
        self.symbol = seen.market.symbol
        self.book = BookReplica(seen)
        self.tape = Tape(seen.tape)
        self.day = Day(seen.minutes)
        self.candles = {
            interval: Candles([each for each in seen.candles if each.interval == interval])
            for interval in INTERVALS.values()
        }
        newest = max(seen.candles, key=lambda candle: (candle.start, -candle.interval), default=None)
        self.last_price = newest.close if newest else None
        self.moves = 0

    def apply(self, move: MarketMoved) -> bool:
        """Follow what a commit did; False when it is to be looked anew."""
        if move.change.last <= self.book.sequence:
            return True
        if not self.book.apply(move.change):
            return False
        self.moves += 1
        if move.trades:
            self._trade(move.trades)
        return True

    def _trade(self, trades: list[OnTape]) -> None:
        for trade in trades:
            self.tape.add(trade)
        part = candle_of(self.symbol, trades, SECOND)
        self.day.add(moved(part, MINUTE))
        for interval, candles in self.candles.items():
            candles.add(moved(part, interval))
        self.last_price = part.close
