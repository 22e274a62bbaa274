"""Price protection: an order without a limit trades no further from the price than the market's band."""

from pathlib import Path
from typing import Any

import pytest

from borsa.commands import verify
from tests.api.stage import problem
from tests.journeys.floor import Floor
from tests.support.running import Person, Running


@pytest.fixture
def floor(shared_exchange: Running) -> Floor:
    """A market with a band of a tenth, whose last trade was at 100."""
    floor = Floor(shared_exchange, priceBand="0.1")
    trade(floor, "100")
    return floor


def trade(floor: Floor, price: str) -> None:
    """Somebody sells a little to somebody else."""
    seller, buyer = floor.person(base="1"), floor.person(usd="1000")
    floor.place(seller, "sell", "0.001", price)
    assert floor.place(buyer, "buy", "0.001", price)["status"] == "filled"


def beyond(floor: Floor, side: str, quantity: str, price: str) -> Any:
    """A resting order outside the band: it was placed when there was none."""
    put(floor, priceBand="0")
    funds = {"usd": "100000"} if side == "buy" else {"base": quantity}
    order = floor.place(floor.person(**funds), side, quantity, price)
    put(floor, priceBand="0.1")
    return order


def put(floor: Floor, **change: str) -> None:
    """Change the market."""
    assert floor.admin.call("PUT", f"/api/markets/{floor.symbol}", change).status_code == 200


def ended(order: Any) -> tuple[str, str, str, str, str]:
    """How an order ended."""
    return tuple(order[name] for name in ("status", "reason", "filledQuantity", "remainingQuantity", "worstPrice"))  # type: ignore[return-value]


def moved(person: Person, order: Any) -> list[tuple[str, str]]:
    """What the ledger says of an order's hold: each entry's kind, and what came into or went out of `held`."""
    entries = person.get(f"/api/wallets/{person.wallet_id}/entries")["data"]
    return [
        (entry["kind"], line["amount"])
        for entry in reversed(entries)
        for line in entry["lines"]
        if entry["reference"] == order["orderId"] and line["bucket"] == "held"
    ]


def test_a_market_sale_stops_at_the_band_and_the_rest_is_let_go(floor: Floor) -> None:
    ann, bea = floor.person(usd="1000"), floor.person(base="10")
    floor.place(ann, "buy", "1", "95")
    floor.place(ann, "buy", "1", "90")
    beyond(floor, "buy", "5", "89.99")
    order = floor.place(bea, "sell", "4", orderType="market")
    assert ended(order) == ("expired", "price_band", "2", "2", "90.00")
    floor.settled(bea, "185.00", "8")
    floor.settled(ann, "815.00", "2")
    assert floor.book() == ([["89.99", "5"]], [])


def test_a_market_buy_stops_at_the_band_and_the_rest_is_let_go(floor: Floor) -> None:
    ann, bea = floor.person(usd="1000"), floor.person(base="10")
    floor.place(bea, "sell", "1", "105")
    floor.place(bea, "sell", "1", "110")
    beyond(floor, "sell", "5", "110.01")
    order = floor.place(ann, "buy", "4", orderType="market")
    assert ended(order) == ("expired", "price_band", "2", "2", "110.00")
    floor.settled(ann, "785.00", "2")
    assert moved(ann, order) == [("hold", "440.00"), ("release", "-225.00")]
    floor.settled(bea, "215.00", "8")
    assert floor.book() == ([], [["110.01", "5"]])


def test_a_budget_is_spent_within_the_band_only(floor: Floor) -> None:
    ann, bea = floor.person(usd="1000"), floor.person(base="10")
    floor.place(bea, "sell", "1", "110")
    beyond(floor, "sell", "5", "111")
    order = floor.place(ann, "buy", None, orderType="market", quoteQuantity="500")
    assert (order["status"], order["reason"], order["filledQuantity"]) == ("expired", "price_band", "1")
    assert (order["quoteQuantity"], order["worstPrice"]) == ("500.00", "110.00")
    floor.settled(ann, "890.00", "1")


def test_a_market_fill_or_kill_counts_only_what_is_within_the_band(floor: Floor) -> None:
    ann, bea = floor.person(usd="1000"), floor.person(base="10")
    floor.place(bea, "sell", "2", "110")
    beyond(floor, "sell", "5", "111")
    order = floor.place(ann, "buy", "3", orderType="market", timeInForce="fok")
    assert ended(order) == ("expired", "expired_fok", "0", "3", "110.00")
    floor.settled(ann, "1000.00", "0")
    assert floor.place(ann, "buy", "2", orderType="market", timeInForce="fok")["status"] == "filled"
    floor.settled(ann, "780.00", "2")


def test_a_hold_is_just_enough_for_the_worst_price(floor: Floor) -> None:
    ann, bea = floor.person(usd="440"), floor.person(base="10")
    floor.place(bea, "sell", "5", "110")
    order = floor.place(ann, "buy", "4", orderType="market")
    assert (order["status"], order["filledQuantity"]) == ("filled", "4")
    floor.settled(ann, "0.00", "4")


def test_whoever_has_less_than_the_worst_price_asks_for_buys_what_it_can(floor: Floor) -> None:
    ann, bea = floor.person(usd="330"), floor.person(base="10")
    floor.place(bea, "sell", "2", "105")
    floor.place(bea, "sell", "5", "110")
    order = floor.place(ann, "buy", "4", orderType="market")
    # 440 would be held; 330 less 210 is 120, which buys 1.090909 at 110
    assert (order["reason"], order["filledQuantity"]) == ("budget_spent", "3.090909")
    floor.settled(ann, "0.00001", "3.090909")


@pytest.mark.parametrize(
    ("side", "stop_price", "worst", "held", "far", "reached"),
    [("buy", "105", "115.50", "231.00", "115.51", "115.5"), ("sell", "95", "85.50", "2", "85.49", "85.5")],
)
def test_a_stop_keeps_to_the_band_around_its_own_price(
    floor: Floor, side: str, stop_price: str, worst: str, held: str, far: str, reached: str
) -> None:
    ann = floor.person(usd="1000", base="10")
    stop = floor.place(ann, side, "2", orderType="stop", stopPrice=stop_price)
    assert (stop["status"], stop["stopPrice"], stop["worstPrice"]) == ("open", f"{stop_price}.00", worst)
    holds = {"held_usd": held} if side == "buy" else {"held_base": held}
    floor.settled(ann, "1000.00", "10", **holds)
    other = "sell" if side == "buy" else "buy"
    beyond(floor, other, "0.5", reached)
    beyond(floor, other, "5", far)
    trade(floor, stop_price)
    found = floor.becomes(ann, stop, "expired")
    assert ended(found) == ("expired", "price_band", "0.5", "1.5", worst)
    floor.settled(ann, *(("942.25", "10.5") if side == "buy" else ("1042.75", "9.5")))
    assert floor.book()[other == "sell"] == [[far, "5"]]


def test_a_stop_that_is_through_its_price_is_bounded_when_it_is_placed(floor: Floor) -> None:
    ann, bea = floor.person(usd="1000"), floor.person(base="10")
    floor.place(ann, "buy", "1", "96")
    beyond(floor, "buy", "5", "89")
    stop = floor.place(bea, "sell", "3", orderType="stop", stopPrice="100")
    assert ended(stop) == ("expired", "price_band", "1", "2", "90.00")
    floor.settled(bea, "96.00", "9")


def test_the_worst_price_stays_what_it_was_when_the_order_was_placed(floor: Floor) -> None:
    ann = floor.person(usd="1000")
    stop = floor.place(ann, "buy", "1", orderType="stop", stopPrice="108")
    put(floor, priceBand="0.5")
    trade(floor, "104")
    assert ann.get(f"/api/orders/{stop['orderId']}")["worstPrice"] == "118.80"
    beyond(floor, "sell", "5", "119")
    trade(floor, "109")
    assert ended(floor.becomes(ann, stop, "expired")) == ("expired", "price_band", "0", "1", "118.80")
    floor.settled(ann, "1000.00", "0")


def test_the_worst_price_is_a_tick_within_the_band(floor: Floor) -> None:
    trade(floor, "100.07")
    ann, bea = floor.person(usd="1000"), floor.person(base="10")
    beyond(floor, "buy", "1", "90.06")
    beyond(floor, "sell", "1", "110.08")
    # 110.077 and 90.063, rounded towards 100.07
    assert ended(floor.place(ann, "buy", "1", orderType="market"))[1:] == ("price_band", "0", "1", "110.07")
    assert ended(floor.place(bea, "sell", "1", orderType="market"))[1:] == ("price_band", "0", "1", "90.07")
    # the same that limits are held to
    for side, person, fine, wrong in (("buy", ann, "110.07", "110.08"), ("sell", bea, "90.07", "90.06")):
        answer = problem(floor.refused(person, side, "1", wrong), 422)
        assert (answer["code"], answer["detail"]) == ("price_band", "price must be between 90.07 and 110.07")
        order = floor.place(person, side, "0.5", fine, timeInForce="ioc")
        assert (order["reason"], order["worstPrice"]) == ("expired_ioc", None)


def test_an_order_that_meets_nobody_has_no_liquidity_whatever_the_band(floor: Floor) -> None:
    ann = floor.person(usd="1000")
    assert ended(floor.place(ann, "buy", "1", orderType="market")) == ("expired", "no_liquidity", "0", "1", "110.00")
    floor.settled(ann, "1000.00", "0")


def test_without_a_band_or_a_trade_everything_is_taken(shared_exchange: Running) -> None:
    wide, fresh = Floor(shared_exchange), Floor(shared_exchange, priceBand="0.1")
    trade(wide, "100")
    for floor in (wide, fresh):
        ann, bea = floor.person(usd="1000"), floor.person(base="10")
        floor.place(ann, "buy", "1", "90")
        floor.place(ann, "buy", "1", "1")
        order = floor.place(bea, "sell", "2", orderType="market")
        assert (order["status"], order["worstPrice"]) == ("filled", None)
        floor.settled(bea, "91.00", "8")


def test_a_worst_price_is_nothing_to_amend(floor: Floor) -> None:
    ann = floor.person(usd="1000", base="10")
    stop = floor.place(ann, "sell", "2", orderType="stop", stopPrice="95")
    for change in ({"quantity": "1"}, {"price": "90"}, {"worstPrice": "80"}):
        problem(floor.amend(ann, stop, **change), 422)
    limited = floor.place(ann, "sell", "2", "105")
    assert floor.amend(ann, limited, price="106", quantity="3").json()["worstPrice"] is None
    assert floor.seen(ann, stop) == ("open", "0", "2")
    assert floor.cancel(ann, stop).json()["worstPrice"] == "85.50"


def test_nobody_sets_a_worst_price(floor: Floor) -> None:
    ann = floor.person(usd="1000")
    answer = problem(floor.refused(ann, "buy", "1", orderType="market", worstPrice="100"), 422)
    assert answer["errors"][0]["field"] == "worstPrice"


def test_what_a_stop_holds_and_keeps_to_outlives_a_restart(tmp_path: Path) -> None:
    with Running(tmp_path) as running:
        floor = Floor(running, priceBand="0.1")
        trade(floor, "100")
        ann = floor.person(usd="1000")
        stop = floor.place(ann, "buy", "1", orderType="stop", stopPrice="110")
        beyond(floor, "sell", "5", "121.01")
    with Running(tmp_path) as running:
        ann.running = floor.running = running
        ann.signed_in()
        floor.admin = running.admin()
        floor.settled(ann, "1000.00", "0", held_usd="121.00")
        trade(floor, "110")
        assert ended(floor.becomes(ann, stop, "expired")) == ("expired", "price_band", "0", "1", "121.00")
        floor.settled(ann, "1000.00", "0")
        assert verify.run(running.settings) == 0
