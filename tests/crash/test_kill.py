"""kill -9 under load: what was acknowledged is there after the restart, exactly once, and the books are right."""

import signal
import sqlite3
import threading
import uuid
from contextlib import closing
from pathlib import Path

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


def load_until(
    process: Process, all_traders: list[Trader], enough: threading.Semaphore, count: int, killed: str
) -> None:
    """Trade until so many orders were acknowledged, then kill a process under the load."""
    threads = [threading.Thread(target=each.trade, args=(process.url,)) for each in all_traders]
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
def test_every_acknowledged_order_survives_kill_9(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    enough = threading.Semaphore(0)
    everybody: list[Trader] = []
    for kill, (processes, killed) in enumerate(KILLED):
        with Process(folder, processes=processes) as process:
            everybody = everybody or traders(process, enough)
            for each in everybody:
                each.person.running = process
            load_until(process, everybody, enough, 150 + 97 * kill, killed)
    with Process(folder) as process:
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
    with Process(folder) as process:
        admin = Person(process, "admin", process.environment["BORSA_ADMIN_PASSWORD"]).signed_in()
        changed = admin.call("PUT", "/api/markets/BTC-USD", {"takerFee": "0.001"})
        assert changed.status_code == 200
        times = [event["time"] for event in admin.get("/api/events?source=orders")["data"]]
    assert times == sorted(times)
