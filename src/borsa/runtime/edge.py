"""Where HTTP meets the writers: an event loop on one side, batches on the other.

Everything that crosses does so in batches: the outcomes of a commit wake the loop once, however many requests wait.
"""

import asyncio
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any, TypeVar

from borsa.errors import Refused
from borsa.events import Event
from borsa.requests import Request
from borsa.runtime.bus import Bus, Listener, Once, Origin, Outcome
from borsa.runtime.log import Recorded
from borsa.runtime.reading import Reading
from borsa.runtime.shards import known_of

R = TypeVar("R")
T = TypeVar("T")


class Edge:
    """Asks, reads and waits on behalf of requests from outside. Lives on one event loop."""

    def __init__(self, bus: Bus, readings: Mapping[str, Reading], loop: asyncio.AbstractEventLoop) -> None:
        self._bus = bus
        self._readings = readings
        self._loop = loop
        self._watched: dict[tuple[str, str], list[asyncio.Future[Event]]] = {}
        for source in readings:
            bus.listen(source, self)
        self._shards = {service: known_of(service, readings) for service in readings}

    async def ask(self, request: Request[R], origin: Origin, once: Once | None = None, of: str = "") -> R:
        """The reply of the service that answers, or of its shard that `of` names; raises its `Refused`. The effect is
        on disk by then."""
        token: asyncio.Future[Any] = self._loop.create_future()
        self._bus.ask(request, origin, self, token, once, of)
        return await token  # type: ignore[no-any-return]

    @property
    def services(self) -> Collection[str]:
        """The services whose data can be read here."""
        return self._readings.keys()

    def shards(self, service: str) -> Sequence[str]:
        """The names of a service's shards, the first one first; it is the only one of most."""
        return self._shards.get(service, (service,))

    async def read(self, service: str, select: Callable[..., T], *given: Any) -> T:
        """What `select(reader, *given)` finds in a service's committed data; Unreadable."""
        return await self._readings[service].read(select, *given)

    def listen(self, source: str, listener: Listener) -> None:
        """Follow the committed events of a source from now on."""
        self._bus.listen(source, listener)

    def watch(self, source: str, about: str) -> asyncio.Future[Event]:
        """The next event of a source about a subject, or caused by an event id ("orders/1042").

        Watch before reading the state that the event may change: what came earlier is not repeated. Cancel the
        future when it is no longer wanted.
        """
        future: asyncio.Future[Event] = self._loop.create_future()
        key = (source, about)
        self._watched.setdefault(key, []).append(future)
        future.add_done_callback(lambda done: self._unwatch(key, done))
        return future

    def _unwatch(self, key: tuple[str, str], future: asyncio.Future[Event]) -> None:
        waiting = self._watched.get(key, [])
        if future in waiting:
            waiting.remove(future)
        if not waiting:
            self._watched.pop(key, None)

    def tune(self, source: str, receive: Callable[[bytes], None], miss: Callable[[], None]) -> None:
        """Hear on the event loop what a source broadcasts, and when something of it may have been lost."""
        self._bus.tune(source, _OnLoop(self._loop, receive, miss))

    def deliver(self, outcomes: Sequence[tuple[asyncio.Future[Any], Outcome]]) -> None:
        """Take the outcomes of a commit, on the writer's thread."""
        self._loop.call_soon_threadsafe(_resolve, outcomes)

    def is_listening(self) -> bool:
        """Does anybody wait for an event?"""
        return bool(self._watched)

    def observe(self, events: Sequence[Recorded]) -> None:
        """Take committed events, on the producer's thread."""
        if not self._watched:
            return
        seen = [
            (about, recorded.event)
            for recorded in events
            for about in (recorded.subject, recorded.causation)
            if about is not None and (recorded.source, about) in self._watched
        ]
        if seen:
            self._loop.call_soon_threadsafe(self._wake, events[0].source, seen)

    def _wake(self, source: str, seen: list[tuple[str, Event]]) -> None:
        for about, event in seen:
            for future in list(self._watched.get((source, about), ())):
                if not future.done():
                    future.set_result(event)


class _OnLoop:
    """Hands over to the event loop what comes on whatever thread."""

    def __init__(
        self, loop: asyncio.AbstractEventLoop, receive: Callable[[bytes], None], miss: Callable[[], None]
    ) -> None:
        self._loop = loop
        self._receive = receive
        self._miss = miss

    def receive(self, message: bytes) -> None:
        self._loop.call_soon_threadsafe(self._receive, message)

    def miss(self) -> None:
        self._loop.call_soon_threadsafe(self._miss)


class Futures:
    """Somebody on the event loop who waits; or nobody (None), where it is enough that there is an answer."""

    def deliver(self, outcomes: Sequence[tuple[asyncio.Future[Any] | None, Outcome]]) -> None:
        """Take (future, outcome) pairs, on the event loop; a refusal is a result like any other."""
        for future, outcome in outcomes:
            if future is not None and not future.done():
                future.set_result(outcome)


def _resolve(outcomes: Sequence[tuple[asyncio.Future[Any], Outcome]]) -> None:
    for future, outcome in outcomes:
        if future.done():
            continue  # the client went away; what it asked for is done all the same
        if isinstance(outcome, Refused):
            future.set_exception(outcome)
        else:
            future.set_result(outcome)
