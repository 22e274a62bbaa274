"""The audience of `borsa bench streams`, in a process of its own: many who follow the book of one market.

It says "there" when everybody has the snapshot, and what it heard when standard input ends. Everybody checks the
sequence of every message. One in a hundred follows the trades too, each of which bears the time at which its commit
began, and is read at once; the others read every DRAIN_SECONDS what has come, because the audience shares the machine
with what is measured: a wake-up for each message would cost more than all the rest.
"""

import json
import re
import select
import socket
import sys
import time
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import msgspec

from borsa.commands.sockets import allow_many_sockets

SAMPLED = 100

DRAIN_SECONDS = 0.02

THERE_SECONDS_MAX = 60
"""How long a connection, or the snapshot, may take to be there."""

READ_BYTES = 1 << 14

_HEAD_END = b"\r\n\r\n"
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_SNAPSHOT = re.compile(rb'^\{"type":"snapshot","channel":"book:[^"]+","sequence":(\d+),')
_CHANGE = re.compile(rb'^\{"type":"change","channel":"book:[^"]+","first":(\d+),"sequence":(\d+),')
_TRADES = b'{"type":"change","channel":"trades:'


class Asked(msgspec.Struct, frozen=True):
    """Whom to listen to, and how many are to listen."""

    host: str
    port: int
    symbol: str
    readers: int


class Heard(msgspec.Struct, frozen=True, kw_only=True):
    """What came to all, how many were `lost` (the connection ended, or a message was missing), and to those who looked:
    milliseconds from the beginning of a trade's commit. It is short: a pipe takes it in one piece."""

    bytes: int
    messages: int
    lost: int
    trades_looked_at: int
    p50_ms: float
    p99_ms: float


class Listener:
    """One who follows. `sequence` is that of the book, None before the snapshot."""

    def __init__(self, asked: Asked, *, looks: bool) -> None:
        self.looks = looks
        self.sequence: int | None = None
        self.bytes = self.messages = 0
        self.lost = False
        self.latencies_ms: list[float] = []
        self._kept = b""
        self.socket = _opened(asked, ("book", "trades") if looks else ("book",))

    def take(self, data: bytes, now: float) -> None:
        """Take what came."""
        self.bytes += len(data)
        if not data:
            self.lost = True
        self._kept = self._kept + data if self._kept else data
        while (found := _frame(self._kept)) is not None:
            message, self._kept = found
            self._hear(message, now)

    def _hear(self, message: bytes, now: float) -> None:
        self.messages += 1
        if message.startswith(_TRADES):
            for trade in json.loads(message)["trades"]:
                executed = datetime.fromisoformat(trade["executedAt"]) - _EPOCH
                self.latencies_ms.append((now - executed / timedelta(seconds=1)) * 1e3)
        elif changed := _CHANGE.match(message):
            self.lost |= self.sequence is None or int(changed[1]) != self.sequence + 1
            self.sequence = int(changed[2])
        elif snapshot := _SNAPSHOT.match(message):
            self.sequence = int(snapshot[1])


def _opened(asked: Asked, kinds: Sequence[str]) -> socket.socket:
    """A socket on which channels were subscribed to."""
    opened = socket.create_connection((asked.host, asked.port), THERE_SECONDS_MAX)
    head = ("GET /ws HTTP/1.1", f"Host: {asked.host}:{asked.port}", "Upgrade: websocket", "Connection: Upgrade")
    more = ("Sec-WebSocket-Version: 13", "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==", "", "")
    opened.sendall("\r\n".join((*head, *more)).encode())
    answer = b""
    while not answer.endswith(_HEAD_END):  # nothing follows until something is said
        came = opened.recv(READ_BYTES)
        answer += came
        if not came or not answer.startswith(b"HTTP/1.1 101"[: len(answer)]):
            raise ConnectionError(answer[:60].decode("latin-1"))
    said = json.dumps({"op": "subscribe", "channels": [f"{kind}:{asked.symbol}" for kind in kinds]}).encode()
    # masked with zeros, as any client must mask
    opened.sendall(bytes([0x81, 0x80 | len(said)]) + bytes(4) + said)
    opened.setblocking(False)
    return opened


def _frame(data: bytes) -> tuple[bytes, bytes] | None:
    """The first message, and what is behind it."""
    if len(data) < 2:
        return None
    length, start = data[1] & 0x7F, 2
    if length > 125:
        start = 4 if length == 126 else 10
        length = int.from_bytes(data[2:start], "big")
    return (data[start : start + length], data[start + length :]) if len(data) >= start + length else None


class Audience:
    """All who follow. Who looks is read at once, the others now and then."""

    def __init__(self, asked: Asked) -> None:
        self.listeners = [Listener(asked, looks=number % SAMPLED == 0) for number in range(asked.readers)]
        self._by_number = {listener.socket.fileno(): listener for listener in self.listeners}
        self._at_once, self._now_and_then = select.epoll(), select.epoll()
        self._drain_at = 0.0
        for number, listener in self._by_number.items():
            (self._at_once if listener.looks else self._now_and_then).register(number, select.EPOLLIN)

    def wait_until_there(self) -> None:
        """Until everybody has the snapshot; ConnectionError when somebody does not get it."""
        until = time.monotonic() + THERE_SECONDS_MAX
        while any(listener.sequence is None for listener in self.listeners):
            self._listen()
            if time.monotonic() > until or any(listener.lost for listener in self.listeners):
                raise ConnectionError("not everybody got the snapshot")

    def listen_until_the_end_of(self, number: int) -> None:
        """Until there is something to read of a file, such as its end."""
        self._at_once.register(number, select.EPOLLIN)
        while not self._listen():
            pass

    def _listen(self) -> bool:
        """Take what comes until it is time to read everybody; True when something else came than for the audience."""
        found = self._at_once.poll(max(0.0, self._drain_at - time.monotonic()))
        if time.monotonic() >= self._drain_at:
            self._drain_at = time.monotonic() + DRAIN_SECONDS
            found += self._now_and_then.poll(0, max(1, len(self.listeners)))
        for number, _ in found:
            if number in self._by_number:
                self._read(number, self._by_number[number])
        return any(number not in self._by_number for number, _ in found)

    def _read(self, number: int, listener: Listener) -> None:
        try:
            data = listener.socket.recv(READ_BYTES)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        listener.take(data, time.time())
        if not data:
            (self._at_once if listener.looks else self._now_and_then).unregister(number)


def heard_by(listeners: Sequence[Listener]) -> Heard:
    """What all of them heard."""
    latencies = sorted(each for listener in listeners for each in listener.latencies_ms)
    p50, p99 = (latencies[int(share * len(latencies))] if latencies else 0.0 for share in (0.5, 0.99))
    return Heard(
        bytes=sum(listener.bytes for listener in listeners),
        messages=sum(listener.messages for listener in listeners),
        lost=sum(listener.lost for listener in listeners),
        trades_looked_at=len(latencies),
        p50_ms=round(p50, 1),
        p99_ms=round(p99, 1),
    )


def main() -> None:
    """Listen until told to stop."""
    allow_many_sockets()
    asked = msgspec.json.decode(sys.stdin.readline(), type=Asked)
    audience = Audience(asked)
    audience.wait_until_there()
    print("there", flush=True)  # noqa: T201
    audience.listen_until_the_end_of(sys.stdin.fileno())
    print(msgspec.json.encode(heard_by(audience.listeners)).decode(), flush=True)  # noqa: T201


if __name__ == "__main__":
    main()
