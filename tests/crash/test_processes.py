"""An exchange in three processes: whoever ends, and however, nothing acknowledged is lost and nobody is left behind."""

import re
import signal
import socket
import sqlite3
import subprocess
import sys
import threading
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from tests.crash.test_kill import traders
from tests.support.process import Process, borsa, raw_request
from tests.support.running import Person, until

SERVICES = ["users", "orders", "trades", "wallets", "portfolios", "notifications"]
FAILED = 70

started_by_the_door = pytest.mark.parametrize("part", ["services", "followers"])


def divided(folder: Path, **options: str) -> Process:
    return Process(folder, processes="3", **options)


def trade(process: Process) -> tuple[Person, Any]:
    """Somebody who sold a bitcoin, and the order."""
    seller, buyer = process.person(BTC="2"), process.person(USD="100000")
    sold = seller.order("sell", "1", "50000")
    assert buyer.order("buy", "1", "50000")["status"] == "filled"
    return seller, sold


def is_right(process: Process) -> None:
    audit = borsa("verify", process.environment)
    assert audit.returncode == 0, audit.stdout + audit.stderr
    assert audit.stdout.rstrip().endswith(", 0 breaches")


@started_by_the_door
def test_when_a_process_is_killed_the_door_says_so_and_the_next_start_recovers(part: str, tmp_path: Path) -> None:
    folder = tmp_path / "data"
    with divided(folder) as process:
        seller, sold = trade(process)
        process.parts[part].send(signal.SIGKILL)
        assert process.ended() == FAILED
    assert f"the process of the {part} ended" in "".join(process.output)
    with divided(folder) as again:
        seller.running = again
        assert seller.get(f"/api/orders/{sold['orderId']}")["status"] == "filled"
        trade(again)
        is_right(again)
        assert again.stop() == 0
    is_right(again)


def test_when_the_door_is_killed_the_others_end_and_the_next_start_succeeds_at_once(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    with divided(folder) as process:
        seller, sold = trade(process)
        process.kill()
        with divided(folder) as again:
            # only one exchange holds the folder
            assert [name for name, part in process.parts.items() if not part.ends_within(0)] == []
            seller.running = again
            assert seller.get(f"/api/orders/{sold['orderId']}")["status"] == "filled"
            is_right(again)


@started_by_the_door
def test_only_the_door_is_told_to_stop(part: str, tmp_path: Path) -> None:
    with divided(tmp_path / "data") as process:
        for number in (signal.SIGTERM, signal.SIGINT):
            process.parts[part].send(number)
            assert process.http.get("/readyz").status_code == 200, "whoever answers has had its signal"
        trade(process)
        assert process.stop() == 0


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_stop_under_load_loses_nothing_and_leaves_nothing(number: signal.Signals, tmp_path: Path) -> None:
    folder = tmp_path / "data"
    enough = threading.Semaphore(0)
    with divided(folder) as process:
        everybody = traders(process, enough)
        threads = [threading.Thread(target=each.trade, args=(process.url,)) for each in everybody]
        for thread in threads:
            thread.start()
        for _ in range(300):
            assert enough.acquire(timeout=30)
        assert process.stop(number) == 0
        for thread in threads:
            thread.join(30)
        assert [name for name, part in process.parts.items() if not part.ends_within(0)] == []
    assert sorted(path.name for path in folder.iterdir() if path.name.endswith(("-wal", "-shm"))) == []
    kept = client_ids(folder)
    acknowledged = {name: int(order_id) for each in everybody for name, order_id in each.acknowledged.items()}
    assert {name: kept.get(name) for name in acknowledged} == acknowledged
    is_right(process)


def client_ids(folder: Path) -> dict[str, int]:
    """The orders on disk, by the ids that their owners gave them."""
    return dict(rows(folder, "orders", "SELECT client_order_id, order_id FROM orders"))


KILLED_WHILE_STOPPING = """
import asyncio, os, signal
from borsa.commands.up import die
from borsa.divided import DividedExchange
from borsa.settings import load

exchange = DividedExchange(load(), die)
os.kill(exchange._ids["followers"], signal.SIGKILL)
asyncio.run(exchange.stop())
"""


def test_a_process_that_is_killed_while_the_door_stops_is_a_fault_too(tmp_path: Path) -> None:
    """Its link is not read by the event loop any more."""
    environment = divided(tmp_path / "data").environment
    ran = subprocess.run(
        [sys.executable, "-c", KILLED_WHILE_STOPPING],
        env=environment, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert "the process of the followers ended" in ran.stderr
    assert ran.returncode == FAILED


def test_a_second_start_names_the_process_that_has_the_folder(tmp_path: Path) -> None:
    with divided(tmp_path / "data") as process:
        second = borsa("up", process.environment)
        assert second.returncode == 1
        assert f"in use by process {process.pid}" in second.stderr
        assert process.http.get("/readyz").status_code == 200


def damaged(folder: Path, service: str, statement: str) -> dict[str, str]:
    """The environment of an exchange that was stopped and then damaged."""
    with divided(folder) as process:
        trade(process)
        assert process.stop() == 0
    with closing(sqlite3.connect(folder / f"{service}.db")) as database, database:
        assert database.execute(statement).rowcount
    return process.environment


def test_a_process_that_cannot_start_says_why_and_nobody_is_left(tmp_path: Path) -> None:
    environment = damaged(tmp_path / "data", "trades", "UPDATE trades SET price = price + 1")
    for processes in ("1", "2", "3"):
        # it comes back only when everybody who had its output has ended
        refused = borsa("up", environment | {"BORSA_PROCESSES": processes})
        assert refused.returncode == 1
        assert "gives other trades than were made" in refused.stderr
        assert "Traceback" not in refused.stderr


def test_a_process_that_breaks_at_the_start_shows_its_fault(tmp_path: Path) -> None:
    environment = damaged(tmp_path / "data", "orders", "UPDATE log SET data = x'7b' WHERE type = 'OrderCreated'")
    refused = borsa("up", environment | {"BORSA_PROCESSES": "3"})
    assert refused.returncode == 1
    assert "the process of the services ended" in refused.stderr
    assert "DecodeError" in refused.stderr


def test_an_address_that_is_taken_leaves_nobody(tmp_path: Path) -> None:
    with divided(tmp_path / "one") as process:
        port = process.url.rpartition(":")[2]
        other = process.environment | {"BORSA_DATA": str(tmp_path / "other"), "BORSA_PORT": port}
        refused = borsa("up", other)
        assert refused.returncode == 1
        assert f"can't listen on 127.0.0.1:{port}" in refused.stderr


def test_followers_that_stand_still_hold_up_no_order_and_are_named(tmp_path: Path) -> None:
    with divided(tmp_path / "data") as process:
        trade(process)
        process.parts["followers"].send(signal.SIGSTOP)
        seller, _ = trade(process)
        ready = process.http.get("/readyz")
        assert (ready.status_code, ready.json()["halted"]) == (503, ["followers does not answer"])
        assert not seller.get("/api/portfolios")["data"]
        process.parts["followers"].send(signal.SIGCONT)
        until(lambda: process.http.get("/readyz").status_code == 200, "the followers")
        until(lambda: seller.get("/api/portfolios")["data"], "the portfolio")
        assert process.stop() == 0
    is_right(process)


@started_by_the_door
def test_a_stop_ends_a_process_that_stands_still_and_the_next_start_has_everything(part: str, tmp_path: Path) -> None:
    folder = tmp_path / "data"
    with divided(folder, drain_seconds_max="1", webhook_timeout_seconds="1") as process:
        seller, sold = trade(process)
        process.parts[part].send(signal.SIGSTOP)
        assert process.stop() == FAILED
        assert [name for name, each in process.parts.items() if not each.ends_within(0)] == []
    assert f"the process of the {part} does not answer" in "".join(process.output)
    with divided(folder) as again:
        seller.running = again
        assert seller.get(f"/api/orders/{sold['orderId']}")["status"] == "filled"
        is_right(again)


def test_a_stop_waits_for_what_each_process_has_to_finish(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    with divided(folder, drain_seconds_max="1") as process:
        seller, buyer = process.person(BTC="2"), process.person(USD="100000")
        seller.order("sell", "1", "50000")
        process.parts["services"].send(signal.SIGSTOP)
        body = {"symbol": "BTC-USD", "type": "buy", "quantity": "1", "price": "50000"}
        with socket.create_connection(process.address) as asking:
            asking.sendall(raw_request("POST", "/api/orders", buyer.headers, body))
            process.send(signal.SIGTERM)
            # nobody answers the request in the second that it has, and the stop goes on to the services
            assert not process.parts["followers"].ends_within(3), "they are to follow what the services still do"
            process.parts["services"].send(signal.SIGCONT)
        assert process.ended() == 0
    assert set(lags(folder).values()) == {0}
    is_right(process)


def lags(folder: Path) -> dict[tuple[str, str], int]:
    """How many events of a log each consumer has not applied, on disk."""
    found = {}
    for consumer in SERVICES:
        for source, cursor in rows(folder, consumer, "SELECT source, sequence FROM cursors"):
            ((last,),) = rows(folder, source, "SELECT coalesce(max(sequence), 0) FROM log")
            found[consumer, source] = last - cursor
    return found


def rows(folder: Path, service: str, statement: str) -> list[Any]:
    """What a select gives, of an exchange that was stopped."""
    with closing(sqlite3.connect(f"file:{folder}/{service}.db?mode=ro", uri=True)) as database:
        return database.execute(statement).fetchall()


def test_the_metrics_are_those_of_all_processes(tmp_path: Path) -> None:
    with divided(tmp_path / "data") as process:
        trade(process)
        until(lambda: 'borsa_lag_events{service="notifications",source="trades"} 0.0' in metrics(process), "the end")
        text = metrics(process)
    families = re.findall(r"^# TYPE (\S+)", text, re.MULTILINE)
    assert len(families) == len(set(families))
    committed = re.findall(r'^borsa_commit_seconds_count\{service="(\w+)"\} (\S+)$', text, re.MULTILINE)
    assert sorted(service for service, _ in committed) == sorted(SERVICES)
    assert all(float(count) > 0 for _, count in committed)
    samples = re.findall(r"^(borsa_.+) \S+$", text, re.MULTILINE)
    assert len(samples) == len(set(samples))
    assert "borsa_http_seconds_count" in text


def metrics(process: Process) -> str:
    return process.http.get("/metrics").text
