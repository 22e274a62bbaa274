"""HTTP/1.1 as lean as a client can have it: ready-made request bytes out, status and body in.

A load generator shares the machine with the server that it measures, so it must cost next to nothing. It speaks to
Borsa only: every answer has a content-length (or is a 204), and keeps the connection.
"""

import asyncio
from collections import deque
from typing import cast

_HEAD_END = b"\r\n\r\n"
_LENGTH = b"content-length:"


class Wire(asyncio.Protocol):
    """One connection. A subclass says what happens with an answer; one request is under way at a time."""

    def __init__(self) -> None:
        self._received = b""
        self.head = b""
        self.transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)  # uvloop's are none by name

    def connection_lost(self, error: Exception | None) -> None:
        self.transport = None
        self.lost()

    def send(self, request: bytes) -> None:
        """Put a whole request on the wire."""
        if self.transport is None:
            raise ConnectionResetError("the exchange closed the connection")
        self.transport.write(request)

    def close(self) -> None:
        """End the connection."""
        if self.transport is not None:
            self.transport.close()

    def data_received(self, data: bytes) -> None:
        received = self._received + data if self._received else data
        head = received.find(_HEAD_END)
        if head < 0:
            self._received = received
            return
        end = head + len(_HEAD_END) + _length(received[:head])
        if len(received) < end:
            self._received = received
            return
        self._received = received[end:]
        self.head = received[:head]
        self.answered(int(received[9:12]), received[head + len(_HEAD_END) : end])

    def answered(self, status: int, body: bytes) -> None:
        """The answer to the request that was sent."""
        raise NotImplementedError

    def lost(self) -> None:
        """The connection is gone."""
        raise NotImplementedError


def _length(head: bytes) -> int:
    at = head.find(_LENGTH)
    if at < 0:
        return 0
    start = at + len(_LENGTH)
    end = head.find(b"\r\n", start)
    return int(head[start : end if end >= 0 else len(head)])


def request_bytes(
    method: str,
    path: str,
    host: str,
    credential: str,
    body: bytes | None = None,
    prefer: str = "",
    address: str = "",
) -> bytes:
    """A whole request. `credential` is an access token or an API key; `address` what a proxy would say of the
    client's."""
    lines = [f"{method} {path} HTTP/1.1", f"host: {host}", f"authorization: Bearer {credential}"]
    if address:
        lines.append(f"x-forwarded-for: {address}")
    if prefer:
        lines.append(f"prefer: {prefer}")
    if body is not None:
        lines += ["content-type: application/json", f"content-length: {len(body)}"]
    return "\r\n".join([*lines, "", ""]).encode("ascii") + (body or b"")


class _Connection(Wire):
    """Asks one question, and waits for its answer."""

    def __init__(self) -> None:
        super().__init__()
        self._waiting: asyncio.Future[tuple[int, bytes]] | None = None

    async def ask(self, request: bytes) -> tuple[int, bytes]:
        """(status, body) of the answer."""
        self._waiting = asyncio.get_running_loop().create_future()
        self.send(request)
        return await self._waiting

    def answered(self, status: int, body: bytes) -> None:
        if self._waiting is not None and not self._waiting.done():
            self._waiting.set_result((status, body))

    def lost(self) -> None:
        if self._waiting is not None and not self._waiting.done():
            self._waiting.set_exception(ConnectionResetError("the exchange closed the connection"))


class Pool:
    """So many connections at most, opened when they are needed, each used by one question at a time."""

    def __init__(self, host: str, port: int, connections_max: int) -> None:
        self._host = host
        self._port = port
        self._free = asyncio.Semaphore(connections_max)
        self._idle: deque[_Connection] = deque()

    async def ask(self, request: bytes) -> tuple[int, bytes]:
        """(status, body) of the answer; ConnectionError when there is none."""
        async with self._free:
            connection = await self._take()
            answer = await connection.ask(request)
            self._idle.append(connection)
            return answer

    async def _take(self) -> _Connection:
        while self._idle:
            connection = self._idle.pop()
            if connection.transport is not None:
                return connection
        loop = asyncio.get_running_loop()
        _, connection = await loop.create_connection(_Connection, self._host, self._port)
        return connection

    def close(self) -> None:
        """End all connections."""
        while self._idle:
            self._idle.popleft().close()
