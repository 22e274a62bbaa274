"""Signed requests: what is signed, when it counts, and that what changes something is taken once.

The text that a client signs is seven lines, joined by a line feed: the key's id, the time, the window, the method, the
path, the query and the SHA-256 of the body. Path and query are the bytes that are sent, before anything is decoded.
"""

import hashlib
import re
from collections.abc import Mapping

import msgspec

from borsa.errors import Refused
from borsa.runtime.clock import Clock

KEY = b"borsa-key"
TIME = b"borsa-time"
WINDOW = b"borsa-window"
SIGNATURE = b"borsa-signature"

WINDOW_MS = 5_000
"""How old a signed request may be, where it does not say otherwise."""

WINDOW_MS_MAX = 60_000

AHEAD_MS_MAX = 1_000
"""How far a client's clock may be ahead of ours."""

READING = ("GET", "HEAD")
"""Methods that change nothing: their requests may be repeated."""

_NUMBER = re.compile(rb"[0-9]{1,15}\Z")
_HEX = re.compile(rb"[0-9A-Fa-f]{64}(?:[0-9A-Fa-f]{64})?\Z")


class Signed(msgspec.Struct, frozen=True):
    """A signed request: by which key, when (in ms since 1970 UTC), for how long (ms), and what it says."""

    key_id: str
    time: int
    window: int
    signature: bytes
    text: bytes
    changes: bool

    @property
    def ends(self) -> int:
        """The last millisecond in which it counts."""
        return self.time + self.window


def signed_request(headers: Mapping[bytes, bytes], method: str, path: bytes, query: bytes, body: bytes) -> Signed:
    """What the headers and the request say; refused with `unauthorized` when that is no signed request."""
    if b"authorization" in headers:
        raise Refused("unauthorized", "Sign a request or send a token, not both")
    time, window = headers.get(TIME, b""), headers.get(WINDOW, b"%d" % WINDOW_MS)
    if not _NUMBER.match(time):
        raise _unfit(TIME, "must be the time in milliseconds since 1970 UTC")
    if not _NUMBER.match(window) or not 1 <= int(window) <= WINDOW_MS_MAX:
        raise _unfit(WINDOW, f"must be 1 to {WINDOW_MS_MAX} milliseconds")
    signature = headers.get(SIGNATURE, b"")
    if not _HEX.match(signature):
        raise _unfit(SIGNATURE, "must be 64 or 128 hexadecimal digits")
    digest = hashlib.sha256(body).hexdigest().encode()
    text = b"\n".join((headers[KEY], time, window, method.encode(), path, query, digest))
    key_id = headers[KEY].decode("latin-1")
    raw = bytes.fromhex(signature.decode())
    return Signed(key_id, int(time), int(window), raw, text, method not in READING)


def _unfit(header: bytes, what: str) -> Refused:
    name = "-".join(word.capitalize() for word in header.decode().split("-"))
    return Refused("unauthorized", f"{name} {what}", field=name)


def check_time(signed: Signed, now: int) -> None:
    """Refuse what was signed too long ago, or in the future; `now` in ms since 1970 UTC."""
    if now > signed.ends:
        raise _unfit(TIME, f"is {now - signed.time} ms ago, and the window {signed.window} ms")
    if signed.time > now + AHEAD_MS_MAX:
        raise _unfit(TIME, f"is {signed.time - now} ms ahead, and {AHEAD_MS_MAX} ms are allowed")


class Taken:
    """Requests that were taken, each until it is too old to be sent again.

    They are kept by the second in which they end: a request that is sent again ends when it did the first time. What
    was signed before this began may have been taken by whoever served before, and is refused.
    """

    def __init__(self, clock: Clock, most: int) -> None:
        self._clock = clock
        self._most = most
        self._began = clock.now() // 1000
        self._ending: dict[int, dict[str, set[bytes]]] = {}
        self._counts: dict[str, int] = {}

    def take(self, signed: Signed, user_id: str) -> None:
        """Note a genuine request of a user; refused with `request_replayed` when it was taken before."""
        if signed.time <= self._began + AHEAD_MS_MAX:
            raise Refused("overloaded", "Signed before the exchange was ready: sign it anew", retryAfter=1)
        second, mark = signed.ends // 1000, hashlib.sha256(signed.text).digest()
        if second not in self._ending:
            self._forget()
        elif mark in self._ending[second].get(user_id, ()):
            raise Refused("request_replayed")
        if self._counts.get(user_id, 0) >= self._most:
            self._forget()
        count = self._counts.get(user_id, 0)
        if count >= self._most:
            raise Refused("too_many_requests", f"At most {self._most} signed requests within their windows")
        self._ending.setdefault(second, {}).setdefault(user_id, set()).add(mark)
        self._counts[user_id] = count + 1

    @property
    def known(self) -> int:
        """How many requests are remembered."""
        return sum(self._counts.values())

    def _forget(self) -> None:
        """Let go of what ended."""
        now = self._clock.now() // 1_000_000
        for second in [each for each in self._ending if each < now]:
            for user_id, taken in self._ending.pop(second).items():
                self._counts[user_id] -= len(taken)
                if not self._counts[user_id]:
                    del self._counts[user_id]
