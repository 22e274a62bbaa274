"""kill -9 under load: what was acknowledged is there after the restart, exactly once, and the books are right."""

import contextlib
import signal
import sqlite3
import threading
import uuid
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest

from borsa import app
from borsa.settings import Settings
from tests.support.process import Process, borsa
from tests.support.running import Person, until

KILLED = (("3", "door"), ("3", "services"), ("3", "followers"), ("1", "door"))
"""In how many processes it runs each time, and which of them is killed."""

TRADERS = 6


class Trader:
    """Places orders as fast as they are answered, and remembers which were acknowledged."""

    def __init__(self, person: Person, enough: threading.Semaphore) -> None:
        self.person = person
        self.acknowledged: dict[str, str] = {}
        self.sent: list[str] = []
        self._enough = enough

    def trade(self, url: str) -> None:
        with httpx.Client(base_url=url, timeout=30, headers=self.person.headers) as http:
            for at in range(100_000):
                name = uuid.uuid4().hex
                self.sent.append(name)
                side = "buy" if (at + len(self.person.name)) % 2 else "sell"
                body = {"symbol": "BTC-USD", "type": side, "quantity": "0.001", "price": "50000", "clientOrderId": name}
                try:
                    answer = http.post("/api/orders", json=body)
                except httpx.HTTPError:
                    return
                assert answer.status_code == 201, answer.text
                self.acknowledged[name] = answer.json()["orderId"]
                self._enough.release()


class Customer:
    """Does everything else as fast as it is answered: money from an admin, amendments, cancels, new tokens."""

    def __init__(self, admin: Person, person: Person) -> None:
        self.admin = admin
        self.person = person
        self.adjusted: dict[str, Any] = {}
        self.amended: dict[str, str] = {}
        self.cancelled: list[str] = []
        self.sent: list[str] = []

    def go_on(self, url: str) -> None:
        with httpx.Client(base_url=url, timeout=30) as http, contextlib.suppress(httpx.HTTPError):
            while True:
                self._round(http)

    def _call(self, http: httpx.Client, who: Person, method: str, path: str, body: Any = None, key: str = "") -> Any:
        headers = who.headers | ({"idempotency-key": key} if key else {})
        answer = http.request(method, path, json=body, headers=headers)
        assert answer.status_code in (200, 201), answer.text
        return answer.json()

    def _round(self, http: httpx.Client) -> None:
        name = uuid.uuid4().hex
        self.sent.append(name)
        self.adjusted[name] = self._call(http, self.admin, "PUT", *self.adjustment(name))
        body = {"symbol": "BTC-USD", "type": "buy", "quantity": "0.002", "price": "41000", "clientOrderId": name}
        order = self._call(http, self.person, "POST", "/api/orders", body)
        path = f"/api/orders/{order['orderId']}"
        settled = {"prefer": "wait=10"}
        answer = http.put(path, json={"quantity": "0.001"}, headers=self.person.headers | settled)
        if answer.status_code == 200:
            self.amended[name] = "0.001"
        if len(self.sent) % 2 and http.delete(path, headers=self.person.headers | settled).status_code == 200:
            self.cancelled.append(name)
        token = {"refreshToken": self.person.tokens["refreshToken"]}
        answer = http.post("/api/users/refresh_token", json=token)
        assert answer.status_code == 200, answer.text
        self.person.tokens = answer.json()

    def adjustment(self, name: str) -> tuple[str, Any, str]:
        """Path, body and key of an adjustment."""
        return f"/api/wallets/{self.person.wallet_id}", {"asset": "USD", "delta": "+1000", "reason": name}, name

    def check(self, running: Process) -> None:
        """Everything that was answered is there once, also when it is asked again; nothing else more than once."""
        self.admin.running = self.person.running = running
        for name, first in self.adjusted.items():
            path, body, key = self.adjustment(name)
            assert self.admin.call("PUT", path, body, {"idempotency-key": key}).json() == first
        times = Counter(entry["reason"] for entry in self._all(f"/api/wallets/{self.person.wallet_id}/entries"))
        assert [times[name] for name in self.adjusted] == [1] * len(self.adjusted)
        assert all(times[name] <= 1 for name in self.sent)
        orders = {order["clientOrderId"]: order for order in self._all("/api/orders")}
        assert {name: orders[name]["quantity"] for name in self.amended} == self.amended
        assert {orders[name]["status"] for name in self.cancelled} == {"cancelled"}
        body = {"refreshToken": self.person.tokens["refreshToken"]}
        assert running.http.post("/api/users/refresh_token", json=body).status_code == 200

    def _all(self, path: str) -> Iterator[Any]:
        cursor = ""
        while True:
            page = self.person.get(f"{path}?limit=1000{cursor}")
            yield from page["data"]
            if page["nextCursor"] is None:
                return
            cursor = f"&cursor={page['nextCursor']}"


def traders(process: Process, enough: threading.Semaphore) -> list[Trader]:
    admin = Person(process, "admin", process.environment["BORSA_ADMIN_PASSWORD"]).signed_in()
    made = []
    for at in range(TRADERS):
        person = Person(process, f"trader-{at}-{'x' * (at % 2)}", "copper-meadow-thistle-19")
        person.register()
        person.signed_in()
        admin.fund(person, USD="1000000", BTC="20")
        made.append(Trader(person, enough))
    return made


def customer(process: Process) -> Customer:
    admin = Person(process, "admin", process.environment["BORSA_ADMIN_PASSWORD"]).signed_in()
    person = Person(process, "customer", "copper-meadow-thistle-19")
    person.register()
    assert person.signed_in().wallet_id
    return Customer(admin, person)


def load_until(
    process: Process,
    all_traders: list[Trader],
    customer: Customer,
    enough: threading.Semaphore,
    count: int,
    killed: str,
) -> None:
    """Trade until so many orders were acknowledged, then kill a process under the load."""
    threads = [threading.Thread(target=each.trade, args=(process.url,)) for each in all_traders]
    threads.append(threading.Thread(target=customer.go_on, args=(process.url,)))
    for thread in threads:
        thread.start()
    for _ in range(count):
        assert enough.acquire(timeout=30)
    if killed == "door":
        process.kill()
    else:
        process.parts[killed].send(signal.SIGKILL)
        process.ended()
    for thread in threads:
        thread.join(30)


@pytest.mark.timeout(240)
def test_everything_that_was_acknowledged_survives_kill_9(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    enough = threading.Semaphore(0)
    everybody: list[Trader] = []
    beside: Customer | None = None
    for kill, (processes, killed) in enumerate(KILLED):
        with Process(folder, processes=processes) as process:
            everybody = everybody or traders(process, enough)
            beside = beside or customer(process)
            for each in everybody:
                each.person.running = process
            load_until(process, everybody, beside, enough, 150 + 97 * kill, killed)
    assert beside is not None
    assert beside.amended
    assert beside.cancelled
    with Process(folder) as process:
        beside.check(process)
        for each in everybody:
            each.person.running = process
            for name, order_id in each.acknowledged.items():
                (found,) = each.person.get(f"/api/orders?clientOrderId={name}")["data"]
                assert found["orderId"] == order_id
            for name in each.sent:
                assert len(each.person.get(f"/api/orders?clientOrderId={name}")["data"]) <= 1
        until(lambda: not pending(everybody), "every order to leave pending")
        audit = borsa("verify", process.environment)
        assert audit.returncode == 0, audit.stdout + audit.stderr
    audit = borsa("verify", process.environment)
    assert audit.returncode == 0, audit.stdout + audit.stderr


def pending(everybody: list[Trader]) -> list[object]:
    return [order for each in everybody for order in each.person.get("/api/orders?status=pending")["data"]]


def test_sigterm_drains_and_a_second_start_is_refused_while_the_first_runs(tmp_path: Path) -> None:
    with Process(tmp_path / "data") as process:
        second = borsa("up", process.environment)
        assert second.returncode == 1
        assert "in use by process" in second.stderr
        assert process.stop() == 0


def test_a_folder_that_lost_a_database_is_refused_and_nothing_is_made_in_its_place(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    with Process(folder) as process:
        assert process.stop() == 0
    (folder / "wallets.db").unlink()
    refused = borsa("up", process.environment)
    assert refused.returncode == 1
    assert "lost the database of wallets" in refused.stderr
    assert not (folder / "wallets.db").exists()
    assert borsa("verify", process.environment).returncode == 1


def test_a_first_start_that_was_killed_between_two_databases_goes_on(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    folder.mkdir()
    made = app.databases(msgspec.structs.replace(Settings(), data=str(folder)))
    made["users"].migrate()
    made["orders"].migrate()
    with Process(folder) as process:
        assert process.admin().get("/api/users")["data"]
        assert process.stop() == 0


def test_a_log_that_is_older_than_what_was_applied_of_it_is_refused(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    with Process(folder) as process:
        assert process.stop() == 0
    older = (folder / "users.db").read_bytes()
    with Process(folder) as process:
        person = Person(process, "somebody", "copper-meadow-thistle-19")
        person.register()
        assert person.signed_in().wallet_id
        assert process.stop() == 0
    (folder / "users.db").write_bytes(older)
    refused = borsa("up", process.environment)
    assert refused.returncode == 1
    assert "users is older than the rest" in refused.stderr


def test_a_damaged_database_is_named_in_one_line(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    with Process(folder) as process:
        assert process.stop() == 0
    (folder / "trades.db").write_bytes(b"not a database" * 1000)
    refused = borsa("up", process.environment)
    assert refused.returncode == 1
    assert "trades.db can't be used" in refused.stderr
    assert "Traceback" not in refused.stderr


def test_a_clock_that_went_back_leaves_the_logs_in_order(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    with Process(folder) as process:
        assert process.stop() == 0
    with closing(sqlite3.connect(folder / "orders.db")) as orders, orders:
        orders.execute("UPDATE log SET time = time + 86400000000")
    for follower in ("trades", "wallets", "portfolios", "notifications"):
        # they keep a digest of the event that they applied last, with its time
        with closing(sqlite3.connect(folder / f"{follower}.db")) as database, database:
            database.execute("UPDATE cursors SET digest = NULL")
    with Process(folder) as process:
        admin = Person(process, "admin", process.environment["BORSA_ADMIN_PASSWORD"]).signed_in()
        changed = admin.call("PUT", "/api/markets/BTC-USD", {"takerFee": "0.001"})
        assert changed.status_code == 200
        times = [event["time"] for event in admin.get("/api/events?source=orders")["data"]]
    assert times == sorted(times)
