"""Books in shards, each a process: the same outcome as of one, whichever ends, and whatever they are started with."""

import os
import signal
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.crash.load import Load, pages
from tests.support.cluster import Cluster, Served
from tests.support.nats import Nats
from tests.support.postgres import Postgres
from tests.support.running import Person, until

pytestmark = [pytest.mark.timeout(300), pytest.mark.xdist_group("cluster of crashes")]

TAKEOVER_SECONDS = 5

LONG = bool(os.environ.get("BORSA_TEST_LONG"))

SHARDS = {"trades_1": "BTC-USD", "trades_2": "ETH-USD,ETH-BTC"}

PRICES = {"BTC-USD": "50000", "ETH-USD": "3000", "SOL-USD": "100"}


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory, postgres: Postgres) -> Iterator[Cluster]:
    folder = tmp_path_factory.mktemp("shards") / "data"
    with (
        Nats() as nats,
        postgres.database() as url,
        Cluster(folder, url, [nats.url], shards=SHARDS, ask_seconds_max="2") as running,
    ):
        yield running


def trades_of(person: Person) -> Counter[tuple[str, ...]]:
    return Counter((each["symbol"], each["price"], each["quantity"]) for each in pages(person, "/api/trades"))


def test_each_market_trades_and_two_shards_never_have_the_same(cluster: Cluster) -> None:
    refused = cluster.begin("trades", "BTC-USD,ETH-USD")
    seller, buyer = cluster.person(BTC="10", ETH="10", SOL="10"), cluster.person(USD="1000000")
    for symbol, price in PRICES.items():
        seller.order("sell", "2", price, symbol=symbol)
        assert buyer.order("buy", "1", price, symbol=symbol)["status"] == "filled"
    expected = Counter({(symbol, f"{price}.00", "1"): 1 for symbol, price in PRICES.items()})
    assert trades_of(buyer) == trades_of(seller) == expected
    balance = until(lambda: _settled(buyer), "the settlement")
    assert {asset: balance[asset] for asset in ("BTC", "ETH", "SOL")} == dict.fromkeys(("BTC", "ETH", "SOL"), "1")
    for shard in ("trades", *SHARDS):
        assert cluster.admin().get(f"/api/events?source={shard}")["data"]
    assert _ended(refused) == 1
    assert "trades_1 has BTC-USD; trades_2 has ETH-USD" in "".join(refused.output)


def _settled(person: Person) -> dict[str, str] | None:
    balance: dict[str, str] = person.wallet()["balance"]
    return balance if {"BTC", "ETH", "SOL"} <= balance.keys() else None


def test_a_shard_that_is_killed_under_load_is_taken_over_and_nothing_is_lost(cluster: Cluster) -> None:
    load = Load(cluster, lambda: [each.url for each in cluster.gateways])
    with load:
        for number in (signal.SIGKILL, *([signal.SIGSTOP, signal.SIGTERM] if LONG else [])):
            load.wait_for_more()
            standby = cluster.begin("trades", SHARDS["trades_1"]).listens()
            former = cluster.processes["trades_1"]
            former.send(number)
            standby.works(TAKEOVER_SECONDS if number == signal.SIGKILL else 30)
            former.send(signal.SIGCONT)
            cluster.replace(standby)
            load.wait_for_more()
    load.check()
    until(lambda: cluster.http.get("/readyz").status_code == 200, "the cluster", 60)


@pytest.mark.skipif(not LONG, reason="half a minute; make crash runs it")
@pytest.mark.parametrize(
    ("markets", "why"),
    [
        ("ETH-USD", "trades_2 has ETH-BTC, ETH-USD: name ETH-BTC, too"),
        ("SOL-USD", "no shard is free"),
        ("BTC-USD,SOL-USD", "SOL-USD is open: halt it"),
        ("NO-USD", "there is no market NO-USD"),
    ],
    ids=["a part", "none is free", "not halted", "unknown"],
)
def test_markets_that_contradict_what_is_assigned_are_refused(cluster: Cluster, markets: str, why: str) -> None:
    begun = cluster.begin("trades", markets)
    assert _ended(begun) == 1
    assert why in "".join(begun.output)


def _ended(served: Served) -> int:
    status = served._process.wait(60)
    served._listener.join(30)
    return status


@pytest.mark.skipif(not LONG, reason="half a minute; make crash runs it")
def test_who_names_fewer_shards_than_there_are_does_not_start(cluster: Cluster) -> None:
    begun = cluster.begin("gateway", trades_shards="1")
    assert _ended(begun) == 1
    assert "trades_2" in "".join(begun.output)


@pytest.mark.skipif(not LONG, reason="half a minute; make crash runs it")
def test_two_that_start_at_once_with_the_same_market_do_not_both_have_it(tmp_path: Path, postgres: Postgres) -> None:
    with (
        Nats() as nats,
        postgres.database() as url,
        Cluster(tmp_path / "data", url, [nats.url], trades_shards="2") as running,
    ):
        running.set_state("BTC-USD,ETH-USD,SOL-USD", "halted")
        stranger = running.begin("trades", "ETH-BTC", trades_shards="3")
        both = [running.begin("trades", markets) for markets in ("BTC-USD,ETH-USD", "ETH-USD,SOL-USD")]
        until(lambda: [each for each in both if each.status is not None], "one of them", 60)
        (refused,) = [each for each in both if each.status is not None]
        (having,) = [each for each in both if each.status is None]
        having.works()
        assert _ended(refused) == 1
        assert "trades_1 has " in "".join(refused.output)
        assert _ended(stranger) == 1
        assert "orders does not follow trades_3: start it with BORSA_TRADES_SHARDS=3" in "".join(stranger.output)


@pytest.mark.skipif(not LONG, reason="half a minute; make crash runs it")
def test_whichever_of_all_is_killed_the_shards_converge(cluster: Cluster) -> None:
    load = Load(cluster, lambda: [each.url for each in cluster.gateways])
    with load:
        for name in ("orders", "wallets", "trades", *SHARDS, "portfolios"):
            cluster.processes[name].kill()
            cluster.again(cluster.processes[name]).works()
            load.wait_for_more()
    load.check()
