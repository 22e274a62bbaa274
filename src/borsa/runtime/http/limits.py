"""Rate limits: so many of something by somebody in a window of time."""

from borsa.errors import Refused
from borsa.runtime.clock import Clock

SECOND_NS = 1_000_000_000

DELAY_SECONDS_MAX = 60
"""Longest wait after a failure: an owner gets in again, however long somebody else has guessed."""

TRACKED_MAX = 100_000
"""Callers that are remembered; beyond, the windows begin anew."""


class Limits:
    """Fixed windows, in memory. Lives on one event loop. `failures` are counted apart."""

    def __init__(self, clock: Clock) -> None:
        self.failures = Failures(clock)
        self._clock = clock
        self._windows: dict[tuple[str, str], tuple[int, int]] = {}

    def take(self, what: str, who: str, most: int, seconds: int, count: int = 1) -> None:
        """Count something that somebody does; refused when it is more than `most` in the window."""
        window = self._clock.ticks() // (seconds * 1_000_000_000)
        began, taken = self._windows.get((what, who), (window, 0))
        if began != window:
            taken = 0
        if taken + count > most:
            raise Refused("too_many_requests", f"At most {most} in {seconds} s", retryAfter=seconds)
        if len(self._windows) >= TRACKED_MAX:
            self._windows.clear()
        self._windows[what, who] = (window, taken + count)


class Failures:
    """Delays that grow with failures, in memory. They end by themselves: nobody is locked out for good.

    Failures are counted on one thread; `check` may be called on any.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._failed: dict[str, tuple[int, int, int]] = {}

    def check(self, who: str) -> None:
        """Refused while somebody has to wait."""
        _, wait_until, _ = self._failed.get(who, (0, 0, 0))
        missing = wait_until - self._clock.ticks()
        if missing > 0:
            seconds = -(-missing // SECOND_NS)
            raise Refused("too_many_requests", f"Too many failures: wait {seconds} s", retryAfter=seconds)

    def add(self, who: str, free: int, window_seconds: int) -> None:
        """One more failure. From the `free`-th on each doubles the wait; a window without one clears all."""
        now = self._clock.ticks()
        count, _, forgotten_at = self._failed.pop(who, (0, 0, 0))
        count = count + 1 if now < forgotten_at else 1
        delay = min(2 ** min(count - free, 16), DELAY_SECONDS_MAX) if count >= free else 0
        if len(self._failed) >= TRACKED_MAX:
            del self._failed[next(iter(self._failed))]
        self._failed[who] = (count, now + delay * SECOND_NS, now + window_seconds * SECOND_NS)

    def forgive(self, who: str) -> None:
        """Somebody succeeded."""
        self._failed.pop(who, None)
