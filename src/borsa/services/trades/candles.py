"""Candles: what was traded in a market in each stretch of time. Pure.

A candle folds what the public tape has of its stretch: negotiated trades are not on the tape and count nowhere, and a
trade that was busted later stays in, as it stays on the tape. So the candles follow from the trades alone.
"""

from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import reduce
from itertools import islice

import msgspec

from borsa.money import UNITS_MAX
from borsa.services.trades.model import Candle, OnTape, Trade

INTERVALS: Mapping[str, int] = {
    "1s": 1,
    "1m": 60,
    "5m": 5 * 60,
    "15m": 15 * 60,
    "1h": 60 * 60,
    "4h": 4 * 60 * 60,
    "1d": 24 * 60 * 60,
}
"""How long a candle is, in seconds, by its name on the wire. Days are those of UTC."""

SECOND, MINUTE = INTERVALS["1s"], INTERVALS["1m"]
MICROSECONDS = 1_000_000
DAY = INTERVALS["1d"] * MICROSECONDS


def start_of(time: int, interval: int) -> int:
    """When the stretch began that a time is in, both in microseconds."""
    return time - time % (interval * MICROSECONDS)


def candle_of(symbol: str, trades: Sequence[Trade] | Sequence[OnTape], interval: int) -> Candle:
    """The candle of some trades of a market and one stretch, in the order in which they were made."""
    prices = [trade.price for trade in trades]
    return Candle(
        symbol,
        interval,
        start_of(trades[0].executed_at, interval),
        prices[0],
        max(prices),
        min(prices),
        prices[-1],
        min(UNITS_MAX, sum([trade.quantity for trade in trades])),
        min(UNITS_MAX, sum([trade.notional for trade in trades])),
        len(trades),
    )


def joined(earlier: Candle, later: Candle) -> Candle:
    """The candle of the trades of both, of which those of the first were made before. It is where the first is."""
    return Candle(
        earlier.symbol,
        earlier.interval,
        earlier.start,
        earlier.open,
        max(earlier.high, later.high),
        min(earlier.low, later.low),
        later.close,
        min(UNITS_MAX, earlier.volume + later.volume),
        min(UNITS_MAX, earlier.quote_volume + later.quote_volume),
        earlier.trades + later.trades,
    )


def moved(candle: Candle, interval: int) -> Candle:
    """The same trades in a longer stretch."""
    return msgspec.structs.replace(candle, interval=interval, start=start_of(candle.start, interval))


def folded(trades: Iterable[Trade]) -> Iterator[Candle]:
    """Every candle of trades of any markets, in the order in which they were made; each when the next one begins."""
    running: dict[tuple[str, int], Candle] = {}
    for trade in trades:
        if trade.block:
            continue
        for interval in INTERVALS.values():
            fresh = candle_of(trade.symbol, (trade,), interval)
            key = trade.symbol, interval
            before = running.get(key)
            if before is not None and before.start == fresh.start:
                running[key] = joined(before, fresh)
                continue
            if before is not None:
                yield before
            running[key] = fresh
    yield from running.values()


def in_turn(parts: Sequence[Sequence[Candle]]) -> list[Candle]:
    """The candles of one market and interval, where all trades of a part were made before those of the next."""
    found: list[Candle] = []
    for candle in (each for part in parts for each in part):
        if found and found[-1].start == candle.start:
            found[-1] = joined(found[-1], candle)
        else:
            found.append(candle)
    return found


def without_gaps(candles: Sequence[Candle], before: Candle | None, start: int, end: int) -> list[Candle]:
    """One candle for each stretch from `start` to before `end`, both at the beginning of one. Where nothing was traded
    it stands at the last close. `before`: the last candle before `start`; without one they begin with the first."""
    found: list[Candle] = []
    last = before
    by_start = {candle.start: candle for candle in candles}
    known = before or (candles[0] if candles else None)
    if known is None:
        return found
    step = known.interval * MICROSECONDS
    for at in range(start if before else max(start, candles[0].start), end, step):
        candle = by_start.get(at) or flat(last or candles[0], at)
        found.append(candle)
        last = candle
    return found


def flat(last: Candle, start: int) -> Candle:
    """A stretch in which nothing was traded, after `last`."""
    price = last.close
    return Candle(last.symbol, last.interval, start, price, price, price, price, 0, 0, 0)


class Day:
    """What was traded in the last 24 hours, rolling by the minute: candles of minutes, summed when asked for."""

    def __init__(self, minutes: Sequence[Candle]) -> None:
        self._minutes = deque(minutes)
        self._done: Candle | None = None
        self._summed = 0

    def add(self, part: Candle) -> None:
        """More trades of one minute, which is the last one that there is, or follows it."""
        minutes = self._minutes
        if minutes and minutes[-1].start == part.start:
            minutes[-1] = joined(minutes[-1], part)
        else:
            minutes.append(part)

    def summary(self, now: int) -> Candle | None:
        """One candle of all that was traded; None when nothing was."""
        minutes = self._minutes
        begun = start_of(now, MINUTE) - DAY + MINUTE * MICROSECONDS
        while minutes and minutes[0].start < begun:
            minutes.popleft()
            self._summed = 0
        if not minutes:
            return None
        if self._summed != len(minutes):
            # all but the last, to which more may be added: a new sum is due once a minute
            self._done = reduce(joined, islice(minutes, len(minutes) - 1)) if len(minutes) > 1 else None
            self._summed = len(minutes)
        return joined(self._done, minutes[-1]) if self._done else minutes[-1]
