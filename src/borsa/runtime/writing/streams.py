"""A consumer's side of events: queues in memory, cursors in the database, and the log for what is missing.

A consumer that keeps up gets events from memory. One that does not (or has just started) reads the producer's log.
"""

from collections import deque
from collections.abc import Iterable, Iterator, Sequence

import sqlalchemy as sa
import structlog

from borsa.runtime.log import Cursor, Fetch, Recorded, digest_of, event_at
from borsa.runtime.records.session import Session

_log = structlog.get_logger("borsa")

ANOTHER_HISTORY = "the log has another event there than the one that was applied; restore all databases of one moment"


class Stream:
    """The events of one source on their way to one consumer."""

    def __init__(self, stored: Cursor, events_max: int) -> None:
        self.source = stored.source
        self.cursor = stored.sequence
        self.halted = False
        self.doubted = False
        self._stored = stored
        self._newest: Recorded | None = None
        self._events_max = events_max
        self._queue: deque[Sequence[Recorded]] = deque()
        # two counts, each with one writer: the producer's thread and the consumer's
        self._delivered = self._taken = 0
        self._behind = True

    def __len__(self) -> int:
        return self._delivered - self._taken

    def deliver(self, events: Sequence[Recorded]) -> None:
        """Take committed events, from the producer's thread. What does not fit is read from the log later."""
        has_gap = events[-1].sequence - events[0].sequence != len(events) - 1
        if has_gap or len(self) + len(events) > self._events_max:
            self._behind = True
            return
        self._delivered += len(events)
        self._queue.append(events)

    def take(self, limit: int, fetch: Fetch) -> Sequence[Recorded]:
        """The next events after the cursor, in sequence without a gap, each of them once: whole deliveries, until
        there are `limit` events or more."""
        if self.halted:
            return []
        ready = self._from_memory(self.cursor, limit)
        if not ready and (self._behind or self._queue):
            ready = self._from_log(limit, fetch)
        return ready

    def applied(self, recorded: Recorded) -> None:
        """Everything up to this event was."""
        self.cursor = recorded.sequence
        self._newest = recorded

    def store(self) -> Cursor:
        """What is to be kept with the effects."""
        if self._newest is not None:
            self._stored = Cursor(self.source, self.cursor, digest_of(self._newest))
            self._newest = None
        return self._stored

    def doubt(self) -> None:
        """The log may have been replaced: forget what came from it, and look before the next event is taken."""
        self._taken = self._delivered
        self._queue.clear()
        self._behind = self.doubted = True

    def look_back(self, fetch: Fetch) -> None:
        """Is what was applied still in the log? If not, nothing that follows belongs to it."""
        self.doubted = False
        if not self._stored.fits(event_at(fetch, self.source, self._stored.sequence)):
            self.halted = True

    def hear_of_more(self) -> None:
        """The log goes further than what was delivered."""
        self._behind = True

    def rewind(self) -> None:
        """Go back to the log for what was taken beyond the cursor but not applied."""
        self._behind = True

    def _from_memory(self, cursor: int, limit: int) -> Sequence[Recorded]:
        queue = self._queue
        ready: list[Recorded] = []
        while queue and len(ready) < limit:
            events = queue[0]
            first, last = events[0].sequence, events[-1].sequence
            if first > cursor + 1:
                break
            queue.popleft()
            self._taken += len(events)
            if last > cursor:
                ready.extend(events if first == cursor + 1 else events[cursor + 1 - first :])
                cursor = last
        return ready

    def _from_log(self, limit: int, fetch: Fetch) -> Sequence[Recorded]:
        # cleared before the log is read: an event that overflows the queue meanwhile sets it again
        self._behind = False
        found: list[Recorded] = []
        after = self.cursor
        while page := fetch(self.source, after):
            found.extend(page)
            after = page[-1].sequence
            if len(found) >= limit:
                self._behind = True
                break
        return found


class Streams:
    """All streams that a service consumes, with their cursors."""

    def __init__(
        self, session: Session, cursors: sa.Table, sources: Iterable[str], events_max: int, fetch: Fetch
    ) -> None:
        self._cursors = session.records(cursors, Cursor)
        self._fetch = fetch
        self._streams = {source: Stream(self._stored(source), events_max) for source in sources}

    def _stored(self, source: str) -> Cursor:
        return self._cursors.get(source) or Cursor(source, 0)

    def __iter__(self) -> Iterator[Stream]:
        return iter(self._streams.values())

    def deliver(self, source: str, events: Sequence[Recorded]) -> None:
        """Take committed events of a source."""
        self._streams[source].deliver(events)

    def hear_of(self, source: str) -> None:
        """There are more events in the log of a source."""
        self._streams[source].hear_of_more()

    def doubt(self, source: str) -> None:
        """The log of a source has another writer, and may be another one itself. On the consumer's thread only."""
        self._streams[source].doubt()

    def take(self, limit: int) -> list[tuple[Stream, Sequence[Recorded]]]:
        """For each stream, the events that are next."""
        for stream in self:
            if stream.doubted:
                self._look_back(stream)
        return [(stream, events) for stream in self if (events := stream.take(limit, self._fetch))]

    def _look_back(self, stream: Stream) -> None:
        stream.look_back(self._fetch)
        if stream.halted:
            _log.critical("stream_halted", source=stream.source, sequence=stream.cursor, error=ANOTHER_HISTORY)

    def store(self, stream: Stream) -> None:
        """Keep where a stream's cursor is, in the transaction of the effects."""
        self._cursors.put(stream.store())
