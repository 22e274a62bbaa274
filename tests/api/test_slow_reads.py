"""Over PostgreSQL a slow read keeps waiting only its like, and nobody without end."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
import pytest

from borsa.runtime.store import Unreadable
from tests.support.postgres import Postgres
from tests.support.running import Person, Running, until

READS = 2
"""What a gateway reads at once of one service."""


@pytest.fixture
def running(tmp_path: Path, postgres_url: str) -> Iterator[Running]:
    with Running(
        tmp_path / "data",
        database_url=postgres_url,
        ask_seconds_max=1,
        reading_threads_max=READS,
        inbox_items_max=READS + 2,
    ) as running:
        yield running


@pytest.fixture
def ada(running: Running) -> Person:
    return running.person(USD="1000")


@contextmanager
def stands_still(url: str, table: str) -> Iterator[None]:
    """Whoever reads the table waits."""
    with psycopg.connect(url) as connection:
        connection.execute(f"LOCK TABLE {table} IN ACCESS EXCLUSIVE MODE".encode())
        yield


def reading(postgres: Postgres, service: str) -> Callable[[], int]:
    """How many connections wait for a lock to read a service's data."""
    text = "SELECT count(*) FROM pg_stat_activity WHERE application_name = %s AND wait_event_type = 'Lock'"
    return lambda: int(postgres.run(text, f"borsa {service} reader")[0][0])


def test_a_slow_read_of_one_service_keeps_no_other_waiting(
    running: Running, ada: Person, postgres: Postgres, postgres_url: str
) -> None:
    with ThreadPoolExecutor() as aside:
        with stands_still(postgres_url, "portfolios.portfolios"):
            slow = aside.submit(ada.call, "GET", "/api/portfolios")
            until(reading(postgres, "portfolios"), "the slow read")
            for path in ("/api/wallets", "/api/trades", "/api/orders", "/api/users/profile", "/healthz"):
                assert ada.call("GET", path).status_code == 200
            assert not slow.done()
        assert slow.result().status_code == 200


def test_who_reads_what_stands_still_is_refused_in_time_and_served_again_later(
    running: Running, ada: Person, postgres: Postgres, postgres_url: str
) -> None:
    with ThreadPoolExecutor() as aside, stands_still(postgres_url, "portfolios.portfolios"):
        # more than are read at once, and than may wait
        answers = [each.result() for each in [aside.submit(ada.call, "GET", "/api/portfolios") for _ in range(8)]]
        assert {(each.status_code, each.json()["code"]) for each in answers} == {(503, "overloaded")}
        assert reading(postgres, "portfolios")() == READS
    assert until(lambda: ada.call("GET", "/api/portfolios").status_code == 200)


class Unread:
    """Data that can't be read."""

    async def read(self, *_: Any) -> Any:
        raise Unreadable("it stands still")

    def close(self) -> None:
        """Nothing is open."""


def test_who_asked_before_it_could_not_be_read_is_not_told_that_nothing_was_done(
    exchange: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    ada = exchange.person(USD="1000")
    order = ada.post("/api/orders", {"symbol": "BTC-USD", "type": "buy", "quantity": "0.001", "price": "50000"})
    path = f"/api/orders/{order['orderId']}"
    with monkeypatch.context() as patched:
        patched.setitem(exchange.exchange.door._readings, "orders", Unread())  # type: ignore[arg-type]
        answers = [ada.call(method, path) for method in ("GET", "DELETE")]
    assert [(each.status_code, each.json()["code"]) for each in answers] == [(503, "overloaded"), (504, "no_answer")]
    until(lambda: ada.get(path)["status"] == "cancelled")
