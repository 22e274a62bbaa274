"""Clients that stand still: half a head, half a body, an answer that is not read. Each is let go, and nobody waits."""

import json
import re
import socket
import threading
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import pytest

from borsa.services.users import passwords
from tests.support.running import Person, Running, until


@pytest.fixture(scope="module")
def impatient(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """An exchange that waits for a second only."""
    folder = tmp_path_factory.mktemp("slow") / "data"
    with Running(folder, head_seconds_max=1, body_seconds_max=1, answer_seconds_max=1) as running:
        yield running


def connected(running: Running) -> socket.socket:
    address = urlsplit(running.url)
    assert address.hostname is not None
    return socket.create_connection((address.hostname, address.port), timeout=30)


def all_of(connection: socket.socket) -> bytes:
    """What comes until the other end closes."""
    found = b""
    while part := connection.recv(65536):
        found += part
    return found


def refused(answer: bytes, status: int, code: str) -> None:
    """This is one answer, a problem document."""
    head, _, body = answer.partition(b"\r\n\r\n")
    assert answer.count(b"HTTP/1.1 ") == 1
    assert head.startswith(b"HTTP/1.1 %d " % status), head
    assert b"content-type: application/problem+json" in head
    assert (json.loads(body)["code"], json.loads(body)["status"]) == (code, status)


@pytest.mark.parametrize("sent", [b"G", b"GET /healthz HTTP/1.1\r\nhost: x\r\nx: ", b"GET /healthz HTTP/1.1\r\n"])
def test_half_a_head_is_answered_408_and_closed(impatient: Running, sent: bytes) -> None:
    with connected(impatient) as connection:
        connection.sendall(sent)
        refused(all_of(connection), 408, "request_timeout")


def test_a_client_that_says_nothing_is_let_go(impatient: Running) -> None:
    with connected(impatient) as connection:
        assert all_of(connection) == b""


def test_a_head_that_drips_is_late_all_the_same(impatient: Running) -> None:
    with connected(impatient) as connection:
        connection.sendall(b"GET /healthz HTTP/1.1\r\nhost: x\r\n")
        connection.settimeout(0.05)
        answer = b""
        for _ in range(600):
            try:
                connection.sendall(b"a")
                answer = connection.recv(65536)
                break
            except TimeoutError:
                continue
        refused(answer, 408, "request_timeout")


@pytest.mark.parametrize(
    "framing", [b"content-length: 200\r\n\r\n{", b"transfer-encoding: chunked\r\n\r\n5\r\n{}"], ids=["length", "chunks"]
)
@pytest.mark.parametrize("signed_in", [True, False])
def test_half_a_body_is_answered_once_and_closed(impatient: Running, framing: bytes, signed_in: bool) -> None:
    person = impatient.person()
    token = person.headers["authorization"] if signed_in else "Bearer x"
    head = f"POST /api/orders HTTP/1.1\r\nhost: x\r\nauthorization: {token}\r\n".encode()
    with connected(impatient) as connection:
        connection.sendall(head + framing)
        answer = all_of(connection)
    # who may not come in is told so before the body is read
    refused(answer, *((408, "request_timeout") if signed_in else (401, "unauthorized")))
    assert person.get("/api/orders")["data"] == []


def test_a_client_that_never_reads_is_let_go(impatient: Running) -> None:
    before = len(connections(impatient))
    with connected(impatient) as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        with pytest.raises((ConnectionResetError, BrokenPipeError)):
            ask_without_end(connection)
    until(lambda: len(connections(impatient)) <= before, "the connection to end")


def test_of_requests_that_wait_for_their_turn_there_are_few(impatient: Running) -> None:
    waiting = [0]
    with connected(impatient) as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        with pytest.raises((ConnectionResetError, BrokenPipeError)):
            count_while_asking(impatient, connection, waiting)
    assert 0 < max(waiting) < 300


def count_while_asking(running: Running, connection: socket.socket, waiting: list[int]) -> None:
    """Ask without end; how many requests wait for their turn at a connection, now and then."""
    while True:
        connection.sendall(b"GET /openapi.json HTTP/1.1\r\nhost: x\r\n\r\n" * 1000)
        waiting += [len(each.pipeline) for each in connections(running)]


def test_many_requests_at_once_are_all_answered_in_their_order(impatient: Running) -> None:
    asked = [b"GET /healthz HTTP/1.1\r\nhost: x\r\nx-request-id: n-%d\r\n\r\n" % number for number in range(3000)]
    with connected(impatient) as connection:
        writing = threading.Thread(target=connection.sendall, args=(b"".join(asked),))
        writing.start()
        found = b""
        while not (b"n-2999" in found and found.endswith(b"}")):
            part = connection.recv(65536)
            assert part, "it was closed before the last answer"
            found += part
        writing.join()
    assert re.findall(rb"x-request-id: n-(\d+)", found) == [b"%d" % number for number in range(3000)]


def ask_without_end(connection: socket.socket) -> None:
    while True:
        connection.sendall(b"GET /openapi.json HTTP/1.1\r\nhost: x\r\n\r\n" * 100)


def connections(running: Running) -> set[Any]:
    """The connections that the server knows."""
    return set(running._server.server_state.connections)


def test_between_two_requests_a_client_may_take_its_time(impatient: Running) -> None:
    with connected(impatient) as slow, connected(impatient) as quiet:
        ask = b"GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n"
        quiet.sendall(ask)
        assert quiet.recv(65536).startswith(b"HTTP/1.1 200")
        slow.sendall(ask[:-2])
        refused(all_of(slow), 408, "request_timeout")  # by then the quiet one has been quiet for as long
        quiet.sendall(ask)
        assert quiet.recv(65536).startswith(b"HTTP/1.1 200")


def test_a_client_that_waits_for_us_is_not_slow(impatient: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also not one that has begun its next request meanwhile."""
    asked, go_on = threading.Event(), threading.Event()

    def long_lasting(_kept: str | None, _password: str) -> bool:
        asked.set()
        return go_on.wait(60) and False

    monkeypatch.setattr(passwords, "matches", long_lasting)
    body = b'{"userName": "nobody", "password": "wrong"}'
    head = b"POST /api/users/login HTTP/1.1\r\nhost: x\r\ncontent-length: %d\r\n\r\n" % len(body)
    with connected(impatient) as waiting:
        waiting.sendall(head + body + head[:20])
        assert asked.wait(30)
        for _ in range(2):
            with connected(impatient) as slow:
                slow.sendall(b"GET")
                refused(all_of(slow), 408, "request_timeout")
        go_on.set()
        assert waiting.recv(65536).startswith(b"HTTP/1.1 401")
        assert all_of(waiting).startswith(b"HTTP/1.1 408")


def test_slow_clients_hold_up_nobody(impatient: Running) -> None:
    person = impatient.person(USD="1000")
    slow = [connected(impatient) for _ in range(200)]
    for at, connection in enumerate(slow):
        connection.sendall(b"POST /api/orders HTTP/1.1\r\nhost: x\r\ncontent-length: 9\r\n\r\n{"[: 20 + at % 40])
    assert person.order("buy", "0.001", "45000")["status"] == "open"
    for connection in slow:
        assert all_of(connection).count(b"HTTP/1.1 ") == 1
        connection.close()
    assert_alive(impatient, person)


def assert_alive(running: Running, person: Person) -> None:
    assert running.http.get("/healthz").status_code == 200
    assert person.get("/api/orders")["data"]
