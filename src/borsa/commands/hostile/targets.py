"""Targets of webhooks: one that takes what it is sent and says how late it was, and one that never says a word."""

import asyncio
import contextlib
import socket
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime
from types import TracebackType
from typing import Self

import msgspec

_HEAD_END = b"\r\n\r\n"
_LENGTH = b"content-length:"
_TAKEN = b"HTTP/1.1 204 No Content\r\nconnection: close\r\n\r\n"

PATIENCE_SECONDS = 2
"""How long the one that listens waits for a message."""


class _Message(msgspec.Struct):
    """What a webhook says; `timestamp` is when it was put into the outbox."""

    timestamp: datetime


class Targets:
    """Two ports of the loopback address, open as long as the context. The silent one is never accepted from: the system
    takes the connection and what is sent, and nobody answers."""

    def __enter__(self) -> Self:
        self._listening = socket.create_server(("127.0.0.1", 0))
        self._silent = socket.create_server(("127.0.0.1", 0), backlog=1024)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._listening.close()
        self._silent.close()

    @property
    def listening_url(self) -> str:
        """Where messages are taken."""
        return f"http://127.0.0.1:{self._listening.getsockname()[1]}/"

    @property
    def silent_url(self) -> str:
        """Where nobody answers."""
        return f"http://127.0.0.1:{self._silent.getsockname()[1]}/"

    @asynccontextmanager
    async def listen(self) -> AsyncIterator[list[int]]:
        """Take messages; gives how late each was, in nanoseconds."""
        delays_ns: list[int] = []
        taking: set[asyncio.Task[None]] = set()

        def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            task = asyncio.create_task(_take(reader, writer, delays_ns))
            taking.add(task)
            task.add_done_callback(taking.discard)

        async with await asyncio.start_server(accept, sock=self._listening.dup()):
            yield delays_ns
        if taking:
            await asyncio.wait(taking)


async def _take(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, delays_ns: list[int]) -> None:
    """Take one message; who sends none within a while is let go."""
    with contextlib.suppress(OSError, asyncio.IncompleteReadError, TimeoutError):
        async with asyncio.timeout(PATIENCE_SECONDS):
            head = (await reader.readuntil(_HEAD_END)).lower()
            body = await reader.readexactly(int(head.partition(_LENGTH)[2].split(b"\r\n")[0]))
            written_at = msgspec.json.decode(body, type=_Message).timestamp.timestamp()
            delays_ns.append(max(0, time.time_ns() - int(written_at * 1e9)))
            writer.write(_TAKEN)
            await writer.drain()
    writer.close()
    with contextlib.suppress(OSError):
        await writer.wait_closed()
