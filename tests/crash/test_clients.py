"""Clients that go away, all ask the same at once, or are too many: one effect, and the exchange goes on."""

import resource
import socket
from contextlib import ExitStack
from pathlib import Path

from tests.support.process import Process, borsa, raw_request
from tests.support.running import Running, until

SAME = 200


def test_the_same_key_on_many_connections_that_nobody_waits_on_has_one_effect(exchange: Running) -> None:
    person = exchange.person()
    path = f"/api/wallets/{person.wallet_id}/faucet"
    key = {"idempotency-key": "the-same"}
    body = {"asset": "USD", "amount": "100"}
    request = raw_request("POST", path, person.headers | key, body)
    host, port = exchange.url.removeprefix("http://").split(":")
    with ExitStack() as stack:
        connections = [
            stack.enter_context(socket.create_connection((host, int(port)), timeout=30)) for _ in range(SAME)
        ]
        for connection in connections:
            connection.sendall(request)
    # 409: the first one is still running
    answer = until(lambda: kept if (kept := person.call("POST", path, body, key)).status_code != 409 else None)
    assert answer.status_code in (200, 201), answer.text
    assert person.wallet()["balance"] == {"USD": "100.00"}
    assert len(person.get(f"/api/wallets/{person.wallet_id}/entries")["data"]) == 1
    assert person.call("POST", path, body, key).json() == answer.json()


def test_more_connections_than_there_may_be_open_files_end_with_the_clients(tmp_path: Path) -> None:
    with Process(tmp_path / "data", processes="1") as process:
        person = process.person(USD="100000")
        open_files = len(list(Path(f"/proc/{process.pid}/fd").iterdir()))
        limit = open_files + 10
        resource.prlimit(process.pid, resource.RLIMIT_NOFILE, (limit, limit))
        with ExitStack() as stack:
            for _ in range(60):
                stack.enter_context(socket.create_connection(process.address, timeout=30))
            # whoever is in already is served
            for _ in range(20):
                assert person.order("buy", "0.001", "50000")["status"] == "open"
        process.http.close()
        process.http = type(process.http)(base_url=process.url, timeout=30)
        until(lambda: process.http.get("/readyz").status_code == 200, "a new connection")
        assert len(person.get("/api/orders")["data"]) == 20
        assert process.stop() == 0
    audit = borsa("verify", process.environment)
    assert audit.returncode == 0, audit.stdout
