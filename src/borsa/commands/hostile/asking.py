"""One HTTP connection of somebody who looks at each answer: its status, its Retry-After, its body."""

import asyncio

import msgspec

from borsa.commands.wire import Wire

_RETRY_AFTER = b"\r\nretry-after: "


class Answer(msgspec.Struct, frozen=True):
    """An answer, and when it came (nanoseconds of the monotonic clock)."""

    status: int
    body: bytes
    says_when: bool
    at: int

    @property
    def is_mute(self) -> bool:
        """Turned away, and not told when to come again?"""
        return self.status in (429, 503) and not self.says_when


class Asking(Wire):
    """Asks one question, and waits for its answer."""

    def __init__(self) -> None:
        super().__init__()
        self._waiting: asyncio.Future[Answer] | None = None
        self._gone = asyncio.Event()

    async def end(self) -> None:
        """Close, and wait until it is."""
        self.close()
        await self._gone.wait()

    async def ask(self, request: bytes) -> Answer:
        """The answer; ConnectionError when there is none."""
        self._waiting = asyncio.get_running_loop().create_future()
        self.send(request)
        return await self._waiting

    def answered(self, status: int, body: bytes) -> None:
        if self._waiting is not None and not self._waiting.done():
            self._waiting.set_result(Answer(status, body, _RETRY_AFTER in self.head, now_ns()))

    def lost(self) -> None:
        self._gone.set()
        if self._waiting is not None and not self._waiting.done():
            self._waiting.set_exception(ConnectionResetError("the exchange closed the connection"))


async def connected(host: str, port: int) -> Asking:
    """A connection that is open."""
    _, connection = await asyncio.get_running_loop().create_connection(Asking, host, port)
    return connection


def now_ns() -> int:
    """The monotonic clock, in nanoseconds."""
    return int(asyncio.get_running_loop().time() * 1e9)
