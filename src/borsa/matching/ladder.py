"""One side of a book: price levels from best to worst, first come first served within a level."""

from bisect import bisect_left, insort
from collections.abc import Iterator
from itertools import islice

from borsa.matching.layout import BUY, TYPE_LIMIT, TYPE_STOP_LIMIT


class Order:
    """An order while the kernel knows it.

    remaining, filled, prevented are lots; of a buy by budget, remaining and prevented are tick*lots.
    """

    __slots__ = (
        "budget_left", "by_budget", "capped", "filled", "market", "order_id", "order_type", "owner",
        "post_only", "prevented", "prevention", "price", "remaining", "sequence", "side", "stop_price",
        "time_in_force",
    )  # fmt: skip

    def __init__(
        self, market: int, order_id: int, owner: int, side: int, order_type: int, time_in_force: int,
        post_only: int, prevention: int, price: int, quantity: int, budget: int, stop_price: int,
    ) -> None:  # fmt: skip
        self.market = market
        self.order_id = order_id
        self.owner = owner
        self.side = side
        self.order_type = order_type
        self.time_in_force = time_in_force
        self.post_only = post_only
        self.prevention = prevention
        self.price = price  # its limit or worst price; 0: takes any
        self.remaining = quantity or budget
        self.filled = 0
        self.prevented = 0
        self.by_budget = not quantity
        self.capped = bool(quantity and budget)
        self.budget_left = budget  # read only while capped: a buy by budget counts down `remaining`
        self.stop_price = stop_price
        self.sequence = 0  # place in the arming order; 0: not armed

    @property
    def quantity(self) -> int:
        """The total asked for, as last amended."""
        return self.filled + self.prevented + self.remaining

    @property
    def limited(self) -> bool:
        """Whether it may rest at its price. If not, it is a market order, or becomes one when it triggers."""
        return self.order_type in (TYPE_LIMIT, TYPE_STOP_LIMIT)

    def crosses(self, price: int) -> bool:
        """Whether its limit or worst price allows a trade at `price`."""
        if not self.price:
            return True
        return price <= self.price if self.side == BUY else price >= self.price


class Level:
    """The orders at one price, longest waiting first, and what they sum to."""

    __slots__ = ("orders", "price", "total")

    def __init__(self, price: int) -> None:
        self.price = price
        self.total = 0
        self.orders: dict[int, Order] = {}


class Ladder:
    """All levels of one side. No level is ever empty, and no order in one has nothing left."""

    __slots__ = ("_keys", "_levels", "_sign")

    def __init__(self, side: int) -> None:
        # Keys are sorted so that the best is last on both sides: taking it from the end moves nothing.
        self._sign = 1 if side == BUY else -1
        self._keys: list[int] = []
        self._levels: dict[int, Level] = {}

    def best(self) -> Level | None:
        """The level that trades first; None when the side is empty."""
        return self._levels[self._keys[-1]] if self._keys else None

    def add(self, order: Order) -> None:
        """Put at the back of its price's queue."""
        key = order.price * self._sign
        level = self._levels.get(key)
        if level is None:
            level = self._levels[key] = Level(order.price)
            insort(self._keys, key)
        level.orders[order.order_id] = order
        level.total += order.remaining

    def remove(self, order: Order) -> None:
        """Take off the book, with whatever it has left."""
        key = order.price * self._sign
        level = self._levels[key]
        del level.orders[order.order_id]
        level.total -= order.remaining
        if not level.orders:
            del self._levels[key]
            del self._keys[bisect_left(self._keys, key)]

    def reduce(self, order: Order, quantity: int) -> None:
        """Lower in place by `quantity` lots; an order that has nothing left leaves the book."""
        if quantity == order.remaining:
            self.remove(order)
        else:
            self._levels[order.price * self._sign].total -= quantity
        order.remaining -= quantity

    def depth(self, levels: int) -> list[tuple[int, int]]:
        """(price, total) of the best `levels` levels."""
        best = islice(reversed(self._keys), max(levels, 0))
        return [(level.price, level.total) for level in map(self._levels.__getitem__, best)]

    def quantity_at(self, price: int) -> int:
        """The total of the level of a price; 0 where there is none."""
        level = self._levels.get(price * self._sign)
        return level.total if level else 0

    def __iter__(self) -> Iterator[Order]:
        """Every order in priority order."""
        for key in reversed(self._keys):
            yield from self._levels[key].orders.values()
