"""The channels by Server-Sent Events: what curl gets."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.streams.listening import Book
from tests.support.running import Running

PATH = "/api/stream"


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with Running(tmp_path_factory.mktemp("events"), price_band_ppm=0) as running:
        yield running


def events(lines: Iterator[str]) -> Iterator[dict[str, str]]:
    """Events as a browser reads them."""
    event: dict[str, str] = {}
    for line in lines:
        if line:
            name, _, value = line.partition(": ")
            event[name] = value
        elif event:
            yield event
            event = {}


def test_a_book_is_told_as_over_a_socket(running: Running) -> None:
    ann = running.person(USD="10000", BTC="10")
    book = Book()
    with running.http.stream("GET", f"{PATH}?channels=book:BTC-USD,trades:BTC-USD") as answer:
        assert answer.headers["content-type"] == "text/event-stream"
        heard = events(answer.iter_lines())
        first = next(heard)
        assert (first["event"], "id" in first) == ("book:BTC-USD", False)
        book.take(json.loads(first["data"]))
        assert next(heard)["event"] == "trades:BTC-USD"
        for price in ("10", "11", "12"):
            ann.order("buy", "1", price)
        there = running.http.get("/api/markets/BTC-USD/book").json()
        while book.sequence < there["sequence"]:
            book.take(json.loads(next(heard)["data"]))
        assert book.levels() == there


def test_an_own_channel_goes_on_after_the_last_id(running: Running) -> None:
    ann = running.person(USD="10000", BTC="10")
    seen: list[Any] = []
    last: dict[str, str] = {}
    for turn in range(3):
        with running.http.stream("GET", f"{PATH}?channels=orders", headers=ann.headers | last) as answer:
            heard = events(answer.iter_lines())
            if not turn:
                assert json.loads(next(heard)["data"])["type"] == "snapshot"
            order = ann.order("buy", "1", f"{10 + turn}")
            while not seen or seen[-1]["data"] != order:
                event = next(heard)
                seen.append(json.loads(event["data"]))
                last = {"last-event-id": event["id"]}
        ann.order("buy", "1", "5")
    assert [message["sequence"] for message in seen] == sorted({message["sequence"] for message in seen})
    told = {message["id"]: message["data"] for message in seen}
    assert [each for each in ann.get("/api/orders")["data"] if each["orderId"] not in told] == ann.get("/api/orders")[
        "data"
    ][:1]


WRONG = {
    "no channels": ("", {}, 422, "invalid_request"),
    "a channel that there is not": ("?channels=weather", {}, 422, "invalid_request"),
    "a market that there is not": ("?channels=book:NO-SUCH", {}, 404, "unknown_symbol"),
    "a token in the url": ("?channels=book:BTC-USD&access_token=x", {}, 422, "invalid_request"),
    "an own one of nobody": ("?channels=orders", {}, 401, "unauthorized"),
    "no token": ("?channels=orders", {"authorization": "Bearer x"}, 401, "unauthorized"),
}


@pytest.mark.parametrize("wrong", WRONG)
def test_what_is_wrong_is_refused(running: Running, wrong: str) -> None:
    query, headers, status, code = WRONG[wrong]
    answer = running.http.get(PATH + query, headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (status, code)


def test_two_own_channels_have_no_id_in_common(running: Running) -> None:
    ann = running.person()
    answer = running.http.get(f"{PATH}?channels=orders,wallets", headers=ann.headers)
    assert answer.json()["errors"][0]["field"] == "channels"
    answer = running.http.get(f"{PATH}?channels=orders", headers=ann.headers | {"last-event-id": "x"})
    assert answer.json()["errors"][0]["field"] == "Last-Event-ID"


def test_both_kinds_of_streams_are_described(running: Running) -> None:
    paths = running.http.get("/openapi.json").json()["paths"]
    assert paths[PATH]["get"]["responses"]["200"]["content"].keys() == {"text/event-stream"}
    assert "101" in paths["/ws"]["get"]["responses"]
    for query, headers, status, code in WRONG.values():
        described = paths[PATH]["get"]["responses"][str(status)]
        assert code in described["description"], (query, headers)
