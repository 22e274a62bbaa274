"""Reads on threads of their own: what can't be reached is told as what can't be read."""

import asyncio
from contextlib import closing
from threading import Barrier

import pytest

from borsa.errors import CantStart
from borsa.runtime.reading import Threaded
from borsa.runtime.store import Reader, Row, Statement, Unreadable
from borsa.settings import Settings


class Reached:
    """A connection, which reads nothing."""

    def read(self, _statement: Statement, **_given: object) -> list[Row]:
        return []

    def close(self) -> None:
        """Nothing is open."""


def test_a_server_that_no_further_connection_reaches_is_one_that_can_not_be_read() -> None:
    connections: list[Reader] = [Reached()]
    both = Barrier(2)

    def connect() -> Reader:
        if connections:
            return connections.pop()
        # the other read has the only connection until here
        both.wait(10)
        raise CantStart("the server is gone")

    def slow(_: Reader) -> str:
        both.wait(10)
        return "read"

    async def two() -> tuple[str | BaseException, ...]:
        with closing(Threaded("orders", connect, Settings())) as reading:
            return tuple(await asyncio.gather(*(reading.read(slow) for _ in range(2)), return_exceptions=True))

    found, refused = sorted(asyncio.run(two()), key=lambda each: isinstance(each, BaseException))
    assert found == "read"
    with pytest.raises(Unreadable, match="the server is gone"):
        raise refused  # type: ignore[misc]
