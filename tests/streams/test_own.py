"""What users follow of their own: as REST gives it, of nobody else, and again from where they were."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from borsa.runtime.http import own
from tests.streams.listening import Message, Stream
from tests.support.process import Process
from tests.support.running import Person, Running, until

ALL = ("orders", "fills", "wallets", "portfolios", "notifications")


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with Running(tmp_path_factory.mktemp("own"), price_band_ppm=0, rows_per_second=10**6) as running:
        yield running


@pytest.fixture
def ann(running: Running) -> Person:
    return running.person(USD="1000000", BTC="1000")


@pytest.fixture
def bob(running: Running) -> Person:
    return running.person(USD="1000000", BTC="1000")


def newest(messages: list[Message]) -> dict[str, Any]:
    """What was said last of each thing."""
    return {message["id"]: message["data"] for message in messages if message["type"] == "change"}


def rise(messages: list[Message]) -> bool:
    sequences = [message["sequence"] for message in messages]
    return sequences == sorted(set(sequences))


def of_rest(person: Person) -> dict[str, dict[str, Any]]:
    found = {
        "orders": ("/api/orders", "orderId"),
        "fills": ("/api/trades", "tradeId"),
        "wallets": ("/api/wallets", "walletId"),
        "portfolios": ("/api/portfolios", "portfolioId"),
        "notifications": ("/api/notifications", "notificationId"),
    }
    return {name: {each[key]: each for each in person.get(path)["data"]} for name, (path, key) in found.items()}


def trade(seller: Person, buyer: Person, price: str = "100") -> None:
    seller.order("sell", "0.5", price)
    buyer.order("buy", "0.5", price)


def test_what_is_told_is_what_rest_gives(ann: Person, bob: Person, running: Running) -> None:
    before = of_rest(ann)["notifications"]
    with Stream(running, ann) as stream:
        stream.follow(*ALL)
        trade(ann, bob)
        ann.order("buy", "1", "90")

        def is_all_there() -> bool:
            told = {name: newest(stream.of(name)) for name in ALL}
            there = of_rest(ann)
            there["notifications"] = {k: v for k, v in there["notifications"].items() if k not in before}
            told["notifications"] = {k: v for k, v in told["notifications"].items() if k not in before}
            return told == there

        until(is_all_there, "everything")
        assert all(rise(stream.of(name)) for name in ALL)
        assert not [
            each for name in ALL for each in newest(stream.of(name)).values() if bob.user_id in json.dumps(each)
        ]


def test_both_sides_of_a_fill_see_their_own(ann: Person, bob: Person, running: Running) -> None:
    with Stream(running, ann) as seller, Stream(running, bob) as buyer:
        seller.follow("fills")
        buyer.follow("fills")
        trade(ann, bob)
        for stream, role in ((seller, "maker"), (buyer, "taker")):
            stream.until(lambda stream=stream: newest(stream.of("fills")), "the fill")
            assert [each["role"] for each in newest(stream.of("fills")).values()] == [role]


def test_who_lost_the_connection_goes_on_where_it_was(ann: Person, bob: Person, running: Running) -> None:
    """Whatever was told before the loss: with the rest after it, it is everything, and nothing twice."""
    heard: dict[str, list[Message]] = {name: [] for name in ALL}
    after: dict[str, int] = {}

    def keep(stream: Stream) -> None:
        for name in ALL:
            messages = stream.of(name)
            assert not after.get(name) or all(message["type"] == "change" for message in messages)
            heard[name] += messages
        after.update({name: max(message["sequence"] for message in messages) for name, messages in heard.items()})

    for price in ("100", "101", "102"):
        with Stream(running, ann) as stream:
            stream.follow(*ALL, **after)
            trade(ann, bob, price)
            stream.until(lambda stream=stream: len(stream.of("orders")) > 1, "something")
            stream.drop()
            stream.until(lambda stream=stream: stream.closed, "the loss")
            keep(stream)
        trade(ann, bob, "99")
    with Stream(running, ann) as stream:
        stream.follow(*ALL, **after)

        def is_all_there() -> bool:
            there = of_rest(ann)
            return all(newest(heard[name] + stream.of(name)) == there[name] for name in ("orders", "fills", "wallets"))

        until(is_all_there, "everything")
        until(lambda: {*newest(heard["notifications"] + stream.of("notifications"))} >= fills_of(ann), "notifications")
        keep(stream)
    assert all(rise(messages) for messages in heard.values())


def fills_of(person: Person) -> set[str]:
    """The notifications of a person's fills."""
    return {each["notificationId"] for each in person.get("/api/notifications")["data"] if each["kind"] == "fill"}


def test_too_far_back_is_said(ann: Person, bob: Person, running: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    trade(ann, bob)
    monkeypatch.setattr(own, "RESUMED_EVENTS_MAX", 3)
    with Stream(running, ann) as stream:
        answer = stream.ask("subscribe", channels=["orders"], after={"orders": 0})
        assert (answer["code"], stream.of("orders")) == ("too_far_back", [])
        ahead = stream.ask("subscribe", channels=["orders"], after={"orders": 10**9})
        assert (ahead["code"], ahead["field"]) == ("invalid_request", "after")
        stream.follow("orders")


def test_who_one_is_may_be_said_later(ann: Person, bob: Person, running: Running) -> None:
    with Stream(running) as stream:
        token = ann.tokens["accessToken"]
        answer = stream.ask("authenticate", token=token)
        assert (answer["type"], answer["userId"]) == ("authenticated", ann.user_id)
        stream.follow("orders")
        trade(ann, bob)
        stream.until(lambda: newest(stream.of("orders")), "an order")
        assert stream.ask("authenticate", token=bob.tokens["accessToken"])["code"] == "forbidden"


def test_an_api_key_follows_with_its_scope(ann: Person, running: Running) -> None:
    made = ann.post("/api/users/api-keys", {"label": "x", "scopes": ["trade"]})
    with Stream(running, authorization=f"Bearer {made['secret']}") as stream:
        assert stream.ask("subscribe", channels=["orders"])["code"] == "forbidden"
    made = ann.post("/api/users/api-keys", {"label": "y", "scopes": ["read"]})
    with Stream(running, authorization=f"Bearer {made['secret']}") as stream:
        stream.follow("orders")


def test_the_end_of_a_session_ends_its_streams(ann: Person, running: Running) -> None:
    with Stream(running, ann) as stream:
        stream.follow("orders")
        assert ann.call("POST", "/api/users/logout").status_code == 204
        stream.until(lambda: stream.closed, "the end")
        assert stream.closed == (4001, "the access has ended")


def test_who_follows_nothing_yet_may_begin_only_while_the_access_lasts(ann: Person, running: Running) -> None:
    made = ann.post("/api/users/api-keys", {"label": "z", "scopes": ["read"]})
    with Stream(running, authorization=f"Bearer {made['secret']}") as stream:
        assert stream.ask("ping")["type"] == "pong"
        assert ann.call("DELETE", f"/api/users/api-keys/{made['keyId']}").status_code == 204
        stream._socket.send('{"op": "subscribe", "channels": ["orders"]}')
        stream.until(lambda: stream.closed, "the end")
        assert (stream.closed, stream.of("orders")) == ((4001, "the access has ended"), [])


def test_markets_are_told_when_they_change(running: Running) -> None:
    admin = running.admin()
    with Stream(running) as stream:
        stream.follow("markets")
        assert stream.of("markets")[0]["markets"] == admin.get("/api/markets")["data"]
        for state in ("halted", "open"):
            assert admin.call("PUT", "/api/markets/SOL-USD", {"state": state}).status_code == 200
            stream.until(lambda: stream.of("markets")[-1]["type"] == "change", "the change")
            stream.until(lambda state=state: stream.of("markets")[-1]["markets"][-1]["state"] == state, state)
        assert [each["symbol"] for each in stream.of("markets")[-1]["markets"]] == ["SOL-USD"]


def test_everything_is_the_same_over_processes(tmp_path: Path) -> None:
    """The door in a process of its own: what is broadcast and what is in logs comes over a link."""
    with Process(tmp_path / "data", processes="3", price_band_ppm="0") as exchange:
        ann, bob = (exchange.person(USD="10000", BTC="100") for _ in range(2))
        with Stream(exchange, ann) as stream:
            stream.follow("book:BTC-USD", "trades:BTC-USD", *ALL)
            trade(ann, bob)
            ann.order("sell", "1", "105")
            until(lambda: newest(stream.of("orders")) == of_rest(ann)["orders"], "orders")
            until(lambda: newest(stream.of("wallets")) == of_rest(ann)["wallets"], "wallets")
            stream.until(lambda: newest(stream.of("fills")) and len(stream.of("trades:BTC-USD")) > 1, "the trade")
            stream.until(lambda: newest(stream.of("notifications")), "a notification")
            book = stream.books["book:BTC-USD"]
            until(lambda: exchange.http.get("/api/markets/BTC-USD/book").json() == book.levels(), "the book")
