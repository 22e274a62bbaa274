"""The HTTP server: uvicorn with httptools, bounded heads, and a stop that leaves the writers their time."""

import asyncio
import signal
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from borsa.errors import Refused
from borsa.runtime.http.app import Application
from borsa.runtime.http.call import Readiness
from borsa.runtime.http.problem import MEDIA_TYPE, document
from borsa.settings import Settings

HEAD_BYTES_MAX = 64 * 1024
"""Request line and headers together."""

KEEP_ALIVE_SECONDS = 75
BACKLOG_CONNECTIONS = 2048


class GatheringTransport(asyncio.Transport):
    """Hands over in one system call what is written in a turn of the event loop: uvicorn writes head and body apart."""

    def __init__(self, transport: asyncio.Transport, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__()
        self._transport = transport
        self._loop = loop
        self._parts: list[bytes | bytearray | memoryview] = []

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Take data, to be sent at the end of this turn."""
        if not self._parts:
            self._loop.call_soon(self._send)
        self._parts.append(data)

    def _send(self) -> None:
        if self._parts:
            self._transport.write(b"".join(self._parts))
            self._parts.clear()

    def close(self) -> None:
        """Send what was written, and close."""
        self._send()
        self._transport.close()

    def is_closing(self) -> bool:
        """Is it closed, or about to be?"""
        return self._transport.is_closing()

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        """What is known of the connection."""
        return self._transport.get_extra_info(name, default)

    def pause_reading(self) -> None:
        """Take nothing from the client for now."""
        self._transport.pause_reading()

    def resume_reading(self) -> None:
        """Take what the client sends again."""
        self._transport.resume_reading()


class BoundedProtocol(HttpToolsProtocol):
    """Answers 431 to a head without end. The parser has no bound of its own, and takes longer the longer it gets."""

    _in_head = False
    _head_bytes = 0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """A client is there."""
        super().connection_made(GatheringTransport(transport, self.loop))

    def data_received(self, data: bytes) -> None:
        """Take what came, and count it while the head is not complete."""
        super().data_received(data)
        if not self._in_head:
            return
        self._head_bytes += len(data)
        if self._head_bytes > HEAD_BYTES_MAX and not self.transport.is_closing():
            self.transport.write(_head_too_large())
            self.transport.close()

    def on_message_begin(self) -> None:
        """A head begins."""
        self._in_head = True
        self._head_bytes = 0
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        """The head is complete."""
        self._in_head = False
        super().on_headers_complete()


def _head_too_large() -> bytes:
    body = document(Refused("headers_too_large"))
    head = f"content-type: {MEDIA_TYPE}\r\ncontent-length: {len(body)}\r\nconnection: close\r\n\r\n"
    return b"HTTP/1.1 431 Request Header Fields Too Large\r\n" + head.encode() + body


class Server(uvicorn.Server):
    """Says that it is not ready from the moment that it is told to stop."""

    def __init__(self, app: Application, settings: Settings, health: Readiness) -> None:
        super().__init__(_config(app, settings))
        self._health = health

    def handle_exit(self, sig: int, frame: Any) -> None:
        """Take a signal: nothing new from now on."""
        self._health.ready = False
        super().handle_exit(sig, frame)

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Follow SIGTERM and SIGINT."""
        # uvicorn raises the signal again when HTTP has ended, which would end the process before the writers have
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        for number in (signal.SIGTERM, signal.SIGINT):
            # left in place to the end: a second signal must not cut off the writers either
            signal.signal(number, self.handle_exit)
        yield


def _config(app: Application, settings: Settings) -> uvicorn.Config:
    return uvicorn.Config(
        app,
        http=BoundedProtocol,
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=settings.drain_seconds_max,
    )


def listen(settings: Settings) -> socket.socket:
    """A socket that listens on the address of the settings; OSError when it is taken."""
    listening = socket.socket(socket.AF_INET6 if ":" in settings.host else socket.AF_INET)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    # inherited by every connection: an answer must not wait until the client has acknowledged the one before
    listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    listening.bind((settings.host, settings.port))
    listening.listen(BACKLOG_CONNECTIONS)
    listening.setblocking(False)
    return listening
