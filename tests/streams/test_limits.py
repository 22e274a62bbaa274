"""What a stream may cost: who opens it, how many, and what becomes of those who don't read."""

import json
import socket
from pathlib import Path
from typing import Any

import pytest
from websockets.exceptions import InvalidStatus

from tests.streams.listening import Book, Stream
from tests.support.running import Running, until

BOOK = "book:BTC-USD"
KEY = "dGhlIHNhbXBsZSBub25jZQ=="


def refused(running: Running, **headers: str) -> tuple[int, str]:
    """The status and the code with which a stream is refused."""
    with pytest.raises(InvalidStatus) as error, Stream(running, **headers):
        pass
    response = error.value.response
    return response.status_code, json.loads(response.body)["code"]


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Any:
    folder = tmp_path_factory.mktemp("limits")
    options = {"origins": "https://app.example.com", "stream_messages_per_second": 30, "stream_channels_max": 3}
    with Running(folder, price_band_ppm=0, user_streams_max=2, answer_seconds_max=2, **options) as running:
        yield running


def test_a_page_of_another_host_may_not(running: Running) -> None:
    assert refused(running, origin="https://evil.example.com") == (403, "forbidden")
    assert refused(running, origin="null") == (403, "forbidden")
    for origin in (running.url, "https://app.example.com"):
        with Stream(running, origin=origin) as stream:
            stream.follow(BOOK)


def test_a_token_that_is_none_is_refused_before_anything(running: Running) -> None:
    assert refused(running, authorization="Bearer nothing") == (401, "unauthorized")


def test_a_token_in_the_url_is_no_token(running: Running) -> None:
    ann = running.person()
    stream = Stream(running)
    stream._url += f"?access_token={ann.tokens['accessToken']}"
    with stream:
        assert stream.ask("subscribe", channels=["orders"])["code"] == "unauthorized"


def test_a_user_has_so_many_streams(running: Running) -> None:
    ann = running.person()
    with Stream(running, ann), Stream(running, ann):
        with Stream(running, ann) as third:
            third.until(lambda: third.closed, "the end")
            assert third.closed == (4029, "Too many streams of this user")
        with Stream(running) as later:
            answer = later.ask("authenticate", token=ann.tokens["accessToken"])
            assert (answer["code"], answer["field"]) == ("too_many_requests", "token")
    until(lambda: _may_open(running, ann), "a place")


def test_a_user_has_so_many_streams_of_both_kinds(running: Running) -> None:
    ann = running.person()
    events = "/api/stream?channels=orders"
    with Stream(running, ann), running.http.stream("GET", events, headers=ann.headers) as second:
        assert second.status_code == 200
        with running.http.stream("GET", events, headers=ann.headers) as refusal:
            assert refusal.status_code == 429
            assert json.loads(refusal.read())["code"] == "too_many_requests"
        with Stream(running, ann) as fourth:
            fourth.until(lambda: fourth.closed, "the end")
            assert fourth.closed == (4029, "Too many streams of this user")
    until(lambda: _may_open(running, ann), "a place")


def _may_open(running: Running, person: Any) -> bool:
    with Stream(running, person) as stream:
        return bool(stream.ask("ping") and not stream.closed)


def test_a_stream_follows_so_many_channels(running: Running) -> None:
    with Stream(running) as stream:
        stream.follow(BOOK, "book:ETH-USD", "book:SOL-USD")
        answer = stream.ask("subscribe", channels=["book:ETH-BTC"])
        assert (answer["code"], answer["field"]) == ("too_many_requests", "channels")


def test_a_stream_takes_so_many_messages(running: Running) -> None:
    with Stream(running) as stream:
        answers = [stream.ask("ping") for _ in range(45)]
        assert {answer.get("code") for answer in answers} == {None, "too_many_requests"}


def test_an_address_has_so_many_streams(tmp_path: Path) -> None:
    with Running(tmp_path, address_streams_max=1) as running, Stream(running) as one:
        one.follow(BOOK)
        with Stream(running) as other:
            other.until(lambda: other.closed, "the end")
            assert other.closed == (4029, "Too many streams of this address")


def test_a_message_that_is_too_large_ends_it(running: Running) -> None:
    with Stream(running) as stream:
        stream._socket.send(json.dumps({"op": "ping", "id": "x" * 20_000}))
        stream.until(lambda: stream.closed, "the end")
        assert stream.closed is not None
        assert stream.closed[0] == 1009


class Deaf:
    """A client that says what it wants, and reads nothing unless it is told to. Its system takes little for it."""

    def __init__(self, running: Running) -> None:
        host, port = running.url.removeprefix("http://").split(":")
        self.socket = socket.socket()
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
        self.socket.settimeout(10)
        self.socket.connect((host, int(port)))
        head = ["GET /ws HTTP/1.1", f"Host: {host}:{port}", "Upgrade: websocket", "Connection: Upgrade"]
        head += [f"Sec-WebSocket-Key: {KEY}", "Sec-WebSocket-Version: 13", "", ""]
        self.socket.sendall("\r\n".join(head).encode())
        answer = b""
        while not answer.endswith(b"\r\n\r\n"):
            answer += self.socket.recv(1)
        assert answer.startswith(b"HTTP/1.1 101")

    def say(self, **message: Any) -> None:
        text = json.dumps(message).encode()
        assert len(text) < 126
        # masked with zeros
        self.socket.sendall(bytes([0x81, 0x80 | len(text)]) + bytes(4) + text)

    def messages(self) -> Any:
        """What comes, from now on."""
        with self.socket.makefile("rb") as file:
            while head := file.read(2):
                length = head[1] & 0x7F
                if length > 125:
                    length = int.from_bytes(file.read(2 if length == 126 else 8), "big")
                body = file.read(length)
                if head[0] & 0x0F == 1:
                    yield json.loads(body)


def rests(person: Any, symbol: str = "BTC-USD") -> None:
    """Many orders, each at a price of its own."""
    order = {"symbol": symbol, "type": "buy", "quantity": "0.1"}
    orders = [order | {"price": f"1{at // 100}.{at % 100:02d}"} for at in range(400)]
    person.post("/api/orders/batch", {"orders": orders}, 200)


def is_alive(running: Running) -> bool:
    """A request, which lets the server do what it has to."""
    return running.http.get("/healthz").status_code == 200


def fill(deaf: Deaf, running: Running, channel: str = BOOK) -> Any:
    """Have so much sent that more waits in the server than may; gives its connection."""
    name = deaf.socket.getsockname()
    (connection,) = [each for each in running._server.server_state.connections if getattr(each, "client", None) == name]
    for _ in range(1_500):
        # more than any system keeps for who does not read
        deaf.say(op="subscribe", channels=[channel])
        deaf.say(op="unsubscribe", channels=[channel])
    deaf.say(op="subscribe", channels=[channel])
    until(lambda: is_alive(running) and connection.unread_bytes > running.settings.stream_unread_bytes, "too much")
    return connection


def press(deaf: Deaf, running: Running, connection: Any, channel: str) -> int:
    """Ask for more, and ping; gives how many bytes more wait then."""
    before = connection.unread_bytes
    for _ in range(200):
        deaf.say(op="unsubscribe", channels=[channel])
        deaf.say(op="subscribe", channels=[channel])
        deaf.socket.sendall((bytes([0x89, 0x80 | 100]) + bytes(104)) * 5)
    deaf.say(op="subscribe", channels=["markets"])
    followed = running._server.config.app._streams._channels.fanout._followed
    until(lambda: is_alive(running) and "markets" in {each.name for each in list(followed)}, "all of it")
    return int(connection.unread_bytes) - before


OPTIONS: dict[str, Any] = {
    "price_band_ppm": 0, "stream_unread_bytes": 50_000, "stream_messages_per_second": 10**6, "log_level": "error",
}  # fmt: skip


def test_who_never_reads_is_let_go_and_the_others_hear_all(tmp_path: Path) -> None:
    with Running(tmp_path, answer_seconds_max=1, **OPTIONS) as running, Stream(running) as stream:
        ann = running.person(USD="1000000")
        rests(ann)
        stream.follow(BOOK)
        deaf = Deaf(running)
        try:
            connection = fill(deaf, running)
            connections = running._server.server_state.connections
            until(lambda: is_alive(running) and connection not in connections, "the end")
        finally:
            deaf.socket.close()
        ann.order("buy", "7", "9")
        there = running.http.get("/api/markets/BTC-USD/book?depth=1000").json()
        until(lambda: stream.books[BOOK].levels() == there, "the book")


def test_a_message_in_too_many_parts_ends_it(running: Running) -> None:
    deaf = Deaf(running)
    try:
        deaf.socket.sendall(bytes([0x01, 0x80]) + bytes(4) + (bytes([0x00, 0x80]) + bytes(4)) * 200)
        with deaf.socket.makefile("rb") as file:
            assert file.read(18) == b"\x88\x10" + (1009).to_bytes(2, "big") + b"too many parts"
    finally:
        deaf.socket.close()


def test_a_slow_reader_gets_merged_changes_and_the_right_book(tmp_path: Path) -> None:
    with Running(tmp_path, answer_seconds_max=60, **OPTIONS) as running:
        ann = running.person(USD="1000000")
        rests(ann)
        rests(ann, "ETH-USD")
        slow = Deaf(running)
        try:
            slow.say(op="subscribe", channels=[BOOK])
            connection = fill(slow, running, "book:ETH-USD")
            assert press(slow, running, connection, "book:ETH-USD") < 80_000, "more than the answers"
            for _ in range(3):
                ann.call("DELETE", "/api/orders?symbol=BTC-USD")
                rests(ann)
            ann.order("buy", "7", "9")
            there = running.http.get("/api/markets/BTC-USD/book?depth=1000").json()
            book, widest = Book(), 0
            for message in slow.messages():
                if message.get("channel") == BOOK:
                    book.take(message)
                    widest = max(widest, message["sequence"] - message.get("first", message["sequence"]))
                    if book.sequence >= there["sequence"]:
                        break
        finally:
            slow.socket.close()
        assert book.levels() == there
        assert widest > 800, "nothing was merged"


def test_streams_leave_nothing_behind(running: Running) -> None:
    with Stream(running) as stream:
        stream.follow(BOOK)
    connections = running._server.server_state.connections
    until(lambda: is_alive(running) and not [each for each in list(connections) if hasattr(each, "push")], "the end")
