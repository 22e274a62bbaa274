"""The thread that turns the crank of one or more writers."""

import threading
from collections.abc import Callable, Sequence
from typing import Protocol

from borsa.runtime.clock import Clock

IDLE_SECONDS = 0.25
"""How long an idle worker sleeps when nothing wakes it: sweeps are due in seconds."""

FOLLOW_NS = 50_000_000
"""How long followers wait for their turn while others are busy, in nanoseconds."""

BETWEEN_NS = 5_000_000
"""After how long of a turn small requests are looked for, in nanoseconds."""

Step = Callable[[], bool]
"""A writer's `step` or `hear`: False when there was nothing to do."""


class Bell(Protocol):
    """How a worker that has nothing to do is called."""

    def ring(self) -> None:
        """There is something to do; from any thread."""

    def hush(self) -> None:
        """Whoever rang before was heard."""

    def wait(self, seconds: float) -> None:
        """Return when it rings, or at the end of the time."""


class EventBell:
    """The bell of a worker that is called by threads of its own process."""

    def __init__(self) -> None:
        self._rung = threading.Event()

    def ring(self) -> None:
        if not self._rung.is_set():
            self._rung.set()

    def hush(self) -> None:
        self._rung.clear()

    def wait(self, seconds: float) -> None:
        self._rung.wait(seconds)


class Worker:
    """Takes the steps of its writers in a fixed order for as long as any of them has something to do, then sleeps.

    One thread for all writers of a process: while a commit waits for the disk the interpreter is free for HTTP, and
    no two writers ever wait for each other. A writer may have several steps in a turn.

    Followers, whom no request waits for, take their turn when there is nothing else to do, and under load every
    FOLLOW_NS: one large commit of theirs costs far less than many small ones that touch the same pages.
    """

    def __init__(self, clock: Clock, failed: Callable[[BaseException], None], bell: Bell) -> None:
        self._failed = failed
        self._clock = clock
        self._bell = bell
        self._steps: Sequence[Step] = ()
        self._followers: Sequence[Step] = ()
        self._between: Sequence[Step] = ()
        self._looked_at = 0
        self._paced = False
        self._stopping = False
        self._thread = threading.Thread(target=self.run, name="borsa-writers", daemon=True)

    def wake(self) -> None:
        """There is something to do."""
        self._bell.ring()

    def take(
        self,
        steps: Sequence[Step],
        followers: Sequence[Step] = (),
        between: Sequence[Step] = (),
        *,
        paced: bool = False,
    ) -> None:
        """The steps of a turn, and those `between` them when it takes long. `paced`: followers wait for their time also
        when there is nothing else to do, because nobody else in this process is."""
        self._steps = steps
        self._followers = followers
        self._between = between
        self._paced = paced

    def start(self) -> None:
        """Begin, on a thread of its own."""
        self._thread.start()

    def stop(self) -> None:
        """Finish what waits, and end."""
        self._stopping = True
        self.wake()
        if self._thread.is_alive() and self._thread is not threading.current_thread():
            self._thread.join()

    def run(self) -> None:
        """Take turns until stopped and done."""
        follow_at = 0
        try:
            while True:
                self._bell.hush()
                busy = self._turn(self._steps)
                now = self._clock.ticks()
                if now >= follow_at or not (busy or self._paced) or self._stopping:
                    followed = self._turn(self._followers)
                    follow_at = self._clock.ticks() + FOLLOW_NS if followed else 0
                    busy = busy or followed
                if busy:
                    continue
                if self._stopping:
                    return
                self._bell.wait(min(IDLE_SECONDS, max(0.0, (follow_at - now) / 1e9)) if follow_at else IDLE_SECONDS)
        except BaseException as error:
            self._failed(error)

    def _turn(self, steps: Sequence[Step]) -> bool:
        busy = False
        for step in steps:
            busy = step() or busy
            if self._between and self._clock.ticks() - self._looked_at > BETWEEN_NS:
                for quick in self._between:
                    quick()
                self._looked_at = self._clock.ticks()
        return busy
