"""The specification's example: A buys 10 BTC at 50000, B sells 5, A cancels the rest."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.process import Process
from tests.support.running import Person, Reached, Running, until


@pytest.fixture(params=["in a thread", "1", "2", "3"], ids=lambda param: f"processes: {param}")
def exchange(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Reached]:
    """An exchange of its own for this test, in each number of processes."""
    folder = tmp_path / "data"
    with Running(folder) if request.param == "in a thread" else Process(folder, processes=request.param) as reached:
        yield reached


def events_of(admin: Person, source: str) -> list[dict[str, Any]]:
    return admin.get(f"/api/events?source={source}&limit=1000")["data"]


def kinds(person: Person) -> list[str]:
    return sorted(each["kind"] for each in person.get("/api/notifications")["data"])


def holding(person: Person, product: str) -> str | None:
    (default,) = person.get("/api/portfolios")["data"]
    return next((each["quantity"] for each in default["holdings"] if each["product"] == product), None)


def test_the_example_of_the_specification_comes_out_exactly(exchange: Reached) -> None:
    admin = exchange.admin()
    a = exchange.person("alice", USD="1000000")
    b = exchange.person("bob", BTC="20")

    bought = a.post("/api/orders", {"type": "buy", "symbol": "BTC", "quantity": 10, "price": 50000})
    assert (bought["status"], bought["symbol"], bought["product"]) == ("pending", "BTC-USD", "BTC")
    assert a.wallet()["held"]["USD"] == "500000.00"

    sold = b.post(
        "/api/orders", {"type": "sell", "symbol": "BTC", "quantity": 5, "price": 50000}, 201, {"prefer": "wait=10"}
    )
    assert sold["status"] == "filled"
    until(lambda: len(kinds(a)) >= 6 and len(kinds(b)) >= 6, "the notifications")

    wallet = a.wallet()
    assert wallet["balance"] == {"USD": "750000.00", "BTC": "5"}
    assert wallet["held"] == {"USD": "250000.00", "BTC": "0"}
    assert wallet["available"] == {"USD": "500000.00", "BTC": "5"}
    assert b.wallet()["balance"] == {"USD": "250000.00", "BTC": "15"}
    assert b.wallet()["held"] == {"USD": "0.00", "BTC": "0"}

    order = a.get(f"/api/orders/{bought['orderId']}")
    assert (order["status"], order["filledQuantity"], order["remainingQuantity"]) == ("partially_filled", "5", "5")
    assert b.get(f"/api/orders/{sold['orderId']}")["status"] == "filled"

    (trade,) = a.get("/api/trades")["data"]
    assert (trade["quantity"], trade["price"], trade["role"], trade["takerSide"]) == ("5", "50000.00", "maker", "sell")
    assert [each["tradeId"] for each in b.get("/api/trades")["data"]] == [trade["tradeId"]]

    assert (holding(a, "BTC"), holding(b, "BTC")) == ("5", "15")

    executed = [each for each in events_of(admin, "trades") if each["type"] == "TradeExecuted"]
    assert [each["data"]["tradeId"] for each in executed] == [trade["tradeId"]]
    updated = [each["data"] for each in events_of(admin, "orders") if each["type"] == "OrderUpdated"]
    assert {(each["userId"], each["status"]) for each in updated} >= {
        (a.user_id, "partially_filled"),
        (b.user_id, "filled"),
    }
    settled = [each["data"] for each in events_of(admin, "wallets") if each["data"]["cause"]["kind"] == "trade"]
    assert {each["userId"] for each in settled} == {a.user_id, b.user_id}
    moved = [each["data"] for each in events_of(admin, "portfolios") if each["data"]["change"] == "holding"]
    assert {(each["userId"], each["quantity"]) for each in moved} >= {(a.user_id, "5"), (b.user_id, "15")}

    cancelled = a.call("DELETE", f"/api/orders/{bought['orderId']}", headers={"prefer": "wait=10"})
    assert cancelled.status_code == 200
    assert cancelled.json()["status"] == "cancelled"
    until(lambda: a.wallet()["held"]["USD"] == "0.00", "the release")
    assert a.wallet()["available"] == {"USD": "750000.00", "BTC": "5"}
    (ended,) = [each["data"] for each in events_of(admin, "orders") if each["type"] == "OrderCancelled"]
    assert (ended["orderId"], ended["userId"], ended["remainingQuantity"]) == (bought["orderId"], a.user_id, "5")
    assert a.call("DELETE", f"/api/orders/{bought['orderId']}").json() == cancelled.json()
