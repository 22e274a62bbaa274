"""An exchange of processes apart: whoever ends, nothing acknowledged is lost, and nothing is done twice."""

import os
import re
import signal
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest

from tests.crash.load import Load, is_right
from tests.streams.listening import Stream
from tests.support.cluster import SERVICES, Cluster, Served
from tests.support.nats import Nats
from tests.support.postgres import Postgres
from tests.support.running import Person, until

pytestmark = [pytest.mark.timeout(300), pytest.mark.xdist_group("cluster of crashes")]

TAKEOVER_SECONDS = 5
"""How long it may take until a standby works, as the issue of the cluster promises."""

WAITING_MAX = 60
"""Questions that may wait for a service: few, so that the bound is seen."""

GROWTH_BYTES_MAX = 64 * 1024 * 1024
"""By which a process may grow while another one stands still."""

LONG = bool(os.environ.get("BORSA_TEST_LONG"))


@pytest.fixture(scope="module")
def own_nats() -> Iterator[Nats]:
    with Nats() as nats:
        yield nats


@pytest.fixture(scope="module")
def begun(tmp_path_factory: pytest.TempPathFactory, postgres: Postgres, own_nats: Nats) -> Iterator[Cluster]:
    """One cluster for all: it takes its time to begin."""
    folder = tmp_path_factory.mktemp("cluster") / "data"
    options = {"ask_seconds_max": "2", "inbox_items_max": str(WAITING_MAX)}
    with postgres.database() as url, Cluster(folder, url, [own_nats.url], gateways=2, **options) as running:
        yield running


@pytest.fixture
def cluster(begun: Cluster) -> Cluster:
    """The cluster, all of it at work."""
    for each in begun.all:
        if each.status is not None:
            begun.again(each)
    until(lambda: begun.http.get("/readyz").status_code == 200, "the cluster", 60)
    return begun


def load_of(cluster: Cluster) -> Load:
    return Load(cluster, lambda: [each.url for each in cluster.gateways if each.url])


def replace(cluster: Cluster, name: str) -> None:
    """kill -9, and begin again."""
    cluster.processes[name].kill()
    cluster.again(cluster.processes[name]).works()


def replace_gateway(cluster: Cluster) -> None:
    """The second one: the first is for looking."""
    cluster.gateways[1].kill()
    cluster.again(cluster.gateways[1]).listens()


def test_whoever_is_killed_nothing_acknowledged_is_lost_and_nothing_done_twice(
    cluster: Cluster, own_nats: Nats
) -> None:
    faults: list[Callable[[], None]] = [lambda name=name: replace(cluster, name) for name in SERVICES]  # type: ignore[misc]
    faults.append(lambda: replace_gateway(cluster))
    for emptied in (False, True):
        faults += [own_nats.kill, lambda emptied=emptied: own_nats.begin_again(emptied=emptied)]  # type: ignore[misc]
    load = load_of(cluster)
    with load:
        for fault in faults:
            fault()
            if fault != own_nats.kill:
                load.wait_for_more()
    load.check()
    until(lambda: cluster.http.get("/readyz").status_code == 200, "the cluster", 60)


@pytest.mark.parametrize("name", ["orders", "trades", "wallets"] if LONG else ["trades"])
def test_a_standby_takes_over_from_one_that_is_killed(cluster: Cluster, name: str) -> None:
    seller, buyer = cluster.person(BTC="2"), cluster.person(USD="100000")
    sold = seller.order("sell", "1", "50000")
    standby = cluster.begin(name).listens()
    assert httpx.get(f"{standby.url}/healthz").status_code == 200
    assert httpx.get(f"{standby.url}/readyz").status_code == 503
    assert httpx.get(f"{cluster.processes[name].url}/readyz").status_code == 200
    assert "borsa_log_sequence" in httpx.get(f"{cluster.processes[name].url}/metrics").text
    with Stream(cluster, seller) as stream:
        stream.follow("book:BTC-USD", "orders")
        cluster.processes[name].kill()
        cluster.replace(standby.works(TAKEOVER_SECONDS))
        assert httpx.get(f"{standby.url}/readyz").status_code == 200
        bought = buyer.order("buy", "1", "50000")["orderId"]
        until(lambda: buyer.get(f"/api/orders/{bought}")["status"] == "filled", "the trades")
        until(lambda: seller.get(f"/api/orders/{sold['orderId']}")["status"] == "filled", "the fill")
        seller.order("sell", "0.5", "50001")
        until(lambda: [books_of(each) for each in cluster.gateways] == [stream.books["book:BTC-USD"].levels()] * 2)
        stream.until(lambda: stream.of("orders")[-1]["data"]["price"] == "50001.00", "the last order")
        assert {"filled", "open"} <= {each["data"]["status"] for each in stream.of("orders")[1:]}
    is_right(cluster)


def books_of(gateway: Served) -> object:
    """What a gateway says of a book."""
    return httpx.get(f"{gateway.url}/api/markets/BTC-USD/book").json()


def test_one_that_was_paused_and_replaced_writes_nothing_more(cluster: Cluster) -> None:
    person = cluster.person(USD="100000")
    former = cluster.processes["orders"]
    standby = cluster.begin("orders").listens()
    former.send(signal.SIGSTOP)
    standby.works(30)
    former.send(signal.SIGCONT)
    order = person.order("buy", "1", "40000")
    assert former._process.wait(30) == 70
    cluster.replace(standby)
    assert len(person.get("/api/orders")["data"]) == 1
    assert person.get(f"/api/orders/{order['orderId']}")["status"] == "open"
    is_right(cluster)


@pytest.mark.skipif(not LONG, reason="half a minute; make crash runs it")
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
            replace(cluster, name)
        until(lambda: cluster.http.get("/readyz").status_code == 200, "the cluster", 60)
        until(lambda: person.call("POST", "/api/orders", order).status_code in (200, 201), "the order")
        assert len(person.get("/api/orders")["data"]) == 1
        is_right(cluster)


def test_each_is_killed_in_turn_and_its_standby_goes_on(
    cluster: Cluster, record_property: Callable[[str, object], None]
) -> None:
    standbys = {name: cluster.begin(name).listens() for name in (SERVICES if LONG else ("wallets",))}
    killed: list[tuple[str, float]] = []
    load = load_of(cluster)
    with load:
        for _ in range(5 if LONG else 1):
            for name, standby in standbys.items():
                load.wait_for_more()
                cluster.processes[name].kill()
                killed.append((name, time.monotonic()))
                cluster.replace(standby.works(30))
                load.wait_for_more()
                standbys[name] = cluster.begin(name).listens()
    for standby in standbys.values():
        standby.close()
    load.check()
    stalls = load.stalls([moment for _, moment in killed])
    record_property("stalls", [(name, round(took, 2)) for (name, _), took in zip(killed, stalls, strict=True)])


def test_while_wallets_stands_still_orders_are_refused_cancels_are_taken_and_memory_is_bounded(
    cluster: Cluster,
) -> None:
    person = cluster.person(USD="100000")
    resting = person.order("buy", "0.01", "41000")
    before = {each.name: each.resident_bytes for each in cluster.all}
    wallets = cluster.processes["wallets"]
    load = load_of(cluster)
    with load:
        load.wait_for_more()
        wallets.send(signal.SIGSTOP)
        try:
            refused = flood(cluster, person, 2_000 if LONG else 2 * WAITING_MAX)
            # wallets has no part in it
            cancelled = person.call("DELETE", f"/api/orders/{resting['orderId']}", headers={"prefer": "wait=10"})
            grown = {each.name: each.resident_bytes - before[each.name] for each in cluster.all}
        finally:
            wallets.send(signal.SIGCONT)
        load.wait_for_more()
    assert set(refused) == {503, 504}
    assert (cancelled.status_code, cancelled.json()["status"]) == (200, "cancelled")
    assert max(grown.values()) < GROWTH_BYTES_MAX, grown
    load.check()


def flood(cluster: Cluster, person: Person, count: int) -> Counter[int]:
    """More orders at once than may wait; how they were answered."""
    url = f"{cluster.url}/api/orders"
    body = {"symbol": "BTC-USD", "type": "buy", "quantity": "0.001", "price": "41000"}

    def place(_: int) -> int:
        answer = http.post(url, json=body, headers=person.headers)
        assert answer.status_code != 503 or "retry-after" in answer.headers
        return answer.status_code

    limits = httpx.Limits(max_connections=count)
    with httpx.Client(timeout=60, limits=limits) as http, ThreadPoolExecutor(2 * WAITING_MAX) as many:
        return Counter(many.map(place, range(count)))


def test_notifications_that_stand_still_hold_up_nobody_and_follow_to_the_end(cluster: Cluster) -> None:
    followers = cluster.processes["notifications"]
    before = {each.name: each.resident_bytes for each in cluster.all}
    load = load_of(cluster)
    with load:
        load.wait_for_more()
        followers.send(signal.SIGSTOP)
        try:
            load.wait_for_more(2_000 if LONG else 100)
            grown = {each.name: each.resident_bytes - before[each.name] for each in cluster.all}
        finally:
            followers.send(signal.SIGCONT)
        load.wait_for_more()
    assert max(grown.values()) < GROWTH_BYTES_MAX, grown
    until(lambda: all(lag == "0.0" for lag in lags(followers)), "notifications to follow")
    load.check()


def lags(follower: Served) -> list[str]:
    """How far it is behind each of those whom it follows."""
    found = re.findall(r"^borsa_lag_events\{.*\} (\S+)$", httpx.get(f"{follower.url}/metrics").text, re.MULTILINE)
    assert found
    return found


def test_sigterm_drains_a_service_and_another_goes_on(cluster: Cluster) -> None:
    load = load_of(cluster)
    with load:
        for name in ("wallets", "orders"):
            load.wait_for_more()
            assert cluster.processes[name].stop() == 0
            cluster.again(cluster.processes[name]).works()
        load.wait_for_more()
    load.check()


def test_a_stop_ends_also_while_the_broker_is_away(cluster: Cluster, own_nats: Nats) -> None:
    cluster.person(USD="1000")
    own_nats.kill()
    try:
        ended = [cluster.processes[name].stop() for name in ("orders", "notifications")]
    finally:
        own_nats.begin_again()
    assert ended == [0, 0], cluster.said()[-2500:]


def test_the_end_of_access_is_known_at_every_gateway(cluster: Cluster) -> None:
    person = cluster.person()
    other = httpx.Client(base_url=cluster.gateways[1].url, headers=person.headers)
    with other:
        assert other.get("/api/users/profile").status_code == 200
        assert person.call("POST", "/api/users/logout").status_code in (200, 204)
        until(lambda: other.get("/api/users/profile").status_code == 401, "the second gateway to know")
