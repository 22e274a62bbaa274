"""Networks that are divided, under load, while everybody lives: what is sent over a cut link is lost, and nobody is
told so. Nothing acknowledged is lost, nothing is done twice, who was cut off writes nothing more, and when the networks
are whole again, all go on without a hand.
"""

import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import httpx
import pytest

from borsa import app
from tests.crash.load import Load
from tests.support.cluster import Manager, Served
from tests.support.machines import Site, site
from tests.support.running import until

pytestmark = [pytest.mark.timeout(300), pytest.mark.xdist_group("partitions")]

LONG = bool(os.environ.get("BORSA_TEST_LONG"))

long = pytest.mark.skipif(not LONG, reason="minutes in all; make crash runs it")

FAILED = 70

WRITERS = ["orders", "trades", "wallets"] if LONG else ["trades"]

NOTICED_SECONDS_MAX = 30
"""Longer than a lease lasts, and than a connection to the broker may be silent."""


@pytest.fixture(scope="module")
def begun(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """One cluster for all: it takes its time to begin."""
    folder = tmp_path_factory.mktemp("partitions") / "data"
    with site(folder, apart=["trades"], ask_seconds_max="2", access_token_seconds="86400") as begun:
        yield begun


@pytest.fixture
def whole(begun: Site) -> Site:
    """The cluster, all of it at work."""
    for each in begun.cluster.all:
        if each.status is not None:
            begun.cluster.again(each)
    for each in begun.cluster.gateways:
        each.listens()
    until(lambda: is_ready(begun), "the cluster", 60)
    return begun


@contextmanager
def under_load(whole: Site) -> Iterator[Load]:
    """Clients are at work, at the second gateway where it answers. At the end everything is there once, and all are
    ready, have followed to the end, and say the same."""
    cluster = whole.cluster
    until(lambda: is_ready(whole), "the cluster", 60)
    load = Load(cluster, lambda: [each.url for each in reversed(cluster.gateways) if each.url], answer_seconds=5)
    with load:
        load.wait_for_more()
        yield load
        load.wait_for_more()
    until(lambda: is_ready(whole), "the cluster", 60)
    load.check()
    until(lambda: behind(whole) == [], "everybody to follow to the end", 30)
    until(lambda: len({book_of(each) for each in cluster.gateways}) == 1, "the books to be the same", 30)


def is_ready(whole: Site) -> bool:
    """Do all gateways say so, who ask every service?"""
    try:
        answers = [httpx.get(f"{each.url}/readyz", timeout=10) for each in whole.cluster.gateways]
    except httpx.TransportError:
        # a link that was mended takes a moment until it is known again
        return False
    return {each.status_code for each in answers} == {200}


def book_of(gateway: Served) -> str:
    return httpx.get(f"{gateway.url}/api/markets/BTC-USD/book").text


def behind(whole: Site) -> list[tuple[str, str]]:
    """Consumers and sources whose cursors are not at the end of the log."""

    def number(text: str) -> int:
        ((found,),) = whole.postgres.run(text, database=whole.cluster.database)
        return int(found or 0)

    return [
        (service.name, source)
        for service in app.SERVICES
        for source in service.consumes
        if number(f"SELECT max(sequence) FROM {service.name}.cursors WHERE source = '{source}'")
        < number(f"SELECT max(sequence) FROM {source}.log")
    ]


def says(served: Served, what: str) -> Callable[[], None]:
    """What waits until a process says something, once more than now."""

    def count() -> int:
        return sum(what in line for line in served.output)

    before = count()

    def wait() -> None:
        end = time.monotonic() + NOTICED_SECONDS_MAX
        while count() <= before:
            assert time.monotonic() < end, "".join(served.output)
            threading.Event().wait(0.05)

    return wait


@pytest.mark.parametrize("name", WRITERS)
def test_a_writer_cut_from_all_is_replaced_and_writes_nothing_more(whole: Site, name: str) -> None:
    cluster = whole.cluster
    former, standby = cluster.processes[name], cluster.begin(name).listens()
    with under_load(whole) as load:
        with cluster.machine_of(former).cut_from("data", "bus"):
            standby.works(NOTICED_SECONDS_MAX)
            load.wait_for_more()
            assert former.ended() == FAILED
            # it begins again where it was, and finds the other one at work when it is reached again
            again = cluster.revive(former)
        cluster.replace(standby)
        assert httpx.get(f"{again.listens().url}/readyz").status_code == 503
        again.close()


@long
@pytest.mark.parametrize("name", WRITERS)
def test_a_writer_cut_from_its_database_ends_and_begins_again(whole: Site, name: str) -> None:
    machine = whole.cluster.machine_of(whole.cluster.processes[name])
    with Manager(whole.cluster) as manager, under_load(whole), machine.cut_from("data"):
        until(lambda: manager.ended, "it to end", NOTICED_SECONDS_MAX)
    assert manager.ended == [(name, FAILED)]


@long
@pytest.mark.parametrize("name", WRITERS)
def test_a_writer_that_does_not_hear_its_database_ends_and_what_it_committed_is_known(whole: Site, name: str) -> None:
    machine = whole.cluster.machine_of(whole.cluster.processes[name])
    with Manager(whole.cluster) as manager, under_load(whole), machine.unanswered_by(whole.postgres_machine, "data"):
        until(lambda: manager.ended, "it to end", NOTICED_SECONDS_MAX)
    assert manager.ended == [(name, FAILED)]


@long
@pytest.mark.parametrize("name", WRITERS)
def test_a_writer_cut_from_the_brokers_goes_on_when_they_are_back(whole: Site, name: str) -> None:
    cluster = whole.cluster
    writer = cluster.processes[name]
    with under_load(whole):
        lost = says(writer, "broker_lost")
        with cluster.machine_of(writer).cut_from("bus"):
            lost()
    assert writer.status is None


@long
def test_a_broker_cut_from_the_others_with_clients_on_it_loses_nothing(whole: Site) -> None:
    with under_load(whole) as load, whole.broker_machines[-1].cut_from("routes"):
        load.wait_for_more(100)
    assert {each.status for each in whole.cluster.all} == {None}


@long
def test_a_gateway_cut_from_all_is_missed_by_nobody_and_goes_on(whole: Site) -> None:
    gateway = whole.cluster.gateways[1]
    with under_load(whole) as load:
        lost = says(gateway, "broker_lost")
        with whole.cluster.machine_of(gateway).cut_from("front", "data", "bus"):
            load.wait_for_more()
            lost()
    assert gateway.status is None


@long
def test_a_gateway_that_only_clients_reach_refuses_and_goes_on(whole: Site) -> None:
    gateway, person = whole.cluster.gateways[1], whole.cluster.person()
    order = {"symbol": "BTC-USD", "type": "buy", "quantity": "1", "price": "40000"}
    with (
        under_load(whole) as load,
        whole.cluster.machine_of(gateway).cut_from("data", "bus"),
        httpx.Client(base_url=gateway.url, headers=person.headers, timeout=30) as http,
    ):
        assert http.get("/healthz").status_code == 200
        assert http.get("/api/wallets").status_code == 503
        assert http.post("/api/orders", json=order).status_code in (503, 504)
        load.wait_for_more()
    assert gateway.status is None


@long
def test_a_database_cut_from_all_ends_who_writes_and_all_go_on(whole: Site) -> None:
    with Manager(whole.cluster) as manager, under_load(whole), whole.postgres_machine.cut_from("data"):
        until(lambda: len(manager.ended) >= len(app.SERVICES), "all to end", NOTICED_SECONDS_MAX)
    assert {status for _, status in manager.ended} == {FAILED}


HOLDING = """
import sys
from borsa.runtime.databases.postgres_server import Server
connection = Server(sys.argv[1]).connect("public", "prepare")
connection.execute("SELECT pg_advisory_lock(7311)")
print("holds it", flush=True)
sys.stdin.read()
"""
"""What a process does as it begins, and then nothing more."""


@long
def test_one_cut_off_as_it_begins_keeps_nobody_else_from_beginning(whole: Site) -> None:
    machine = whole.machines.machine("data")
    command = [*machine.under, sys.executable, "-c", HOLDING, whole.cluster.environment["BORSA_DATABASE_URL"]]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as first:
        assert first.stdout is not None
        assert first.stdout.readline() == "holds it\n"
        with machine.cut_from("data"):
            second = whole.cluster.begin("users").listens(NOTICED_SECONDS_MAX)
            first.kill()
    second.close()
