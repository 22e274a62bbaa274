"""How much somebody may ask: by address, by key, by user; what cancels; and that a flood of sign-ins stops no order."""

import os
import random
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest

from borsa.errors import Refused
from borsa.runtime.http.limits import Budget, network_of
from borsa.services.users import passwords
from borsa.settings import BadSetting, load
from tests.api.stage import an_order, problem
from tests.support.alone import HandClock
from tests.support.running import PASSWORD, Person, Running, until

TRIES = 200


def limited(ask: Callable[[int], httpx.Response]) -> httpx.Response | None:
    """The first 429 of so many requests; None when none is refused so."""
    answers = (ask(at) for at in range(TRIES))
    return next((answer for answer in answers if answer.status_code == 429), None)


def refused(answer: httpx.Response | None) -> None:
    """This is a 429 that says when to come again."""
    assert answer is not None
    assert problem(answer, 429)["code"] == "too_many_requests"
    assert int(answer.headers["retry-after"]) == answer.json()["retryAfter"] >= 1


# an address --------------------------------------------------------------------------------------------------------


@pytest.fixture
def narrow(tmp_path: Path) -> Running:
    return Running(tmp_path / "data", address_requests_per_second=4)


@pytest.mark.parametrize("path", ["/healthz", "/api/orders", "/nothing"])
def test_an_address_asks_so_often_in_a_second(narrow: Running, path: str) -> None:
    with narrow as running:
        refused(limited(lambda _: running.http.get(path)))
        # whoever has used it up may still cancel
        assert running.http.delete("/api/orders").status_code == 401
        until(lambda: running.http.get("/healthz").status_code == 200, "the next second")


def test_a_forwarded_address_that_nobody_vouches_for_changes_nothing(narrow: Running) -> None:
    with narrow as running:
        refused(limited(lambda at: running.http.get("/healthz", headers={"x-forwarded-for": f"192.0.2.{at}"})))
        refused(limited(lambda at: running.http.get("/healthz", headers={"forwarded": f"for=192.0.2.{at}"})))
        refused(limited(lambda at: running.http.get("/healthz", headers={"x-real-ip": f"192.0.2.{at}"})))


def test_behind_a_trusted_proxy_the_address_is_what_the_proxy_says(tmp_path: Path) -> None:
    with Running(
        tmp_path / "data", address_requests_per_second=4, trusted_proxies="127.0.0.0/8, 198.51.100.7"
    ) as running:

        def forwarded(text: str) -> httpx.Response:
            return running.http.get("/healthz", headers={"x-forwarded-for": text})

        assert limited(lambda at: forwarded(f"192.0.2.{at}")) is None
        refused(limited(lambda _: forwarded("192.0.2.1")))
        # what the client itself wrote stands to the left of what proxies add
        refused(limited(lambda at: forwarded(f"192.0.2.{at}, 203.0.113.5")))
        refused(limited(lambda at: forwarded(f"192.0.2.{at}, 203.0.113.6, 198.51.100.7")))


def test_the_allow_list_of_a_key_asks_for_the_client_and_not_for_the_proxy(tmp_path: Path) -> None:
    with Running(tmp_path / "data", trusted_proxies="127.0.0.1") as running:
        key = running.person().post("/api/users/api-keys", {"label": "bot", "ipAllowList": ["192.0.2.7"]})
        headers = {"authorization": f"Bearer {key['secret']}"}
        statuses = [
            running.http.get("/api/orders", headers=headers | {"x-forwarded-for": text}).status_code
            for text in ("192.0.2.7", "192.0.2.8", "192.0.2.7, 192.0.2.8", "192.0.2.8, 192.0.2.7", "", "x", "127.0.0.1")
        ]
        assert statuses == [200, 403, 403, 200, 403, 403, 403]


@pytest.mark.parametrize("text", ["*", "everybody", "10.0.0.1/8", "10.0.0.1 10.0.0.2", "1.2.3"])
def test_a_proxy_that_is_no_address_is_a_bad_setting(text: str) -> None:
    with pytest.raises(BadSetting, match="BORSA_TRUSTED_PROXIES"):
        load({"BORSA_TRUSTED_PROXIES": text})


@pytest.mark.parametrize(
    ("address", "counts_for"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("2001:db8::1", "2001:db8::/64"),
        ("2001:db8::ffff:1", "2001:db8::/64"),
        ("2001:db8:0:1::1", "2001:db8:0:1::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("x:y", "x:y"),
        ("", ""),
    ],
)
def test_who_has_a_network_of_ipv6_is_one_client(address: str, counts_for: str) -> None:
    assert network_of(address) == counts_for


# a key, a user -----------------------------------------------------------------------------------------------------


def test_a_key_asks_so_often_in_a_second_and_another_pays_nothing(tmp_path: Path) -> None:
    with Running(tmp_path / "data", key_requests_per_second=4) as running:
        person = running.person()
        made = [
            person.post("/api/users/api-keys", {"label": "bot", "scopes": ["read", "trade"]})["secret"]
            for _ in range(2)
        ]
        first, second = ({"authorization": f"Bearer {secret}"} for secret in made)
        refused(limited(lambda _: running.http.get("/api/orders", headers=first)))
        assert running.http.get("/api/orders", headers=second).status_code == 200
        assert running.http.delete("/api/orders", headers=first).status_code == 200
        assert limited(lambda _: person.call("GET", "/api/orders")) is None


def test_no_limit_of_orders_keeps_anybody_from_cancelling(tmp_path: Path) -> None:
    with Running(tmp_path / "data", orders_per_second=4) as running:
        person = running.person(USD="100000")
        placed = [person.call("POST", "/api/orders", an_order()) for _ in range(3)]
        refused(limited(lambda _: person.call("POST", "/api/orders", an_order())))
        refused(person.call("POST", "/api/orders/batch", {"orders": [an_order()] * 5}))
        for answer in placed:
            cancelled = person.call("DELETE", f"/api/orders/{answer.json()['orderId']}")
            assert cancelled.status_code in (200, 202)
        assert person.call("DELETE", "/api/orders").status_code == 200


def waits(budget: Budget, who: str, count: int) -> int:
    """How many seconds somebody has to wait; 0 who gets what they ask for."""
    try:
        budget.take(who, count)
    except Refused as refused:
        return int(refused.extra["retryAfter"])
    return 0


def test_a_budget_is_a_count_for_each_in_each_window() -> None:
    chance, clock = random.Random(5), HandClock()
    budget = Budget(clock, 5, 2)
    taken: dict[tuple[int, str], int] = {}
    for _ in range(3_000):
        who, count, window = chance.choice("abc"), chance.randint(1, 3), clock.ticks() // 2_000_000_000
        fits = taken.get((window, who), 0) + count <= 5
        wait = waits(budget, who, count)
        assert (wait == 0) == fits
        if fits:
            taken[window, who] = taken.get((window, who), 0) + count
        else:
            # the time that is told is enough, and no more than the window
            assert wait <= 2
            assert (clock.ticks() + wait * 1_000_000_000) // 2_000_000_000 > window
        if not chance.randrange(20):
            clock.advance(1)


# signing in --------------------------------------------------------------------------------------------------------


def sign_in(running: Running, name: str, password: str = "wrong", **headers: str) -> httpx.Response:
    given = {name.replace("_", "-"): value for name, value in headers.items()}
    return running.http.post("/api/users/login", json={"userName": name, "password": password}, headers=given)


def test_who_tries_many_accounts_from_one_address_waits(tmp_path: Path) -> None:
    with Running(tmp_path / "data", address_sign_in_failures_max=5) as running:
        assert [sign_in(running, f"name-{at}").status_code for at in range(5)] == [401] * 5
        refused(sign_in(running, "name-9", x_forwarded_for="192.0.2.1"))


def test_a_success_forgives_the_name_and_not_the_address(tmp_path: Path) -> None:
    with Running(tmp_path / "data", address_sign_in_failures_max=6, sign_in_failures_max=4) as running:
        Person(running, "ada-l", PASSWORD).register()
        for _ in range(2):
            assert [sign_in(running, "ada-l").status_code for _ in range(3)] == [401] * 3
            answer = sign_in(running, "ada-l", PASSWORD)
        refused(answer)


def test_a_flood_of_sign_ins_is_bounded_and_holds_up_no_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    hashing, go_on = threading.Event(), threading.Event()

    def endless(_kept: str | None, _password: str) -> bool:
        hashing.set()
        assert go_on.wait(60)
        return False

    with Running(tmp_path / "data", password_queue_max=3) as running, ThreadPoolExecutor(3) as pool:
        person = running.person(USD="100000")
        monkeypatch.setattr(passwords, "matches", endless)
        waiting = [pool.submit(sign_in, running, f"name-{at}") for at in range(3)]
        assert hashing.wait(60)
        until(lambda: passwords.SLOW._taken == 3, "the queue to be full")
        overloaded = sign_in(running, "name-9")
        assert problem(overloaded, 503)["code"] == "overloaded"
        assert int(overloaded.headers["retry-after"]) >= 1
        assert person.order("buy", "0.001", "45000")["status"] == "open"
        assert person.call("DELETE", "/api/orders").status_code == 200
        go_on.set()
        assert [each.result().status_code for each in waiting] == [401] * 3


def test_hashes_are_made_one_at_a_time_by_a_thread_that_stands_back(tmp_path: Path) -> None:
    seen: list[tuple[int, int]] = []

    def look(_: str) -> str:
        seen.append((threading.get_native_id(), os.getpriority(os.PRIO_PROCESS, threading.get_native_id())))
        return passwords.NOBODY

    with Running(tmp_path / "data") as running, pytest.MonkeyPatch.context() as patch, ThreadPoolExecutor(8) as pool:
        patch.setattr(passwords, "hashed", look)
        for answer in pool.map(lambda at: register(running, f"name-{at}"), range(8)):
            assert answer.status_code == 201
    assert (len(seen), len(set(seen))) == (8, 1)
    assert seen[0][1] == os.getpriority(os.PRIO_PROCESS, 0) + passwords.LANE_NICE


def register(running: Running, name: str) -> httpx.Response:
    return running.http.post("/api/users/register", json={"userName": name, "password": PASSWORD})
