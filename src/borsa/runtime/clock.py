"""Time and fresh ids: the only two things that are not a function of what was said."""

import time
from datetime import UTC, datetime
from functools import lru_cache
from typing import Protocol

import uuid_utils


class Clock(Protocol):
    """Where a process gets its time and its ids from; a simulation brings its own."""

    def now(self) -> int:
        """Microseconds since 1970-01-01 UTC."""

    def ticks(self) -> int:
        """Nanoseconds of a clock that never goes backwards."""

    def new_id(self) -> str:
        """A fresh UUIDv7."""


class SystemClock:
    """The machine's own clock."""

    def now(self) -> int:
        return time.time_ns() // 1000

    def ticks(self) -> int:
        return time.monotonic_ns()

    def new_id(self) -> str:
        return str(uuid_utils.uuid7())


def time_text(microseconds: int) -> str:
    """A time as RFC 3339 in UTC, with microseconds."""
    seconds, rest = divmod(microseconds, 1_000_000)
    return f"{_seconds_text(seconds)}.{rest:06d}Z"


@lru_cache(maxsize=1024)
def _seconds_text(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S")
