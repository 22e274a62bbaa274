"""Passwords: which are good enough, how they are kept, and the one thread that does the slow part.

A password is normalised to Unicode NFC first, so that it is the same password on a keyboard that composes its accents
and on one that does not; otherwise it is taken as it is, never cut. It is kept as Argon2id with the parameters that
OWASP recommends. One hash costs about 30 ms and 19 MiB: they are made one at a time, on a thread of their own, and a
bounded number of them may wait. That thread gives way to all others: who signs in waits, and not who trades.
"""

import asyncio
import base64
import hashlib
import os
import sys
import threading
import unicodedata
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, ParamSpec, TypeVar

import argon2
from argon2.exceptions import VerifyMismatchError
from argon2.low_level import Type, hash_secret_raw

from borsa.errors import Refused
from borsa.runtime.bus import Once, overloaded
from borsa.services.users.guessable import weakness

MEMORY_KIB = 19_456
PASSES = 2
LANES = 1
SALT_BYTES = 16
HASH_BYTES = 32

LENGTH_MIN = 15
LENGTH_MAX = 128
"""Bounds of a password in code points, after normalisation."""

P = ParamSpec("P")
T = TypeVar("T")

_argon2 = argon2.PasswordHasher(PASSES, MEMORY_KIB, LANES, HASH_BYTES, SALT_BYTES, type=Type.ID)


def _nobody() -> str:
    """A hash that no password is known for; checking against it takes as long as against a user's."""
    salt, digest = (base64.b64encode(bytes(length)).rstrip(b"=").decode() for length in (SALT_BYTES, HASH_BYTES))
    return f"$argon2id$v=19$m={MEMORY_KIB},t={PASSES},p={LANES}${salt}${digest}"


NOBODY = _nobody()


def normalised(password: str) -> str:
    """The password as it is counted, judged and hashed."""
    return unicodedata.normalize("NFC", password)


def check_strength(password: str, user_name: str) -> None:
    """Refuse a password that is too short, too long, or what somebody would guess."""
    text = normalised(password)
    if len(text) > LENGTH_MAX:
        raise Refused("invalid_request", f"At most {LENGTH_MAX} characters", field="password")
    if len(text) < LENGTH_MIN:
        raise Refused("weak_password", f"At least {LENGTH_MIN} characters", field="password")
    if found := weakness(text, user_name):
        raise Refused("weak_password", found, field="password")


# the slow part: call these through SLOW.run ------------------------------------------------------------------------


def hashed(password: str) -> str:
    """What to keep of a password."""
    return _argon2.hash(normalised(password))


def matches(kept: str | None, password: str) -> bool:
    """Is this the password that was kept so? With None, false after the same time."""
    try:
        _argon2.verify(NOBODY if kept is None else kept, normalised(password))
    except VerifyMismatchError:
        return False
    return kept is not None


def is_outdated(kept: str) -> bool:
    """Was this hash made with other parameters than today's?"""
    return _argon2.check_needs_rehash(kept)


def stretched(once: Once) -> Once:
    """An Idempotency-Key whose fingerprint is slow to guess, for a body with a password in it.

    The fingerprint is kept with the answer; a plain digest of the body would be a second, fast way to try passwords.
    """
    salt = hashlib.sha256(f"{once.owner}\n{once.key}".encode()).digest()[:SALT_BYTES]
    slow = hash_secret_raw(once.fingerprint, salt, PASSES, MEMORY_KIB, LANES, HASH_BYTES, Type.ID)
    return Once(once.owner, once.key, slow)


LANE_NICE = 10
"""How far the thread stands back (as `nice` counts) where others want the processor, too."""


def _stand_back() -> None:
    # Linux has a priority for each thread; elsewhere the call would be about the whole process
    if sys.platform == "linux":
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), LANE_NICE)


class SlowLane:
    """One thread, and a bounded queue before it."""

    def __init__(self) -> None:
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="borsa-passwords", initializer=_stand_back)
        self._lock = threading.Lock()
        self._taken = 0

    async def run(self, waiting_max: int, act: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """What `act` gives; refused with `overloaded` when so many wait already."""
        with self._lock:
            if self._taken >= waiting_max:
                raise overloaded()
            self._taken += 1
        future = self._thread.submit(act, *args, **kwargs)
        future.add_done_callback(self._done)
        return await asyncio.wrap_future(future)

    def _done(self, _: Future[Any]) -> None:
        with self._lock:
            self._taken -= 1


SLOW = SlowLane()
"""The lane of this process: it is the processor that is scarce, however many exchanges share it."""
