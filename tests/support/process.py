"""A real `borsa up` in a process of its own: it can be killed at any moment and started again on the same folder."""

import contextlib
import json
import os
import re
import select
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import httpx

from tests.support.running import ADMIN_PASSWORD, PATIENCE_SECONDS, Reached

_READY = re.compile(r"ready at (http://\S+)")


class EndedEarly(AssertionError):
    """It ended before it was ready; the message is what it said."""


class Part:
    """A process that a `borsa up` forked. Known by a descriptor: its id may be somebody else's once it has ended."""

    def __init__(self, process_id: int) -> None:
        self._descriptor = os.pidfd_open(process_id)

    def send(self, number: signal.Signals) -> None:
        """Send it a signal."""
        signal.pidfd_send_signal(self._descriptor, number)

    def ends_within(self, seconds: float) -> bool:
        """Has it ended, or does it end so soon?"""
        return bool(select.select([self._descriptor], [], [], seconds)[0])

    def close(self) -> None:
        """See to it that nothing is left of it."""
        if not self.ends_within(0):
            self.send(signal.SIGKILL)
        os.close(self._descriptor)


class Process(Reached):
    """Starts on entry; `kill` is kill -9, `stop` is SIGTERM. `parts` are the processes behind the door, by name.

    `under` is a command that runs it and becomes it, such as `faketime` or `strace -D`.
    """

    def __init__(self, folder: Path, under: Sequence[str] = (), **options: str) -> None:
        given = {f"BORSA_{name.upper()}": value for name, value in options.items()}
        clean = {name: value for name, value in os.environ.items() if not name.startswith("BORSA_")}
        own = {"BORSA_DATA": str(folder), "BORSA_PORT": "0", "BORSA_ADMIN_PASSWORD": ADMIN_PASSWORD}
        own["BORSA_DEMO"] = "0"
        self.environment = clean | own | given
        self.output: list[str] = []
        self._under = under

    def __enter__(self) -> Self:
        self._process = subprocess.Popen(
            [*self._under, sys.executable, "-m", "borsa.cli", "up"],
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self.url = self._wait_until_ready()
        # taken as it comes: a full pipe would hold up who writes into it
        self._listener = threading.Thread(target=self._listen, daemon=True)
        self._listener.start()
        self.http = httpx.Client(base_url=self.url, timeout=30)
        self.parts = self._parts()
        return self

    def _parts(self) -> dict[str, Part]:
        found = {}
        # in the order in which they were forked
        for name, process_id in zip(("services", "followers"), self.children(), strict=False):
            # one that was to be killed may have ended since it was listed
            with contextlib.suppress(ProcessLookupError):
                found[name] = Part(process_id)
        return found

    def children(self) -> list[int]:
        """The ids of the processes that it forked."""
        return [int(each) for each in Path(f"/proc/{self.pid}/task/{self.pid}/children").read_text().split()]

    def _wait_until_ready(self) -> str:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            self.output.append(line)
            if found := _READY.search(line):
                return found[1]
        self._process.stdout.close()
        self.status = self._process.wait(30)
        raise EndedEarly("".join(self.output))

    def _listen(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            self.output.append(line)

    @property
    def pid(self) -> int:
        """The process id."""
        return self._process.pid

    def kill(self) -> None:
        """End it at once, as a crash would."""
        self._process.kill()
        self._process.wait(30)

    @property
    def address(self) -> tuple[str, int]:
        """Host and port."""
        host, port = self.url.removeprefix("http://").split(":")
        return host, int(port)

    def send(self, number: signal.Signals) -> None:
        """Send a signal to the door."""
        self._process.send_signal(number)

    def stop(self, number: signal.Signals = signal.SIGTERM) -> int:
        """Ask it to end, and give its exit status."""
        self.send(number)
        return self._process.wait(30)

    def ended(self) -> int:
        """The exit status of a process that is about to end by itself."""
        return self._process.wait(PATIENCE_SECONDS)

    def again(self) -> int:
        """One that is about to end: begin it once more, as a service manager does, until it is ready. With what it had
        ended."""
        status = self.ended()
        self.__exit__(None, None, None)
        while True:
            try:
                self.__enter__()
                return status
            except EndedEarly as early:
                if "can't be reached" not in str(early):
                    raise

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.http.close()
        if self._process.poll() is None:
            for part in self.parts.values():
                with contextlib.suppress(ProcessLookupError):
                    part.send(signal.SIGCONT)
            self.stop()
        left = [name for name, part in self.parts.items() if not part.ends_within(PATIENCE_SECONDS)]
        for part in self.parts.values():
            part.close()
        self.parts = {}
        self._listener.join(PATIENCE_SECONDS)
        assert self._process.stdout is not None
        self._process.stdout.close()
        assert not left, f"{left} outlived the door"


def raw_request(method: str, path: str, headers: Mapping[str, str], body: Any) -> bytes:
    """A request as it is sent: for those who do not wait for the answer, or never take it."""
    data = json.dumps(body, separators=(",", ":")).encode()  # as httpx writes it
    head = {"host": "borsa", "content-type": "application/json", "content-length": str(len(data))} | dict(headers)
    lines = [f"{method} {path} HTTP/1.1", *(f"{name}: {value}" for name, value in head.items()), "", ""]
    return "\r\n".join(lines).encode() + data


def borsa(command: str, environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    """Run another borsa command with the same settings: borsa("backup FOLDER", ...)."""
    return subprocess.run(
        [sys.executable, "-m", "borsa.cli", *command.split()],
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
