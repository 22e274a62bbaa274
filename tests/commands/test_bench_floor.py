"""borsa bench floor: the exchange's HTTP server with nothing behind it."""

import json
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from borsa.commands.bench_floor import floor_server
from tests.commands.test_bench import FIGURES, LOADS, borsa
from tests.support.running import Running

KEY = f"borsa_{uuid.uuid4()}_secret"
ORDER = {"symbol": "BENCH-USD", "type": "buy", "quantity": "0.0001", "price": "50000.10"}
PER_ORDER = {"orderId", "userId", "walletId", "createdAt", "updatedAt"}


@pytest.fixture(scope="module")
def floor() -> Iterator[httpx.Client]:
    """A client of the floor, with an API key."""
    with (
        floor_server([KEY]) as settings,
        httpx.Client(base_url=settings.address, headers={"authorization": f"Bearer {KEY}"}) as client,
    ):
        yield client


@pytest.mark.parametrize("load", LOADS)
@pytest.mark.parametrize(("connections", "batch"), [(4, 0), (4, 20), (1, 0)])
def test_a_second_of_orders_with_nothing_behind(tmp_path: Path, connections: int, batch: int, load: str) -> None:
    options = ("--seconds", "1", "--connections", str(connections), "--batch", str(batch), "--load", load)
    done = borsa("bench", "floor", *options, folder=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    said = json.loads(done.stdout.splitlines()[-1])
    assert said.keys() == FIGURES | {"floor"}
    assert (said["connections"], said["batch"], said["load"], said["errors"]) == (connections, batch, load, 0)
    assert said["floor"] is True
    assert said["orders"] > 0
    assert 0 < said["p50_ms"] <= said["p99_ms"]
    assert list(tmp_path.iterdir()) == []


def test_an_order_is_answered_as_the_exchange_does(floor: httpx.Client, shared_exchange: Running) -> None:
    body = ORDER | {"symbol": "BTC-USD"}
    there = shared_exchange.person(USD="100").call("POST", "/api/orders", body)
    here = floor.post("/api/orders", json=ORDER)
    assert here.status_code == there.status_code == 201
    assert here.headers.keys() == there.headers.keys()
    assert here.json().keys() == there.json().keys()
    assert lasting(here.json()) == lasting(there.json()) | {"symbol": "BENCH-USD", "product": "BENCH"}
    assert here.json()["status"] == "pending"


def lasting(order: Any) -> Any:
    """What two orders with the same terms have in common."""
    return {name: value for name, value in order.items() if name not in PER_ORDER}


def test_every_order_of_a_batch_has_an_answer(floor: httpx.Client) -> None:
    orders = [ORDER, ORDER | {"symbol": "BTC-USD"}, ORDER | {"price": "0.001"}]
    answer = floor.post("/api/orders/batch", json={"orders": orders})
    placed, unknown, off_grid = answer.json()["results"]
    assert placed["status"] == "pending"
    assert (unknown["code"], off_grid["code"]) == ("unknown_symbol", "off_tick")


@pytest.mark.parametrize(
    "credential",
    [f"{KEY}s", f"borsa_{uuid.uuid4()}_secret", "token"],
    ids=["another secret", "another key", "no key"],
)
def test_credentials_are_checked(floor: httpx.Client, credential: str) -> None:
    answer = floor.post("/api/orders", json=ORDER, headers={"authorization": f"Bearer {credential}"})
    assert answer.status_code == 401


def test_there_is_nothing_else(floor: httpx.Client) -> None:
    assert floor.delete("/api/orders/1").status_code == 404
