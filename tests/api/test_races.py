"""Business races: whatever arrives at the same time, money is spent once, a name is taken once, a key counts once."""

import itertools
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from typing import Any

import httpx
import pytest

from tests.api.stage import keyed, problem, registration
from tests.journeys.floor import Floor
from tests.support.running import Running, until

AT_ONCE = 25
"""Connections that call at the same time."""


@pytest.fixture
def floor(shared_exchange: Running) -> Floor:
    """A market of this test's own."""
    return Floor(shared_exchange)


def at_once(count: int, call: Callable[[int], httpx.Response]) -> list[httpx.Response]:
    """The answers to so many calls, made from many threads."""
    with ThreadPoolExecutor(AT_ONCE) as pool:
        return list(pool.map(call, range(count)))


def total(floor: Floor, people: list[Any]) -> tuple[Decimal, Decimal]:
    """All dollars and all of what is traded here that people have."""
    wallets = [wallet for person in people for wallet in person.get("/api/wallets")["data"]]
    usd, base = (sum(Decimal(each["balance"].get(asset, "0")) for each in wallets) for asset in ("USD", floor.base))
    return Decimal(usd), Decimal(base)


def test_of_200_orders_for_a_balance_of_10_exactly_10_are_accepted(floor: Floor) -> None:
    ann, bea = floor.person(usd="1000"), floor.person(base="100")
    body = {"symbol": floor.symbol, "type": "buy", "quantity": "1", "price": "100"}
    answers = at_once(200, lambda _: ann.call("POST", "/api/orders", body))
    codes = Counter(answer.json().get("code", answer.status_code) for answer in answers)
    assert codes == {201: 10, "insufficient_funds": 190}
    wallet = ann.wallet()
    assert (wallet["held"]["USD"], wallet["available"]["USD"]) == ("1000.00", "0.00")
    until(lambda: floor.book()[0] == [["100.00", "10"]], "the book")
    floor.place(bea, "sell", "10", "100")
    floor.settled(ann, "0.00", "10")
    floor.settled(bea, "1000.00", "90")


def test_a_batch_spends_no_more_than_there_is_either(floor: Floor) -> None:
    ann = floor.person(usd="1000")
    order = {"symbol": floor.symbol, "type": "buy", "quantity": "1", "price": "100"}
    answers = at_once(4, lambda _: ann.call("POST", "/api/orders/batch", {"orders": [order] * 50}))
    results = [each for answer in answers for each in answer.json()["results"]]
    assert Counter(each.get("code", "accepted") for each in results) == {"accepted": 10, "insufficient_funds": 190}


def test_the_wallet_is_spent_once_by_orders_adjustments_and_amendments_together(floor: Floor) -> None:
    ann = floor.person(usd="1000")
    order = floor.place(ann, "buy", "1", "100")
    body = {"symbol": floor.symbol, "type": "buy", "quantity": "1", "price": "100"}

    def spend(at: int) -> httpx.Response:
        if at % 3 == 0:
            return ann.call("POST", "/api/orders", body)
        if at % 3 == 1:
            return floor.amend(ann, order, quantity=str(2 + at))
        taken = {"asset": "USD", "delta": "-100", "reason": "a test"}
        return floor.admin.call("PUT", f"/api/wallets/{ann.wallet_id}", taken, keyed())

    answers = at_once(60, spend)
    assert {answer.status_code for answer in answers} <= {200, 201, 202, 409, 422}
    ann.call("DELETE", "/api/orders", headers={"prefer": "wait=10"})
    taken = sum(answer.status_code == 200 for at, answer in enumerate(answers) if at % 3 == 2)
    assert taken <= 9
    floor.settled(ann, f"{1000 - 100 * taken}.00", "0")


def test_cancels_amendments_and_fills_of_one_order_at_once_leave_the_books_right(floor: Floor) -> None:
    ann, bea = floor.person(usd="10000"), floor.person(base="100")
    sale = {"symbol": floor.symbol, "type": "sell", "quantity": "0.5", "price": "100", "timeInForce": "ioc"}
    numbers = itertools.count()
    for _ in range(8):
        order = floor.place(ann, "buy", "2", "100")

        def meddle(at: int, order: Any = order) -> httpx.Response:
            if at % 3 == 0:
                return bea.call("POST", "/api/orders", sale, {"prefer": "wait=10"})
            if at % 3 == 1:
                return floor.amend(ann, order, quantity=("1.5", "3")[next(numbers) % 2])
            return floor.cancel(ann, order) if at == 8 else floor.amend(ann, order, price="100.01")

        answers = at_once(12, meddle)
        assert {answer.status_code for answer in answers} <= {200, 201, 202, 409}, [each.text for each in answers]
        floor.cancel(ann, order)
        until(lambda order=order: floor.seen(ann, order)[0] in ("filled", "cancelled"), "the end of the order")
    until(lambda: ann.wallet()["held"]["USD"] == "0.00", "the release")
    until(lambda: bea.wallet()["held"][floor.base] == "0", "the release")
    assert total(floor, [ann, bea]) == (Decimal(10000), Decimal(100))
    bought = sum(Decimal(each["filledQuantity"]) for each in ann.get("/api/orders?limit=1000")["data"])
    assert Decimal(ann.wallet()["balance"].get(floor.base, "0")) == bought
    assert floor.book() == ([], [])


def test_an_amendment_that_a_fill_overtook_is_not_said_to_have_happened(floor: Floor) -> None:
    ann, bea = floor.person(usd="10000"), floor.person(base="100")
    sale = {"symbol": floor.symbol, "type": "sell", "quantity": "1", "price": "100"}
    for _ in range(15):
        order = floor.place(ann, "buy", "1", "100")
        calls = [
            lambda: bea.call("POST", "/api/orders", sale),
            lambda order=order: floor.amend(ann, order, quantity="2"),
        ]
        with ThreadPoolExecutor(2) as pool:
            _, amended = (each.result() for each in [pool.submit(call) for call in calls])
        if amended.status_code == 200:
            assert amended.json()["quantity"] == "2"
        else:
            assert problem(amended, 409)["code"] in ("order_filled", "order_not_ready")
        ann.call("DELETE", "/api/orders", headers={"prefer": "wait=10"})
        bea.call("DELETE", "/api/orders", headers={"prefer": "wait=10"})


def test_a_wallet_that_closes_while_orders_come_takes_none_with_it(floor: Floor) -> None:
    ann = floor.person()
    for _ in range(6):
        wallet = ann.post("/api/wallets", {"name": "further"})["walletId"]
        ann.post(f"/api/wallets/{wallet}/faucet", {"asset": "USD", "amount": "100"}, 200)
        body = {"symbol": floor.symbol, "type": "buy", "quantity": "1", "price": "100", "walletId": wallet}
        drain = {"asset": "USD", "delta": "-100", "reason": "a test"}

        def race(at: int, wallet: str = wallet, body: Any = body, drain: Any = drain) -> httpx.Response:
            if at == 0:
                return ann.call("POST", "/api/orders", body)
            if at == 1:
                return floor.admin.call("PUT", f"/api/wallets/{wallet}", drain, keyed())
            return ann.call("DELETE", f"/api/wallets/{wallet}")

        order, drained, *closings = at_once(6, race)
        assert (order.status_code == 201) != (drained.status_code == 200), (order.text, drained.text)
        if order.status_code == 201:
            assert {each.status_code for each in closings} == {409}
            assert ann.get(f"/api/wallets/{wallet}")["held"] == {"USD": "100.00"}
            floor.cancel(ann, order.json())
        else:
            assert sum(each.status_code == 204 for each in closings) <= 1


def test_one_key_used_200_times_at_once_is_one_posting(floor: Floor) -> None:
    ann = floor.person()
    headers, body = keyed(), {"asset": "USD", "delta": "+5", "reason": "a test"}
    answers = at_once(200, lambda _: floor.admin.call("PUT", f"/api/wallets/{ann.wallet_id}", body, headers))
    done = [answer for answer in answers if answer.status_code == 200]
    assert done
    assert len({answer.content for answer in done}) == 1
    assert {answer.status_code for answer in answers} <= {200, 409}
    assert ann.wallet()["balance"] == {"USD": "5.00"}
    assert len(ann.get(f"/api/wallets/{ann.wallet_id}/entries")["data"]) == 1


def test_one_key_for_orders_at_once_is_one_order(floor: Floor) -> None:
    ann = floor.person(usd="1000")
    headers, body = keyed(), {"symbol": floor.symbol, "type": "buy", "quantity": "1", "price": "100"}
    answers = at_once(50, lambda _: ann.call("POST", "/api/orders", body, headers))
    assert {answer.status_code for answer in answers} <= {201, 409}
    assert len({answer.json()["orderId"] for answer in answers if answer.status_code == 201}) == 1
    assert ann.wallet()["held"] == {"USD": "100.00"}


def test_a_name_that_many_want_at_once_is_given_once(shared_exchange: Running) -> None:
    new = registration()
    spellings = [new["userName"], new["userName"].upper()]

    def register(at: int) -> httpx.Response:
        return shared_exchange.http.post("/api/users/register", json=new | {"userName": spellings[at % 2]})

    answers = at_once(12, register)
    assert Counter(answer.status_code for answer in answers) == {201: 1, 409: 11}
    assert {answer.json()["code"] for answer in answers if answer.status_code == 409} == {"user_name_taken"}


def test_one_client_id_used_50_times_at_once_is_one_order(floor: Floor) -> None:
    ann = floor.person(usd="1000")
    body = {"symbol": floor.symbol, "type": "buy", "quantity": "1", "price": "100", "clientOrderId": "once"}
    answers = at_once(50, lambda _: ann.call("POST", "/api/orders", body))
    assert Counter(answer.status_code for answer in answers)[201] == 1
    assert {answer.status_code for answer in answers} <= {200, 201, 409}
    assert len({answer.json()["orderId"] for answer in answers if answer.status_code < 300}) == 1
    assert len(ann.get("/api/orders")["data"]) == 1
    assert ann.wallet()["held"] == {"USD": "100.00"}


def test_a_trade_is_busted_once(floor: Floor) -> None:
    ann, bea = floor.person(usd="1000"), floor.person(base="10")
    floor.place(ann, "buy", "1", "100")
    floor.place(bea, "sell", "1", "100")
    floor.settled(ann, "900.00", "1")
    (trade,) = ann.get(f"/api/trades?symbol={floor.symbol}")["data"]
    answers = at_once(10, lambda _: floor.admin.call("DELETE", f"/api/trades/{trade['tradeId']}", {"reason": "a test"}))
    assert Counter(answer.status_code for answer in answers) == {200: 1, 409: 9}
    floor.settled(ann, "1000.00", "0")
    floor.settled(bea, "0.00", "10")
