"""Two exchanges on one PostgreSQL: one works, one waits. Whatever becomes of the first, the second goes on, alone."""

import os
import shutil
import signal
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from tests.support.postgres import PASSWORD, Postgres
from tests.support.process import Process, borsa
from tests.support.running import Person

TAKEOVER_SECONDS_MAX = 5

FAILED = 70


@pytest.fixture(params=["1", "3"] if os.environ.get("BORSA_TEST_LONG") else ["3"])
def processes(request: pytest.FixtureRequest) -> str:
    """How many an exchange has."""
    return str(request.param)


class Pair:
    """An exchange at work, and one that waits for it to end; both have the same keys."""

    def __init__(self, folder: Path, postgres: Postgres, url: str, processes: str) -> None:
        self.options = {"database_url": url, "processes": processes}
        self.active = Process(folder / "active", **self.options)
        self.standby = Process(folder / "standby", **self.options)
        self._folder = folder
        self._postgres = postgres
        self._stack = ExitStack()
        self._aside = self._stack.enter_context(ThreadPoolExecutor())

    @contextmanager
    def at_work(self) -> Iterator[Person]:
        """Both are there, and somebody has traded with the first."""
        with self._stack:
            self._stack.enter_context(self.active)
            seller, buyer = self.active.person(BTC="2"), self.active.person(USD="100000")
            seller.order("sell", "1", "50000")
            assert buyer.order("buy", "1", "50000")["status"] == "filled"
            shutil.copytree(self._folder / "active", self._folder / "standby")
            self._starting = self._aside.submit(self.standby.__enter__)
            waiting = "SELECT 1 FROM pg_stat_activity WHERE application_name = 'borsa public turn'"
            # however long it takes to start, where the machine has much to do
            while not self._postgres.run(waiting):
                assert not self._starting.done(), self.standby.output
            yield buyer

    def taken_over(self, since: float) -> float:
        """Seconds until the second one is ready."""
        self._starting.result(60)
        took = time.monotonic() - since
        self._stack.push(self.standby)
        return took


@pytest.fixture
def pair(tmp_path: Path, postgres: Postgres, postgres_url: str, processes: str) -> Pair:
    return Pair(tmp_path, postgres, postgres_url, processes)


def goes_on(pair: Pair, buyer: Person) -> None:
    """What was acknowledged is there once, new orders trade, and the books are right."""
    buyer.running = pair.standby
    assert [order["status"] for order in buyer.get("/api/orders")["data"]] == ["filled"]
    assert buyer.wallet()["balance"]["BTC"] == "1"
    buyer.order("buy", "0.1", "50000")
    seller = pair.standby.person(BTC="2")
    assert seller.order("sell", "0.1", "50000")["status"] == "filled"
    audit = borsa("verify", pair.standby.environment)
    assert audit.returncode == 0, audit.stdout + audit.stderr
    for process in (pair.active, pair.standby):
        assert PASSWORD not in "".join(process.output)


def test_after_a_kill_the_standby_has_taken_over_within_five_seconds(pair: Pair) -> None:
    with pair.at_work() as buyer:
        killed_at = time.monotonic()
        pair.active.kill()
        took = pair.taken_over(killed_at)
        assert took < TAKEOVER_SECONDS_MAX
        goes_on(pair, buyer)


def test_after_a_stop_the_standby_need_not_wait(pair: Pair) -> None:
    with pair.at_work() as buyer:
        stopped_at = time.monotonic()
        assert pair.active.stop() == 0
        assert pair.taken_over(stopped_at) < TAKEOVER_SECONDS_MAX
        goes_on(pair, buyer)


def test_one_that_stood_still_for_too_long_can_not_write_any_more_and_says_who_can(pair: Pair) -> None:
    with pair.at_work() as buyer:
        parts = pair.active.parts.values()
        paused_at = time.monotonic()
        for part in parts:
            part.send(signal.SIGSTOP)
        pair.active.send(signal.SIGSTOP)
        assert pair.taken_over(paused_at) < 2 * TAKEOVER_SECONDS_MAX
        for part in parts:
            part.send(signal.SIGCONT)
        pair.active.send(signal.SIGCONT)
        assert pair.active.ended() == FAILED
        assert "StorageBroken" in "".join(pair.active.output)
        goes_on(pair, buyer)
