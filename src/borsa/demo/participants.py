"""What the participants do: decided from what each saw, and from chance of a seed. Prices are in ticks, quantities in
lots."""

from collections.abc import Iterable, Mapping, Sequence
from random import Random
from typing import Final, Literal

import msgspec

from borsa.demo.prices import FINE

Side = Literal["buy", "sell"]
SIDES: Final[tuple[Side, Side]] = ("buy", "sell")

MILLION: Final = 1_000_000

CLUSTER_MAX: Final = 3
ANOTHER_PPM: Final = 150_000
"""Orders of one trader in a market and a turn, and the chance of another one after each, in millionths."""


class Place(msgspec.Struct, frozen=True):
    """A new order: of a maker, or one that takes what is there at once."""

    symbol: str
    side: Side
    price: int
    quantity: int
    taking: bool = False


class Amend(msgspec.Struct, frozen=True):
    """Another price and total for an order."""

    symbol: str
    order_id: str
    side: Side
    price: int
    quantity: int


class Cancel(msgspec.Struct, frozen=True):
    """The end of an order."""

    order_id: str


Decision = Place | Amend | Cancel


class Own(msgspec.Struct, frozen=True):
    """An own order that is open."""

    order_id: str
    side: Side
    price: int
    quantity: int
    filled: int = 0


class Style(msgspec.Struct, frozen=True):
    """How a maker quotes: `levels` a side, one in each stretch of `width_ppm` of the price, each of about `size` lots,
    the best ones at least `edge_ppm` from the fair price. A full `load` of lots moves the quotes by three widths
    against it."""

    levels: int
    width_ppm: int
    edge_ppm: int
    size: int
    load: int


class Maker:
    """Quotes one market: an order in each of the stretches next to the fair price, anywhere in it. The stretches stay
    where they are while the market moves, so an order whose stretch is no longer wanted goes to one that is."""

    def __init__(self, symbol: str, style: Style, home: int, random: Random) -> None:
        self.symbol = symbol
        self._style = style
        self._random = random
        self._width = max(1, home * style.width_ppm // MILLION)
        self._edge = home * style.edge_ppm * FINE // MILLION

    def is_thin(self, own: Sequence[Own]) -> bool:
        """Is more than half of the book missing?"""
        return len(own) < self._style.levels

    def decide(self, fair: int, own: Sequence[Own], inventory: int, changes_max: int) -> list[Decision]:
        """The next few changes, the most urgent first. `fair` is in thousandths of a tick, `inventory` in lots above
        what it wants to have."""
        load = self._style.load
        skew = 3 * self._width * FINE * max(-load, min(load, inventory)) // load
        best = {"buy": (fair - skew - self._edge) // FINE, "sell": -((skew - fair - self._edge) // FINE)}
        decided: list[Decision] = []
        for side in SIDES:
            decided += self._moves(side, best[side], [order for order in own if order.side == side])
        urgent = sorted(decided, key=lambda each: self._urgency(each, fair))
        return self._never_crossing(urgent, own)[:changes_max]

    def _moves(self, side: Side, best: int, own: Sequence[Own]) -> list[Decision]:
        away = -1 if side == "buy" else 1
        first = best // self._width
        wanted = [slot for slot in range(first, first + away * self._style.levels, away) if slot > 0]
        missing = set(wanted)
        stale = []
        # what lies nearest to the market is the most dangerous
        for order in sorted(own, key=lambda order: order.price * away):
            if (order.price - best) * away < 0 or order.price // self._width not in missing:
                stale.append(order)
            else:
                missing.remove(order.price // self._width)
        levels = [level for level, slot in enumerate(wanted) if slot in missing]
        prices = [self._price(wanted[level], best, away) for level in levels]
        moved: list[Decision] = [
            Amend(self.symbol, order.order_id, side, price, self._total(order, level))
            for order, level, price in zip(stale, levels, prices, strict=False)
        ]
        moved += [Cancel(order.order_id) for order in stale[len(levels) :]]
        if stale:
            # what is new waits: one of those that move may not get there, and would be too many
            return moved
        placed = zip(levels, prices, strict=True)
        return [Place(self.symbol, side, price, self._size(level)) for level, price in placed]

    def _price(self, slot: int, best: int, away: int) -> int:
        """Anywhere in a stretch, but no nearer to the market than the best one."""
        lowest, highest = max(1, slot * self._width), (slot + 1) * self._width - 1
        if away < 0:
            highest = min(highest, best)
        else:
            lowest = max(lowest, best)
        return self._random.randint(lowest, highest)

    def _total(self, order: Own, level: int) -> int:
        """Of an order that moves: as it is, while there is enough left. Another total costs its wallet an entry."""
        is_enough = (order.quantity - order.filled) * 3 >= self._style.size * (8 + level) // 8
        return order.quantity if is_enough else order.filled + self._size(level)

    def _size(self, level: int) -> int:
        """More further out, and never the same."""
        return max(1, self._style.size * (300 + self._random.randrange(1_400)) * (8 + level) // 8_000)

    def _urgency(self, decision: Decision, fair: int) -> int:
        """Nothing before a cancel; then what is nearest to the market."""
        return -1 if isinstance(decision, Cancel) else abs(decision.price * FINE - fair)

    def _never_crossing(self, decided: Iterable[Decision], own: Iterable[Own]) -> list[Decision]:
        """Without what would meet an own order, wherever that is while the changes are under way."""
        bids = [order.price for order in own if order.side == "buy"]
        asks = [order.price for order in own if order.side == "sell"]
        safe = []
        for each in decided:
            if not isinstance(each, Cancel):
                if each.side == "buy" and asks and each.price >= min(asks):
                    continue
                if each.side == "sell" and bids and each.price <= max(bids):
                    continue
                (bids if each.side == "buy" else asks).append(each.price)
            safe.append(each)
        return safe


class Noise:
    """Buys and sells for no reason, in clusters; more often back towards what it began with."""

    def __init__(self, symbol: str, size: int, reach_ppm: int, load: int, random: Random) -> None:
        self.symbol = symbol
        self._size = size
        self._reach_ppm = reach_ppm
        self._load = load
        self._random = random
        self._excited = 0

    def decide(self, fair: int, inventory: int, chance: int, heat: int) -> list[Decision]:
        """Orders that take at once, none most of the time. `chance` is that of the first one, in millionths; `heat`
        makes them larger, in thousandths."""
        self._excited = self._excited * 6 // 10
        found: list[Decision] = []
        likely = chance * (1_000 + self._excited) // 1_000
        while len(found) < CLUSTER_MAX and self._random.randrange(MILLION) < likely:
            self._excited = min(1_500, self._excited + 700)
            lean = max(-400, min(400, inventory * 400 // self._load))
            side: Side = "buy" if self._random.randrange(1_000) >= 500 + lean else "sell"
            found.append(Place(self.symbol, side, _within(fair, side, self._reach_ppm), self._lots(heat), taking=True))
            likely = ANOTHER_PPM
        return found

    def _lots(self, heat: int) -> int:
        """A few are thirty times as large as most, and some are round."""
        lots = max(1, self._size * heat // self._random.randrange(300, 10_000))
        if self._random.randrange(3) == 0:
            lots -= lots % int(10 ** (len(str(lots)) - 1))
        return lots


class Momentum:
    """Follows the market: buys what rose, sells what fell, up to a bound."""

    def __init__(self, symbol: str, size: int, reach_ppm: int, load: int) -> None:
        self.symbol = symbol
        self._size = size
        self._reach_ppm = reach_ppm
        self._load = load
        self._fast = self._slow = 0

    def decide(self, fair: int, last: int, inventory: int) -> list[Decision]:
        """At most one order that takes at once; `last` is the price of the last trade."""
        paid = last * FINE
        if not self._slow:
            self._fast = self._slow = paid
        self._fast += (paid - self._fast) // 4
        self._slow += (paid - self._slow) // 16
        gap = (self._fast - self._slow) * MILLION // self._slow
        for side, risen, room in (("buy", gap, self._load - inventory), ("sell", -gap, self._load + inventory)):
            if risen > 2 * self._reach_ppm // 5 and room >= self._size:
                taken: Side = "buy" if side == "buy" else "sell"
                return [Place(self.symbol, taken, _within(fair, taken, self._reach_ppm), self._size, taking=True)]
        return []


def _within(fair: int, side: Side, reach_ppm: int) -> int:
    """The worst price that somebody takes, in ticks."""
    away = fair * reach_ppm // MILLION
    return max(1, (fair + away if side == "buy" else fair - away) // FINE)


# who is there -------------------------------------------------------------------------------------------------------

SIZES: Final[Mapping[str, int]] = {"BTC-USD": 40_000, "ETH-USD": 80_000, "SOL-USD": 12_000, "ETH-BTC": 400}
"""Lots that are a usual order: 0.04 BTC, 0.8 ETH, 12 SOL, 0.4 ETH."""

LOADS: Final[Mapping[str, int]] = {symbol: size * 100 for symbol, size in SIZES.items()}
"""Lots beyond which everybody wants to get rid of what they have."""

ACTIVITY: Final[Mapping[str, int]] = {"BTC-USD": 1_000, "ETH-USD": 700, "SOL-USD": 600, "ETH-BTC": 600}
"""How busy a market is, in thousandths of the busiest."""

NEAR = (16, 150, 40)
FAR = (18, 700, 900)
COARSE = (2, 400, 40)
"""Levels a side, their distance and the best one's, in millionths of the price: the two who keep the book, and one of
them when a day passes in seconds."""


def style(symbol: str, kind: tuple[int, int, int], times: int) -> Style:
    """A maker's way in a market, with sizes `times` the usual."""
    levels, width_ppm, edge_ppm = kind
    return Style(levels, width_ppm, edge_ppm, SIZES[symbol] * times, LOADS[symbol])
