"""How a door reads what services committed: of files at once, of a server off its event loop.

One slow read of PostgreSQL would hold up every other request. So reads of a service go through a few threads, each with
a connection while it reads: the reads of one service wait for each other, and nobody else does.
"""

import asyncio
from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any, Protocol, TypeVar

from borsa.errors import CantStart
from borsa.runtime.store import Reader, Unreadable
from borsa.settings import Settings

T = TypeVar("T")


class Reading(Protocol):
    """A service's committed data, for those who live on an event loop."""

    async def read(self, select: Callable[..., T], *given: Any) -> T:
        """What `select(reader, *given)` gives; Unreadable."""

    def close(self) -> None:
        """Read no more."""


class Direct:
    """Reads on the event loop: a page of a file is there sooner than another thread."""

    def __init__(self, reader: Reader) -> None:
        self._reader = reader

    async def read(self, select: Callable[..., T], *given: Any) -> T:
        return select(self._reader, *given)

    def close(self) -> None:
        self._reader.close()


class Threaded:
    """Reads on threads of its own. Connections are made as they are needed, one for each thread at most."""

    def __init__(self, name: str, connect: Callable[[], Reader], settings: Settings) -> None:
        self._name = name
        self._connect = connect
        self._waiting_max = settings.inbox_items_max
        self._seconds_max = settings.ask_seconds_max
        # the first now: a database that can't be read is found at the start
        self._idle = deque([connect()])
        self._closed = False
        self._waiting = 0
        self._threads = ThreadPoolExecutor(settings.reading_threads_max, thread_name_prefix=f"borsa-reads-{name}")

    async def read(self, select: Callable[..., T], *given: Any) -> T:
        if self._waiting >= self._waiting_max:
            raise Unreadable(f"{self._waiting} reads wait for {self._name}")
        self._waiting += 1
        try:
            async with asyncio.timeout(self._seconds_max):
                return await asyncio.get_running_loop().run_in_executor(self._threads, self._read, select, given)
        except TimeoutError:
            raise Unreadable(f"{self._name} was not read within {self._seconds_max} s") from None
        finally:
            self._waiting -= 1

    def _read(self, select: Callable[..., T], given: tuple[Any, ...]) -> T:
        try:
            reader = self._idle.pop()
        except IndexError:
            reader = self._another()
        try:
            return select(reader, *given)
        finally:
            self._idle.append(reader)
            if self._closed:
                self._close_idle()

    def _another(self) -> Reader:
        try:
            return self._connect()
        except CantStart as error:
            raise Unreadable(str(error)) from error

    def close(self) -> None:
        self._closed = True
        self._threads.shutdown(wait=False, cancel_futures=True)
        self._close_idle()

    def _close_idle(self) -> None:
        # on two threads at once, perhaps
        with suppress(IndexError):
            while True:
                self._idle.pop().close()
