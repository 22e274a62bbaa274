"""A consumer's side of events: queues in memory, cursors in the database, and the log for what is missing.

A consumer that keeps up gets events from memory. One that does not (or has just started) reads the producer's log.
"""

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence

import sqlalchemy as sa

from borsa.runtime.log import Cursor, Recorded
from borsa.runtime.session import Session

Fetch = Callable[[str, int], Sequence[Recorded]]


class Stream:
    """The events of one source on their way to one consumer."""

    def __init__(self, source: str, cursor: int, events_max: int) -> None:
        self.source = source
        self.cursor = cursor
        self.halted = False
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
        self._streams = {source: Stream(source, self._stored(source), events_max) for source in sources}

    def _stored(self, source: str) -> int:
        cursor = self._cursors.get(source)
        return cursor.sequence if cursor else 0

    def __iter__(self) -> Iterator[Stream]:
        return iter(self._streams.values())

    def deliver(self, source: str, events: Sequence[Recorded]) -> None:
        """Take committed events of a source."""
        self._streams[source].deliver(events)

    def hear_of(self, source: str) -> None:
        """There are more events in the log of a source."""
        self._streams[source].hear_of_more()

    def take(self, limit: int) -> list[tuple[Stream, Sequence[Recorded]]]:
        """For each stream, the events that are next."""
        return [(stream, events) for stream in self if (events := stream.take(limit, self._fetch))]

    def store(self, stream: Stream) -> None:
        """Keep where a stream's cursor is, in the transaction of the effects."""
        self._cursors.put(Cursor(stream.source, stream.cursor))
