"""The real process is killed at its n-th write, flush, truncation and removal, wherever in its life that is.

A few points of each in the test command. With BORSA_TEST_LONG=1 (`make crash`) it is every one of them, with a greater
number every so many.
"""

import itertools
import os
import time
from collections.abc import Iterable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from borsa.commands import verify
from tests.crash.session import Session, ended
from tests.support.injected import WRITING, fault_in, killed_at
from tests.support.process import EndedEarly, Process
from tests.support.running import Running, until

EVERY = int(os.environ.get("BORSA_TEST_LONG") or 0)
"""Of how many calls one is tried; 0 is the sample."""

READY_SECONDS_MAX = 15
"""Promised are five. Others may work on this machine at the same time; who waits for what never comes takes longer."""

SAMPLE = {
    ("1", "pwrite64"): (3, 150, 255, 330, 420, 540, 660, 750),
    ("1", "fdatasync"): (2, 60, 75, 90),
    ("1", "fsync"): (1, 2),
    ("1", "ftruncate"): (2,),
    ("1", "unlink"): (3,),
    ("3", "pwrite64"): (300, 450),
    ("3", "fdatasync"): (70,),
}
"""By processes and call, from the first start of an empty folder on: migrations come first, then the start itself, then
the session."""

SAMPLE_OF_STOP = {"pwrite64": (1, 40), "fdatasync": (2,), "ftruncate": (1,), "unlink": (1, 8)}

SAMPLE_OF_FOLLOWERS = {"pwrite64": (1, 60), "fdatasync": (8,)}
"""From when they are ready. Of three processes the services write most, and mostly meet their n-th call first."""

CASES = [(processes, call) for processes in ("1", "3") for call in WRITING] if EVERY else list(SAMPLE)

pytestmark = pytest.mark.xdist_group("sweep")


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """What everybody has after a session without a crash."""
    session = Session()
    with Running(tmp_path_factory.mktemp("undisturbed") / "data") as running:
        session.go_on(running)
        until(lambda: session.state(running)["alice"]["told"], "the followers")
        running.exchange._worker.stop()  # everything that waits is done now
        return session.state(running)


def nth_of(sample: Iterable[int]) -> Iterable[int]:
    """Which calls are the last: some, or every one until none is left."""
    return itertools.count(1, EVERY) if EVERY else sample


def is_whole_again(folder: Path, session: Session, undisturbed: Any, capsys: pytest.CaptureFixture[str]) -> None:
    """The next start is ready soon, has all that was answered, and comes to the same end as without a crash."""
    before = time.monotonic()
    with Running(folder, unconfirmed_hold_seconds=1) as again:
        assert time.monotonic() - before < READY_SECONDS_MAX
        session.go_on(again)
        session.repeats(again)
        until(lambda: session.state(again) == undisturbed, "the same end")
    # only now: two copies of SQLite in one process would take each other's locks away
    capsys.readouterr()
    assert verify.run(again.settings) == verify.RIGHT, capsys.readouterr().out


def is_killed(folder: Path, session: Session, call: str, nth: int, processes: str) -> bool:
    """Run the session and stop: was it killed on the way?"""
    try:
        with Process(folder, killed_at(call, nth), processes=processes) as process:
            return ended(session, process) or process.stop() != 0
    except EndedEarly:
        return True


@pytest.mark.timeout(0 if EVERY else 120)
@pytest.mark.parametrize(("processes", "call"), CASES)
def test_a_kill_at_any_write_loses_nothing_and_leaves_nothing_half_done(
    processes: str, call: str, undisturbed: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for nth in nth_of(SAMPLE.get((processes, call), ())):
        folder, session = tmp_path / str(nth), Session()
        killed = is_killed(folder, session, call, nth, processes)
        is_whole_again(folder, session, undisturbed, capsys)
        if not killed:
            assert EVERY, f"there is no {call} number {nth}"
            break


@pytest.mark.timeout(0 if EVERY else 120)
@pytest.mark.parametrize("call", SAMPLE_OF_STOP)
def test_a_kill_at_any_write_of_a_stop_loses_nothing(
    call: str, undisturbed: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for nth in nth_of(SAMPLE_OF_STOP[call]):
        folder, session = tmp_path / str(nth), Session()
        with Process(folder, processes="1") as process, ExitStack() as stack:
            session.go_on(process)
            stack.enter_context(fault_in(process.pid, call, f"signal=KILL:when={nth}"))
            killed = process.stop() != 0
        is_whole_again(folder, session, undisturbed, capsys)
        if not killed:
            assert EVERY, f"a stop has no {call} number {nth}"
            break


@pytest.mark.timeout(0 if EVERY else 120)
@pytest.mark.parametrize("call", SAMPLE_OF_FOLLOWERS)
def test_a_kill_at_any_write_of_the_followers_loses_nothing(
    call: str, undisturbed: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for nth in nth_of(SAMPLE_OF_FOLLOWERS[call]):
        folder, session = tmp_path / str(nth), Session()
        with Process(folder, processes="3") as process, ExitStack() as stack:
            _, followers = process.children()
            stack.enter_context(fault_in(followers, call, f"signal=KILL:when={nth}"))
            killed = ended(session, process) or process.stop() != 0
        is_whole_again(folder, session, undisturbed, capsys)
        if not killed:
            assert EVERY, f"followers have no {call} number {nth}"
            break
