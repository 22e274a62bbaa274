"""From channels to those who follow them, in ticks: a message is made once for all who are at the same position.

So many readers of a busy channel cost so many writes a tick, however often it changes. They are told in shares, spread
over the tick, so that nobody else waits for all of those writes. Who has not taken what was sent is left out of a tick,
and gets one message for all that it missed when it has.
"""

import asyncio
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Collection, Sequence
from typing import Protocol

import structlog

from borsa.runtime.codec import encode
from borsa.runtime.feeds import Channel

_log = structlog.get_logger("borsa")

TICK_SECONDS = 0.05
"""How often is looked at what changed, where that costs little."""

EASY, HARD = 8, 4
"""A tick lasts EASY times as long as telling takes, at most EASY_TICK_SECONDS_MAX; and HARD times however long that is:
so much of the time is left for requests."""

EASY_TICK_SECONDS_MAX = 0.075

SHARE_READERS = 250
"""Readers of a channel that are told in one go. Those of all shares are told within a tick."""

NOWHERE = -1
"""The position of who has not got the snapshot yet."""

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
        """Send: at once, or with what follows until `flush`."""

    def flush(self) -> None:
        """Send what was pushed. Called of who follows several channels, when all of them had their turn."""

    def fall_behind(self) -> None:
        """It is so slow that what it missed is not known any more."""

    def look(self) -> None:
        """Now and then: may it still follow?"""


class _Share:
    """Some readers of a channel, and where each of them is."""

    def __init__(self) -> None:
        self.readers: dict[Reader, int] = {}
        self.told = -1


class _Followed:
    """A channel and all its readers."""

    def __init__(self, channel: Channel) -> None:
        self.channel = channel
        self.shares = [_Share()]
        self._share_of: dict[Reader, _Share] = {}
        self._snapshot: tuple[int, bytes] | None = None

    def snapshot(self) -> tuple[int, bytes]:
        """All of it, made once for all who come at the same position."""
        position = self.channel.position
        if self._snapshot is None or self._snapshot[0] != position:
            self._snapshot = position, encode(self.channel.snapshot())
        return self._snapshot

    @property
    def readers(self) -> Collection[Reader]:
        """Everybody who follows it."""
        return self._share_of.keys()

    def add(self, reader: Reader, position: int) -> None:
        """There is somebody new, who may not be at the present position."""
        share = self._share_of.get(reader) or self._roomy()
        self._share_of[reader] = share
        share.readers[reader] = position
        share.told = -1

    def _roomy(self) -> _Share:
        share = min(self.shares, key=lambda each: len(each.readers))
        if len(share.readers) >= SHARE_READERS:
            share = _Share()
            self.shares.append(share)
        return share

    def remove(self, reader: Reader) -> None:
        """Somebody follows it no more."""
        share = self._share_of.pop(reader, None)
        if share is not None:
            del share.readers[reader]
            if not share.readers and len(self.shares) > 1:
                self.shares.remove(share)

    def tell(self, share: _Share) -> None:
        """Bring everybody of a share who is not slow to the present position."""
        position = self.channel.position
        if position == share.told:
            return
        made: dict[tuple[int, type[Reader]], Sequence[bytes] | None] = {}
        frames: Sequence[bytes] | None = None
        last: tuple[int, type[Reader]] | None = None
        behind = False
        readers = share.readers
        for reader, at in readers.items():
            if at >= position:
                continue
            if reader.is_slow:
                behind = True
                continue
            key = at, type(reader)
            if key != last:  # nearly always it is the same as of the one before
                last = key
                if key not in made:
                    made[key] = self._frames(reader, at, position)
                frames = made[key]
            if frames is None:
                reader.fall_behind()
                continue
            for frame in frames:
                reader.push(frame)
            readers[reader] = position
        share.told = -1 if behind else position

    def tell_one(self, reader: Reader) -> None:
        """Bring one to the present position, also who is slow."""
        share, position = self._share_of[reader], self.channel.position
        if share.readers[reader] < position:
            for frame in self._frames(reader, share.readers[reader], position) or ():
                reader.push(frame)
            share.readers[reader] = position

    def _frames(self, reader: Reader, at: int, position: int) -> Sequence[bytes] | None:
        channel = self.channel
        messages = None if at == NOWHERE else channel.since(at)
        if messages is not None:
            return [reader.framed(channel.name, getattr(m, "sequence", position), encode(m)) for m in messages]
        if not channel.may_begin_again:
            return None
        return [reader.framed(channel.name, position, self.snapshot()[1])]


class Fanout:
    """All channels that somebody follows. Lives on one event loop; `before_tick` is called before each look."""

    def __init__(self, before_tick: Callable[[], Awaitable[None]]) -> None:
        self._followed: dict[Channel, _Followed] = {}
        self._channels_of: Counter[Reader] = Counter()
        self._before_tick = before_tick
        self._ticks = 0
        self._task: asyncio.Task[None] | None = None

    def follow(self, channel: Channel, reader: Reader, after: int | None = None) -> None:
        """Send a snapshot, and what changes from then on; or, `after` a position, what changed since. Who has yet to
        read what it was sent gets the snapshot afterwards."""
        followed = self._followed.get(channel)
        if followed is None:
            followed = self._followed[channel] = _Followed(channel)
        if after is None and channel.may_begin_again and reader.is_slow:
            after = NOWHERE
        elif after is None:
            position, message = followed.snapshot()
            reader.push(reader.framed(channel.name, position, message))
            after = position
        if reader not in followed.readers:
            self._channels_of[reader] += 1
        followed.add(reader, after)
        if self._task is None:
            self._task = asyncio.get_running_loop().create_task(self._run())

    def leave(self, channel: Channel, reader: Reader) -> None:
        """Follow a channel no more."""
        followed = self._followed.get(channel)
        if followed is not None and reader in followed.readers:
            followed.remove(reader)
            self._channels_of[reader] -= 1
            if not self._channels_of[reader]:
                del self._channels_of[reader]
            if not followed.readers:
                del self._followed[channel]

    def tell(self, channel: Channel, reader: Reader) -> None:
        """Bring a reader of a channel to its present position now."""
        followed = self._followed.get(channel)
        if followed is not None:
            followed.tell_one(reader)

    async def _run(self) -> None:
        seconds = TICK_SECONDS
        while self._followed:
            seconds = _tick_seconds(await self._tick(seconds))
        self._task = None

    async def _tick(self, seconds: float) -> float:
        """Tell everybody once, within so many seconds; how many of them it took."""
        began = time.monotonic()
        self._ticks += 1
        is_turn_of_paced = self._ticks % PACED_TICKS == 0
        took = self._tell_all(0, paced=is_turn_of_paced)
        # own channels have to be read first, and nobody else waits for that
        await self._before_tick()
        took += self._tell_all(0, paced=is_turn_of_paced)
        if is_turn_of_paced:
            self._look_at_readers()
        shares = max((len(each.shares) for each in self._followed.values()), default=1)
        for share in range(1, shares):
            await _until(began + seconds * share / shares)
            took += self._tell_all(share, paced=is_turn_of_paced)
        await _until(began + seconds)
        return took

    def _tell_all(self, share: int, *, paced: bool) -> float:
        """Tell a share of each channel's readers; how many seconds that took, without those for which others worked."""
        began = time.thread_time()
        for followed in list(self._followed.values()):
            if share < len(followed.shares) and (paced or not followed.channel.is_paced):
                try:
                    followed.tell(followed.shares[share])
                except Exception:
                    # one channel's fault ends no other
                    _log.exception("channel_failed", channel=followed.channel.name)
        for reader, channels in self._channels_of.items():
            if channels > 1:
                reader.flush()
        return time.thread_time() - began

    def _look_at_readers(self) -> None:
        for reader in list(self._channels_of):
            reader.look()


async def _until(at: float) -> None:
    await asyncio.sleep(max(0, at - time.monotonic()))


def _tick_seconds(took: float) -> float:
    """How long a tick is to last where telling everybody takes so many seconds."""
    return max(TICK_SECONDS, min(took * EASY, EASY_TICK_SECONDS_MAX), took * HARD)
