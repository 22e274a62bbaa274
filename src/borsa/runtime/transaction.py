"""What a handler has in hand beside its memory: the time, fresh ids, and the log to publish to."""

import sqlalchemy as sa

from borsa.events import Event
from borsa.runtime.bus import Origin
from borsa.runtime.clock import Clock
from borsa.runtime.codec import encode
from borsa.runtime.log import LogRow, Recorded
from borsa.runtime.session import Session


class Transaction:
    """The open transaction of a writer. `now` is the same for the whole batch and never goes back;
    `newest` are sequence and time of the last event in the log."""

    def __init__(self, source: str, session: Session, log: sa.Table, newest: tuple[int, int], clock: Clock) -> None:
        self._committed, newest_time = newest
        # not before the newest event, also when the clock went back while nothing ran
        self.now = max(newest_time, clock.now())
        self.origin = Origin("")
        self._source = source
        self._session = session
        self._log = session.journal(log, LogRow)
        self._clock = clock
        self._events: list[Recorded] = []

    @property
    def last_sequence(self) -> int:
        """The sequence of the newest event of this service's log, uncommitted ones included."""
        return self._committed + len(self._events)

    def begin(self) -> None:
        """Take the time for the next batch."""
        self.now = max(self.now, self._clock.now())

    def new_id(self) -> str:
        """A fresh UUIDv7."""
        return self._clock.new_id()

    def publish(self, event: Event, cause: Recorded | None = None) -> Recorded:
        """Append an event to the log, in this transaction; it leaves once that is committed."""
        origin = self.origin if cause is None else Origin(cause.correlation, cause.id)
        sequence = self._committed + len(self._events) + 1
        data = encode(event)
        recorded = Recorded(self._source, sequence, self.now, origin.correlation, origin.causation, event, data)
        self._events.append(recorded)
        self._log.append_row(
            (sequence, self.now, type(event).__name__, event.subject, origin.correlation, origin.causation, data)
        )
        self._session.staged(self._withdraw, None, None)
        return recorded

    def _withdraw(self, _key: None, _before: None) -> None:
        self._events.pop()

    def committed(self) -> list[Recorded]:
        """The events of the transaction that was just committed, to be handed out."""
        events, self._events = self._events, []
        self._committed += len(events)
        return events
