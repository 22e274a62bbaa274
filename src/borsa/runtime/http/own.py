"""Channels of one user: what happened to their orders, fills, wallets and portfolios, from the logs.

A log is followed only while somebody follows it here, and of an event no more is decoded than whose it is. What
changes several times within a tick is told once, as it is then, under the sequence of the last event.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from typing import Any
from weakref import WeakValueDictionary

from borsa.errors import Refused
from borsa.runtime.edge import Edge
from borsa.runtime.feeds import Own, OwnChanged, OwnSnapshot, Row
from borsa.runtime.log import Recorded
from borsa.runtime.store import Reader

ROWS_AT_ONCE = 1_000

LOOK_FLUSHES = 5
"""What is in no log is looked for in one of so many ticks."""

RESUMED_EVENTS_MAX = 20_000
"""How many events of a log are read for one who comes back."""

MESSAGES_KEPT_MAX = 1_000
"""Messages of a channel that are kept for those who read slowly."""


class OwnChannel:
    """A `Channel` of one user (its docstrings say what the methods promise)."""

    is_paced = False
    may_begin_again = False

    def __init__(self, stream: "OwnStream", user_id: str) -> None:
        self.name = stream.name
        self.position = self._begun = 0
        self._stream = stream
        self._user_id = user_id
        self._kept: deque[OwnChanged] = deque()
        self._changed: dict[str, int] = {}

    def begin(self, position: int) -> None:
        """It is told from here on."""
        self.position = self._begun = position

    def snapshot(self) -> OwnSnapshot:
        return OwnSnapshot(self.name, self.position)

    def since(self, after: int) -> Sequence[OwnChanged] | None:
        return None if after < self._begun else [each for each in self._kept if each.sequence > after]

    def change(self, sequence: int, subject: str) -> None:
        """An event of the user happened."""
        if sequence > self.position:
            self._changed.pop(subject, None)
            self._changed[subject] = sequence

    def flush(self, seen: int) -> None:
        """Make messages of what happened; all events up to `seen` were told here."""
        changed, self._changed = self._changed, {}
        for message in self.messages(changed):
            if len(self._kept) >= MESSAGES_KEPT_MAX:
                self._begun = self._kept.popleft().sequence
            self._kept.append(message)
        self.position = max(self.position, seen)

    def messages(self, changed: dict[str, int]) -> list[OwnChanged]:
        """What is to be said of subjects, by the sequences of their last events."""
        data = self._stream.data
        return [
            OwnChanged(self.name, sequence, subject, data(subject, self._user_id))
            for subject, sequence in sorted(changed.items(), key=lambda each: each[1])
        ]


class OwnStream:
    """All users' channels of one name. Lives on the door's event loop; follows its source while there are any."""

    def __init__(self, name: str, source: str, own: Own, edge: Edge) -> None:
        self.name = name
        self._source = source
        self._own = own
        self._edge = edge
        self._loop = asyncio.get_running_loop()
        self._channels: WeakValueDictionary[str, OwnChannel] = WeakValueDictionary()
        self._seen = 0
        self._rows: Callable[[Reader, int], list[Row]] | None = None
        self._flushes = 0
        if own.since is None:
            edge.listen(source, self)

    @property
    def _reader(self) -> Reader:
        return self._edge.reader(self._source)

    def data(self, subject: str, user_id: str) -> Any:
        """What REST gives a user of a subject."""
        return self._own.data(self._reader, subject, user_id)

    # of a log: what is committed, on the producer's thread ------------------------------------------------------------

    def is_listening(self) -> bool:
        """Does anybody follow?"""
        return len(self._channels) > 0

    def observe(self, events: Sequence[Recorded]) -> None:
        """Take committed events."""
        if self.is_listening():
            found = [row for row in self._owned(events) if row[1] in self._channels]
            self._loop.call_soon_threadsafe(self._take, events[-1].sequence, found)

    def _owned(self, events: Sequence[Recorded]) -> list[Row]:
        kinds, owners = self._own.kinds, self._own.owners
        return [
            (recorded.sequence, user_id, recorded.subject)
            for recorded in events
            if recorded.type in kinds
            for user_id in owners(recorded)
        ]

    # on the loop -----------------------------------------------------------------------------------------------------

    def _take(self, last: int, found: Sequence[Row]) -> None:
        for sequence, user_id, subject in found:
            channel = self._channels.get(user_id)
            if channel is not None:
                channel.change(sequence, subject)
        self._seen = max(self._seen, last)

    def flush(self) -> None:
        """Bring every channel to where its source is."""
        self._flushes += 1
        if not self.is_listening():
            self._rows = None
            self._seen = 0
            return
        if self._rows is not None and self._flushes % LOOK_FLUSHES == 0:
            self._look(self._rows)
        for channel in list(self._channels.values()):
            channel.flush(self._seen)

    def _look(self, rows: Callable[[Reader, int], list[Row]]) -> None:
        """Where nothing is in a log: is there more?"""
        while found := rows(self._reader, ROWS_AT_ONCE):
            self._take(found[-1][0], found)

    def open(self, user_id: str) -> OwnChannel:
        """The channel of a user, as it is now."""
        channel = self._channels.get(user_id)
        if channel is None:
            # listened to before the source is looked at: what is committed in between comes, or is there already
            channel = self._channels[user_id] = OwnChannel(self, user_id)
            position = max(self._seen, self._own.newest(self._reader))
            channel.begin(position)
            if self._own.since is not None and self._rows is None:
                self._rows = self._own.since(position)
        channel.flush(self._seen)
        return channel

    async def missed(self, channel: OwnChannel, user_id: str, after: int, until: int) -> list[OwnChanged]:
        """What happened from a sequence until another one. Refused: too_far_back, invalid_request."""
        if after > until:
            raise Refused("invalid_request", f"{self.name} is at {until}", field="after")
        changed: dict[str, int] = {}
        looked = 0
        for rows in self._rows_since(after):
            looked += len(rows)
            if looked > RESUMED_EVENTS_MAX:
                raise Refused("too_far_back", f"{self.name} is at {until}: read it anew, and follow from there")
            for sequence, owner, subject in rows:
                if owner == user_id and sequence <= until:
                    changed.pop(subject, None)
                    changed[subject] = sequence
            await asyncio.sleep(0)
        return channel.messages(changed)

    def _rows_since(self, after: int) -> Iterator[list[Row]]:
        """Page by page."""
        if self._own.since is not None:
            rows = self._own.since(after)
            while found := rows(self._reader, ROWS_AT_ONCE):
                yield found
            return
        if self._own.newest(self._reader) - after > RESUMED_EVENTS_MAX:
            raise Refused("too_far_back", f"{self.name}: read it anew, and follow from there")
        while events := self._edge.fetch(self._source, after):
            after = events[-1].sequence
            yield self._owned(events)
