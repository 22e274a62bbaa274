"""kill -9 under load: what was acknowledged is there after the restart, exactly once, and the books are right."""

import threading
import uuid
from pathlib import Path

import httpx
import pytest

from tests.support.process import Process, borsa
from tests.support.running import Person, until

KILLS = 4
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


def load_until(process: Process, all_traders: list[Trader], enough: threading.Semaphore, count: int) -> None:
    """Trade until so many orders were acknowledged, then kill the process under the load."""
    threads = [threading.Thread(target=each.trade, args=(process.url,)) for each in all_traders]
    for thread in threads:
        thread.start()
    for _ in range(count):
        assert enough.acquire(timeout=30)
    process.kill()
    for thread in threads:
        thread.join(30)


@pytest.mark.timeout(240)
def test_every_acknowledged_order_survives_kill_9(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    enough = threading.Semaphore(0)
    everybody: list[Trader] = []
    for kill in range(KILLS):
        with Process(folder) as process:
            everybody = everybody or traders(process, enough)
            for each in everybody:
                each.person.running = process
            load_until(process, everybody, enough, 150 + 97 * kill)
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
