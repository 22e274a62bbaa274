"""The thread that turns the crank of one or more writers."""

import threading
from collections.abc import Callable, Sequence

from borsa.runtime.clock import Clock

IDLE_SECONDS = 0.25
"""How long an idle worker sleeps when nothing wakes it: sweeps are due in seconds."""

FOLLOW_NS = 50_000_000
"""How long followers wait for their turn while others are busy, in nanoseconds."""

Step = Callable[[], bool]
"""A writer's `step` or `hear`: False when there was nothing to do."""


class Worker:
    """Takes the steps of its writers in a fixed order for as long as any of them has something to do, then sleeps.

    One thread for all writers of a process: while a commit waits for the disk the interpreter is free for HTTP, and
    no two writers ever wait for each other. A writer may have several steps in a turn.

    Followers, whom no request waits for, take their turn when there is nothing else to do, and under load every
    FOLLOW_NS: one large commit of theirs costs far less than many small ones that touch the same pages.
    """

    def __init__(self, clock: Clock, failed: Callable[[BaseException], None]) -> None:
        self._failed = failed
        self._clock = clock
        self._steps: Sequence[Step] = ()
        self._followers: Sequence[Step] = ()
        self._awake = threading.Event()
        self._stopping = False
        self._thread = threading.Thread(target=self._run, name="borsa-writers", daemon=True)

    def wake(self) -> None:
        """There is something to do."""
        if not self._awake.is_set():
            self._awake.set()

    def start(self, steps: Sequence[Step], followers: Sequence[Step] = ()) -> None:
        """Begin to take these steps, in turns."""
        self._steps = steps
        self._followers = followers
        self._thread.start()

    def stop(self) -> None:
        """Finish what waits, and end the thread."""
        self._stopping = True
        self.wake()
        if self._thread.is_alive() and self._thread is not threading.current_thread():
            self._thread.join()

    def _run(self) -> None:
        follow_at = 0
        try:
            while True:
                self._awake.clear()
                busy = _turn(self._steps)
                if not busy or self._clock.ticks() >= follow_at:
                    busy = _turn(self._followers) or busy
                    follow_at = self._clock.ticks() + FOLLOW_NS
                if busy:
                    continue
                if self._stopping:
                    return
                self._awake.wait(IDLE_SECONDS)
        except BaseException as error:
            self._failed(error)


def _turn(steps: Sequence[Step]) -> bool:
    busy = False
    for step in steps:
        busy = step() or busy
    return busy
