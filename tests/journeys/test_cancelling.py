"""Cancelling: only the engine says that an order is dead, and a fill wins against a cancel."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from borsa.services.orders.model import CANCELS_AT_ONCE
from tests.api.stage import problem
from tests.journeys.floor import Floor


def test_a_cancelled_order_gives_back_what_it_still_held_and_says_the_same_again(floor: Floor) -> None:
    ann, bea = floor.person(usd="1000"), floor.person(base="10")
    order = floor.place(ann, "buy", "5", "100")
    floor.place(bea, "sell", "2", "100")
    floor.becomes(ann, order, "partially_filled")
    first = floor.cancel(ann, order)
    assert (first.status_code, first.json()["status"], first.json()["filledQuantity"]) == (200, "cancelled", "2")
    floor.settled(ann, "800.00", "2")
    again = floor.cancel(ann, order)
    assert (again.status_code, again.content) == (200, first.content)
    assert floor.book() == ([], [])


def test_what_is_filled_can_not_be_cancelled(floor: Floor) -> None:
    ann, bea = floor.person(usd="1000"), floor.person(base="10")
    order = floor.place(ann, "buy", "1", "100")
    floor.place(bea, "sell", "1", "100")
    floor.becomes(ann, order, "filled")
    assert problem(floor.cancel(ann, order), 409)["code"] == "order_filled"


def test_an_admin_cancels_an_order_of_a_user(floor: Floor) -> None:
    ann = floor.person(usd="1000")
    order = floor.place(ann, "buy", "1", "100")
    assert floor.cancel(floor.admin, order).status_code == 200
    assert floor.becomes(ann, order, "cancelled")
    floor.settled(ann, "1000.00", "0")


@pytest.mark.parametrize("everywhere", [True, False])
def test_all_own_orders_are_cancelled_at_once(floor: Floor, everywhere: bool) -> None:
    ann, bea = floor.person(usd="100000"), floor.person(usd="1000")
    here = [floor.place(ann, "buy", "1", f"{price}") for price in range(90, 100)]
    elsewhere = ann.order("buy", "0.001", "45000")
    of_bea = floor.place(bea, "buy", "1", "100")
    query = "" if everywhere else f"?symbol={floor.symbol}"
    done = ann.call("DELETE", f"/api/orders{query}", headers={"prefer": "wait=10"})
    assert done.status_code == 200
    ended = {each["orderId"] for each in done.json()["data"]}
    assert ended == {each["orderId"] for each in [*here, *([elsewhere] if everywhere else [])]}
    assert {each["status"] for each in done.json()["data"]} == {"cancelled"}
    assert floor.seen(ann, elsewhere)[0] == ("cancelled" if everywhere else "open")
    assert floor.seen(bea, of_bea)[0] == "open"


def test_many_orders_are_cancelled_in_parts_and_answered_together(floor: Floor) -> None:
    ann = floor.person(usd="1000")
    placed = [floor.place(ann, "buy", "1", "1") for _ in range(CANCELS_AT_ONCE * 2 + 1)]
    done = ann.call("DELETE", "/api/orders", headers={"prefer": "wait=10"})
    assert done.status_code == 200
    assert [each["orderId"] for each in done.json()["data"]] == [each["orderId"] for each in placed]
    assert {each["status"] for each in done.json()["data"]} == {"cancelled"}
    floor.settled(ann, "1000.00", "0")


def test_cancelling_everything_in_an_unknown_market_is_refused(floor: Floor) -> None:
    assert problem(floor.person().call("DELETE", "/api/orders?symbol=NO-SUCH"), 404)["code"] == "unknown_symbol"


def test_of_a_cancel_and_a_fill_at_the_same_time_exactly_one_wins(floor: Floor) -> None:
    ann, bea = floor.person(usd="10000"), floor.person(base="20")
    wins = {"fill": 0, "cancel": 0}
    with ThreadPoolExecutor(2) as pool:
        for at in range(20):
            order = floor.place(ann, "buy", "1", "100")
            moves = [
                lambda order=order: floor.cancel(ann, order),
                lambda: bea.call(
                    "POST",
                    "/api/orders",
                    {"symbol": floor.symbol, "type": "sell", "quantity": "1", "price": "100", "timeInForce": "ioc"},
                    {"prefer": "wait=10"},
                ),
            ]
            first, second = (pool.submit(move) for move in (moves if at % 2 else moves[::-1]))
            cancel, sale = (first.result(), second.result()) if at % 2 else (second.result(), first.result())
            if cancel.status_code == 200:
                wins["cancel"] += 1
                assert (cancel.json()["status"], cancel.json()["filledQuantity"]) == ("cancelled", "0")
                assert sale.json()["status"] == "expired"
            else:
                wins["fill"] += 1
                assert problem(cancel, 409)["code"] == "order_filled"
                assert sale.json()["status"] == "filled"
    bought = wins["fill"]
    floor.settled(ann, f"{10000 - 100 * bought}.00", f"{bought}")
    floor.settled(bea, f"{100 * bought}.00", f"{20 - bought}")
