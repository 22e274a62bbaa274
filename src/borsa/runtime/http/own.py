"""Channels of one user: what happened to their orders, fills, wallets and portfolios, from the logs.

A log is followed only while somebody follows it here, and of an event no more is decoded than whose it is. What
changes several times within a tick is told once, as it is then, under the sequence of the last event.
"""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Any, TypeVar
from weakref import WeakValueDictionary

import structlog

from borsa.errors import Refused
from borsa.runtime.edge import Edge
from borsa.runtime.feeds import Own, OwnChanged, OwnSnapshot, Row
from borsa.runtime.log import Recorded, read_after
from borsa.runtime.store import Reader, Unreadable

_log = structlog.get_logger("borsa")

T = TypeVar("T")

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

    def __init__(self, name: str, user_id: str) -> None:
        self.name = name
        self.user_id = user_id
        self.position = self._begun = 0
        self.changed: dict[str, int] = {}
        self._kept: deque[OwnChanged] = deque()

    def begin(self, position: int) -> None:
        """It is told from here on."""
        self.position = self._begun = position
        self.changed = {subject: sequence for subject, sequence in self.changed.items() if sequence > position}

    def snapshot(self) -> OwnSnapshot:
        return OwnSnapshot(self.name, self.position)

    def since(self, after: int) -> Sequence[OwnChanged] | None:
        return None if after < self._begun else [each for each in self._kept if each.sequence > after]

    def change(self, sequence: int, subject: str) -> None:
        """An event of the user happened."""
        if sequence > self.position:
            self.changed.pop(subject, None)
            self.changed[subject] = sequence

    def tell(self, messages: Sequence[OwnChanged], seen: int) -> None:
        """Keep messages of what happened; all events up to `seen` were told here."""
        for message in messages:
            if len(self._kept) >= MESSAGES_KEPT_MAX:
                self._begun = self._kept.popleft().sequence
            self._kept.append(message)
            if self.changed.get(message.id) == message.sequence:
                del self.changed[message.id]
        self.position = max(self.position, seen)


Changed = tuple[OwnChannel, dict[str, int]]
"""The subjects that changed for a user, with the sequences of their last events."""


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
        self._alone = asyncio.Lock()
        if own.since is None:
            for shard in edge.shards(source):
                edge.listen(shard, self)

    async def _read(self, select: Callable[..., T], *given: Any) -> T:
        """What `select(reader, *given)` gives. Refused: overloaded."""
        try:
            return await self._edge.read(self._source, select, *given)
        except Unreadable as error:
            _log.warning("not_read", service=self._source, error=str(error))
            raise Refused("overloaded") from None

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

    async def flush(self) -> None:
        """Bring every channel to where its source is. Refused: overloaded; then nothing is told, and nothing lost."""
        self._flushes += 1
        if not self.is_listening():
            self._rows = None
            self._seen = 0
            return
        async with self._alone:
            if self._rows is not None and self._flushes % LOOK_FLUSHES == 0:
                await self._look(self._rows)
            await self._tell(list(self._channels.values()))

    async def _tell(self, channels: Sequence[OwnChannel]) -> None:
        seen = self._seen
        changed = [(each, dict(each.changed)) for each in channels if each.changed]
        told = await self._told(changed) if changed else {}
        for channel in channels:
            channel.tell(told.get(channel, ()), seen)

    async def _told(self, changed: Sequence[Changed]) -> dict[OwnChannel, list[OwnChanged]]:
        return await self._read(self._messages, changed)

    async def _newest(self) -> int:
        """Where the source is."""
        return await self._read(self._own.newest)

    def _messages(self, reader: Reader, changed: Sequence[Changed]) -> dict[OwnChannel, list[OwnChanged]]:
        """What is to be said of subjects to whom they concern, by the sequences of their last events."""
        return {
            channel: [
                OwnChanged(self.name, sequence, subject, self._own.data(reader, subject, channel.user_id))
                for subject, sequence in sorted(subjects.items(), key=lambda each: each[1])
            ]
            for channel, subjects in changed
        }

    async def _look(self, rows: Callable[[Reader, int], list[Row]]) -> None:
        """Where nothing is in a log: is there more?"""
        while found := await self._read(rows, ROWS_AT_ONCE):
            self._take(found[-1][0], found)

    async def open(self, user_id: str) -> OwnChannel:
        """The channel of a user, as it is now. Refused: overloaded."""
        async with self._alone:
            channel = self._channels.get(user_id)
            if channel is not None:
                await self._tell([channel])
                return channel
            # listened to before the source is looked at: what is committed in between comes, or is there already
            channel = self._channels[user_id] = OwnChannel(self.name, user_id)
            position = max(self._seen, await self._newest())
            channel.begin(position)
            if self._own.since is not None and self._rows is None:
                self._rows = self._own.since(position)
            return channel

    async def missed(self, channel: OwnChannel, after: int) -> tuple[int, list[OwnChanged]]:
        """Where the channel is, and what happened from a sequence until there. Refused: too_far_back, invalid_request,
        overloaded."""
        until = channel.position
        if after > until:
            raise Refused("invalid_request", f"{self.name} is at {until}", field="after")
        changed: dict[str, int] = {}
        looked = 0
        async for rows in self._rows_since(after):
            looked += len(rows)
            if looked > RESUMED_EVENTS_MAX:
                raise Refused("too_far_back", f"{self.name} is at {until}: read it anew, and follow from there")
            for sequence, owner, subject in rows:
                if owner == channel.user_id and after < sequence <= until:
                    changed.pop(subject, None)
                    changed[subject] = sequence
            await asyncio.sleep(0)
        found = await self._read(self._messages, [(channel, changed)])
        return until, found[channel]

    async def _rows_since(self, after: int) -> AsyncIterator[list[Row]]:
        """Page by page."""
        if self._own.since is not None:
            rows = self._own.since(after)
            while found := await self._read(rows, ROWS_AT_ONCE):
                yield found
            return
        if await self._read(self._own.newest) - after > RESUMED_EVENTS_MAX:
            raise Refused("too_far_back", f"{self.name}: read it anew, and follow from there")
        while events := await self._read(read_after, self._source, after, ROWS_AT_ONCE):
            after = events[-1].sequence
            yield self._owned(events)
