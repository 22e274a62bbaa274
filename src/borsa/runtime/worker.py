"""The thread that turns the crank of one or more writers."""

import threading
from collections.abc import Callable, Sequence

from borsa.runtime.writer import Writer

IDLE_SECONDS = 0.25
"""How long an idle worker sleeps when nothing wakes it: sweeps are due in seconds."""


class Worker:
    """Steps its writers in a fixed order for as long as any of them has something to do, then sleeps.

    One thread for all writers of a process: while a commit waits for the disk the interpreter is free for HTTP, and
    no two writers ever wait for each other. A writer may stand in the order more than once.
    """

    def __init__(self, failed: Callable[[BaseException], None]) -> None:
        self._failed = failed
        self._order: Sequence[Writer] = ()
        self._awake = threading.Event()
        self._stopping = False
        self._thread = threading.Thread(target=self._run, name="borsa-writers", daemon=True)

    def wake(self) -> None:
        """There is something to do."""
        if not self._awake.is_set():
            self._awake.set()

    def start(self, order: Sequence[Writer]) -> None:
        """Begin to step these writers."""
        self._order = order
        self._thread.start()

    def stop(self) -> None:
        """Finish what waits, and end the thread."""
        self._stopping = True
        self.wake()
        if self._thread.is_alive() and self._thread is not threading.current_thread():
            self._thread.join()

    def _run(self) -> None:
        try:
            while True:
                self._awake.clear()
                busy = False
                for writer in self._order:
                    busy = writer.step() or busy
                if busy:
                    continue
                if self._stopping:
                    return
                self._awake.wait(IDLE_SECONDS)
        except BaseException as error:
            self._failed(error)
