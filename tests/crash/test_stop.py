"""SIGTERM: not ready from now on, everything that was accepted is answered, and a second signal changes nothing."""

import signal
import socket
from contextlib import ExitStack
from pathlib import Path

import httpx
import pytest

from tests.crash.test_processes import client_ids, divided, is_right
from tests.support.process import Process, raw_request
from tests.support.running import Person, until

IN_FLIGHT = 50


def order(client_id: str) -> dict[str, str]:
    return {"symbol": "BTC-USD", "type": "buy", "quantity": "0.001", "price": "50000", "clientOrderId": client_id}


def asked(process: Process, person: Person, stack: ExitStack) -> dict[str, socket.socket]:
    """Orders on the way, each on a connection of its own; the door has read them all."""
    found = {}
    for at in range(IN_FLIGHT):
        found[f"o{at}"] = stack.enter_context(socket.create_connection(process.address, timeout=30))
        found[f"o{at}"].sendall(raw_request("POST", "/api/orders", person.headers, order(f"o{at}")))
    # asked after them, and answered without the services, after two seconds
    assert process.http.get("/readyz").json()["halted"] == ["services does not answer"]
    return found


def is_not_ready(process: Process) -> bool:
    try:
        return process.http.get("/readyz", headers={"connection": "close"}).status_code == 503
    except httpx.TransportError:
        return True


@pytest.mark.parametrize("again", [None, signal.SIGTERM, signal.SIGINT])
def test_every_request_that_was_accepted_is_answered(again: signal.Signals | None, tmp_path: Path) -> None:
    folder = tmp_path / "data"
    with divided(folder) as process, ExitStack() as stack:
        person = process.person(USD="1000000")
        process.parts["services"].send(signal.SIGSTOP)
        connections = asked(process, person, stack)
        process.send(signal.SIGTERM)
        until(lambda: is_not_ready(process), "it to be not ready")
        if again is not None:
            process.send(again)
        process.parts["services"].send(signal.SIGCONT)
        answers = {client_id: connection.recv(1 << 16) for client_id, connection in connections.items()}
        assert process.ended() == 0
    assert {client_id: answer[:12] for client_id, answer in answers.items()} == dict.fromkeys(
        connections, b"HTTP/1.1 201"
    )
    assert client_ids(folder).keys() == connections.keys()
    is_right(process)


def test_a_kill_in_the_middle_of_a_stop_loses_nothing_that_was_answered(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    with divided(folder) as process:
        person = process.person(USD="1000000")
        for at in range(20):
            person.post("/api/orders", order(f"o{at}"))
        process.send(signal.SIGTERM)
        process.kill()
    with divided(folder) as again:
        person.running = again
        assert len(person.get("/api/orders")["data"]) == 20
        assert again.stop() == 0
    is_right(again)
