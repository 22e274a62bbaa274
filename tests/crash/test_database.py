"""PostgreSQL ends under load, again and again, at once. Whoever wrote ends with it, and a service manager begins it
again: nothing acknowledged is lost, nothing is done twice, and nobody has to help.

With BORSA_TEST_LONG=1 it is 200 times: 100 for an exchange of `borsa up`, 100 for one of processes apart.
"""

import itertools
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import msgspec
import psycopg
import pytest

from borsa import served
from borsa.runtime.databases import postgres_server
from borsa.settings import Settings
from tests.crash.load import Load
from tests.support.cluster import SERVICES, Cluster, Manager
from tests.support.nats import free_ports
from tests.support.postgres import Postgres
from tests.support.process import Process
from tests.support.running import until

pytestmark = pytest.mark.timeout(900)

FAILED = 70

PIECES = range(10 if os.environ.get("BORSA_TEST_LONG") else 1)

KILLS = 10 if os.environ.get("BORSA_TEST_LONG") else 1
"""In a piece."""

DAY = str(24 * 3600)


def lose_an_answer(server: Postgres) -> None:
    """Cut the connection of a writer whose COMMIT is on disk, and whose answer is not: it waits for a copy of the
    server that is nowhere."""
    server.run("ALTER SYSTEM SET synchronous_standby_names = 'nobody'")
    server.run("SELECT pg_reload_conf()")
    waiting = "wait_event = 'SyncRep' AND application_name LIKE 'borsa %% writer'"
    cut = f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE {waiting}"
    until(lambda: server.run(cut), "a commit")
    server.run("ALTER SYSTEM RESET synchronous_standby_names")
    server.run("SELECT pg_reload_conf()")


def kill_a_backend(server: Postgres) -> None:
    """The server then ends all others, and recovers."""
    ((backend,),) = server.run("SELECT pid FROM pg_stat_activity WHERE application_name = 'borsa orders writer'")
    os.kill(backend, signal.SIGKILL)


FAULTS: dict[str, Callable[[Postgres], None]] = {
    "answer": lose_an_answer,
    "postmaster": lambda server: server.restart(signal.SIGKILL),
    "backend": kill_a_backend,
    "immediate": lambda server: server.restart(signal.SIGQUIT),
}


def faults_of(piece: int, first: str) -> list[Callable[[Postgres], None]]:
    """Each kind in turn; pieces go on where the one before ended."""
    at = list(FAULTS).index(first) + piece * KILLS
    return list(itertools.islice(itertools.cycle(FAULTS.values()), at, at + KILLS))


@pytest.mark.parametrize("piece", PIECES)
def test_an_exchange_goes_on_after_its_database(piece: int, tmp_path: Path) -> None:
    (port,) = free_ports(1)
    with Postgres() as server, server.database() as url:
        options = {"database_url": url, "port": str(port), "access_token_seconds": DAY}
        with Process(tmp_path / "data", processes="3", **options) as process:
            load = Load(process, lambda: [process.url])
            with load:
                for fault in faults_of(piece, "answer"):
                    load.wait_for_more()
                    fault(server)
                    assert process.again() == FAILED
                load.wait_for_more()
            load.check()


@pytest.mark.parametrize("piece", PIECES)
def test_processes_apart_go_on_after_their_database(piece: int, tmp_path: Path, nats_url: str) -> None:
    options = {"ask_seconds_max": "2", "access_token_seconds": DAY}
    with (
        Postgres() as server,
        server.database() as url,
        Cluster(tmp_path / "data", url, [nats_url], gateways=2, **options) as cluster,
    ):
        load = Load(cluster, lambda: [each.url for each in cluster.gateways if each.url])
        with Manager(cluster) as manager:
            with load:
                for count, fault in enumerate(faults_of(piece, "answer"), 1):
                    load.wait_for_more()
                    fault(server)
                    until(lambda count=count: len(manager.ended) >= count, "a writer to end")
                load.wait_for_more()
            until(lambda: cluster.http.get("/readyz").status_code == 200, "the cluster", 60)
        assert {status for _, status in manager.ended} <= {FAILED, 1}
        load.check()


def test_a_service_waits_for_its_database_and_says_so(tmp_path: Path, nats_url: str) -> None:
    with Postgres() as server, server.database() as url:
        server.end()
        with closing(Cluster(tmp_path / "data", url, [nats_url]).begin("users")) as users:
            until(lambda: "can't be reached" in "".join(users.output), "it to say so")
            assert users.status is None
            server.begin_again()
            users.works()


HELD_UP = """
import sys
from borsa import cli
from borsa.runtime.writing.writers import Writers
begin = Writers.start_background
def begin_when_told(writers):
    print("is about to work", flush=True)
    sys.stdin.readline()
    begin(writers)
Writers.start_background = begin_when_told
sys.argv = ["borsa", "serve", "notifications"]
cli.main()
"""
"""A service that waits, recovered, until it is told to begin its work."""


def test_a_service_whose_database_goes_as_it_begins_its_work_ends(tmp_path: Path, nats_url: str) -> None:
    with Postgres() as server, server.database() as url:
        environment = Cluster(tmp_path / "data", url, [nats_url]).environment
        command = [sys.executable, "-c", HELD_UP]
        with subprocess.Popen(
            command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        ) as process:
            assert process.stdin is not None
            assert process.stdout is not None
            assert any("is about to work" in line for line in process.stdout)
            server.end()
            try:
                process.stdin.write("go on\n")
                process.stdin.flush()
                assert process.wait(30) == 1
                assert "can't be read" in process.stdout.read()
            finally:
                process.kill()
                server.begin_again()


def test_who_begins_at_the_same_time_as_many_waits_for_as_long_as_they_take(
    tmp_path: Path, postgres: Postgres, postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(postgres_server, "LOCK_SECONDS_MAX", 1)
    settings = msgspec.structs.replace(Settings(), data=str(tmp_path), database_url=postgres_url)
    longer = "SELECT 1 FROM pg_locks WHERE NOT granted AND waitstart < clock_timestamp() - interval '1.5 s'"
    with psycopg.connect(postgres_url, autocommit=True) as other, ThreadPoolExecutor() as aside:
        other.execute("SELECT pg_advisory_lock(7311)")
        prepared = aside.submit(served.prepared, settings)
        until(lambda: prepared.done() or postgres.run(longer), "it to wait")
        other.execute("SELECT pg_advisory_unlock(7311)")
        assert len(prepared.result(60)) == len(SERVICES)
