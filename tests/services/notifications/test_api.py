"""The door of notifications, through a whole exchange."""

from typing import Any

import pytest

from tests.support.running import Person, Running, until

ZERO_ID = "00000000-0000-7000-8000-000000000000"
KINDS = ["order_accepted", "fill", "order_closed", "wallet_changed", "portfolio_changed", "message"]
PREFERENCES = "/api/notifications/preferences"


@pytest.fixture
def ada(shared_exchange: Running) -> Person:
    return shared_exchange.person()


@pytest.fixture
def admin(shared_exchange: Running) -> Person:
    return shared_exchange.admin()


def told(person: Person, kind: str = "", query: str = "limit=1000") -> list[Any]:
    """Somebody's notifications, newest first."""
    found = person.get(f"/api/notifications?{query}")["data"]
    return [each for each in found if kind in ("", each["kind"])]


def message(admin: Person, person: Person, title: str = "Hello") -> Any:
    return admin.post("/api/notifications", {"userId": person.user_id, "title": title, "body": "How are you?\nAdmin"})


def test_a_traded_order_is_told_to_both_sides(exchange: Running) -> None:
    buyer, seller = exchange.person(USD="1000000"), exchange.person(BTC="20")
    sell = seller.order("sell", "5", "50000")
    buy = buyer.order("buy", "5", "50000")
    for person, order in ((seller, sell), (buyer, buy)):
        (closed,) = until(lambda person=person: told(person, "order_closed"), "the close")
        (accepted,), (fill,) = told(person, "order_accepted"), told(person, "fill")
        for each in (accepted, fill, closed):
            assert each["data"]["orderId"] == order["orderId"]
            assert each["userId"] == person.user_id
            assert each["readAt"] is None
        assert closed["data"]["reason"] == "filled"
        until(lambda person=person: len(told(person, "wallet_changed")) == 2, "the settled trade")
        until(lambda person=person: "BTC" in str(told(person, "portfolio_changed")[0]["data"]), "the holding")
    assert buyer.user_id not in str(told(seller))


def test_a_cancelled_order_is_closed_once(exchange: Running) -> None:
    buyer = exchange.person(USD="1000000")
    order = buyer.order("buy", "1", "50000")
    assert buyer.call("DELETE", f"/api/orders/{order['orderId']}").status_code in (200, 202)
    (closed,) = until(lambda: told(buyer, "order_closed"), "the close")
    assert closed["data"]["reason"] == "cancelled"
    assert closed["title"] == f"Order {order['orderId']} closed: cancelled"
    assert len(told(buyer, "wallet_changed")) == 1


@pytest.mark.parametrize(
    ("terms", "reason"),
    [
        ({"postOnly": True}, "would_cross"),
        ({"timeInForce": "fok", "quantity": "2"}, None),
        ({"timeInForce": "ioc", "price": "49000"}, None),
    ],
)
def test_an_order_that_never_rests_is_closed_once(exchange: Running, terms: dict[str, Any], reason: str | None) -> None:
    buyer, seller = exchange.person(USD="1000000"), exchange.person(BTC="1")
    seller.order("sell", "1", "50000")
    order = buyer.order(**({"side": "buy", "quantity": "1", "price": "50000"} | terms))
    (closed,) = until(lambda: told(buyer, "order_closed"), "the close")
    assert closed["data"]["orderId"] == order["orderId"]
    assert reason in (None, closed["data"]["reason"])
    assert len(told(buyer, "wallet_changed")) == 1


def test_reading(ada: Person, admin: Person) -> None:
    sent = message(admin, ada)
    path = f"/api/notifications/{sent['notificationId']}"
    assert ada.get(path) == sent
    assert sent["readAt"] is None
    read = ada.post(path + "/read", None, 200)
    assert read["readAt"] is not None
    assert ada.post(path + "/read", None, 200) == read
    assert ada.get(path) == read
    assert sent["notificationId"] not in [each["notificationId"] for each in told(ada, query="unread=true")]
    assert sent["notificationId"] in [each["notificationId"] for each in told(ada)]


def test_a_message(ada: Person, admin: Person) -> None:
    sent = message(admin, ada, "<img onerror=1>")
    assert (sent["kind"], sent["title"], sent["body"]) == ("message", "<img onerror=1>", "How are you?\nAdmin")
    assert sent["data"] == {"title": sent["title"], "body": sent["body"]}
    assert told(ada, "message") == [sent]


def test_pages_are_newest_first(ada: Person, admin: Person) -> None:
    sent = [message(admin, ada, f"m{number}")["title"] for number in range(5)]
    titles: list[str] = []
    path = "/api/notifications?limit=2"
    while path:
        page = ada.get(path)
        titles += [each["title"] for each in page["data"] if each["kind"] == "message"]
        path = f"/api/notifications?limit=2&cursor={page['nextCursor']}" if page["nextCursor"] else ""
    assert titles == sent[::-1]
    assert ada.call("GET", "/api/notifications?cursor=nonsense").status_code == 422
    assert ada.call("GET", "/api/notifications?unread=perhaps").status_code == 422


# who may -----------------------------------------------------------------------------------------------------------


def test_somebody_elses_notification_is_not_there(shared_exchange: Running, ada: Person, admin: Person) -> None:
    path = f"/api/notifications/{message(admin, ada)['notificationId']}"
    bob = shared_exchange.person()
    assert bob.call("GET", path).status_code == 404
    assert bob.call("POST", path + "/read").status_code == 404
    assert admin.get(path)["userId"] == ada.user_id
    assert admin.call("POST", path + "/read").status_code == 403
    assert ada.get(path)["readAt"] is None
    assert ada.call("GET", f"/api/notifications/{ZERO_ID}").status_code == 404
    assert ada.call("POST", f"/api/notifications/{ZERO_ID}/read").status_code == 404


def test_only_admins_send_messages(ada: Person) -> None:
    body = {"userId": ada.user_id, "title": "Hello", "body": "there"}
    assert ada.call("POST", "/api/notifications", body).status_code == 403


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/api/notifications"),
        ("POST", "/api/notifications"),
        ("GET", f"/api/notifications/{ZERO_ID}"),
        ("POST", f"/api/notifications/{ZERO_ID}/read"),
        ("GET", PREFERENCES),
        ("PUT", PREFERENCES),
    ],
)
def test_a_token_is_needed(shared_exchange: Running, method: str, path: str) -> None:
    assert shared_exchange.http.request(method, path, json={}).status_code == 401


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"userId": ZERO_ID}, "userId"),
        ({"userId": ""}, "userId"),
        ({"title": ""}, "title"),
        ({"title": "a\r\nBcc: everybody"}, "title"),
        ({"title": "x" * 201}, "title"),
        ({"body": "x" * 10_001}, "body"),
        ({"body": "a\x00b"}, "body"),
        ({"kind": "fill"}, "kind"),
    ],
)
def test_what_is_wrong_with_a_message_is_named(ada: Person, admin: Person, change: dict[str, str], field: str) -> None:
    answer = admin.call("POST", "/api/notifications", {"userId": ada.user_id, "title": "x", "body": "y"} | change)
    assert answer.status_code == 422, answer.text
    assert [each["field"] for each in answer.json()["errors"]] == [field]


# preferences -------------------------------------------------------------------------------------------------------


def put(person: Person, body: Any, status: int = 200) -> Any:
    answer = person.call("PUT", PREFERENCES, body)
    assert answer.status_code == status, answer.text
    return answer.json()


def test_at_first_everything_goes_to_the_inbox(ada: Person) -> None:
    channels = {"inbox": True, "webhook": None, "email": None}
    assert ada.get(PREFERENCES) == {"kinds": KINDS, "channels": channels}


def test_a_secret_is_shown_once(ada: Person) -> None:
    wish = {"channels": {"webhook": {"url": "https://8.8.8.8/hook", "kinds": ["fill"]}}}
    webhook = put(ada, wish)["channels"]["webhook"]
    assert webhook.pop("secret").startswith("whsec_")
    assert webhook == {"url": "https://8.8.8.8/hook", "kinds": ["fill"]}
    kept = ada.get(PREFERENCES)
    assert kept["channels"]["webhook"] == webhook
    assert put(ada, kept) == kept
    other = put(ada, {"channels": {"webhook": {"url": "https://8.8.8.8/other"}}})
    assert "secret" in other["channels"]["webhook"]
    assert other["channels"]["webhook"]["kinds"] == KINDS


def test_a_repeated_key_shows_the_same_secret_and_keeps_it_sealed(exchange: Running) -> None:
    ada = exchange.person()
    wish = {"channels": {"webhook": {"url": "https://8.8.8.8/hook"}}}
    key = {"idempotency-key": "key"}
    first = ada.call("PUT", PREFERENCES, wish, key).json()
    assert ada.call("PUT", PREFERENCES, wish, key).json() == first
    secret = first["channels"]["webhook"]["secret"].encode()
    for file in exchange.settings.folder.iterdir():
        assert secret not in file.read_bytes(), file


def test_what_is_not_wanted_is_not_told(ada: Person, admin: Person) -> None:
    assert put(ada, {"kinds": ["fill"]})["kinds"] == ["fill", "message"]
    admin.fund(ada, USD="5")
    sent = message(admin, ada)
    assert told(ada)[0] == sent
    assert told(ada, "wallet_changed") == []


def test_an_email_address_is_kept(ada: Person) -> None:
    kept = put(ada, {"channels": {"email": {"address": "ada@example.com"}}})
    assert kept["channels"]["email"] == {"address": "ada@example.com", "kinds": KINDS}
    assert put(ada, {})["channels"]["email"] is None


@pytest.mark.parametrize(
    ("wish", "field"),
    [
        ({"channels": {"inbox": False}}, "channels.inbox"),
        ({"kinds": ["everything"]}, "kinds[0]"),
        ({"channels": {"webhook": {"url": "http://127.0.0.1/"}}}, "channels.webhook.url"),
        ({"channels": {"webhook": {"url": "http://localhost:8000/"}}}, "channels.webhook.url"),
        ({"channels": {"webhook": {"url": "http://169.254.169.254/latest/meta-data"}}}, "channels.webhook.url"),
        ({"channels": {"webhook": {"url": "http://[::ffff:10.0.0.1]/"}}}, "channels.webhook.url"),
        ({"channels": {"webhook": {"url": "ftp://example.com/"}}}, "channels.webhook.url"),
        ({"channels": {"webhook": {"url": "https://user:pass@example.com/"}}}, "channels.webhook.url"),
        ({"channels": {"webhook": {}}}, "channels.webhook.url"),
        ({"channels": {"email": {"address": "nobody"}}}, "channels.email.address"),
        ({"channels": {"email": {"address": f"ada@{'a' * 64}.com"}}}, "channels.email.address"),
        ({"channels": {"email": {"address": "a@b.c\r\nBcc: d@e.f"}}}, "channels.email.address"),
        ({"channels": {"sms": {}}}, "channels.sms"),
        ({"secret": "whsec_x"}, "secret"),
    ],
)
def test_what_is_wrong_with_preferences_is_named(ada: Person, wish: Any, field: str) -> None:
    answer = put(ada, wish, 422)
    assert [each["field"] for each in answer["errors"]] == [field]


def test_private_webhooks_where_they_are_allowed(tmp_path_factory: pytest.TempPathFactory) -> None:
    with Running(tmp_path_factory.mktemp("private") / "data", webhook_private=True) as running:
        ada = running.person()
        assert "secret" in put(ada, {"channels": {"webhook": {"url": "http://127.0.0.1:9/"}}})["channels"]["webhook"]
