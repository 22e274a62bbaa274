"""The lock of a data folder: one exchange at a time, which does not end before everybody it forked has."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from borsa.runtime.databases import lock
from borsa.runtime.databases.lock import AlreadyRunning, locked


class NoTime:
    """No time to wait: the first pause is noted, and the clock is past every bound after it."""

    def __init__(self, then: object = None) -> None:
        self.paused = 0
        self._then = then

    def sleep(self, _: float) -> None:
        self.paused += 1
        if callable(self._then):
            self._then()

    def monotonic(self) -> float:
        return self.paused * (lock.DYING_SECONDS_MAX + 1.0) if not callable(self._then) else 0.0


@pytest.fixture
def ended_process() -> str:
    """The id of a process that is there no more."""
    with subprocess.Popen([sys.executable, "-c", ""]) as process:
        process.wait(30)
    return str(process.pid)


def test_it_names_its_holder_and_only_one_has_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    time = NoTime()
    monkeypatch.setattr(lock, "time", time)
    with locked(tmp_path / "data"):
        with pytest.raises(AlreadyRunning, match=f"in use by process {os.getpid()}$"):
            locked(tmp_path / "data")
        assert time.paused == 0, "whoever is alive is not waited for"
    locked(tmp_path / "data").close()


def test_a_folder_that_nobody_has_is_taken_whatever_is_written_there(tmp_path: Path, ended_process: str) -> None:
    for said in ("", "nonsense", ended_process, "1"):
        (tmp_path / "borsa.lock").write_text(said)
        locked(tmp_path).close()
        assert (tmp_path / "borsa.lock").read_text() == str(os.getpid())


def test_it_waits_for_those_that_a_killed_process_left(
    tmp_path: Path, ended_process: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    left = locked(tmp_path)
    (tmp_path / "borsa.lock").write_text(ended_process)
    time = NoTime(then=left.close)
    monkeypatch.setattr(lock, "time", time)
    locked(tmp_path).close()
    assert time.paused == 1
    assert (tmp_path / "borsa.lock").read_text() == str(os.getpid())


def test_a_holder_that_ended_and_was_not_asked_how_is_dead_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    left = locked(tmp_path)
    with subprocess.Popen([sys.executable, "-c", ""]) as process:
        os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)  # it has ended, and keeps its id
        (tmp_path / "borsa.lock").write_text(str(process.pid))
        time = NoTime(then=left.close)
        monkeypatch.setattr(lock, "time", time)
        locked(tmp_path).close()
    assert time.paused == 1


def test_it_does_not_wait_for_ever(tmp_path: Path, ended_process: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with locked(tmp_path):
        (tmp_path / "borsa.lock").write_text(ended_process)
        monkeypatch.setattr(lock, "time", NoTime())
        with pytest.raises(AlreadyRunning, match=f"in use by process {ended_process}"):
            locked(tmp_path)
