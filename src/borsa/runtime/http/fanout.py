"""From channels to those who follow them, in ticks: a message is made once for all who are at the same position.

So many readers of a busy channel cost so many writes a tick, however often it changes. Who has not taken what was sent
is left out of a tick, and gets one message for all that it missed when it has.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Protocol

import structlog

from borsa.runtime.codec import encode
from borsa.runtime.feeds import Channel

_log = structlog.get_logger("borsa")

TICK_SECONDS = 0.05
"""How often is looked at what changed; more rarely where a look takes long."""

SHARE_MAX = 4
"""A tick rests so many times as long as it took: so much of the time is left for requests."""

PACED_TICKS = 5
"""A paced channel is looked at in one of so many ticks."""


class Reader(Protocol):
    """Somebody who follows channels."""

    @property
    def is_slow(self) -> bool:
        """Has it yet to take what it was sent before?"""

    def framed(self, channel: str, position: int, message: bytes) -> bytes:
        """A message as it is sent to readers of this kind."""

    def push(self, frame: bytes) -> None:
        """Send."""

    def fall_behind(self) -> None:
        """It is so slow that what it missed is not known any more."""

    def look(self) -> None:
        """Now and then: may it still follow?"""


class _Followed:
    """A channel and where each of its readers is."""

    def __init__(self, channel: Channel) -> None:
        self.channel = channel
        self.readers: dict[Reader, int] = {}
        self._snapshot: tuple[int, bytes] | None = None
        self._told = -1

    def snapshot(self) -> tuple[int, bytes]:
        """All of it, made once for all who come at the same position."""
        position = self.channel.position
        if self._snapshot is None or self._snapshot[0] != position:
            self._snapshot = position, encode(self.channel.snapshot())
        return self._snapshot

    def tell(self) -> None:
        """Bring everybody who is not slow to the present position."""
        position = self.channel.position
        if position == self._told:
            return
        made: dict[tuple[int, type[Reader]], Sequence[bytes] | None] = {}
        behind = False
        for reader, at in self.readers.items():
            if at >= position:
                continue
            if reader.is_slow:
                behind = True
                continue
            key = at, type(reader)
            if key not in made:
                made[key] = self._frames(reader, at, position)
            frames = made[key]
            if frames is None:
                reader.fall_behind()
                continue
            for frame in frames:
                reader.push(frame)
            self.readers[reader] = position
        self._told = -1 if behind else position

    def _frames(self, reader: Reader, at: int, position: int) -> Sequence[bytes] | None:
        channel = self.channel
        messages = channel.since(at)
        if messages is not None:
            return [reader.framed(channel.name, getattr(m, "sequence", position), encode(m)) for m in messages]
        if not channel.may_begin_again:
            return None
        return [reader.framed(channel.name, position, self.snapshot()[1])]

    def wake(self) -> None:
        """There is somebody new, who may not be at the present position."""
        self._told = -1


class Fanout:
    """All channels that somebody follows. Lives on one event loop; `before_tick` is called before each look."""

    def __init__(self, before_tick: Callable[[], Awaitable[None]]) -> None:
        self._followed: dict[Channel, _Followed] = {}
        self._before_tick = before_tick
        self._ticks = 0
        self._task: asyncio.Task[None] | None = None

    def follow(self, channel: Channel, reader: Reader, after: int | None = None) -> None:
        """Send a snapshot now and what changes from now on; or, `after` a position, what changed since."""
        followed = self._followed.get(channel)
        if followed is None:
            followed = self._followed[channel] = _Followed(channel)
        if after is None:
            position, message = followed.snapshot()
            reader.push(reader.framed(channel.name, position, message))
            after = position
        followed.readers[reader] = after
        followed.wake()
        if self._task is None:
            self._task = asyncio.get_running_loop().create_task(self._run())

    def leave(self, channel: Channel, reader: Reader) -> None:
        """Follow a channel no more."""
        followed = self._followed.get(channel)
        if followed is not None and followed.readers.pop(reader, None) is not None and not followed.readers:
            del self._followed[channel]

    def tell(self, channel: Channel) -> None:
        """Bring the readers of a channel to its present position now."""
        followed = self._followed.get(channel)
        if followed is not None:
            followed.tell()

    async def _run(self) -> None:
        while self._followed:
            begun = time.monotonic()
            try:
                await self._tick()
            except Exception:
                # one channel's fault ends no other
                _log.exception("tick_failed")
            # what was pushed is sent at the end of this turn of the loop: that belongs to what it took
            await asyncio.sleep(0)
            took = time.monotonic() - begun
            await asyncio.sleep(max(TICK_SECONDS - took, took * SHARE_MAX))
        self._task = None

    async def _tick(self) -> None:
        self._ticks += 1
        is_turn_of_paced = self._ticks % PACED_TICKS == 0
        self._tell_all(paced=is_turn_of_paced)
        # own channels have to be read first, and nobody else waits for that
        await self._before_tick()
        self._tell_all(paced=is_turn_of_paced)
        if is_turn_of_paced:
            for reader in {reader: None for each in self._followed.values() for reader in each.readers}:
                reader.look()

    def _tell_all(self, *, paced: bool) -> None:
        for followed in list(self._followed.values()):
            if paced or not followed.channel.is_paced:
                followed.tell()
