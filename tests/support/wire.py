"""A TCP proxy before a server, which can cut a connection at what passes by."""

import contextlib
import socket
import threading
from collections.abc import Callable
from types import TracebackType
from typing import Self


class Wire:
    """Between clients and a port of this machine. `cut_before` bytes: what has them is not passed on any more;
    `cut_after`: it is passed on, the server answers, and nobody hears it."""

    def __init__(self, port: int) -> None:
        self._to = port
        self.cut_before: bytes | None = None
        self.cut_after: bytes | None = None
        self._open: list[socket.socket] = []

    def __enter__(self) -> Self:
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port = self._listening.getsockname()[1]
        self._threads = [threading.Thread(target=self._accept, daemon=True)]
        self._threads[0].start()
        return self

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._listening.accept()
                server = socket.create_connection(("127.0.0.1", self._to))
                self._open += [client, server]
                deaf = threading.Event()
                self._begin(lambda c=client, s=server, d=deaf: self._asking(c, s, d))
                self._begin(lambda c=client, s=server, d=deaf: self._answering(c, s, d))

    def _begin(self, work: Callable[[], None]) -> None:
        thread = threading.Thread(target=work, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _asking(self, client: socket.socket, server: socket.socket, deaf: threading.Event) -> None:
        with contextlib.suppress(OSError):
            while data := client.recv(65536):
                if self.cut_before and self.cut_before in data:
                    break
                if self.cut_after and self.cut_after in data:
                    deaf.set()
                server.sendall(data)
        _end(client, server)

    def _answering(self, client: socket.socket, server: socket.socket, deaf: threading.Event) -> None:
        with contextlib.suppress(OSError):
            while data := server.recv(65536):
                if deaf.is_set():
                    break
                client.sendall(data)
        _end(client, server)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        _end(self._listening, *self._open)
        for thread in self._threads:
            thread.join(10)
        for each in (self._listening, *self._open):
            each.close()


def _end(*sockets: socket.socket) -> None:
    for each in sockets:
        with contextlib.suppress(OSError):
            each.shutdown(socket.SHUT_RDWR)
