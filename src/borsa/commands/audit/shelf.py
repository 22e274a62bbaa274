"""The resting orders of one side of one market in price-time order, in the plainest way: who is first?"""

from heapq import heappop, heappush


class Shelf:
    """Queues by price. Everything in it was put there because a log says so; nothing is matched here."""

    def __init__(self, side: str) -> None:
        self._sign = -1 if side == "buy" else 1
        self._queues: dict[int, dict[int, None]] = {}
        self._prices: list[int] = []

    def add(self, price: int, order_id: int) -> None:
        """Put an order behind all others at its price."""
        queue = self._queues.get(price)
        if queue is None:
            queue = self._queues[price] = {}
            heappush(self._prices, self._sign * price)
        queue[order_id] = None

    def remove(self, price: int, order_id: int) -> None:
        """Take an order away, if it is there."""
        queue = self._queues.get(price)
        if queue is not None and order_id in queue:
            del queue[order_id]
            if not queue:
                del self._queues[price]

    def best(self) -> int:
        """The best price; 0 when nothing rests."""
        while self._prices and self._sign * self._prices[0] not in self._queues:
            heappop(self._prices)
        return self._sign * self._prices[0] if self._prices else 0

    def first(self) -> int:
        """The order that is next to trade; 0 when nothing rests."""
        price = self.best()
        return next(iter(self._queues[price])) if price else 0
