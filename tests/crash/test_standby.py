"""Two exchanges on one PostgreSQL: one works, one waits. Whatever becomes of the first, the second goes on, alone."""

import os
import shutil
import signal
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import httpx
import psycopg
import pytest

from tests.crash.test_disk import Placing
from tests.support.postgres import PASSWORD, Postgres
from tests.support.process import Process, borsa
from tests.support.running import Person, until

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


@pytest.mark.parametrize("how", ["restart", "backend"])
def test_a_database_that_crashes_under_load_loses_nothing_that_was_acknowledged(
    how: str, processes: str, tmp_path: Path
) -> None:
    """Immediately stopped, or one of its own processes killed: it starts again, and so does the exchange."""
    with Postgres() as server, server.database() as url:
        options = {"database_url": url, "processes": processes}
        with Process(tmp_path / "data", **options) as process, ThreadPoolExecutor() as aside:
            placing = Placing(process.person(USD="1000000"))
            last = aside.submit(_until_it_ends, placing)
            until(lambda: len(placing.acknowledged) > 20, "orders")
            if how == "restart":
                server.restart()
            else:
                ((backend,),) = server.run(
                    "SELECT pid FROM pg_stat_activity WHERE application_name LIKE '%%orders writer'"
                )
                os.kill(backend, signal.SIGKILL)
            assert process.ended() == FAILED
            last.result()
        until(lambda: _is_up(server), "the database")
        with Process(tmp_path / "data", **options) as again:
            placing.person.running = again
            kept = {order["clientOrderId"]: order["orderId"] for order in _all_orders(placing.person)}
            assert placing.acknowledged.items() <= kept.items()
            # the one that was under way
            assert len(kept) <= len(placing.acknowledged) + 1
            assert placing.place().status_code == 201
            audit = borsa("verify", again.environment)
            assert audit.returncode == 0, audit.stdout + audit.stderr


def _until_it_ends(placing: Placing) -> None:
    with suppress(httpx.TransportError):
        placing.until_it_fails()


def _is_up(server: Postgres) -> bool:
    with suppress(psycopg.OperationalError):
        return bool(server.run("SELECT 1"))
    return False


def _all_orders(person: Person) -> list[dict[str, str]]:
    found, cursor = [], ""
    while True:
        page = person.get(f"/api/orders?limit=1000{cursor}")
        found += page["data"]
        if page["nextCursor"] is None:
            return found
        cursor = f"&cursor={page['nextCursor']}"
