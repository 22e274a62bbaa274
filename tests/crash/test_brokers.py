"""Three brokers, under load: one of them ends, or leads and ends, or loses or confuses what it stored; or all of them.
What they carried, the databases know: everything goes on without a hand.
"""

import os
import signal
from collections.abc import Callable, Iterator, Sequence

import pytest

from borsa.runtime.buses.relay import LOG, LOG_STREAM, decode_pack
from tests.crash.load import Load
from tests.support.cluster import SERVICES, Cluster, brokers
from tests.support.nats import Nats
from tests.support.postgres import Postgres
from tests.support.running import until

pytestmark = [pytest.mark.timeout(600), pytest.mark.xdist_group("brokers")]

Servers = Sequence[Nats]


@pytest.fixture(scope="module")
def servers() -> Iterator[Servers]:
    """Three brokers that are one."""
    with brokers(3) as begun:
        yield begun


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory, postgres: Postgres, servers: Servers) -> Iterator[Cluster]:
    """A cluster over them."""
    folder = tmp_path_factory.mktemp("brokers") / "data"
    urls = [each.url for each in servers]
    with postgres.database() as url, Cluster(folder, url, urls, gateways=2, ask_seconds_max="2") as running:
        yield running


def leader_of(servers: Servers) -> Nats:
    """Who leads the stream of the logs."""
    # those who elect it may have much else to do
    name = until(lambda: servers[0].leader(LOG_STREAM), "a leader", 60)
    return next(each for each in servers if each.name == name)


def killed_is_missed_by_nobody(servers: Servers, load: Load) -> None:
    (other, *_) = (each for each in servers if each is not leader_of(servers))
    other.kill()
    load.wait_for_more()
    other.begin_again()


def leader_is_killed(servers: Servers, load: Load) -> None:
    leader = leader_of(servers)
    leader.kill()
    load.wait_for_more()
    leader.begin_again()


def one_is_emptied(servers: Servers, load: Load) -> None:
    leader = leader_of(servers)
    leader.kill()
    load.wait_for_more()
    leader.begin_again(emptied=True)


def all_are_emptied(servers: Servers, load: Load) -> None:
    for each in servers:
        each.kill()
    for each in servers:
        # not before another one: it waits for them
        each.begin_again(emptied=True)


def a_bit_is_turned(servers: Servers, load: Load) -> None:
    leader = leader_of(servers)
    leader.kill()
    leader.damage(LOG_STREAM)
    leader.begin_again()


def a_message_is_deleted(servers: Servers, load: Load) -> None:
    until(lambda: servers[0].delete(LOG_STREAM), "a message to delete")


def all_stand_still(servers: Servers, load: Load) -> None:
    said = load.reached.said().count("broker_lost")  # type: ignore[attr-defined]
    for each in servers:
        each.send(signal.SIGSTOP)
    try:
        # longer than anybody waits for an answer, or for a sign of the broker
        until(lambda: load.reached.said().count("broker_lost") >= said + len(SERVICES), "time-outs")  # type: ignore[attr-defined]
    finally:
        for each in servers:
            each.send(signal.SIGCONT)


FAULTS: Sequence[Callable[[Servers, Load], None]] = (
    leader_is_killed,
    all_are_emptied,
    a_message_is_deleted,
    killed_is_missed_by_nobody,
    one_is_emptied,
    a_bit_is_turned,
    all_stand_still,
)


def test_whatever_becomes_of_the_brokers_everything_goes_on(
    cluster: Cluster, servers: Servers, postgres: Postgres
) -> None:
    load = Load(cluster, lambda: [each.url for each in cluster.gateways])
    with load:
        for fault in FAULTS if os.environ.get("BORSA_TEST_LONG") else FAULTS[:3]:
            load.wait_for_more()
            fault(servers, load)
            load.wait_for_more()
    load.check()
    until(lambda: cluster.http.get("/readyz").status_code == 200, "the cluster", 60)
    # it may have been made while not all of them were there
    until(lambda: servers[0].replicas(LOG_STREAM) == len(servers), "the copy to be on all", 60)
    for source in ("orders", "trades", "wallets"):
        ((last,),) = postgres.run(f"SELECT max(sequence) FROM {source}.log", database=cluster.database)
        until(lambda source=source, last=last: is_copied(servers, source, last), f"the copy of {source}")


def is_copied(servers: Servers, source: str, last: int) -> bool:
    """Do the brokers have a log to its end?"""
    found = servers[0].last(LOG_STREAM, LOG + source)
    return bool(found) and decode_pack(found).last >= last
