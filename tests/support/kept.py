"""A server that a keeper runs, a process that ends it when its own standard input ends, however the tests do."""

import subprocess
from types import TracebackType


class Kept:
    """Ends on exit. A subclass begins it, and has its keeper."""

    _keeper: "subprocess.Popen[str]"

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self._keeper:
            assert self._keeper.stdin is not None
            self._keeper.stdin.close()
            self._keeper.wait(60)
