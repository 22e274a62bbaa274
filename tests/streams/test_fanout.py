"""How readers are told: everybody all of it, in shares, and each channel for itself."""

import asyncio
from collections.abc import Callable, Sequence
from typing import Any

import msgspec
import pytest

from borsa.runtime.http import fanout
from borsa.runtime.http.fanout import Fanout


class Counted(msgspec.Struct):
    """What a channel says: it went from `first` to `sequence`."""

    first: int
    sequence: int


class Counter:
    """A channel that counts."""

    is_paced = False
    may_begin_again = True

    def __init__(self, name: str) -> None:
        self.name = name
        self.position = 0
        self.is_broken = False

    def snapshot(self) -> Counted:
        return Counted(0, self.position)

    def since(self, after: int) -> Sequence[Counted]:
        if self.is_broken:
            raise ValueError("broken")
        return [Counted(after + 1, self.position)]


class Listener:
    """A reader who keeps what it is sent, and what was sent to all, in order."""

    def __init__(self, sent: list["Listener"]) -> None:
        self.heard: list[tuple[int, int]] = []
        self.flushed: list[tuple[int, int]] = []
        self.is_slow = False
        self._sent = sent

    def framed(self, channel: str, position: int, message: bytes) -> bytes:
        return message

    def push(self, frame: bytes) -> None:
        told = msgspec.json.decode(frame, type=Counted)
        self.heard.append((told.first, told.sequence))
        self._sent.append(self)

    def flush(self) -> None:
        self.flushed = list(self.heard)

    def fall_behind(self) -> None:
        raise AssertionError

    def look(self) -> None:
        pass


async def nothing() -> None:
    pass


async def until(look: Callable[[], Any]) -> None:
    async with asyncio.timeout(20):
        while not look():
            await asyncio.sleep(0)


def test_everybody_is_told_all_in_shares(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fanout, "SHARE_READERS", 10)
    monkeypatch.setattr(fanout, "TICK_SECONDS", 0.004)

    async def lived() -> None:
        sent: list[Listener] = []
        told, channel = Fanout(nothing), Counter("many")
        readers = [Listener(sent) for _ in range(95)]
        for reader in readers:
            told.follow(channel, reader)
        for reader in readers[:30]:
            told.leave(channel, reader)
        del sent[:]
        channel.position = 5
        await until(lambda: sent)
        assert len(sent) <= 10, "all of them at once"
        while channel.position < 100:
            channel.position += 1
            await asyncio.sleep(0)
        await until(lambda: all(reader.heard[-1][1] == 100 for reader in readers[30:]))
        for reader in readers[30:]:
            assert all(first == last + 1 for (_, last), (first, _) in zip(reader.heard, reader.heard[1:], strict=False))
        assert all(reader.heard == [(0, 0)] for reader in readers[:30])
        for reader in readers[30:]:
            told.leave(channel, reader)

    asyncio.run(lived())


def test_a_channel_that_fails_ends_no_other() -> None:
    async def lived() -> None:
        told, broken, sound = Fanout(nothing), Counter("broken"), Counter("sound")
        one, other = Listener([]), Listener([])
        told.follow(broken, one)
        told.follow(sound, other)
        broken.is_broken = True
        broken.position = sound.position = 3
        await until(lambda: other.heard[-1] == (1, 3))
        broken.is_broken = False
        await until(lambda: one.heard[-1] == (1, 3))
        told.leave(broken, one)
        told.leave(sound, other)

    asyncio.run(lived())


def test_one_reader_may_be_told_before_the_others() -> None:
    async def lived() -> None:
        told, channel = Fanout(nothing), Counter("many")
        asks, waits = Listener([]), Listener([])
        for reader in (asks, waits):
            told.follow(channel, reader)
        channel.position = 2
        told.tell(channel, asks)
        assert (asks.heard, waits.heard) == ([(0, 0), (1, 2)], [(0, 0)])
        await until(lambda: waits.heard[-1] == (1, 2))
        assert asks.heard == [(0, 0), (1, 2)]
        for reader in (asks, waits):
            told.leave(channel, reader)

    asyncio.run(lived())


def test_who_is_slow_gets_the_snapshot_afterwards() -> None:
    async def lived() -> None:
        told, channel, slow = Fanout(nothing), Counter("many"), Listener([])
        slow.is_slow = True
        told.follow(channel, slow)
        channel.position = 4
        assert slow.heard == []
        slow.is_slow = False
        await until(lambda: slow.heard)
        assert slow.heard == [(0, 4)]
        told.leave(channel, slow)

    asyncio.run(lived())


def test_who_follows_several_channels_is_sent_all_of_them_at_once() -> None:
    async def lived() -> None:
        told, channels, several, one = Fanout(nothing), [Counter("a"), Counter("b")], Listener([]), Listener([])
        for channel in channels:
            told.follow(channel, several)
        told.follow(channels[0], one)
        channels[0].position = channels[1].position = 6
        await until(lambda: len(several.heard) == 4)
        await until(lambda: several.flushed == several.heard)
        assert one.flushed == []
        told.leave(channels[1], several)
        several.flushed = []
        channels[0].position = 7
        await until(lambda: len(several.heard) == 5)
        assert several.flushed == []
        for reader in (several, one):
            told.leave(channels[0], reader)

    asyncio.run(lived())
