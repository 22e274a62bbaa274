"""What the simulated participants think that everything is worth: a random walk, whole numbers only.

Fair prices are in thousandths of a tick, rates in billionths.
"""

from collections.abc import Mapping
from math import isqrt
from random import Random
from typing import Final

import msgspec

BILLION: Final = 1_000_000_000
FINE: Final = 1_000
"""Parts of a tick."""

SIGMA: Final = 2_000
"""One standard deviation of `_normal`."""

AWAY_PERCENT_MAX: Final = 5
"""Furthest that a fair price may be from the last trade: far within the price band."""

HOME_SECONDS: Final = 10 * 86_400
"""How long half the way home takes, roughly: prices stay plausible for weeks."""

CALM, WILD = 400, 2_500
"""Bounds of the volatility's factor, in thousandths."""


class Course(msgspec.Struct, frozen=True):
    """How a market that walks by itself moves: from `home` ticks, by `swing` billionths in the root of a second."""

    home: int
    swing: int


class Ratio(msgspec.Struct, frozen=True):
    """A market between two others: fair ticks are `scale` times one over the other."""

    over: str
    under: str
    scale: int


COURSES: Final[Mapping[str, Course]] = {
    "BTC-USD": Course(6_000_000, 65_000),
    "ETH-USD": Course(300_000, 80_000),
    "SOL-USD": Course(15_000, 100_000),
}

RATIOS: Final[Mapping[str, Ratio]] = {"ETH-BTC": Ratio("ETH-USD", "BTC-USD", 100_000)}
"""Its tick is 0.00001: so many make one."""

SYMBOLS: Final = (*COURSES, *RATIOS)


class Prices:
    """The walk. It leans towards what was paid, so that whoever trades moves it."""

    def __init__(self, random: Random) -> None:
        self._random = random
        self._fair = {symbol: course.home * FINE for symbol, course in COURSES.items()}
        self._heat = 1_000

    @property
    def heat(self) -> int:
        """How wild it is now, in thousandths of the usual."""
        return self._heat

    def fair(self, symbol: str) -> int:
        """What a market is worth now, in thousandths of a tick."""
        if symbol in self._fair:
            return self._fair[symbol]
        ratio = RATIOS[symbol]
        return self._fair[ratio.over] * ratio.scale * FINE // self._fair[ratio.under]

    def begin_at(self, last: Mapping[str, int]) -> None:
        """Go on from the last trades, in ticks, of an exchange that has a past."""
        for symbol in COURSES:
            if symbol in last:
                self._fair[symbol] = last[symbol] * FINE

    def lean(self, last: Mapping[str, int]) -> None:
        """Think again, now that so much was paid last, in ticks."""
        for symbol in COURSES:
            if symbol not in last:
                continue
            paid = last[symbol] * FINE
            fair = self._fair[symbol] + (paid - self._fair[symbol]) // 16
            away = paid * AWAY_PERCENT_MAX // 100
            self._fair[symbol] = max(paid - away, min(paid + away, fair))

    def walk(self, microseconds: int) -> None:
        """So much time goes by. Calm and wild hours follow each other, and the markets move together in part."""
        heat = self._heat + (1_000 - self._heat) // 50 + _normal(self._random) // 40
        if self._random.randrange(400) == 0:
            heat += self._random.randrange(1_500)  # news
        self._heat = max(CALM, min(WILD, heat))
        together = _normal(self._random)
        for symbol, course in COURSES.items():
            strength = (7 * together + 7 * _normal(self._random)) // 10
            move = strength * course.swing * isqrt(microseconds) * self._heat // (SIGMA * 1_000 * 1_000)
            home, fair = course.home * FINE, self._fair[symbol]
            pull = (home - fair) * microseconds // (HOME_SECONDS * 1_000_000)
            self._fair[symbol] = max(home // 20, fair + fair * move // BILLION + pull)


def _normal(chance: Random) -> int:
    """Nearly normal, of mean 0 and deviation SIGMA."""
    return sum(chance.randrange(2_001) for _ in range(12)) - 12_000
