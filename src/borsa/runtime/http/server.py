"""The HTTP server: uvicorn with bounds, and a stop that leaves the writers their time."""

import signal
import socket
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from operator import attrgetter
from typing import Any

import uvicorn

from borsa.runtime.http.app import Application
from borsa.runtime.http.call import Readiness
from borsa.runtime.http.connection import BoundedProtocol, Patience
from borsa.runtime.http.socket import SocketProtocol
from borsa.settings import Settings

KEEP_ALIVE_SECONDS = 75
BACKLOG_CONNECTIONS = 2048
TICKS_A_LOOK = 10
"""How many of uvicorn's ticks (of 0.1 s) go by between two looks for clients that stand still."""


class Server(uvicorn.Server):
    """Says that it is not ready from the moment that it is told to stop."""

    def __init__(self, app: Application, settings: Settings, health: Readiness) -> None:
        super().__init__(_config(app, settings))
        self._health = health
        self._patience = Patience(settings.head_seconds_max, settings.body_seconds_max, settings.answer_seconds_max)
        self._unread_bytes_max = settings.unread_bytes_max

    async def on_tick(self, counter: int) -> bool:
        """What is to be done now and then; whether to stop."""
        if counter % TICKS_A_LOOK == 0:
            self._look_at(list(self.server_state.connections))  # type: ignore[arg-type]
        return await super().on_tick(counter)

    def _look_at(self, connections: Sequence[BoundedProtocol | SocketProtocol]) -> None:
        """Let go of clients that stand still, and of those with most to read when it is too much for all."""
        now = time.monotonic()
        for connection in connections:
            connection.check(now, self._patience)
        unread = sum(connection.unread_bytes for connection in connections)
        if unread <= self._unread_bytes_max:
            return
        for connection in sorted(connections, key=attrgetter("unread_bytes"), reverse=True):
            unread -= connection.unread_bytes
            connection.let_go()
            if unread <= self._unread_bytes_max:
                return

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
        ws=SocketProtocol,
        ws_max_size=settings.stream_message_bytes_max,
        ws_per_message_deflate=False,
        lifespan="off",
        log_config=None,
        log_level="error",  # what is wrong with a request, its client is told
        access_log=False,
        server_header=False,
        proxy_headers=bool(settings.proxies),
        forwarded_allow_ips=settings.proxies,
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
