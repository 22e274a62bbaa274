"""How far a long command is: one line that is rewritten on a terminal, a line every few seconds elsewhere."""

import sys
import time
from types import TracebackType
from typing import Self

TERMINAL_SECONDS = 0.1
ELSEWHERE_SECONDS = 5.0


class Progress:
    """Tells on standard error how much of `total` is done."""

    def __init__(self, total: int, what: str) -> None:
        self._total = total
        self._what = what
        self._on_terminal = sys.stderr.isatty()
        self._began = self._next = time.monotonic()
        self._done = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._write("\n")

    def tell(self, done: int) -> None:
        """So much is done by now."""
        self._done = done
        now = time.monotonic()
        if now >= self._next:
            self._next = now + (TERMINAL_SECONDS if self._on_terminal else ELSEWHERE_SECONDS)
            self._write("" if self._on_terminal else "\n")

    def _write(self, end: str) -> None:
        elapsed = time.monotonic() - self._began
        pace = self._done / elapsed if elapsed else 0.0
        line = f"{self._done} of {self._total} {self._what}, {elapsed:.1f} s, {pace:.0f} a second"
        sys.stderr.write(("\r\x1b[K" if self._on_terminal else "") + line + end)
        sys.stderr.flush()
