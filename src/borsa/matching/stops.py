"""The armed stops of one market, found by stop price and fired in arming order."""

from bisect import bisect_left, bisect_right, insort
from collections.abc import Iterator

from borsa.matching.ladder import Order
from borsa.matching.layout import BUY

# Above any sequence: with it, (price, AFTER) sorts behind every stop at that price.
AFTER = 1 << 64


class ArmedStops:
    """Stops that wait for their price. Sequences ascend, so the dict stands in arming order."""

    __slots__ = ("_by_sequence", "_prices", "_sequence")

    def __init__(self) -> None:
        self._sequence = 0
        self._by_sequence: dict[int, Order] = {}
        self._prices: tuple[list[tuple[int, int]], list[tuple[int, int]]] = ([], [])  # (stop price, sequence)

    def __len__(self) -> int:
        return len(self._by_sequence)

    def __iter__(self) -> Iterator[Order]:
        """In arming order."""
        return iter(self._by_sequence.values())

    def arm(self, order: Order) -> None:
        """Add at the back of the arming order."""
        self._sequence += 1
        order.sequence = self._sequence
        self._by_sequence[order.sequence] = order
        insort(self._prices[order.side], (order.stop_price, order.sequence))

    def disarm(self, order: Order) -> None:
        """Take out one that is armed."""
        prices = self._prices[order.side]
        del prices[bisect_left(prices, (order.stop_price, order.sequence))]
        del self._by_sequence[order.sequence]
        order.sequence = 0

    def reached(self, low: int, high: int) -> list[tuple[int, Order]]:
        """(sequence, order) of every stop that trades from `low` to `high` reached: buys up to `high`,
        sells from `low`."""
        buys, sells = self._prices
        sequences = [sequence for _, sequence in buys[: bisect_right(buys, (high, AFTER))]]
        sequences += [sequence for _, sequence in sells[bisect_left(sells, (low, 0)) :]]
        return [(sequence, self._by_sequence[sequence]) for sequence in sequences]


def is_through(order: Order, price: int) -> bool:
    """Whether a trade at `price` triggers this stop."""
    return price >= order.stop_price if order.side == BUY else price <= order.stop_price
