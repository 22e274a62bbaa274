"""The audience of `borsa bench streams`, in a process of its own: many who follow the book of one market.

It says "there" when everybody has the snapshot, and what it heard when standard input ends. One in a hundred follows
the trades too: each bears the time at which its commit began. The others only take their bytes, because the audience
shares the machine with what is measured.
"""

import asyncio
import json
import sys
import time
from datetime import UTC, datetime, timedelta

import msgspec
import uvloop

from borsa.commands.sockets import allow_many_sockets

SAMPLED = 100

_HEAD_END = b"\r\n\r\n"
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Asked(msgspec.Struct, frozen=True):
    """Whom to listen to, and how many are to listen."""

    host: str
    port: int
    symbol: str
    readers: int


class Heard(msgspec.Struct, frozen=True):
    """What came: bytes for all, and to those who looked, milliseconds from the beginning of a trade's commit."""

    bytes: int
    lost: int
    latencies_ms: list[float]


class Listener(asyncio.Protocol):
    """One who follows."""

    def __init__(self, asked: Asked, *, looks: bool) -> None:
        self.there: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.bytes = 0
        self.lost = False
        self.latencies_ms: list[float] = []
        self._asked = asked
        self._looks = looks
        self._kept = b""
        self._is_open = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Shake hands."""
        self._transport: asyncio.Transport = transport  # type: ignore[assignment]
        host = f"{self._asked.host}:{self._asked.port}"
        head = ("GET /ws HTTP/1.1", f"Host: {host}", "Upgrade: websocket", "Connection: Upgrade")
        more = ("Sec-WebSocket-Version: 13", "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==", "", "")
        self._transport.write("\r\n".join((*head, *more)).encode())

    def data_received(self, data: bytes) -> None:
        """Take what came."""
        now = time.time()
        self.bytes += len(data)
        if not self._is_open:
            self._kept += data
            head, found, data = self._kept.partition(_HEAD_END)
            if not found:
                return
            self._kept = b""
            self._begin(head)
        if data and not self.there.done() and b"snapshot" in data:
            self.there.set_result(None)
        if self._looks:
            self._kept += data
            self._look(now)

    def _begin(self, head: bytes) -> None:
        if not head.startswith(b"HTTP/1.1 101"):
            self.there.set_exception(ConnectionError(head[:60].decode("latin-1")))
            return
        self._is_open = True
        kinds = ("book", "trades") if self._looks else ("book",)
        channels = [f"{kind}:{self._asked.symbol}" for kind in kinds]
        said = json.dumps({"op": "subscribe", "channels": channels}).encode()
        # masked with zeros, as any client must mask
        self._transport.write(bytes([0x81, 0x80 | len(said)]) + bytes(4) + said)

    def _look(self, now: float) -> None:
        while (found := _frame(self._kept)) is not None:
            message, self._kept = found
            if b'"type":"change","channel":"trades' not in message[:60]:
                continue
            for trade in json.loads(message)["trades"]:
                executed = datetime.fromisoformat(trade["executedAt"]) - _EPOCH
                self.latencies_ms.append((now - executed / timedelta(seconds=1)) * 1e3)

    def connection_lost(self, error: Exception | None) -> None:
        """The end, or a loss."""
        self.lost = True
        if not self.there.done():
            self.there.set_exception(error or ConnectionError("closed"))


def _frame(data: bytes) -> tuple[bytes, bytes] | None:
    """The first message, and what is behind it."""
    if len(data) < 2:
        return None
    length, start = data[1] & 0x7F, 2
    if length > 125:
        start = 4 if length == 126 else 10
        length = int.from_bytes(data[2:start], "big")
    return (data[start : start + length], data[start + length :]) if len(data) >= start + length else None


async def _listen(asked: Asked) -> Heard:
    loop = asyncio.get_running_loop()
    listeners = []
    for number in range(asked.readers):
        _, listener = await loop.create_connection(
            lambda n=number: Listener(asked, looks=n % SAMPLED == 0),  # type: ignore[misc]
            asked.host,
            asked.port,
        )
        listeners.append(listener)
    await asyncio.gather(*(listener.there for listener in listeners))
    print("there", flush=True)  # noqa: T201
    await asyncio.to_thread(sys.stdin.read)
    latencies = [each for listener in listeners for each in listener.latencies_ms]
    return Heard(sum(listener.bytes for listener in listeners), sum(listener.lost for listener in listeners), latencies)


def main() -> None:
    """Listen until told to stop."""
    allow_many_sockets()
    asked = msgspec.json.decode(sys.stdin.readline(), type=Asked)
    print(msgspec.json.encode(uvloop.run(_listen(asked))).decode(), flush=True)  # noqa: T201


if __name__ == "__main__":
    main()
