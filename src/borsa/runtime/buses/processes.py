"""Processes of one exchange: forked before anything is open, linked in pairs, and ended in order.

The first process is the door: it listens to HTTP, to signals, and to the others. The others are forked from it and
live as long as it does: when a link to the door breaks, whoever is at its other end ends too.
"""

import contextlib
import os
import selectors
import signal
import socket
import sys
import traceback
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import combinations

from borsa.runtime.buses.link import Link

DOOR = "door"
"""The name of the first process."""

Ends = Mapping[str, socket.socket]
"""A process's ends of its links, by the name of the process at the other end."""


class LinkBell:
    """The bell of a worker that is called by other processes, and by threads of its own."""

    def __init__(self, links: Iterable[Link]) -> None:
        self._selector = selectors.DefaultSelector()
        self._heard, self._rope = socket.socketpair()
        self._rung = False
        for end in (self._heard, *(link.socket for link in links)):
            end.setblocking(False)
            self._selector.register(end, selectors.EVENT_READ)

    def ring(self) -> None:
        if not self._rung:
            self._rung = True
            self._rope.send(b"!")

    def hush(self) -> None:
        if self._rung:
            try:
                # emptied before the flag goes down: who rings in between has done so before the work is looked for
                self._heard.recv(64)
            except BlockingIOError:
                return  # another thread is about to pull the rope: the next wait ends at once
            self._rung = False

    def wait(self, seconds: float) -> None:
        for key, _ in self._selector.select(seconds):
            if key.fileobj is self._heard:
                self._rung = True  # also where two threads pulled at once, and only one of them was heard

    def close(self) -> None:
        """Hang up."""
        self._selector.close()
        self._heard.close()
        self._rope.close()


def start(names: Sequence[str], run: Callable[[str, Ends], int]) -> tuple[Mapping[str, int], Ends]:
    """Fork a process for each name, which runs and exits with what `run` returns.

    Gives the process ids by name, and the door's own ends.
    """
    ends: dict[str, dict[str, socket.socket]] = {name: {} for name in (DOOR, *names)}
    for one, other in combinations(ends, 2):
        ends[one][other], ends[other][one] = socket.socketpair()
    ids = {}
    for name in names:
        process_id = os.fork()
        if process_id == 0:
            _become(name, ends, run)
        ids[name] = process_id
    _close_all_but(DOOR, ends)
    return ids, ends[DOOR]


def _become(name: str, ends: Mapping[str, Ends], run: Callable[[str, Ends], int]) -> None:
    for number in (signal.SIGTERM, signal.SIGINT):
        # the door is told to stop, and tells us when it has no more requests
        signal.signal(number, signal.SIG_IGN)
    _close_all_but(name, ends)
    status = os.EX_SOFTWARE
    try:
        status = run(name, ends[name])
    except BaseException:
        traceback.print_exc()
        sys.stderr.flush()
    finally:
        os._exit(status)


def _close_all_but(name: str, ends: Mapping[str, Ends]) -> None:
    for owner, own in ends.items():
        if owner != name:
            for end in own.values():
                end.close()


def wait_for(ids: Iterable[int]) -> None:
    """Until these processes have ended."""
    for process_id in ids:
        os.waitpid(process_id, 0)


def end(ids: Iterable[int]) -> None:
    """End these processes at once, also those that stand still, and wait until they have; whoever was waited for
    already is passed over."""
    for act in (lambda process_id: os.kill(process_id, signal.SIGKILL), lambda process_id: os.waitpid(process_id, 0)):
        for process_id in ids:
            with contextlib.suppress(ProcessLookupError, ChildProcessError):
                act(process_id)
