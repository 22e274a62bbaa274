"""Wallets: further ones, play money within its cap, adjustments by admins, and closing."""

from pathlib import Path

import pytest

from tests.api.stage import fields, keyed, problem
from tests.journeys.floor import Floor
from tests.support.running import Person, Running, until


def faucet(person: Person, wallet_id: str, asset: str, amount: str) -> tuple[int, str]:
    answer = person.call("POST", f"/api/wallets/{wallet_id}/faucet", {"asset": asset, "amount": amount})
    return answer.status_code, answer.json().get("code", "")


def test_the_faucet_gives_play_money_up_to_its_cap(shared_exchange: Running) -> None:
    person = shared_exchange.person()
    assert faucet(person, person.wallet_id, "USD", "1000000") == (200, "")
    assert faucet(person, person.wallet_id, "USD", "1000000.00000001") == (422, "above_cap")
    assert faucet(person, person.wallet_id, "BTC", "0.00000001") == (200, "")
    assert faucet(person, person.wallet_id, "NOTHING", "1") == (422, "invalid_request")
    assert person.wallet()["balance"] == {"USD": "1000000.00", "BTC": "0.00000001"}
    (drop, _) = person.get(f"/api/wallets/{person.wallet_id}/entries")["data"]
    assert (drop["kind"], drop["lines"]) == (
        "faucet",
        [{"asset": "BTC", "bucket": "available", "amount": "0.00000001"}],
    )


def test_without_the_sandbox_there_is_no_play_money(tmp_path: Path) -> None:
    with Running(tmp_path / "data", sandbox=False) as running:
        person = running.person()
        assert faucet(person, person.wallet_id, "USD", "1") == (403, "sandbox_off")
        assert person.wallet()["balance"] == {}


def test_an_adjustment_is_one_posting_with_its_reason(shared_exchange: Running) -> None:
    admin, person = shared_exchange.admin(), shared_exchange.person(USD="10")
    headers = keyed()
    body = {"asset": "USD", "delta": "-4.50", "reason": "a correction"}
    first = admin.call("PUT", f"/api/wallets/{person.wallet_id}", body, headers)
    again = admin.call("PUT", f"/api/wallets/{person.wallet_id}", body, headers)
    assert first.content == again.content
    assert person.wallet()["balance"] == {"USD": "5.50"}
    entry = person.get(f"/api/wallets/{person.wallet_id}/entries")["data"][0]
    assert (entry["kind"], entry["reason"], entry["lines"][0]["amount"]) == ("adjustment", "a correction", "-4.50")


def test_an_adjustment_needs_a_key_a_reason_and_something_to_move(shared_exchange: Running) -> None:
    admin, person = shared_exchange.admin(), shared_exchange.person(USD="10")
    path = f"/api/wallets/{person.wallet_id}"
    body = {"asset": "USD", "delta": "+1", "reason": "a test"}
    assert problem(admin.call("PUT", path, body), 422)["code"] == "idempotency_key_required"
    for change, field in (
        ({"reason": ""}, "reason"),
        ({"delta": "0"}, "delta"),
        ({"asset": "usd"}, "asset"),
        ({"asset": "NONE"}, "asset"),
    ):
        assert fields(admin.call("PUT", path, body | change, keyed())) == [field]
    too_much = admin.call("PUT", path, body | {"delta": "-10.00000001"}, keyed())
    assert problem(too_much, 422)["code"] == "insufficient_funds"
    assert person.wallet()["balance"] == {"USD": "10.00"}


def test_a_held_amount_is_not_taken_away(shared_exchange: Running) -> None:
    admin, person = shared_exchange.admin(), shared_exchange.person(USD="100")
    person.order("buy", "0.002", "45000")
    body = {"asset": "USD", "delta": "-11", "reason": "a test"}
    answer = admin.call("PUT", f"/api/wallets/{person.wallet_id}", body, keyed())
    assert problem(answer, 422)["code"] == "insufficient_funds"
    assert person.wallet()["held"] == {"USD": "90.00"}


def test_above_the_cap_of_a_day_a_second_admin_is_needed(exchange: Running) -> None:
    admin, person = exchange.admin(), exchange.person()
    path = f"/api/wallets/{person.wallet_id}"
    for delta, status in (("+60000000", 200), ("+40000000", 200), ("+0.00000001", 202), ("-1", 202)):
        answer = admin.call("PUT", path, {"asset": "USD", "delta": delta, "reason": "a test"}, keyed())
        assert answer.status_code == status
        if status == 202:
            assert answer.json()["status"] == "pending"
    assert admin.call("PUT", path, {"asset": "BTC", "delta": "+1", "reason": "a test"}, keyed()).status_code == 200
    assert person.wallet()["balance"] == {"USD": "100000000.00", "BTC": "1"}


def test_a_wallet_is_closed_when_it_is_empty(floor: Floor) -> None:
    person = floor.person()
    wallet = person.post("/api/wallets", {"name": "further"})["walletId"]
    path = f"/api/wallets/{wallet}"
    person.post(f"{path}/faucet", {"asset": "USD", "amount": "100"}, 200)
    left = problem(person.call("DELETE", path), 409)
    assert (left["code"], "100.00 USD" in left["detail"]) == ("wallet_not_empty", True)
    order = floor.place(person, "buy", "1", "100", walletId=wallet)
    assert problem(person.call("DELETE", path), 409)["code"] == "wallet_not_empty"
    floor.cancel(person, order)
    taken = floor.admin.call("PUT", path, {"asset": "USD", "delta": "-100", "reason": "a test"}, keyed())
    assert taken.json()["balance"] == {"USD": "0.00"}
    assert person.call("DELETE", path).status_code == 204
    assert person.call("GET", path).status_code == 404
    assert person.call("DELETE", path).status_code == 404
    assert wallet not in [each["walletId"] for each in person.get("/api/wallets")["data"]]
    late = floor.refused(person, "buy", "1", "100", walletId=wallet)
    assert problem(late, 409)["code"] == "wallet_closed"
    deposit = floor.admin.call("PUT", path, {"asset": "USD", "delta": "+1", "reason": "a test"}, keyed())
    assert problem(deposit, 404)["code"] == "not_found"


def test_the_default_wallet_stays(shared_exchange: Running) -> None:
    person = shared_exchange.person()
    answer = person.call("DELETE", f"/api/wallets/{person.wallet_id}")
    assert problem(answer, 409)["code"] == "default_wallet"


def test_an_order_spends_from_the_wallet_that_it_names(floor: Floor) -> None:
    person, seller = floor.person(usd="10"), floor.person(base="1")
    wallet = person.post("/api/wallets", {"name": "further"})["walletId"]
    person.post(f"/api/wallets/{wallet}/faucet", {"asset": "USD", "amount": "100"}, 200)
    floor.place(seller, "sell", "1", "100")
    order = floor.place(person, "buy", "1", "100", walletId=wallet)
    assert (order["walletId"], order["status"]) == (wallet, "filled")
    spent = {"USD": "0.00", floor.base: "1"}
    until(lambda: person.get(f"/api/wallets/{wallet}")["balance"] == spent, "the trade in that wallet")
    floor.settled(person, "10.00", "0")


@pytest.mark.parametrize("name", ["", "x" * 65, "a\nb", "a\x00b"])
def test_a_wallets_name_is_one_line(shared_exchange: Running, name: str) -> None:
    assert fields(shared_exchange.admin().call("POST", "/api/wallets", {"name": name})) == ["name"]
