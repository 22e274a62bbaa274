"""Kinds of orders: market by quantity and by budget, immediate or cancel, fill or kill, post-only, stops."""

import pytest

from tests.api.stage import fields, problem
from tests.journeys.floor import Floor
from tests.support.running import until


def test_a_market_buy_by_quantity_takes_the_best_prices_first(floor: Floor) -> None:
    ann, bea = floor.person(usd="1000"), floor.person(base="10")
    floor.place(bea, "sell", "1", "110")
    floor.place(bea, "sell", "1", "100")
    order = floor.place(ann, "buy", "1.5", orderType="market")
    assert (order["status"], order["filledQuantity"], order["price"]) == ("filled", "1.5", None)
    assert order["averagePrice"].startswith("103.33")
    floor.settled(ann, "845.00", "1.5")
    floor.settled(bea, "155.00", "8.5", held_base="0.5")


def test_a_market_buy_by_budget_spends_no_more_and_gives_the_rest_back(floor: Floor) -> None:
    ann, bea = floor.person(usd="1000"), floor.person(base="10")
    floor.place(bea, "sell", "1", "100")
    floor.place(bea, "sell", "1", "110")
    order = floor.place(ann, "buy", None, orderType="market", quoteQuantity="155")
    assert (order["quantity"], order["quoteQuantity"], order["filledQuantity"]) == (None, "155.00", "1.5")
    floor.settled(ann, "845.00", "1.5")

    rest = floor.place(ann, "buy", None, orderType="market", quoteQuantity="10.00005")
    # 10.00005 / 110 is 0.090909545: whole lots are 0.090909, for 9.99999
    assert rest["filledQuantity"] == "0.090909"
    floor.settled(ann, "835.00001", "1.590909")


def test_a_market_buy_spends_no_more_than_there_is(floor: Floor) -> None:
    ann, bea = floor.person(usd="150"), floor.person(base="10")
    floor.place(bea, "sell", "10", "100")
    order = floor.place(ann, "buy", "5", orderType="market")
    assert (order["status"], order["filledQuantity"]) == ("expired", "1.5")
    floor.settled(ann, "0.00", "1.5")


@pytest.mark.parametrize("side", ["buy", "sell"])
def test_a_market_order_into_an_empty_book_expires_and_holds_nothing(floor: Floor, side: str) -> None:
    ann = floor.person(usd="1000", base="10")
    order = floor.place(ann, side, "1", orderType="market")
    assert (order["status"], order["reason"]) == ("expired", "no_liquidity")
    floor.settled(ann, "1000.00", "10")


def test_a_market_sale_takes_the_best_bids(floor: Floor) -> None:
    ann, bea = floor.person(usd="1000"), floor.person(base="10")
    floor.place(ann, "buy", "1", "90")
    floor.place(ann, "buy", "1", "100")
    order = floor.place(bea, "sell", "3", orderType="market")
    assert (order["status"], order["filledQuantity"], order["remainingQuantity"]) == ("expired", "2", "1")
    floor.settled(bea, "190.00", "8")


def test_immediate_or_cancel_takes_what_is_there_and_ends(floor: Floor) -> None:
    ann, bea = floor.person(usd="1000"), floor.person(base="10")
    floor.place(bea, "sell", "1", "100")
    order = floor.place(ann, "buy", "3", "101", timeInForce="ioc")
    assert (order["status"], order["reason"], order["filledQuantity"]) == ("expired", "expired_ioc", "1")
    floor.settled(ann, "900.00", "1")
    assert floor.book() == ([], [])


def test_fill_or_kill_is_all_or_nothing(floor: Floor) -> None:
    ann, bea = floor.person(usd="1000"), floor.person(base="10")
    ask = floor.place(bea, "sell", "2", "100")
    order = floor.place(ann, "buy", "3", "100", timeInForce="fok")
    assert (order["status"], order["reason"], order["filledQuantity"]) == ("expired", "expired_fok", "0")
    floor.settled(ann, "1000.00", "0")
    assert floor.seen(bea, ask) == ("open", "0", "2")
    assert floor.place(ann, "buy", "2", "100", timeInForce="fok")["status"] == "filled"
    floor.settled(ann, "800.00", "2")


def test_a_post_only_order_that_would_cross_is_accepted_and_then_rejected(floor: Floor) -> None:
    ann, bea = floor.person(usd="1000"), floor.person(base="10")
    ask = floor.place(bea, "sell", "1", "100")
    order = floor.place(ann, "buy", "1", "100", postOnly=True)
    assert (order["status"], order["reason"], order["filledQuantity"]) == ("rejected", "would_cross", "0")
    floor.settled(ann, "1000.00", "0")
    assert floor.seen(bea, ask)[0] == "open"
    assert floor.place(ann, "buy", "1", "99.99", postOnly=True)["status"] == "open"


def test_a_buy_below_its_limit_pays_the_makers_price_and_gets_the_rest_back_at_once(floor: Floor) -> None:
    ann, bea = floor.person(usd="1000"), floor.person(base="10")
    floor.place(bea, "sell", "1", "90")
    order = floor.place(ann, "buy", "2", "100")
    assert (order["status"], order["averagePrice"]) == ("partially_filled", "90.00")
    floor.settled(ann, "910.00", "1", held_usd="100.00")


def test_the_older_of_two_equal_prices_is_served_first(floor: Floor) -> None:
    ann, bea, cat = floor.person(usd="1000"), floor.person(usd="1000"), floor.person(base="10")
    older, younger = floor.place(ann, "buy", "1", "100"), floor.place(bea, "buy", "1", "100")
    better = floor.place(bea, "buy", "1", "100.01")
    floor.place(cat, "sell", "2", "100")
    floor.becomes(bea, better, "filled")
    floor.becomes(ann, older, "filled")
    assert floor.seen(bea, younger)[0] == "open"


def test_a_stop_buy_waits_for_its_price_and_then_takes_the_market(floor: Floor) -> None:
    ann, bea, cat = floor.person(usd="1000"), floor.person(base="10"), floor.person(usd="1000")
    floor.place(bea, "sell", "1", "110")
    floor.place(bea, "sell", "1", "111")
    stop = floor.place(ann, "buy", "1", orderType="stop", stopPrice="110")
    assert (stop["status"], stop["stopPrice"]) == ("open", "110.00")
    assert floor.book()[0] == []
    floor.place(cat, "buy", "1", "110")
    found = floor.becomes(ann, stop, "filled")
    assert found["averagePrice"] == "111.00"
    floor.settled(ann, "889.00", "1")


def test_a_stop_limit_sale_rests_at_its_limit_once_it_is_triggered(floor: Floor) -> None:
    ann, bea, cat = floor.person(base="5"), floor.person(usd="1000"), floor.person(base="5")
    stop = floor.place(ann, "sell", "2", "95", orderType="stop_limit", stopPrice="96")
    floor.settled(ann, "0.00", "5", held_base="2")
    floor.place(bea, "buy", "1", "96")
    floor.place(cat, "sell", "1", "96")
    floor.becomes(ann, stop, "open")
    bids, asks = floor.book()
    assert (bids, asks) == ([], [["95.00", "2"]])
    floor.place(bea, "buy", "2", "95")
    floor.becomes(ann, stop, "filled")
    floor.settled(ann, "190.00", "3")


@pytest.mark.parametrize(
    ("side", "more", "held"),
    [
        ("buy", {"quantity": "2", "price": "120", "orderType": "stop_limit"}, {"held_usd": "240.00"}),
        ("sell", {"quantity": "2", "price": "80", "orderType": "stop_limit"}, {"held_base": "2"}),
        ("buy", {"quoteQuantity": "250.50", "orderType": "stop"}, {"held_usd": "250.50"}),
        ("sell", {"quantity": "2", "orderType": "stop"}, {"held_base": "2"}),
        # without a band nothing bounds what it may cost: everything is its budget
        ("buy", {"quantity": "2", "orderType": "stop"}, {"held_usd": "1000.00"}),
    ],
)
def test_a_stop_holds_from_its_placing_on_what_it_needs_when_it_fires(
    floor: Floor, side: str, more: dict[str, str], held: dict[str, str]
) -> None:
    ann = floor.person(usd="1000", base="10")
    stop = floor.place(ann, side, stopPrice="100", **({"quantity": None} | more))
    assert stop["status"] == "open"
    floor.settled(ann, "1000.00", "10", **held)
    floor.cancel(ann, stop)
    floor.settled(ann, "1000.00", "10")


@pytest.mark.parametrize(
    ("side", "more"),
    [
        ("buy", {"price": "120", "orderType": "stop_limit"}),
        ("sell", {"price": "80", "orderType": "stop_limit"}),
        ("sell", {"orderType": "stop"}),
    ],
)
def test_a_stop_that_could_not_be_paid_for_is_refused_when_it_is_placed(
    floor: Floor, side: str, more: dict[str, str]
) -> None:
    ann = floor.person(usd="239.99", base="1.999999")
    answer = floor.refused(ann, side, "2", stopPrice="100", **more)
    assert problem(answer, 422)["code"] == "insufficient_funds"
    floor.settled(ann, "239.99", "1.999999")


def test_a_stop_buy_by_budget_spends_its_budget_once_it_fires(floor: Floor) -> None:
    ann, bea, cat = floor.person(usd="1000"), floor.person(base="10"), floor.person(usd="1000")
    floor.place(bea, "sell", "1", "100")
    floor.place(bea, "sell", "5", "125")
    stop = floor.place(ann, "buy", None, orderType="stop", stopPrice="100", quoteQuantity="250")
    floor.place(cat, "buy", "1", "100")
    assert floor.becomes(ann, stop, "filled")["filledQuantity"] == "2"
    floor.settled(ann, "750.00", "2")


def test_every_price_of_a_sweep_can_fire_a_stop(floor: Floor) -> None:
    ann, bea, cat = floor.person(usd="1000", base="5"), floor.person(usd="1000"), floor.person(base="5")
    for price in ("110", "100", "90"):
        floor.place(bea, "buy", "1", price)
    floor.place(ann, "buy", "1", "95", orderType="stop_limit", stopPrice="110")
    floor.place(cat, "sell", "2", orderType="market")
    # the sweep traded at 110 on its way to 100, and the stop rests at its limit
    until(lambda: floor.book()[0] == [["95.00", "1"], ["90.00", "1"]], "the stop on the book")


def test_a_stop_that_waits_can_be_cancelled(floor: Floor) -> None:
    ann = floor.person(usd="1000", base="1")
    for order in (
        floor.place(ann, "buy", "1", "120", orderType="stop_limit", stopPrice="110"),
        floor.place(ann, "sell", "1", orderType="stop", stopPrice="90"),
    ):
        assert floor.cancel(ann, order).json()["status"] == "cancelled"
    floor.settled(ann, "1000.00", "1")


def test_the_grid_the_minimum_and_the_band_are_kept(floor: Floor) -> None:
    narrow = Floor(floor.running, minNotional="10", priceBand="0.1")
    ann, bea = narrow.person(usd="100000"), narrow.person(base="100")
    for order, code, field in (
        (("buy", "1", "100.001"), "off_tick", "price"),
        (("buy", "0.0000001", "100"), "off_lot", "quantity"),
        (("buy", "0.09", "100"), "below_min_notional", "quantity"),
    ):
        answer = narrow.refused(ann, *order)
        assert (problem(answer, 422)["code"], fields(answer)) == (code, [field])
    # no band before the first trade
    assert narrow.place(ann, "buy", "0.001", "100000")["status"] == "open"
    ann.call("DELETE", "/api/orders", headers={"prefer": "wait=10"})
    narrow.place(ann, "buy", "1", "100")
    narrow.place(bea, "sell", "1", "100")
    for price, fine in (("110", True), ("110.01", False), ("90", True), ("89.99", False)):
        answer = narrow.refused(ann, "buy", "1", price)
        assert (answer.status_code == 201) == fine, answer.text
        if not fine:
            assert (problem(answer, 422)["code"], fields(answer)) == ("price_band", ["price"])
    for stop_price, fine in (("110", True), ("110.01", False), ("89.99", False)):
        answer = narrow.refused(ann, "buy", "1", orderType="stop", stopPrice=stop_price)
        assert (answer.status_code == 201) == fine, answer.text
        if not fine:
            assert (problem(answer, 422)["code"], fields(answer)) == ("price_band", ["stopPrice"])


@pytest.mark.parametrize("given", ["BTC", "BTC-USD"])
def test_a_bare_asset_is_traded_against_dollars(floor: Floor, given: str) -> None:
    person = floor.person(usd="1000")
    body = {"product": given, "side": "buy", "quantity": "0.001", "price": "45000"}
    order = person.post("/api/orders", body)
    assert (order["symbol"], order["product"], order["type"]) == ("BTC-USD", "BTC", "buy")
