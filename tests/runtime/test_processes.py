"""The bell of a process: whoever rings is heard, once, whatever happens at the same moment on other threads."""

import socket
from collections.abc import Callable, Iterator
from contextlib import closing

import pytest

from borsa.runtime.buses.link import Language, Link, Stop
from borsa.runtime.buses.processes import LinkBell
from tests.runtime.toys import Say

WAIT_SECONDS = 10


@pytest.fixture
def bell() -> Iterator[LinkBell]:
    with closing(LinkBell([])) as bell:
        yield bell


def rings(bell: LinkBell) -> bool:
    """Would a worker that waits be called?"""
    bell._heard.settimeout(0)
    try:
        return bool(bell._heard.recv(1, socket.MSG_PEEK))
    except BlockingIOError:
        return False


class Rope:
    """A rope at which something else happens at the moment when it is pulled."""

    def __init__(self, rope: socket.socket, meanwhile: Callable[[], None]) -> None:
        self._rope = rope
        self._meanwhile = meanwhile

    def send(self, data: bytes) -> None:
        self._meanwhile()
        self._rope.send(data)

    def close(self) -> None:
        self._rope.close()


def test_a_ring_is_heard_until_it_is_hushed(bell: LinkBell) -> None:
    bell.ring()
    bell.ring()
    bell.wait(WAIT_SECONDS)
    assert rings(bell)
    bell.hush()
    assert not rings(bell)
    bell.ring()
    assert rings(bell)


def test_a_worker_that_looks_while_somebody_pulls_the_rope_is_called_again(bell: LinkBell) -> None:
    """The flag of who rings is up, and the rope is not yet pulled."""
    bell._rope = Rope(bell._rope, bell.hush)  # type: ignore[assignment]
    bell.ring()
    assert rings(bell)
    bell.wait(WAIT_SECONDS)
    bell.hush()
    assert not rings(bell)


def test_two_that_ring_at_once_do_not_ring_for_ever(bell: LinkBell) -> None:
    """The other one has rung, and was heard, between this one's flag and its rope."""
    rope = bell._rope

    def other() -> None:
        rope.send(b"!")
        bell.hush()

    bell._rope = Rope(rope, other)  # type: ignore[assignment]
    bell.ring()
    assert rings(bell)
    bell.wait(WAIT_SECONDS)
    bell.hush()
    assert not rings(bell), "a worker would turn for ever"


def test_a_message_on_a_link_rings() -> None:
    language = Language([Say])
    one, other = (Link(end, language) for end in socket.socketpair())
    with closing(one), closing(other), closing(LinkBell([other])) as bell:
        one.put(Stop())
        one.flush()
        bell.wait(WAIT_SECONDS)
        assert len(other.receive()) == 1
