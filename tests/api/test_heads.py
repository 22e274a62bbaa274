"""Heads of requests that are no HTTP, or never end: answered with a problem, closed, and nobody else waits for them."""

import json
import socket
from urllib.parse import urlsplit

import pytest

from tests.support.running import Running

HEAD = b"POST /api/orders HTTP/1.1\r\nhost: x\r\n"
GET = b"GET /healthz HTTP/1.1\r\nhost: x\r\n"


def said(running: Running, raw: bytes) -> bytes:
    """All that is answered until the connection is closed."""
    address = urlsplit(running.url)
    assert address.hostname is not None
    answer = b""
    with socket.create_connection((address.hostname, address.port), timeout=20) as connection:
        try:
            connection.sendall(raw)
            while part := connection.recv(65536):
                answer += part
        except (ConnectionResetError, BrokenPipeError):
            pass  # it closed before it had taken everything
    return answer


def problem(answer: bytes) -> tuple[int, str]:
    """Status and code of the one answer, which is a problem document."""
    head, _, body = answer.partition(b"\r\n\r\n")
    assert answer.count(b"HTTP/1.1 ") == 1, answer
    assert b"\r\ncontent-type: application/problem+json\r\n" in head
    for header in (b"connection: close", b"x-content-type-options: nosniff", b"cache-control: no-store"):
        assert b"\r\n" + header in head
    document = json.loads(body)
    assert head.startswith(b"HTTP/1.1 %d " % document["status"])
    return document["status"], document["code"]


AMBIGUOUS = {
    "length and chunks": HEAD + b"content-length: 5\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
    "chunks and length": HEAD + b"transfer-encoding: chunked\r\ncontent-length: 5\r\n\r\n0\r\n\r\n",
    "two lengths": HEAD + b"content-length: 5\r\ncontent-length: 6\r\n\r\nhello!",
    "the same length twice": HEAD + b"content-length: 5\r\ncontent-length: 5\r\n\r\nhello",
    "a list of lengths": HEAD + b"content-length: 5, 5\r\n\r\nhello",
    "a negative length": HEAD + b"content-length: -5\r\n\r\nhello",
    "a length with a sign": HEAD + b"content-length: +5\r\n\r\nhello",
    "a length beyond all numbers": HEAD + b"content-length: 99999999999999999999999\r\n\r\nhello",
    "a coding that is none": HEAD + b"transfer-encoding: xchunked\r\n\r\n0\r\n\r\n",
    "no coding at all": HEAD + b"transfer-encoding: identity\r\n\r\nhello",
    "chunks, and then something else": HEAD + b"transfer-encoding: chunked, identity\r\n\r\n0\r\n\r\n",
    "chunks twice": HEAD + b"transfer-encoding: chunked\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
    "a space before the colon": HEAD + b"transfer-encoding : chunked\r\n\r\n0\r\n\r\n",
    "a vertical tab": HEAD + b"transfer-encoding:\x0bchunked\r\n\r\n0\r\n\r\n",
    "a space in a name": GET + b"bad header: 1\r\n\r\n",
    "no colon": GET + b"bad\r\n\r\n",
    "a folded header": GET + b"a: b\r\n c\r\n\r\n",
    "line feeds alone": GET.replace(b"\r", b"") + b"\n",
    "a carriage return alone": GET + b"a: b\rc\r\n\r\n",
    "NUL": GET + b"a: b\x00c\r\n\r\n",
    "no ASCII in the path": b"GET /healthz\xff HTTP/1.1\r\nhost: x\r\n\r\n",
    "TLS": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n",
    "CONNECT": b"CONNECT example.org:443 HTTP/1.1\r\nhost: x\r\n\r\n",
    "HTTP/2": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "HTTP/3.7": b"GET /healthz HTTP/3.7\r\nhost: x\r\n\r\n",
    "a method that is none": b"BREW /healthz HTTP/1.1\r\nhost: x\r\n\r\n",
    "a method in small letters": b"get /healthz HTTP/1.1\r\nhost: x\r\n\r\n",
}


@pytest.mark.parametrize("name", AMBIGUOUS)
def test_what_two_servers_could_read_in_two_ways_is_no_request(shared_exchange: Running, name: str) -> None:
    assert problem(said(shared_exchange, AMBIGUOUS[name])) == (400, "malformed_request")


@pytest.mark.parametrize("size", [b"zz", b"-5", b"f" * 18, b"5 5"])
def test_a_chunk_that_is_none_ends_the_request(shared_exchange: Running, size: bytes) -> None:
    head = b"POST /api/users/login HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n"
    answer = said(shared_exchange, head + size + b"\r\nhello\r\n0\r\n\r\n")
    assert problem(answer) == (400, "malformed_request")


def test_what_comes_after_the_length_that_was_told_is_no_part_of_the_body(shared_exchange: Running) -> None:
    head = b"POST /api/users/login HTTP/1.1\r\nhost: x\r\ncontent-length: 2\r\n\r\n"
    assert problem(said(shared_exchange, head + b'{"userName": "admin"}')) == (400, "malformed_request")


def test_what_stands_in_a_body_is_no_further_request(shared_exchange: Running) -> None:
    inner = b"GET /api/markets HTTP/1.1\r\nhost: x\r\n\r\n"
    outer = GET + b"connection: close\r\ncontent-length: %d\r\n\r\n" % len(inner)
    answer = said(shared_exchange, outer + inner)
    assert (answer.count(b"HTTP/1.1 "), b"BTC-USD" in answer) == (1, False)


@pytest.mark.parametrize(
    ("upgrade", "status"), [(b"websocket", b"400 Bad Request"), (b"h2c", b"200 OK")], ids=["websocket", "h2c"]
)
def test_nothing_but_a_whole_handshake_is_upgraded(shared_exchange: Running, upgrade: bytes, status: bytes) -> None:
    answer = said(shared_exchange, GET + b"connection: upgrade, close\r\nupgrade: " + upgrade + b"\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 " + status + b"\r\n")


@pytest.mark.parametrize(
    "head",
    [
        b"".join(b"h%d: v\r\n" % at for at in range(10_000)),
        b"a:\r\n" * 250,
        b"a: " + b"y" * 70_000 + b"\r\n",
        b"a: " + b"y" * 200_000 + b"\r\n",
        b"x: " + b"y" * 4_000_000 + b"\r\n",
    ],
    ids=["10,000 headers", "250 tiny ones", "a long one", "a longer one", "a huge one"],
)
def test_too_much_of_a_head_is_answered_431_and_closed(shared_exchange: Running, head: bytes) -> None:
    answer = said(shared_exchange, GET + head + b"\r\n")
    # what was on its way when it closed can cut the answer off
    assert not answer or problem(answer) == (431, "headers_too_large")
    assert shared_exchange.http.get("/healthz").status_code == 200


def test_a_head_without_end_is_answered_431_and_closed(shared_exchange: Running) -> None:
    answer = said(shared_exchange, b"GET /healthz HTTP/1.1\r\nHost: x\r\nX: " + b"a" * 65_536)
    assert problem(answer) == (431, "headers_too_large")


def test_many_requests_in_one_piece_are_no_long_head(shared_exchange: Running) -> None:
    """However the pieces are cut, also in the middle of the last head."""
    ask = GET + b"x: " + b"y" * 1_000 + b"\r\n\r\n"
    last = GET + b"connection: close\r\n\r\n"
    answer = said(shared_exchange, ask * 250 + last)
    assert (answer.count(b"HTTP/1.1 200 OK"), answer.count(b"HTTP/1.1 ")) == (251, 251)


def test_a_hundred_headers_are_fine(shared_exchange: Running) -> None:
    answer = said(shared_exchange, GET + b"connection: close\r\n" + b"a: b\r\n" * 100 + b"\r\n")
    assert answer.startswith(b"HTTP/1.1 200 OK\r\n")


def test_a_million_parameters_are_too_many(shared_exchange: Running) -> None:
    target = b"/api/markets/BTC-USD/trades?" + b"&".join(b"a%d=1" % at for at in range(1_000_000))
    answer = said(shared_exchange, b"GET " + target + b" HTTP/1.1\r\nhost: x\r\n\r\n")
    assert not answer or problem(answer) == (431, "headers_too_large")
    few = shared_exchange.http.get("/api/markets/BTC-USD/trades?" + "a=1&" * 200)
    assert (few.status_code, few.json()["code"]) == (400, "malformed_request")


def test_a_long_body_in_one_piece_with_its_head_is_no_long_head(shared_exchange: Running) -> None:
    person = shared_exchange.person()
    orders = [{"symbol": "BTC-USD", "type": "buy", "quantity": "0.001", "price": "1"}] * 500
    answer = person.call("POST", "/api/orders/batch", {"orders": orders})
    assert answer.status_code == 200
    assert {result["code"] for result in answer.json()["results"]} == {"below_min_notional"}
