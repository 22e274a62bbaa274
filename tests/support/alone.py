"""One service alone: its writer over a SQLite file of its own, a clock turned by hand, and events as they come."""

import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import sqlalchemy as sa
import uuid_utils

from borsa.errors import Refused
from borsa.events import Event
from borsa.requests import FindUser, Request, UserFound
from borsa.runtime.bus import Listener, Once, Origin, Replies
from borsa.runtime.databases.sqlite import SqliteDatabase, engine_of
from borsa.runtime.log import Recorded, read_after, recorded
from borsa.runtime.service import Service
from borsa.runtime.store import Statement
from borsa.runtime.writing.inbox import Question
from borsa.runtime.writing.writer import Writer
from borsa.settings import Settings

PATIENCE_SECONDS = 10


class HandClock:
    """Begins now and goes on only when it is told to."""

    def __init__(self) -> None:
        self._now = time.time_ns() // 1000

    def now(self) -> int:
        return self._now

    def ticks(self) -> int:
        return self._now * 1000

    def new_id(self) -> str:
        return str(uuid_utils.uuid7())

    def advance(self, seconds: int) -> None:
        """Let time pass."""
        self._now += seconds * 1_000_000


class Said:
    """Collects what a writer answers."""

    def __init__(self) -> None:
        self.outcomes: list[Any] = []

    def deliver(self, outcomes: Sequence[tuple[Any, Any]]) -> None:
        self.outcomes.extend(outcome for _, outcome in outcomes)


class Alone:
    """A service's writer and the rest of the world: other services' logs, and users that exist."""

    def __init__(self, service: Service[Any], folder: Path, **options: Any) -> None:
        self.settings = Settings(data=str(folder), **options)
        self.clock = HandClock()
        self.users: set[str] = set()
        self.published: list[Recorded] = []
        self._woken = threading.Event()
        self._logs: dict[str, list[Recorded]] = {source: [] for source in service.consumes}
        self.database = SqliteDatabase(service.name, folder, service.tables)
        folder.mkdir(parents=True, exist_ok=True)
        engine = engine_of(self.database.path)
        service.tables.create_all(engine)
        engine.dispose()
        self._service = service
        self._open()

    def _open(self) -> None:
        self.writer = Writer(
            self._service, self.database.connect(), self, self.clock, self.settings, wake=self._woken.set
        )
        self.writer.start()
        self.reader = self.database.reader()

    def restart(self) -> None:
        """Forget everything that is not on disk, and begin again."""
        self.close()
        self._open()

    def close(self) -> None:
        """End the connections."""
        self.writer.close()
        self.reader.close()

    # the bus -------------------------------------------------------------------------------------------------------

    def ask(
        self, request: Request[Any], origin: Origin, replies: Replies, token: Any, once: Once | None = None
    ) -> None:
        if isinstance(request, FindUser):
            known = request.user_id in self.users
            replies.deliver([(token, UserFound(request.user_id, "name") if known else Refused("not_found"))])
        else:
            self.writer.inbox.put(Question(request, origin, replies, token, once))

    def publish(self, source: str, events: Sequence[Recorded]) -> None:
        self.published.extend(events)

    def broadcast(self, source: str, messages: Sequence[bytes]) -> None:
        """Nobody is there."""

    def tune(self, source: str, receiver: Any) -> None:
        raise NotImplementedError

    def fetch(self, source: str, after: int) -> Sequence[Recorded]:
        return self._logs[source][after:]

    def listen(self, source: str, listener: Listener) -> None:
        raise NotImplementedError

    # the tests' side -----------------------------------------------------------------------------------------------

    def log(self, event: Event) -> Recorded:
        """An event in the log of its source."""
        log = self._logs[event.source]
        at = len(log) + 1
        fresh = recorded(event.source, at, self.clock.now(), f"request-{at}", None, event)
        log.append(fresh)
        return fresh

    def happen(self, *events: Event) -> None:
        """Events are committed by their services, and handled here."""
        for event in events:
            self.writer.deliver(event.source, [self.log(event)])
        self.settle()

    def settle(self) -> None:
        """Step until nothing waits."""
        while self.writer.step():
            pass

    def settle_until(self, look: Callable[[], bool], what: str = "it") -> None:
        """Step whenever something arrives from another thread, until `look` is true."""
        end = time.monotonic() + PATIENCE_SECONDS
        self.settle()
        while not look():
            assert time.monotonic() < end, f"waited {PATIENCE_SECONDS} s for {what}"
            self._woken.wait(1)
            self._woken.clear()
            self.settle()

    def say(self, request: Request[Any], once: Once | None = None) -> Any:
        """The outcome of a request: a reply, or a Refused."""
        said = Said()
        self.ask(request, Origin("test"), said, None, once)
        self.settle()
        (outcome,) = said.outcomes
        return outcome

    def told(self) -> list[Event]:
        """The events of the service's own log, from the disk."""
        return [each.event for each in read_after(self.reader, self._service.name, 0, 1_000_000)]

    def rows(self, text: str) -> list[tuple[Any, ...]]:
        """What a query of the committed data gives."""
        return self.reader.read(Statement(sa.text(text)))
