"""Heads of requests that never end: answered, and nobody else waits for them."""

import socket
from urllib.parse import urlsplit

from tests.support.running import Running


def test_a_head_without_end_is_answered_431_and_closed(shared_exchange: Running) -> None:
    address = urlsplit(shared_exchange.url)
    assert address.hostname is not None
    with socket.create_connection((address.hostname, address.port), timeout=10) as raw:
        raw.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\nX: ")
        for _ in range(3):
            raw.sendall(b"a" * 32_768)
        assert raw.recv(4096).startswith(b"HTTP/1.1 431")
    assert shared_exchange.http.get("/healthz").status_code == 200


def test_a_long_body_in_one_piece_with_its_head_is_no_long_head(shared_exchange: Running) -> None:
    person = shared_exchange.person()
    orders = [{"symbol": "BTC-USD", "type": "buy", "quantity": "0.001", "price": "1"}] * 500
    answer = person.call("POST", "/api/orders/batch", {"orders": orders})
    assert answer.status_code == 200
    assert {result["code"] for result in answer.json()["results"]} == {"below_min_notional"}
