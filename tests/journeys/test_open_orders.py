"""How many orders a user may have open in one market."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.api.stage import problem
from tests.journeys.floor import Floor
from tests.support.running import Person, Running, until


@pytest.fixture(scope="module")
def strict(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """An exchange where three are enough."""
    with Running(tmp_path_factory.mktemp("strict") / "data", open_orders_max=3) as running:
        yield running


@pytest.fixture
def floor(strict: Running) -> Floor:
    return Floor(strict)


def bids(floor: Floor, person: Person, count: int) -> list[Any]:
    return [floor.place(person, "buy", "1", str(50 + at)) for at in range(count)]


def is_full(floor: Floor, person: Person) -> bool:
    answer = floor.refused(person, "buy", "1", "10")
    if answer.status_code == 201:
        return False
    assert problem(answer, 422)["code"] == "too_many_open_orders"
    return True


def test_a_user_has_so_many_orders_open_in_a_market_and_no_more(floor: Floor) -> None:
    ann, bea = floor.person(usd="1000"), floor.person(usd="1000", base="10")
    bids(floor, ann, 3)
    assert is_full(floor, ann)
    floor.settled(ann, "1000.00", "0", held_usd="153.00")
    # neither in another market, nor of somebody else
    other = Floor(floor.running)
    assert other.place(ann, "buy", "1", "10")["status"] == "open"
    assert not is_full(floor, bea)


def test_whoever_waits_for_a_stop_price_counts_too(floor: Floor) -> None:
    ann = floor.person(usd="1000", base="10")
    bids(floor, ann, 1)
    floor.place(ann, "sell", "1", orderType="stop", stopPrice="40")
    floor.place(ann, "sell", "1", "39", orderType="stop_limit", stopPrice="40")
    assert is_full(floor, ann)


def test_an_order_that_ends_makes_room_for_another(floor: Floor) -> None:
    ann, bea = floor.person(usd="1000"), floor.person(base="10")
    first, _, best = bids(floor, ann, 3)
    assert is_full(floor, ann)
    floor.cancel(ann, first)
    assert floor.place(ann, "buy", "1", "50")["status"] == "open"
    assert is_full(floor, ann)
    floor.place(bea, "sell", "1", "52")
    until(lambda: ann.get(f"/api/orders/{best['orderId']}")["reason"], "the engine's last word on it")
    assert not is_full(floor, ann)


def test_a_refused_order_takes_no_room(floor: Floor) -> None:
    ann = floor.person(usd="100")
    for _ in range(4):
        assert problem(floor.refused(ann, "buy", "10", "50"), 422)["code"] == "insufficient_funds"
    bids(floor, ann, 1)
    assert not is_full(floor, ann)


def test_a_batch_opens_no_more_either(floor: Floor) -> None:
    """Each waits for its hold while the next is admitted: those that wait count."""
    ann = floor.person(usd="1000")
    orders = [{"symbol": floor.symbol, "type": "buy", "quantity": "1", "price": str(1 + at)} for at in range(20)]
    results = ann.post("/api/orders/batch", {"orders": orders}, 200)["results"]
    assert [each.get("code") for each in results] == [None] * 3 + ["too_many_open_orders"] * 17
    assert is_full(floor, ann)
    ann.call("DELETE", "/api/orders", headers={"prefer": "wait=10"})
    floor.settled(ann, "1000.00", "0")
    bids(floor, ann, 3)
    assert is_full(floor, ann)


def test_open_orders_still_count_after_a_restart(tmp_path: Path) -> None:
    with Running(tmp_path, open_orders_max=2) as running:
        floor = Floor(running)
        ann = floor.person(usd="1000")
        bids(floor, ann, 2)
    with Running(tmp_path, open_orders_max=2) as running:
        ann.running = floor.running = running
        assert is_full(floor, ann)
        ann.call("DELETE", "/api/orders", headers={"prefer": "wait=10"})
        assert not is_full(floor, ann)
