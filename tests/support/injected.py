"""Faults that strace injects into a real process: at its n-th write, flush, truncation or removal of a file."""

import os
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.support.running import until

WRITING = ("pwrite64", "fdatasync", "fsync", "ftruncate", "unlink")
"""The system calls by which data reaches the disk, and files go."""


def needed(tool: str) -> None:
    """Skip the test where a tool of the machine is missing; in CI that is a failure."""
    if shutil.which(tool):
        return
    message = f"no {tool}: apt-get install {tool}"
    if os.environ.get("CI"):
        pytest.fail(message)
    pytest.skip(message)


def _injecting(calls: str, fault: str) -> list[str]:
    needed("strace")
    return ["strace", "-f", "-qq", "-o", "/dev/null", "-e", f"trace={calls}", "-e", f"inject={calls}:{fault}"]


def under_fault(calls: str, fault: str) -> list[str]:
    """A command that runs another one, and becomes it: its system calls meet a fault, such as `signal=KILL:when=7`
    (a thread's seventh) or `error=EIO`."""
    return [*_injecting(calls, fault), "-D"]


@contextmanager
def fault_in(process_id: int, calls: str, fault: str) -> Iterator[None]:
    """While this lasts, the system calls of a running process meet a fault."""
    tracer = subprocess.Popen([*_injecting(calls, fault), "-p", str(process_id)])
    try:
        until(lambda: tracer.poll() is not None or _all_traced(process_id), "strace")
        assert tracer.poll() is None, "strace could not attach"
        yield
    finally:
        tracer.terminate()
        tracer.wait(30)


def _all_traced(process_id: int) -> bool:
    found = Path(f"/proc/{process_id}/task").glob("*/status")
    return not any("TracerPid:\t0\n" in status.read_text() for status in found)


def killed_at(call: str, nth: int) -> Sequence[str]:
    """A command that runs another one, and becomes it: the n-th such call of a thread is its last."""
    return under_fault(call, f"signal=KILL:when={nth}")
