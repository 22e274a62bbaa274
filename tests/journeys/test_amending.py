"""Amending: less keeps its place, more is held first and goes to the back, and a refusal leaves the order untouched."""

import pytest

from tests.api.stage import fields, problem
from tests.journeys.floor import Floor


def test_less_keeps_its_place_in_the_queue(floor: Floor) -> None:
    ann, bea, cat = floor.person(usd="1000"), floor.person(usd="1000"), floor.person(base="10")
    first = floor.place(ann, "buy", "2", "100")
    second = floor.place(bea, "buy", "2", "100")
    amended = floor.amend(ann, first, quantity="1")
    assert (amended.status_code, amended.json()["quantity"], amended.json()["version"] > first["version"]) == (
        200,
        "1",
        True,
    )
    floor.settled(ann, "1000.00", "0", held_usd="100.00")
    floor.place(cat, "sell", "1", "100")
    assert floor.becomes(ann, first, "filled")["filledQuantity"] == "1"
    assert floor.seen(bea, second) == ("open", "0", "2")
    floor.settled(ann, "900.00", "1")


@pytest.mark.parametrize("changes", [{"quantity": "3"}, {"price": "99"}])
def test_anything_else_goes_to_the_back(floor: Floor, changes: dict[str, str]) -> None:
    ann, bea, cat = floor.person(usd="1000"), floor.person(usd="1000"), floor.person(base="10")
    first = floor.place(ann, "buy", "2", "100")
    second = floor.place(bea, "buy", "2", changes.get("price", "100"))
    assert floor.amend(ann, first, **changes).status_code == 200
    floor.place(cat, "sell", "2", "99")
    floor.becomes(bea, second, "filled")
    assert floor.seen(ann, first)[1] == "0"


def test_more_is_held_before_the_engine_hears_of_it(floor: Floor) -> None:
    ann = floor.person(usd="1000")
    order = floor.place(ann, "buy", "2", "100")
    assert floor.amend(ann, order, quantity="5", price="110").status_code == 200
    floor.settled(ann, "1000.00", "0", held_usd="550.00")
    assert floor.amend(ann, order, quantity="1", price="90").status_code == 200
    floor.settled(ann, "1000.00", "0", held_usd="90.00")
    assert floor.cancel(ann, order).status_code == 200
    floor.settled(ann, "1000.00", "0")


def test_more_of_a_sale_holds_more_of_the_base(floor: Floor) -> None:
    ann = floor.person(base="10")
    order = floor.place(ann, "sell", "2", "100")
    assert floor.amend(ann, order, quantity="10").status_code == 200
    floor.settled(ann, "0.00", "10", held_base="10")
    assert problem(floor.amend(ann, order, quantity="10.000001"), 422)["code"] == "insufficient_funds"
    floor.settled(ann, "0.00", "10", held_base="10")


def test_a_refused_amendment_leaves_order_and_wallet_untouched(floor: Floor) -> None:
    ann, bea = floor.person(usd="1000"), floor.person(base="10")
    order = floor.place(ann, "buy", "2", "100")
    wallet = ann.wallet()
    for changes, code in (
        ({"quantity": "11"}, "insufficient_funds"),
        ({"price": "100.001"}, "off_tick"),
        ({"quantity": "0.0000001"}, "off_lot"),
        ({"quantity": "0"}, "invalid_request"),
        ({}, "invalid_request"),
    ):
        assert problem(floor.amend(ann, order, **changes), 422)["code"] == code
    assert problem(floor.amend(ann, order, quantity="1", version=order["version"] + 7), 409)["code"] == "stale_version"
    assert ann.get(f"/api/orders/{order['orderId']}") == order
    assert ann.wallet() == wallet
    floor.place(bea, "sell", "2", "100")
    floor.becomes(ann, order, "filled")
    floor.settled(ann, "800.00", "2")


def test_an_amendment_at_the_known_version_is_taken_once(floor: Floor) -> None:
    ann = floor.person(usd="1000")
    order = floor.place(ann, "buy", "2", "100")
    first = floor.amend(ann, order, quantity="3", version=order["version"])
    assert first.status_code == 200
    assert problem(floor.amend(ann, order, quantity="4", version=order["version"]), 409)["code"] == "stale_version"


def test_an_amended_price_that_crosses_trades_at_once(floor: Floor) -> None:
    ann, bea = floor.person(usd="1000"), floor.person(base="10")
    floor.place(bea, "sell", "1", "105")
    order = floor.place(ann, "buy", "2", "100")
    assert floor.amend(ann, order, price="106").status_code == 200
    floor.becomes(ann, order, "partially_filled")
    floor.settled(ann, "895.00", "1", held_usd="106.00")


def test_an_amendment_to_what_is_filled_already_ends_the_order(floor: Floor) -> None:
    ann, bea = floor.person(usd="1000"), floor.person(base="10")
    order = floor.place(ann, "buy", "3", "100")
    floor.place(bea, "sell", "1", "100")
    floor.becomes(ann, order, "partially_filled")
    amended = floor.amend(ann, order, quantity="1")
    assert (amended.status_code, amended.json()["status"]) == (200, "filled")
    floor.settled(ann, "900.00", "1")


def test_a_post_only_order_is_not_amended_across_the_spread_and_may_be_amended_again(floor: Floor) -> None:
    ann, bea = floor.person(usd="1000"), floor.person(base="10")
    floor.place(bea, "sell", "1", "105")
    order = floor.place(ann, "buy", "2", "100", postOnly=True)
    assert problem(floor.amend(ann, order, price="105"), 409)["code"] == "would_cross"
    floor.settled(ann, "1000.00", "0", held_usd="200.00")
    assert floor.seen(ann, order) == ("open", "0", "2")
    amended = floor.amend(ann, order, price="104")
    assert (amended.status_code, amended.json()["price"], amended.json()["reason"]) == (200, "104.00", None)
    floor.settled(ann, "1000.00", "0", held_usd="208.00")


@pytest.mark.parametrize(("ending", "code"), [("cancel", "order_closed"), ("fill", "order_filled")])
def test_an_order_that_ended_is_not_amended(floor: Floor, ending: str, code: str) -> None:
    ann, bea = floor.person(usd="1000"), floor.person(base="10")
    order = floor.place(ann, "buy", "1", "100")
    if ending == "cancel":
        floor.cancel(ann, order)
    else:
        floor.place(bea, "sell", "1", "100")
        floor.becomes(ann, order, "filled")
    assert problem(floor.amend(ann, order, quantity="2"), 409)["code"] == code


def test_an_amendment_in_a_market_that_is_not_open_says_so(floor: Floor) -> None:
    ann = floor.person(usd="1000")
    order = floor.place(ann, "buy", "1", "100")
    floor.admin.call("PUT", f"/api/markets/{floor.symbol}", {"state": "halted"})
    assert problem(floor.amend(ann, order, quantity="2"), 409)["code"] == "market_halted"
    floor.settled(ann, "1000.00", "0", held_usd="100.00")
    assert floor.seen(ann, order) == ("open", "0", "1")


def test_an_amended_price_stays_within_the_band_and_an_amended_quantity_where_it_is(floor: Floor) -> None:
    banded = Floor(floor.running, priceBand="0.1")
    ann, bea = banded.person(usd="1000"), banded.person(base="10")
    bid = banded.place(ann, "buy", "1", "80")
    banded.place(bea, "sell", "1", "100")
    banded.place(ann, "buy", "1", "100")
    # the bid was placed before there was a band, and may stay where it is
    assert banded.amend(ann, bid, quantity="2").status_code == 200
    for price in ("89.99", "110.01"):
        answer = banded.amend(ann, bid, price=price)
        assert (problem(answer, 422)["code"], fields(answer)) == ("price_band", ["price"])
    assert banded.amend(ann, bid, price="90").json()["price"] == "90.00"
    banded.settled(ann, "900.00", "1", held_usd="180.00")
