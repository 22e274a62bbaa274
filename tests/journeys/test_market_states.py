"""Market states: open, cancel only, halted."""

import pytest

from tests.api.stage import problem
from tests.journeys.floor import Floor


@pytest.mark.parametrize("state", ["cancel_only", "halted"])
def test_a_market_that_is_not_open_takes_no_orders_and_lets_everybody_out(floor: Floor, state: str) -> None:
    ann, bea = floor.person(usd="1000"), floor.person(base="10")
    bid = floor.place(ann, "buy", "1", "100")
    stop = floor.place(ann, "buy", "1", "120", orderType="stop_limit", stopPrice="110")
    changed = floor.admin.call("PUT", f"/api/markets/{floor.symbol}", {"state": state})
    assert changed.json()["state"] == state
    assert floor.running.http.get(f"/api/markets/{floor.symbol}").json()["state"] == state
    for more in (
        {"price": "100"},
        {"orderType": "market"},
        {"price": "100", "postOnly": True},
        {"orderType": "stop", "stopPrice": "90"},
        {"orderType": "stop_limit", "price": "90", "stopPrice": "90"},
    ):
        assert problem(floor.refused(bea, "sell", "1", **more), 409)["code"] == "market_halted"
    floor.settled(bea, "0.00", "10")
    assert floor.seen(ann, bid)[0] == "open"
    for order in (bid, stop):
        assert floor.cancel(ann, order).json()["status"] == "cancelled"
    floor.settled(ann, "1000.00", "0")


def test_a_market_that_opens_again_goes_on_with_its_book(floor: Floor) -> None:
    ann, bea = floor.person(usd="1000"), floor.person(base="10")
    floor.place(ann, "buy", "1", "100")
    floor.admin.call("PUT", f"/api/markets/{floor.symbol}", {"state": "halted"})
    floor.admin.call("PUT", f"/api/markets/{floor.symbol}", {"state": "open"})
    assert floor.book()[0] == [["100.00", "1"]]
    assert floor.place(bea, "sell", "1", "100")["status"] == "filled"
    floor.settled(ann, "900.00", "1")


def test_an_unknown_state_or_market_is_refused(floor: Floor) -> None:
    answer = floor.admin.call("PUT", f"/api/markets/{floor.symbol}", {"state": "closed"})
    assert problem(answer, 422)["errors"][0]["field"] == "state"
    assert problem(floor.admin.call("PUT", "/api/markets/NO-SUCH", {"state": "open"}), 404)["code"] == "unknown_symbol"


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"tickSize": "0.00000001"}, "invalid_market"),
        ({"symbol": "A-B"}, "invalid_market"),
        ({"quote": "EUR"}, "invalid_market"),
        ({"makerFee": "1"}, "invalid_market"),
        ({"base": "btc"}, "invalid_request"),
    ],
)
def test_a_market_that_could_not_trade_exactly_is_not_admitted(floor: Floor, change: dict[str, str], code: str) -> None:
    body = {"symbol": "XYZ-USD", "base": "XYZ", "quote": "USD", "tickSize": "0.01", "lotSize": "0.000001"} | change
    assert problem(floor.admin.call("POST", "/api/markets", body), 422)["code"] == code


def test_a_market_is_admitted_once(floor: Floor) -> None:
    body = {"symbol": floor.symbol, "base": floor.base, "quote": "USD", "tickSize": "0.05", "lotSize": "1"}
    assert problem(floor.admin.call("POST", "/api/markets", body), 409)["code"] == "market_exists"
    assert floor.admin.get(f"/api/markets/{floor.symbol}")["tickSize"] == "0.01"
