"""What admins look up: what one user owns, and the events since a time."""

import pytest

from tests.support.running import Running

LISTS = ["/api/orders", "/api/trades", "/api/wallets", "/api/notifications"]


def test_an_admin_may_name_the_user_whose_things_are_listed(shared_exchange: Running) -> None:
    admin, ann, bob = shared_exchange.admin(), shared_exchange.person(USD="100"), shared_exchange.person(BTC="1")
    ann.order("buy", "0.001", "50000.00")
    bob.order("sell", "0.001", "50000.00", orderType="limit")
    for person in (ann, bob):
        wallets = admin.get(f"/api/wallets?userId={person.user_id}")["data"]
        assert [wallet["walletId"] for wallet in wallets] == [person.wallet_id]
        orders = admin.get(f"/api/orders?userId={person.user_id}")["data"]
        assert {order["userId"] for order in orders} == {person.user_id}
        assert admin.get(f"/api/trades?userId={person.user_id}") == person.get("/api/trades")


@pytest.mark.parametrize("path", LISTS)
def test_others_have_their_own_whomever_they_name(shared_exchange: Running, path: str) -> None:
    ann, bob = shared_exchange.person(USD="1"), shared_exchange.person(USD="1")
    own = ann.get(path)
    assert ann.get(f"{path}?userId={ann.user_id}") == own
    assert {each["userId"] for each in ann.get(f"{path}?userId={bob.user_id}")["data"]} <= {ann.user_id}


def test_events_are_read_since_a_time(shared_exchange: Running) -> None:
    admin = shared_exchange.admin()
    for _ in range(3):
        shared_exchange.person()
    events = admin.get("/api/events?source=users&limit=1000")["data"]
    for at in (0, len(events) // 2, len(events) - 1):
        since = events[at]["time"]
        found = admin.get(f"/api/events?source=users&limit=1000&since={since}")["data"]
        assert found == [event for event in events if event["time"] >= since]
    assert admin.get("/api/events?source=users&since=2100-01-01T00:00:00Z")["data"] == []
    assert admin.get("/api/events?source=users&limit=1000&since=1990-01-01T00:00:00Z")["data"] == events


def test_a_time_without_a_zone_is_none(shared_exchange: Running) -> None:
    answer = shared_exchange.admin().call("GET", "/api/events?source=users&since=2026-01-01T00:00:00")
    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, "since")
