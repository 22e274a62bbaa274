"""A process that stands still for longer than anybody waits, and then goes on: nothing that was acknowledged is lost,
whoever asks again has one effect, and all come to rest again."""

import signal
import threading
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.crash.test_processes import client_ids, is_right, lags
from tests.support.process import Process, borsa
from tests.support.running import Person, until

WAITED_SECONDS = 3
"""How long a client waits for an answer; the exchange itself waits less, wherever it waits."""

IMPATIENT = dict.fromkeys(
    ("head_seconds_max", "body_seconds_max", "answer_seconds_max", "wait_seconds_max", "unconfirmed_hold_seconds"), "1"
)
CLIENTS = 6
UNANSWERED_MAX = 20
GOES_ON = 20
"""Answers to a client from which one sees that it is served."""


class Client:
    """Places orders and takes play money in turn, and asks the same again when nobody answers."""

    def __init__(self, person: Person) -> None:
        self.person = person
        self.placed: dict[str, str] = {}
        self.draws = 0
        self.waited_in_vain = threading.Event()
        self._answers = threading.Semaphore(0)
        self._is_enough = threading.Event()
        self._thread = threading.Thread(target=self._go_on)

    def _go_on(self) -> None:
        side = "buy" if self.person.name.endswith("0") else "sell"
        terms = {"symbol": "BTC-USD", "type": side, "quantity": "0.001", "price": "50000"}
        faucet = f"/api/wallets/{self.person.wallet_id}/faucet"
        url, headers = self.person.running.url, self.person.headers
        with httpx.Client(base_url=url, headers=headers, timeout=WAITED_SECONDS) as http:
            while not self._is_enough.is_set():
                name = uuid.uuid4().hex
                order = self._ask(http, "/api/orders", terms | {"clientOrderId": name}, {"prefer": "wait=1"})
                self.placed[name] = order["orderId"]
                self._ask(http, faucet, {"asset": "ETH", "amount": "1"}, {"idempotency-key": name})
                self.draws += 1

    def _ask(self, http: httpx.Client, path: str, body: Any, headers: dict[str, str]) -> Any:
        unanswered = 0
        while unanswered < UNANSWERED_MAX:
            try:
                answer = http.post(path, json=body, headers=headers)
            except httpx.HTTPError:
                self.waited_in_vain.set()
                unanswered += 1
                continue
            if answer.status_code in (200, 201):
                self._answers.release()
                return answer.json()
            # it took too long to arrive; the first one is on its way; it came too late
            assert answer.status_code in (408, 409, 503), answer.text
        raise AssertionError(f"{self.person.name} was never answered")

    def is_served(self) -> None:
        """Wait until it has some more answers."""
        for _ in range(GOES_ON):
            assert self._answers.acquire(timeout=30), f"{self.person.name} is not served"

    def start(self) -> None:
        """Ask from now on."""
        self._thread.start()

    def stop(self) -> None:
        """Ask no more once this is answered."""
        self._is_enough.set()
        self._thread.join(60)
        assert not self._thread.is_alive()


@contextmanager
def asking(process: Process) -> Iterator[Sequence[Client]]:
    """Clients that ask all the time, and are served."""
    admin = process.admin()
    people = [process.person(f"client-{at}-{at % 2}") for at in range(CLIENTS)]
    for person in people:
        admin.fund(person, USD="100000", BTC="10")
    clients = [Client(person) for person in people]
    for client in clients:
        client.start()
    try:
        are_served(clients)
        yield clients
    finally:
        for client in clients:
            client.stop()


def are_served(clients: Sequence[Client]) -> None:
    for client in clients:
        client.is_served()


def nobody_waits(clients: Sequence[Client]) -> None:
    """Every client was told nothing for as long as it waits."""
    for client in clients:
        assert client.waited_in_vain.wait(60)


def has_all_once(process: Process, clients: Sequence[Client]) -> None:
    """Each order is there once and each faucet was opened once, however often they were asked for."""
    for client in clients:
        assert client.person.wallet()["balance"].get("ETH") == str(client.draws)
        for name, order_id in client.placed.items():
            (order,) = client.person.get(f"/api/orders?clientOrderId={name}")["data"]
            assert order["orderId"] == order_id
    until(lambda: not [each for client in clients for each in pending(client)], "every order to leave pending")
    is_right(process)


def pending(client: Client) -> Any:
    return client.person.get("/api/orders?status=pending")["data"]


def comes_to_rest(process: Process, folder: Path, clients: Sequence[Client]) -> None:
    """It stops, everybody has followed to the end, and nothing is there that nobody was told of."""
    assert process.stop() == 0
    assert set(lags(folder).values()) == {0}
    placed = {name: int(order_id) for client in clients for name, order_id in client.placed.items()}
    assert client_ids(folder) == placed
    is_right(process)


@pytest.mark.parametrize(("processes", "part"), [("1", "door"), ("3", "door"), ("3", "services")])
def test_what_was_asked_of_a_process_that_stands_still_is_done_once(processes: str, part: str, tmp_path: Path) -> None:
    folder = tmp_path / "data"
    with Process(folder, processes=processes, **IMPATIENT) as process:
        stands = process if part == "door" else process.parts[part]
        with asking(process) as clients:
            stands.send(signal.SIGSTOP)
            nobody_waits(clients)
            stands.send(signal.SIGCONT)
            are_served(clients)
        until(lambda: process.http.get("/readyz").status_code == 200, "everybody to answer")
        has_all_once(process, clients)
        comes_to_rest(process, folder, clients)


def test_followers_that_stood_still_catch_up_with_all_that_happened_meanwhile(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    with Process(folder, processes="3", **IMPATIENT) as process:
        with asking(process) as clients:
            process.parts["followers"].send(signal.SIGSTOP)
            # which takes longer than a process may take to say how it is
            assert process.http.get("/readyz").json()["halted"] == ["followers does not answer"]
            are_served(clients)
            process.parts["followers"].send(signal.SIGCONT)
            are_served(clients)
            assert not any(client.waited_in_vain.is_set() for client in clients)
        until(lambda: process.http.get("/readyz").status_code == 200, "everybody to answer")
        for client in clients:
            until(lambda client=client: holding(client.person) == client.person.wallet()["balance"]["ETH"], "the folio")
        has_all_once(process, clients)
        comes_to_rest(process, folder, clients)


def holding(person: Person) -> str | None:
    """How much ETH the portfolio says that somebody has."""
    (portfolio,) = person.get("/api/portfolios")["data"]
    return next((each["quantity"] for each in portfolio["holdings"] if each["product"] == "ETH"), None)


def test_a_door_that_stands_still_keeps_the_folder_and_hears_of_the_stop_when_it_goes_on(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    with Process(folder, processes="3", **IMPATIENT) as process:
        with asking(process) as clients:
            pass
        process.send(signal.SIGSTOP)
        second = borsa("up", process.environment)
        assert second.returncode == 1
        assert f"in use by process {process.pid}" in second.stderr
        process.send(signal.SIGTERM)
        assert [name for name, part in process.parts.items() if part.ends_within(0)] == []
        process.send(signal.SIGCONT)
        assert process.ended() == 0
    assert set(lags(folder).values()) == {0}
    is_right(process)
    assert client_ids(folder).keys() == {name for client in clients for name in client.placed}


def test_a_door_that_is_killed_where_it_stands_leaves_nobody(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    with Process(folder, processes="3", **IMPATIENT) as process:
        with asking(process) as clients:
            pass
        process.send(signal.SIGSTOP)
        process.kill()
        with Process(folder, processes="3") as again:
            assert [name for name, part in process.parts.items() if not part.ends_within(0)] == []
            for client in clients:
                client.person.running = again
            has_all_once(again, clients)
            comes_to_rest(again, folder, clients)
