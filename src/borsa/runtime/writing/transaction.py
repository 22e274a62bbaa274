"""What a handler has in hand beside its memory: the time, fresh ids, the log to publish to, and the audit."""

from collections.abc import Mapping

import sqlalchemy as sa

from borsa.events import Event
from borsa.runtime.bus import Origin
from borsa.runtime.clock import Clock
from borsa.runtime.log import Recorded, recorded, row_of
from borsa.runtime.records.session import Session
from borsa.runtime.writing.actions import EXCHANGE, Actions


class Transaction:
    """The open transaction of a writer. `now` is the same for the whole batch and never goes back;
    `newest` are sequence and time of the last event in the log.

    `correlation` is the id of the request that started it all.
    """

    def __init__(
        self, source: str, session: Session, tables: Mapping[str, sa.Table], newest: tuple[int, int], clock: Clock
    ) -> None:
        self._committed, newest_time = newest
        self.correlation = ""
        self._origin = Origin("")
        self._cause: Recorded | None = None
        self._source = source
        self._log = session.journal_of(tables["log"], row_of)
        self._actions = Actions(source, session, tables["actions"])
        self._clock = clock
        self._session = session
        self.broadcasts: list[bytes] = []
        # not before the newest event or act, also when the clock went back while nothing ran
        self.now = max(newest_time, self._actions.newest_time, clock.now())

    @property
    def last_sequence(self) -> int:
        """The sequence of the newest event of this service's log, uncommitted ones included."""
        return self._committed + len(self._log.rows)

    @property
    def events(self) -> list[Recorded]:
        """The events of this transaction so far."""
        return self._log.rows

    def begin(self) -> None:
        """Take the time for the next batch."""
        self.now = max(self.now, self._clock.now())
        self.broadcasts = []

    @property
    def clock_now(self) -> int:
        """What the clock says, which may be before `now` when it was put back: for what is judged by a clock."""
        return self._clock.now()

    def for_origin(self, origin: Origin) -> None:
        """What follows comes from a request, a sweep or a start."""
        self.correlation = origin.correlation
        self._origin = origin
        self._cause = None

    def for_event(self, cause: Recorded) -> None:
        """What follows comes from an event."""
        self.correlation = cause.correlation
        self._cause = cause

    @property
    def causation(self) -> str | None:
        """The id of the event just before ("orders/7"); None for what nothing but a request caused."""
        return self._origin.causation if self._cause is None else self._cause.id

    @property
    def admin(self) -> str | None:
        """The admin who asked for what happens now; None when it was a user, an event or a sweep."""
        return self._origin.admin if self._cause is None else None

    def new_id(self) -> str:
        """A fresh UUIDv7."""
        return self._clock.new_id()

    def publish(self, event: Event) -> Recorded:
        """Append an event to the log, in this transaction; it leaves once that is committed."""
        events = self._log.rows
        sequence = self._committed + len(events) + 1
        fresh = recorded(self._source, sequence, self.now, self.correlation, self.causation, event)
        events.append(fresh)
        return fresh

    def broadcast(self, message: bytes) -> None:
        """Say something in passing to whoever is there, once this transaction is committed. It may be lost."""
        self.broadcasts.append(message)
        self._session.staged(self._unsay, None, None)

    def _unsay(self, _key: None, _before: None) -> None:
        self.broadcasts.pop()

    def act(self, action: str, target: str, **details: object) -> None:
        """Write into the audit what the admin who asked did to what; in this transaction."""
        self._actions.add(self.now, self.admin or EXCHANGE, self.correlation, action, target, details)

    def committed(self, events: list[Recorded]) -> None:
        """These events are on disk."""
        self._committed += len(events)
