"""The load in Python: every connection sends the next request as soon as the last one is answered.

The answers are hardly looked at, because the load shares the machine with what it measures.
"""

import asyncio
import time
from collections import Counter
from collections.abc import Sequence
from itertools import cycle

import uvloop

from borsa.commands.load import Load, Measured
from borsa.commands.wire import Wire

_ORDER_IN_BATCH = b'"orderId"'


class _Loader(Wire):
    """One connection, until the time is over."""

    def __init__(self, requests: Sequence[bytes], batch: int) -> None:
        super().__init__()
        self.accepted = 0
        self.refused: Counter[int] = Counter()
        self.latencies: list[int] = []
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._requests = cycle(requests)
        self._batch = batch
        self._sent = self._until = 0

    def start(self, until: int) -> None:
        """Begin; `until` is on the clock of time.perf_counter_ns."""
        self._until = until
        self._next(time.perf_counter_ns())

    def _next(self, now: int) -> None:
        self._sent = now
        self.send(next(self._requests))

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


def place(load: Load) -> Measured:
    """Place orders until the time is over and the last one is answered."""
    return uvloop.run(_place(load))


async def _place(load: Load) -> Measured:
    loop = asyncio.get_running_loop()
    loaders = []
    for lane in load.lanes:
        _, loader = await loop.create_connection(lambda r=lane: _Loader(r, load.batch), load.host, load.port)  # type: ignore[misc]
        loaders.append(loader)
    began = time.perf_counter_ns()
    for loader in loaders:
        loader.start(began + int(load.seconds * 1e9))
    try:
        await asyncio.gather(*(loader.done for loader in loaders))  # the first connection that is lost ends it
        elapsed = (time.perf_counter_ns() - began) / 1e9
    finally:
        for loader in loaders:
            loader.close()
    return _measured(loaders, elapsed)


def _measured(loaders: Sequence[_Loader], seconds: float) -> Measured:
    refused: Counter[int] = Counter()
    for loader in loaders:
        refused.update(loader.refused)
    latencies = sorted(each for loader in loaders for each in loader.latencies)
    orders = sum(loader.accepted for loader in loaders)
    p50, p99 = (latencies[int(share * len(latencies))] / 1e6 for share in (0.5, 0.99))
    return Measured(orders, orders, seconds, p50, p99, refused)
