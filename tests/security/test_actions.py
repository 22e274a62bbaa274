"""What admins did is written down, all of it, and admins can read it."""

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from borsa.app import SERVICES, routes
from tests.api.stage import Stage, keyed, new_market, problem
from tests.security.test_authorization import TABLE, Row, ask
from tests.support.running import Person, Running

CHANGING = {route.name for route in routes() if route.access == "admin" and route.method != "GET"}

DEEDS = [row for row in TABLE if row.call in CHANGING]
"""Every call that only admins may make, and that changes something."""

ON_OTHERS = [row for row in TABLE if row.call in ("DELETE /api/orders/{id}", "DELETE /api/wallets/{id}")]
"""Calls of users that admins may make about what is not theirs."""


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    with Running(tmp_path_factory.mktemp("actions") / "data") as running:
        yield Stage(running)


def acts(admin: Person, query: str = "limit=1000") -> list[dict[str, Any]]:
    """A page of the audit."""
    found: list[dict[str, Any]] = admin.get(f"/api/actions?{query}")["data"]
    return found


def new_acts(stage: Stage, before: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """What came since, newest first."""
    now = acts(stage.admin)
    assert now[len(now) - len(before) :] == before
    return now[: len(now) - len(before)]


@pytest.mark.parametrize("row", [*DEEDS, *ON_OTHERS], ids=lambda row: row.call)
def test_whatever_an_admin_does_is_an_action(stage: Stage, row: Row) -> None:
    value = row.about(stage) if row.about else None
    before = acts(stage.admin)
    answer = ask(stage, row, stage.admin.headers | {"x-request-id": "the-deed"}, value)
    assert answer.status_code == row.admin, answer.text
    found = new_acts(stage, before)
    assert found, "an admin's deed must be written down: tx.act in its handler"
    known = {word for service in SERVICES for word in service.acts}
    for each in found:
        assert (each["author"], each["correlationId"]) == (stage.admin.user_id, "the-deed")
        assert each["action"] in known
        assert each["target"]


@pytest.mark.parametrize("row", [*DEEDS, *ON_OTHERS], ids=lambda row: row.call)
def test_what_was_refused_is_no_action(stage: Stage, row: Row) -> None:
    value = row.about(stage) if row.about else None
    before = acts(stage.admin)
    assert ask(stage, row, stage.other.headers, value).status_code in (403, 404)
    assert ask(stage, row, {}, value).status_code == 401
    assert new_acts(stage, before) == []


def test_a_deed_that_a_rule_refuses_is_no_action(stage: Stage) -> None:
    before = acts(stage.admin)
    body = {"asset": "USD", "delta": "-999999999", "reason": "more than there is"}
    assert stage.admin.call("PUT", f"/api/wallets/{stage.owner.wallet_id}", body, keyed()).status_code == 422
    assert (
        stage.admin.call("POST", "/api/markets", new_market() | {"symbol": "BTC-USD", "base": "BTC"}).status_code == 409
    )
    assert new_acts(stage, before) == []


def test_a_repeat_with_its_key_is_one_action(stage: Stage) -> None:
    before, key = acts(stage.admin), keyed()
    body = {"asset": "USD", "delta": "+7", "reason": "a gift"}
    for _ in range(3):
        assert stage.admin.call("PUT", f"/api/wallets/{stage.owner.wallet_id}", body, key).status_code == 200
    (act,) = new_acts(stage, before)
    assert (act["service"], act["action"], act["target"]) == ("wallets", "wallet.adjusted", stage.owner.wallet_id)
    assert {name: act["details"][name] for name in body} == {"asset": "USD", "delta": "7.00", "reason": "a gift"}


def test_what_an_admin_does_as_a_user_is_no_action(stage: Stage) -> None:
    before = acts(stage.admin)
    stage.admin.post("/api/wallets", {"name": "own"})
    stage.admin.call("DELETE", "/api/orders")
    assert new_acts(stage, before) == []


def test_a_user_who_cancels_is_no_action(stage: Stage) -> None:
    before = acts(stage.admin)
    assert stage.owner.call("DELETE", f"/api/orders/{stage.order()}").status_code in (200, 202)
    assert new_acts(stage, before) == []


def test_a_change_of_a_market_says_what_it_was_and_is(stage: Stage) -> None:
    symbol, before = stage.own_market(), acts(stage.admin)
    assert (
        stage.admin.call("PUT", f"/api/markets/{symbol}", {"state": "halted", "makerFee": "0.001"}).status_code == 200
    )
    (act,) = new_acts(stage, before)
    assert act["details"] == {
        "makerFee": {"before": "0", "after": "0.001"},
        "state": {"before": "open", "after": "halted"},
    }


def test_what_is_personal_is_named_and_not_repeated(stage: Stage) -> None:
    person, before = stage.newcomer(), acts(stage.admin)
    body = {
        "email": "canary@example.org",
        "password": "copper-thistle-lantern-77",
        "role": "admin",
        "userName": "canary",
    }
    assert stage.admin.call("PUT", f"/api/users/{person.user_id}", body).status_code == 200
    (act,) = new_acts(stage, before)
    assert act["details"] == {
        "changed": ["userName", "email", "password"],
        "role": {"before": "user", "after": "admin"},
    }


def test_a_bust_that_can_not_be_is_written_down_as_that(stage: Stage) -> None:
    seller, buyer = stage.running.person(BTC="1"), stage.running.person(USD="50000")
    seller.order("sell", "1", "50000")
    order = buyer.order("buy", "1", "50000")
    trade = buyer.get(f"/api/trades?orderId={order['orderId']}")["data"][0]["tradeId"]
    taken = {"asset": "BTC", "delta": "-1", "reason": "gone"}
    assert stage.admin.call("PUT", f"/api/wallets/{buyer.wallet_id}", taken, keyed()).status_code == 200
    before = acts(stage.admin)
    answer = stage.admin.call("DELETE", f"/api/trades/{trade}", {"reason": "a slip"})
    assert problem(answer, 409)["code"] == "funds_gone"
    assert [each["action"] for each in new_acts(stage, before)] == ["trade.bust_refused", "trade.bust_asked"]


# reading -----------------------------------------------------------------------------------------------------------


def test_pages_hold_every_action_once_newest_first(stage: Stage) -> None:
    stage.own_market()
    stage.portfolio()
    stage.notification()
    whole = acts(stage.admin)
    places = [(each["time"], each["service"], each["sequence"]) for each in whole]
    assert places == sorted(places, reverse=True)
    assert len({each["service"] for each in whole}) > 3
    for limit in (1, 2, 7):
        found, cursor = [], ""
        while cursor is not None:
            page = stage.admin.get(f"/api/actions?limit={limit}" + (f"&cursor={cursor}" if cursor else ""))
            found += page["data"]
            cursor = page["nextCursor"]
        assert found == whole


def test_actions_of_one_service_and_of_one_author(stage: Stage) -> None:
    second = stage.running.person()
    stage.admin.call("PUT", f"/api/users/{second.user_id}", {"role": "admin"})
    second.signed_in()
    market = new_market()
    second.post("/api/markets", market)
    whole = acts(stage.admin)
    (act,) = acts(stage.admin, f"author={second.user_id}")
    assert (act["action"], act["target"]) == ("market.created", market["symbol"])
    assert acts(stage.admin, "service=orders&limit=1000") == [each for each in whole if each["service"] == "orders"]
    assert acts(stage.admin, f"service=users&author={second.user_id}") == []


@pytest.mark.parametrize("query", ["service=bank", "cursor=x", "limit=0", "author=%20", "service="])
def test_a_query_that_is_none_is_refused(stage: Stage, query: str) -> None:
    field = query.partition("=")[0]
    assert [each["field"] for each in problem(stage.admin.call("GET", f"/api/actions?{query}"), 422)["errors"]] == [
        field
    ]


def test_the_chain_goes_on_after_a_start(tmp_path: Path) -> None:
    for _ in range(2):
        with Running(tmp_path / "data") as running:
            running.admin().post("/api/markets", new_market())
            found = acts(running.admin())
    assert [each["sequence"] for each in found] == [2, 1]
    assert found[0]["digest"] != found[1]["digest"]


def test_actions_at_once_have_a_place_each(stage: Stage) -> None:
    before = acts(stage.admin, "service=wallets&limit=1000")
    people = [threading.Thread(target=stage.admin.fund, args=(stage.owner,), kwargs={"USD": "1"}) for _ in range(20)]
    for each in people:
        each.start()
    for each in people:
        each.join()
    found = acts(stage.admin, "service=wallets&limit=1000")
    assert len(found) == len(before) + 20
    assert [each["sequence"] for each in found] == list(range(len(found), 0, -1))


def test_an_action_is_json_whatever_its_reason_is(stage: Stage) -> None:
    reason = "\"}, 'x' \\ \u2028 \u202e \U0001f600 <img onerror=1>"
    body = {"asset": "USD", "delta": "+1", "reason": reason}
    assert stage.admin.call("PUT", f"/api/wallets/{stage.owner.wallet_id}", body, keyed()).status_code == 200
    assert acts(stage.admin, "limit=1")[0]["details"]["reason"] == reason
