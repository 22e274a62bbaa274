"""A real `borsa up` in a process of its own: it can be killed at any moment and started again on the same folder."""

import os
import re
import signal
import subprocess
import sys
from pathlib import Path
from types import TracebackType
from typing import Self

import httpx

from tests.support.running import ADMIN_PASSWORD

_READY = re.compile(r"ready at (http://\S+)")


class Process:
    """Starts on entry; `kill` is kill -9, `stop` is SIGTERM."""

    def __init__(self, folder: Path, **options: str) -> None:
        given = {f"BORSA_{name.upper()}": value for name, value in options.items()}
        clean = {name: value for name, value in os.environ.items() if not name.startswith("BORSA_")}
        own = {"BORSA_DATA": str(folder), "BORSA_PORT": "0", "BORSA_ADMIN_PASSWORD": ADMIN_PASSWORD}
        self.environment = clean | own | given
        self.output: list[str] = []

    def __enter__(self) -> Self:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "borsa.cli", "up"],
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self.url = self._wait_until_ready()
        self.http = httpx.Client(base_url=self.url, timeout=30)
        return self

    def _wait_until_ready(self) -> str:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            self.output.append(line)
            if found := _READY.search(line):
                return found[1]
        raise AssertionError(f"it ended without being ready: {''.join(self.output)}")

    @property
    def pid(self) -> int:
        """The process id."""
        return self._process.pid

    def kill(self) -> None:
        """End it at once, as a crash would."""
        self._process.kill()
        self._process.wait(30)

    def stop(self) -> int:
        """Ask it to end, and give its exit status."""
        self._process.send_signal(signal.SIGTERM)
        return self._process.wait(30)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.http.close()
        if self._process.poll() is None:
            self.stop()
        assert self._process.stdout is not None
        self.output.extend(self._process.stdout.readlines())
        self._process.stdout.close()


def borsa(command: str, environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    """Run another borsa command with the same settings."""
    return subprocess.run(
        [sys.executable, "-m", "borsa.cli", command],
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
