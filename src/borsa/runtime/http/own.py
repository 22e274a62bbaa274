"""Channels of one user: what happened to their orders, fills, wallets and portfolios, from the logs.

A log is followed only while somebody follows it here, and of an event no more is decoded than whose it is. What
changes several times within a tick is told once, as it is then, under the sequence of the last event.
"""

import asyncio
from collections import deque
from collections.abc import Sequence
from typing import Any
from weakref import WeakValueDictionary

import msgspec

from borsa.errors import Refused
from borsa.runtime.edge import Edge
from borsa.runtime.feeds import Own
from borsa.runtime.log import Recorded, newest

RESUMED_EVENTS_MAX = 20_000
"""How many events of a log are read for one who comes back."""

MESSAGES_KEPT_MAX = 1_000
"""Messages of a channel that are kept for those who read slowly."""


class OwnSnapshot(msgspec.Struct, frozen=True, tag_field="type", tag="snapshot"):
    """Where a channel begins: what is read by REST from now on is not older."""

    channel: str
    sequence: int


class OwnChanged(msgspec.Struct, frozen=True, tag_field="type", tag="change"):
    """Something of the user changed: `data` is what REST gives of it now, null where it is gone."""

    channel: str
    sequence: int
    id: str
    data: Any


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
    """All users' channels of one name. Observes a log while there are any; lives on the door's event loop."""

    def __init__(self, name: str, source: str, own: Own, edge: Edge) -> None:
        self.name = name
        self._source = source
        self._own = own
        self._edge = edge
        self._loop = asyncio.get_running_loop()
        self._channels: WeakValueDictionary[str, OwnChannel] = WeakValueDictionary()
        self._seen = 0

    def data(self, subject: str, user_id: str) -> Any:
        """What REST gives a user of a subject."""
        return self._own.data(self._edge.reader(self._source), subject, user_id)

    # what is committed, on the producer's thread ---------------------------------------------------------------------

    def is_listening(self) -> bool:
        """Does anybody follow?"""
        return len(self._channels) > 0

    def observe(self, events: Sequence[Recorded]) -> None:
        """Take committed events."""
        if self.is_listening():
            self._loop.call_soon_threadsafe(self._take, events[-1].sequence, self._owned(events))

    def _owned(self, events: Sequence[Recorded]) -> list[tuple[int, str, str]]:
        kinds, owners, channels = self._own.kinds, self._own.owners, self._channels
        return [
            (recorded.sequence, user_id, recorded.subject)
            for recorded in events
            if recorded.type in kinds
            for user_id in owners(recorded)
            if user_id in channels
        ]

    # on the loop -----------------------------------------------------------------------------------------------------

    def _take(self, last: int, found: Sequence[tuple[int, str, str]]) -> None:
        for sequence, user_id, subject in found:
            channel = self._channels.get(user_id)
            if channel is not None:
                channel.change(sequence, subject)
        self._seen = max(self._seen, last)

    def flush(self) -> None:
        """Bring every channel to where the log is."""
        for channel in list(self._channels.values()):
            channel.flush(self._seen)

    def open(self, user_id: str) -> OwnChannel:
        """The channel of a user, as it is now."""
        channel = self._channels.get(user_id)
        if channel is None:
            # listened to before the log is looked at: what is committed in between comes, or is in the log already
            channel = self._channels[user_id] = OwnChannel(self, user_id)
            channel.begin(newest(self._edge.reader(self._source))[0])
        channel.flush(self._seen)
        return channel

    async def missed(self, channel: OwnChannel, user_id: str, after: int, until: int) -> list[OwnChanged]:
        """What happened from a sequence until another one. Refused: too_far_back, invalid_request."""
        if after > until:
            raise Refused("invalid_request", f"{self.name} is at {until}", field="after")
        if until - after > RESUMED_EVENTS_MAX:
            raise Refused("too_far_back", f"{self.name} is at {until}: read it anew, and follow from there")
        changed: dict[str, int] = {}
        while after < until and (events := self._edge.fetch(self._source, after)):
            after = events[-1].sequence
            for recorded in events:
                is_own = recorded.type in self._own.kinds and user_id in self._own.owners(recorded)
                if is_own and recorded.sequence <= until:
                    changed.pop(recorded.subject, None)
                    changed[recorded.subject] = recorded.sequence
            await asyncio.sleep(0)
        return channel.messages(changed)
