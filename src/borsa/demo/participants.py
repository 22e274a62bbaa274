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
    """How a maker quotes: `levels` a side, `width_ppm` of the price apart, each of about `size` lots, the best ones
    `edge_ppm` from the fair price. A full `load` of lots moves the quotes by three widths against it."""

    levels: int
    width_ppm: int
    edge_ppm: int
    size: int
    load: int


class Maker:
    """Quotes one market on a grid of its own: an order whose place is no longer wanted goes to one that is."""

    def __init__(self, symbol: str, style: Style, home: int, random: Random) -> None:
        self.symbol = symbol
        self._style = style
        self._random = random
        self._width = max(1, home * style.width_ppm // MILLION)
        self._edge = home * style.edge_ppm * FINE // MILLION

    def decide(self, fair: int, own: Sequence[Own], inventory: int, changes_max: int) -> list[Decision]:
        """The next few changes, the most urgent first. `fair` is in thousandths of a tick, `inventory` in lots above
        what it wants to have."""
        skew = max(-3, min(3, inventory * 3 // self._style.load)) * self._width * FINE
        middle = fair - skew
        wanted = {
            "buy": self._prices((middle - self._edge) // FINE, -1),
            "sell": self._prices(-((-middle - self._edge) // FINE), 1),
        }
        decided: list[Decision] = []
        for side in SIDES:
            decided += self._moves(side, wanted[side], [order for order in own if order.side == side])
        urgent = sorted(decided, key=lambda each: self._urgency(each, fair))
        return self._never_crossing(urgent[:changes_max], own)

    def _prices(self, best: int, direction: int) -> list[int]:
        """Prices of the levels, from the best one away; each stays where it is on the grid while the market moves."""
        first = best // self._width if direction < 0 else -(-best // self._width)
        slots = (first + direction * level for level in range(self._style.levels + 1))
        found = [self._price(slot) for slot in slots]
        return [price for price in found if price > 0 and (best - price) * direction <= 0][: self._style.levels]

    def _price(self, slot: int) -> int:
        """A place on the grid, shifted a little, so that the book has no pattern."""
        return slot * self._width + slot * 7_919 % 101 * (self._width // 2) // 101

    def _moves(self, side: Side, wanted: Sequence[int], own: Sequence[Own]) -> list[Decision]:
        there = {order.price for order in own}
        missing = [price for price in wanted if price not in there]
        kept: set[int] = set()
        stale = []
        for order in own:
            if order.price in kept or order.price not in wanted:
                stale.append(order)
            kept.add(order.price)
        # what lies nearest to the market is the most dangerous
        stale.sort(key=lambda order: order.price, reverse=side == "buy")
        moved: list[Decision] = [
            Amend(self.symbol, order.order_id, side, price, order.filled + self._size(wanted.index(price)))
            for order, price in zip(stale, missing, strict=False)
        ]
        moved += [Cancel(order.order_id) for order in stale[len(missing) :]]
        moved += [Place(self.symbol, side, price, self._size(wanted.index(price))) for price in missing[len(stale) :]]
        return moved

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

    def decide(self, fair: int, inventory: int, chance: int) -> list[Decision]:
        """Orders that take at once, none most of the time. `chance` is that of one, in millionths."""
        self._excited = self._excited * 6 // 10
        found: list[Decision] = []
        while len(found) < 3 and self._random.randrange(MILLION) < chance * (1_000 + self._excited) // 1_000:
            self._excited = min(1_500, self._excited + 700)
            lean = max(-400, min(400, inventory * 400 // self._load))
            side: Side = "buy" if self._random.randrange(1_000) >= 500 + lean else "sell"
            # a few are thirty times as large as most
            quantity = max(1, self._size * 100 // self._random.randrange(30, 1_000))
            found.append(Place(self.symbol, side, _within(fair, side, self._reach_ppm), quantity, taking=True))
        return found


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

NEAR = (16, 180, 90)
FAR = (18, 700, 900)
COARSE = (4, 1_300, 250)
"""Levels a side, their distance and the best one's, in millionths of the price: the two who keep the book, and one of
them when a day passes in seconds."""


def style(symbol: str, kind: tuple[int, int, int], times: int) -> Style:
    """A maker's way in a market, with sizes `times` the usual."""
    levels, width_ppm, edge_ppm = kind
    return Style(levels, width_ppm, edge_ppm, SIZES[symbol] * times, LOADS[symbol])
