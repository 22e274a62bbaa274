"""An exchange of processes apart: whoever ends, nothing acknowledged is lost, and nothing is done twice."""

import os
import re
import signal
import threading
import time
import uuid
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.crash.session import Session
from tests.support.cluster import SERVICES, Cluster
from tests.support.nats import Nats
from tests.support.postgres import Postgres
from tests.support.process import borsa
from tests.support.running import Person, Running, until

pytestmark = pytest.mark.timeout(300)

TAKEOVER_SECONDS = 5
"""How long it may take until a standby works, as the issue of the cluster promises."""

TRADERS = 4


@pytest.fixture
def own_nats() -> Iterator[Nats]:
    with Nats() as nats:
        yield nats


@pytest.fixture
def cluster(tmp_path: Path, postgres_url: str, own_nats: Nats) -> Iterator[Cluster]:
    with Cluster(tmp_path / "data", postgres_url, [own_nats.url], gateways=2, ask_seconds_max="2") as running:
        yield running


def is_right(cluster: Cluster) -> None:
    audit = borsa("verify", cluster.environment)
    assert audit.returncode == 0, audit.stdout + audit.stderr
    assert audit.stdout.rstrip().endswith(", 0 breaches")


# load --------------------------------------------------------------------------------------------------------------


class Trader:
    """Places orders one after the other until it is told to stop. What has no answer, or none that says that it was
    done, is placed again under the same clientOrderId, at any gateway."""

    def __init__(self, person: Person) -> None:
        self.person = person
        self.acknowledged: dict[str, str] = {}
        self.faults: list[str] = []
        self.stopping = False

    def trade(self, cluster: Cluster) -> None:
        at = 0
        while not self.stopping:
            name = uuid.uuid4().hex
            at += 1
            side = "buy" if (at + len(self.person.name)) % 2 else "sell"
            body = {"symbol": "BTC-USD", "type": side, "quantity": "0.001", "price": "50000", "clientOrderId": name}
            self._place(cluster, name, body)

    def _place(self, cluster: Cluster, name: str, body: Any) -> None:
        given_up_at = time.monotonic() + 60
        while time.monotonic() < given_up_at:
            for gateway in list(cluster.gateways):
                try:
                    url = f"{gateway.url}/api/orders"
                    answer = httpx.post(url, json=body, headers=self.person.headers, timeout=30)
                except httpx.HTTPError:
                    continue
                if answer.status_code in (200, 201):
                    self.acknowledged[name] = answer.json()["orderId"]
                    return
                if answer.status_code not in (503, 504) and answer.json().get("code") != "order_in_progress":
                    self.faults.append(answer.text)
                    return
        self.faults.append(f"{name} was never answered")


class Load:
    """Traders at work."""

    def __init__(self, cluster: Cluster) -> None:
        self.cluster = cluster
        admin = cluster.admin()
        self.traders = []
        for at in range(TRADERS):
            person = Person(cluster, f"trader-{at}-{'x' * (at % 2)}", "copper-meadow-thistle-19")
            person.register()
            person.signed_in()
            admin.fund(person, USD="1000000", BTC="20")
            self.traders.append(Trader(person))
        self._threads = [threading.Thread(target=each.trade, args=(cluster,)) for each in self.traders]

    def __enter__(self) -> "Load":
        for thread in self._threads:
            thread.start()
        return self

    def wait_for_more(self, count: int = 20) -> None:
        """Until so many more orders were acknowledged."""
        before = self.acknowledged
        end = time.monotonic() + 60
        while self.acknowledged < before + count:
            assert not self.faults, self.faults
            assert time.monotonic() < end, "no order is acknowledged any more\n" + self.cluster.said()[-3000:]
            time.sleep(0.02)

    @property
    def acknowledged(self) -> int:
        return sum(len(each.acknowledged) for each in self.traders)

    @property
    def faults(self) -> list[str]:
        return [fault for each in self.traders for fault in each.faults]

    def __exit__(self, *_: object) -> None:
        for each in self.traders:
            each.stopping = True
        for thread in self._threads:
            thread.join(90)

    def check(self) -> None:
        """Every acknowledged order is there once; none waits for ever; the books are right."""
        assert not self.faults
        for each in self.traders:
            for name, order_id in each.acknowledged.items():
                (found,) = each.person.get(f"/api/orders?limit=2&clientOrderId={name}")["data"]
                assert found["orderId"] == order_id
        until(lambda: not self._pending(), "every order to leave pending")
        is_right(self.cluster)

    def _pending(self) -> list[object]:
        return [
            order for each in self.traders for order in each.person.get("/api/orders?limit=10&status=pending")["data"]
        ]


def replace(cluster: Cluster, name: str) -> None:
    """kill -9, and begin again."""
    cluster.processes[name].kill()
    cluster.processes[name] = cluster.begin(name)
    cluster.processes[name].works()


def replace_gateway(cluster: Cluster) -> None:
    """The second one: the first is for looking."""
    cluster.gateways[1].kill()
    cluster.gateways[1] = cluster.begin("gateway").listens()


# tests -------------------------------------------------------------------------------------------------------------


def test_whoever_is_killed_nothing_acknowledged_is_lost_and_nothing_done_twice(
    cluster: Cluster, own_nats: Nats
) -> None:
    faults: list[Callable[[], None]] = [lambda name=name: replace(cluster, name) for name in SERVICES]  # type: ignore[misc]
    faults.append(lambda: replace_gateway(cluster))
    for emptied in (False, True):
        faults += [own_nats.kill, lambda emptied=emptied: own_nats.begin_again(emptied=emptied)]  # type: ignore[misc]
    load = Load(cluster)
    with load:
        for fault in faults:
            if fault != own_nats.kill:
                fault()
                load.wait_for_more()
            else:
                fault()
    load.check()
    until(lambda: cluster.http.get("/readyz").status_code == 200, "the cluster")


@pytest.mark.parametrize("name", ["orders", "trades", "wallets"] if os.environ.get("BORSA_TEST_LONG") else ["trades"])
def test_a_standby_takes_over_from_one_that_is_killed(cluster: Cluster, name: str) -> None:
    seller, buyer = cluster.person(BTC="2"), cluster.person(USD="100000")
    sold = seller.order("sell", "1", "50000")
    standby = cluster.begin(name).listens()
    assert httpx.get(f"{standby.url}/healthz").status_code == 200
    assert httpx.get(f"{standby.url}/readyz").status_code == 503
    assert httpx.get(f"{cluster.processes[name].url}/readyz").status_code == 200
    assert "borsa_log_sequence" in httpx.get(f"{cluster.processes[name].url}/metrics").text
    cluster.processes[name].kill()
    standby.works(TAKEOVER_SECONDS)
    assert httpx.get(f"{standby.url}/readyz").status_code == 200
    assert buyer.order("buy", "1", "50000")["status"] == "filled"
    until(lambda: seller.get(f"/api/orders/{sold['orderId']}")["status"] == "filled", "the fill")
    is_right(cluster)


def test_one_that_was_paused_and_replaced_writes_nothing_more(cluster: Cluster) -> None:
    person = cluster.person(USD="100000")
    former = cluster.processes["orders"]
    standby = cluster.begin("orders").listens()
    former.send(signal.SIGSTOP)
    standby.works(30)
    former.send(signal.SIGCONT)
    order = person.order("buy", "1", "40000")
    assert former._process.wait(30) == 70
    assert len(person.get("/api/orders")["data"]) == 1
    assert person.get(f"/api/orders/{order['orderId']}")["status"] == "open"
    is_right(cluster)


@pytest.mark.skipif(not os.environ.get("BORSA_TEST_LONG"), reason="half a minute; make crash runs it")
def test_a_database_that_stands_still_ends_services_and_keeps_no_client_waiting(tmp_path: Path, own_nats: Nats) -> None:
    with (
        Postgres() as server,
        server.database() as url,
        Cluster(tmp_path / "data", url, [own_nats.url], ask_seconds_max="2") as cluster,
    ):
        person = cluster.person(USD="100000")
        with server.standing_still():
            assert person.call("GET", "/api/wallets").status_code == 503
            order = {"symbol": "BTC-USD", "type": "buy", "quantity": "1", "price": "40000", "clientOrderId": "once"}
            assert person.call("POST", "/api/orders", order).status_code in (503, 504)
            assert httpx.get(f"{cluster.url}/healthz").status_code == 200
            ended = {name: cluster.processes[name]._process.wait(30) for name in ("orders", "wallets")}
        assert ended == {"orders": 70, "wallets": 70}
        for name in SERVICES:
            cluster.processes[name].kill()
        cluster.processes = {name: cluster.begin(name) for name in SERVICES}
        for each in cluster.processes.values():
            each.works()
        end = time.monotonic() + 60
        while cluster.http.get("/readyz").status_code != 200:
            assert time.monotonic() < end, cluster.said()[-2500:]
        until(lambda: person.call("POST", "/api/orders", order).status_code in (200, 201), "the order")
        assert len(person.get("/api/orders")["data"]) == 1
        is_right(cluster)


def test_sigterm_drains_a_service_and_another_goes_on(cluster: Cluster) -> None:
    load = Load(cluster)
    with load:
        for name in ("wallets", "orders"):
            load.wait_for_more()
            assert cluster.processes[name].stop() == 0
            cluster.processes[name] = cluster.begin(name).works()
        load.wait_for_more()
    load.check()


def test_a_stop_ends_also_while_the_broker_is_away(cluster: Cluster, own_nats: Nats) -> None:
    cluster.person(USD="1000")
    own_nats.kill()
    ended = [cluster.processes[name].stop() for name in ("orders", "notifications")]
    assert ended == [0, 0], cluster.said()[-2500:]


def test_the_end_of_access_is_known_at_every_gateway(cluster: Cluster) -> None:
    person = cluster.person()
    other = httpx.Client(base_url=cluster.gateways[1].url, headers=person.headers)
    with other:
        assert other.get("/api/users/profile").status_code == 200
        assert person.call("POST", "/api/users/logout").status_code in (200, 204)
        until(lambda: other.get("/api/users/profile").status_code == 401, "the second gateway to know")


# the same in one process and in many -------------------------------------------------------------------------------

_RANDOM = (
    (re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}"), "<id>"),
    (re.compile(r"20\d\d-\d\d-\d\dT\d\d:\d\d:\d\d\.\d+Z"), "<time>"),
)


def events(session: Session, source: str) -> Counter[tuple[str, ...]]:
    """What a service published about each thing, in order, without ids and times that are made anew each time.

    What it published about others meanwhile may be before it or behind: a service that follows another hears of it
    sooner or later.
    """
    about: dict[str, list[str]] = {}
    for each in session.admin.get(f"/api/events?source={source}&limit=1000")["data"]:
        text = f"{each['type']} {each['data']}"
        for pattern, instead in _RANDOM:
            text = pattern.sub(instead, text)
        about.setdefault(each["subject"], []).append(text)
    return Counter(map(tuple, about.values()))


def test_the_same_session_has_the_same_events_in_one_process_and_in_many(cluster: Cluster, tmp_path: Path) -> None:
    apart, together = Session(), Session()
    apart.go_on(cluster)
    with Running(tmp_path / "together") as running:
        together.go_on(running)
        until(lambda: apart.state(cluster) == together.state(running), "both to be settled")
        for source in SERVICES:
            if source == "portfolios":
                # says one thing about all that came in one commit: its state was compared, and is the same
                continue
            one, other = events(apart, source), events(together, source)
            assert one - other == other - one == Counter(), source
    is_right(cluster)
