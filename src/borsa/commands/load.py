"""The load of `borsa bench orders`: every connection places one order (or one batch) after the other.

The requests are made before the clock starts and the answers are hardly looked at, because the load shares the machine
with what it measures.
"""

import asyncio
import time
from collections import Counter
from collections.abc import Sequence

import msgspec

from borsa.commands.client import Participant
from borsa.commands.wire import Wire, request_bytes
from borsa.markets import Market

MIDDLE_TICKS = 5_000_000
"""Price around which orders are placed."""

DEPTH_TICKS = 10
"""Furthest price from the middle at which an order rests, and how far beyond it an order reaches that trades."""

CYCLE = 20
TAKERS_IN_CYCLE = 7
"""Orders of a cycle that cross the spread. Each meets one that rests, so 2 x 7 of 20 orders trade: 70 %."""

REQUESTS_MADE = 100
"""Different requests of a connection, sent again and again; a multiple of the cycle."""

QUANTITY_LOTS = 100

_ORDER_IN_BATCH = b'"orderId"'


class Measured(msgspec.Struct, frozen=True):
    """What the load saw. `seconds` runs from the first request to the last answer, latencies are in nanoseconds, one
    for each request, ascending; `refused` counts requests and orders that were not accepted, by status."""

    orders: int
    seconds: float
    latencies: list[int]
    refused: Counter[int]

    def latency_ms(self, share: float) -> float:
        """The latency that this share of the requests did not exceed, in milliseconds."""
        if not self.latencies:
            return 0.0
        return self.latencies[min(len(self.latencies) - 1, int(share * len(self.latencies)))] / 1e6


def orders_of(market: Market, number: int) -> list[dict[str, str]]:
    """What connection `number` places: an even one only buys, an odd one only sells, so nobody trades with themselves.

    Most orders rest within DEPTH_TICKS of the middle; TAKERS_IN_CYCLE of each CYCLE reach through the other side.
    """
    sign = -1 if number % 2 == 0 else 1
    orders = []
    for turn in range(number, number + REQUESTS_MADE):
        takes = turn * TAKERS_IN_CYCLE % CYCLE < TAKERS_IN_CYCLE
        away = DEPTH_TICKS if takes else 1 + turn % DEPTH_TICKS
        price = MIDDLE_TICKS - sign * away if takes else MIDDLE_TICKS + sign * away
        orders.append(
            {
                "symbol": market.symbol,
                "type": "buy" if sign < 0 else "sell",
                "quantity": market.quantity_text(QUANTITY_LOTS),
                "price": market.price_text(price),
            }
        )
    return orders


def requests_of(market: Market, number: int, host: str, key: str, batch: int) -> list[bytes]:
    """The requests of a connection: one order each, or (`batch` above 0) so many in one POST /api/orders/batch."""
    orders = orders_of(market, number)
    if not batch:
        return [request_bytes("POST", "/api/orders", host, key, msgspec.json.encode(order)) for order in orders]
    made = []
    for first in range(REQUESTS_MADE):
        part = [orders[(first * batch + at) % len(orders)] for at in range(batch)]
        made.append(request_bytes("POST", "/api/orders/batch", host, key, msgspec.json.encode({"orders": part})))
    return made


class _Loader(Wire):
    """One connection: the next request leaves as soon as the last one is answered, until the time is over."""

    def __init__(self, requests: Sequence[bytes], batch: int) -> None:
        super().__init__()
        self.accepted = 0
        self.refused: Counter[int] = Counter()
        self.latencies: list[int] = []
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._requests = requests
        self._batch = batch
        self._turn = 0
        self._sent = self._until = 0

    def start(self, until: int) -> None:
        """Begin; `until` is on the clock of time.perf_counter_ns."""
        self._until = until
        self._next(time.perf_counter_ns())

    def _next(self, now: int) -> None:
        self._sent = now
        self.send(self._requests[self._turn % REQUESTS_MADE])
        self._turn += 1

    def answered(self, status: int, body: bytes) -> None:
        now = time.perf_counter_ns()
        self.latencies.append(now - self._sent)
        if status == 201:
            self.accepted += 1
        elif status == 200 and self._batch:
            accepted = body.count(_ORDER_IN_BATCH)
            self.accepted += accepted
            if accepted < self._batch:
                self.refused[422] += self._batch - accepted
        else:
            self.refused[status] += 1
        if now < self._until:
            self._next(now)
        elif not self.done.done():
            self.done.set_result(None)

    def lost(self) -> None:
        if not self.done.done():
            self.done.set_exception(ConnectionResetError("the exchange closed a connection"))


async def place(
    host: str, port: int, market: Market, players: Sequence[Participant], connections: int, seconds: float, batch: int
) -> Measured:
    """Place orders for so many seconds over so many connections; the players take turns in having them."""
    loop = asyncio.get_running_loop()
    loaders = []
    for number in range(connections):
        key = players[number % len(players)].key
        requests = requests_of(market, number, f"{host}:{port}", key, batch)
        _, loader = await loop.create_connection(lambda r=requests: _Loader(r, batch), host, port)  # type: ignore[misc]
        loaders.append(loader)
    began = time.perf_counter_ns()
    for loader in loaders:
        loader.start(began + int(seconds * 1e9))
    ends = await asyncio.gather(*(loader.done for loader in loaders), return_exceptions=True)
    elapsed = (time.perf_counter_ns() - began) / 1e9
    for loader in loaders:
        loader.close()
    for end in ends:
        if end is not None:
            raise end
    refused: Counter[int] = Counter()
    for loader in loaders:
        refused.update(loader.refused)
    latencies = sorted(each for loader in loaders for each in loader.latencies)
    return Measured(sum(loader.accepted for loader in loaders), elapsed, latencies, refused)
