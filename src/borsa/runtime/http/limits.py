"""Rate limits: so many of something by somebody in a window of time, in memory. They begin anew with the process."""

import asyncio
import ipaddress
from collections import Counter
from functools import lru_cache

from borsa.errors import Refused
from borsa.runtime.clock import Clock
from borsa.settings import Settings

SECOND_NS = 1_000_000_000

DELAY_SECONDS_MAX = 60
"""Longest wait after a failure: an owner gets in again, however long somebody else has guessed."""

TRACKED_MAX = 100_000
"""Callers that are remembered; beyond, the windows begin anew."""

REFUSALS_FREE = 10
"""Refusals of a caller in REFUSALS_SECONDS that are answered at once."""

REFUSALS_SECONDS = 10

PAUSE_SECONDS = 1
"""How long each further refusal is held back: as long as Retry-After says at least."""

PREFIX_BITS = 64
"""What one client has of IPv6 addresses: it can send from each of them."""


class Limits:
    """Every limit of the door. Lives on one event loop. Whoever has used up the requests may still cancel."""

    def __init__(self, clock: Clock, settings: Settings) -> None:
        by_address, by_key = settings.address_requests_per_second, settings.key_requests_per_second
        self.requests_of_address = Budget(clock, by_address, 1)
        self.cancels_of_address = Budget(clock, by_address, 1)
        self.requests_of_key = Budget(clock, by_key, 1)
        self.cancels_of_key = Budget(clock, by_key, 1)
        self.orders_of_user = Budget(clock, settings.orders_per_second, 1)
        self.rows_of_user = Budget(clock, settings.rows_per_second, 1)
        self.messages_of_stream = Budget(clock, settings.stream_messages_per_second, 1)
        self.streams_of_address = Places(settings.address_streams_max)
        self.streams_of_user = Places(settings.user_streams_max)
        self._refusals = Budget(clock, REFUSALS_FREE, REFUSALS_SECONDS)
        self.registrations_of_address = Budget(clock, settings.registrations_per_minute, 60)
        self.failures = Failures(clock)

    async def slow_down(self, who: str) -> None:
        """Hold back a refusal of a caller who has had many: whoever asks again at once would have all of the door's
        time for being refused."""
        try:
            self._refusals.take(who)
        except Refused:
            await asyncio.sleep(PAUSE_SECONDS)


class Places:
    """So many of something for each at a time."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._taken: Counter[str] = Counter()

    def take(self, who: str) -> bool:
        """Take a place; False when there is none."""
        if self._taken[who] >= self._most:
            return False
        self._taken[who] += 1
        return True

    def leave(self, who: str) -> None:
        """Give a place back."""
        self._taken[who] -= 1
        if not self._taken[who]:
            del self._taken[who]


class Budget:
    """So many of something for each in a window of time."""

    def __init__(self, clock: Clock, most: int, seconds: int) -> None:
        self._clock = clock
        self._most = most
        self._seconds = seconds
        self._length = seconds * SECOND_NS
        self._window = 0
        self._taken: dict[str, int] = {}

    def take(self, who: str, count: int = 1) -> None:
        """Count something that somebody does; refused with `too_many_requests` when it is more than may be."""
        since = self._since_the_window_began()
        if self._taken.get(who, 0) + count > self._most:
            rest = -((since - self._length) // SECOND_NS)
            raise Refused("too_many_requests", f"At most {self._most} in {self._seconds} s", retryAfter=rest)
        self._add(who, count)

    def charge(self, who: str, count: int) -> None:
        """Count what somebody had, where nobody could say before how much it is. When it is more than may be, they get
        nothing for the rest of the window."""
        self._since_the_window_began()
        self._add(who, count)

    def _since_the_window_began(self) -> int:
        window, since = divmod(self._clock.ticks(), self._length)
        if window != self._window:
            self._window, self._taken = window, {}
        return since

    def _add(self, who: str, count: int) -> None:
        taken = self._taken.get(who)
        if taken is None and len(self._taken) >= TRACKED_MAX:
            self._taken.clear()
        self._taken[who] = (taken or 0) + count


@lru_cache(maxsize=4096)
def network_of(address: str) -> str:
    """Whom an address counts for: itself, or of IPv6 its network, as text."""
    if ":" not in address:
        return address
    try:
        return str(ipaddress.ip_network((address.partition("%")[0], PREFIX_BITS), strict=False))
    except ValueError:
        return address


class Failures:
    """Delays that grow with failures, in memory. They end by themselves: nobody is locked out for good.

    Failures are counted on one thread; `check` may be called on any.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._failed: dict[str, tuple[int, int, int]] = {}

    def check(self, *who: str) -> None:
        """Refused while one of these has to wait."""
        until = max(self._failed.get(each, (0, 0, 0))[1] for each in who)
        missing = until - self._clock.ticks()
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
