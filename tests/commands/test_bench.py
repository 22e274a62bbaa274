"""borsa bench orders: a second of load on an exchange of its own."""

import json
import os
import shutil
import subprocess
import sys
from collections import Counter
from pathlib import Path

import msgspec
import pytest

from borsa.commands import wrk
from borsa.commands.bench import Pressure
from borsa.commands.bench_orders import run
from borsa.commands.load import NOT_THERE, Load, Measured, checked, load_of
from borsa.markets import Market
from tests.commands.test_replay import settings_of
from tests.support.running import Person, Running

FIGURES = {
    "seconds",
    "connections",
    "batch",
    "load",
    "orders",
    "orders_per_second",
    "p50_ms",
    "p99_ms",
    "errors",
    "python",
    "processor",
    "cores",
}
"""What every bench of the order path says."""

KEYS = FIGURES | {"trades", "traded_share", "lag_seconds", "verified", "kernel"}

needs_wrk = pytest.mark.skipif(shutil.which("wrk") is None, reason="wrk is not installed")
LOADS = ["own", pytest.param("wrk", marks=needs_wrk)]

BTC = Market("BTC-USD", "BTC", "USD", 1, 10**6, 10**2, 0)


def borsa(*arguments: str, folder: Path, **variables: str) -> "subprocess.CompletedProcess[str]":
    """The command line, run in a folder."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("BORSA_")}
    command = [sys.executable, "-W", "error", "-m", "borsa.cli", *arguments]
    return subprocess.run(command, cwd=folder, env=environment | variables, capture_output=True, text=True, timeout=100)


@pytest.mark.parametrize("load", LOADS)
@pytest.mark.parametrize(("connections", "batch"), [(4, 0), (4, 20), (1, 0)])
def test_a_second_of_orders_on_an_exchange_of_its_own(tmp_path: Path, connections: int, batch: int, load: str) -> None:
    options = ("--seconds", "1", "--connections", str(connections), "--batch", str(batch), "--load", load)
    done = borsa("bench", "orders", *options, folder=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    said = json.loads(done.stdout.splitlines()[-1])
    assert said.keys() == KEYS
    assert (said["connections"], said["batch"], said["load"], said["errors"]) == (connections, batch, load, 0)
    assert said["verified"] is not False
    assert said["orders"] > said["trades"] > 0
    assert 0 < said["traded_share"] <= 1
    assert 0 < said["p50_ms"] <= said["p99_ms"]
    assert "synchronous=FULL" in done.stdout
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(not Path("/proc/self/task").is_dir(), reason="looks for the children in /proc")
@pytest.mark.parametrize("load", LOADS)
@pytest.mark.parametrize("what", ["orders", "floor"])
def test_a_bench_that_is_stopped_leaves_nothing_behind(tmp_path: Path, what: str, load: str) -> None:
    options = ["--seconds", "60", "--connections", "2", "--load", load]
    command = [sys.executable, "-m", "borsa.cli", "bench", what, *options]
    with subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as bench:
        assert bench.stdout
        assert any(line.startswith("Durability") for line in bench.stdout)
        children = (Path(f"/proc/{bench.pid}/task/{bench.pid}/children")).read_text().split()
        assert children
        bench.terminate()
        assert bench.wait(60) == 143
    assert not [child for child in children if Path(f"/proc/{child}").exists()]
    assert list(tmp_path.iterdir()) == []


def test_a_running_exchange_is_measured_by_its_address(
    shared_exchange: Running, capsys: pytest.CaptureFixture[str]
) -> None:
    settings = msgspec.structs.replace(settings_of(shared_exchange), port=1)
    assert run(settings, Pressure(seconds=1, connections=2), shared_exchange.url) == 0
    said = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert said["trades"] > 0
    assert said["verified"] is None


def test_an_address_where_nobody_answers_is_told(shared_exchange: Running, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(shared_exchange.settings, Pressure(seconds=1, connections=2), "http://127.0.0.1:1") == 2
    assert "No exchange answers at http://127.0.0.1:1" in capsys.readouterr().err


@pytest.mark.parametrize("what", ["orders", "floor"])
def test_without_wrk_it_is_said_how_to_get_it(tmp_path: Path, what: str) -> None:
    done = borsa("bench", what, "--load", "wrk", folder=tmp_path, PATH=str(tmp_path))
    assert (done.returncode, done.stdout) == (2, "")
    assert "sudo apt-get install wrk" in done.stderr
    assert list(tmp_path.iterdir()) == []


def load_on(exchange: Running, key: str, batch: int) -> Load:
    """One connection that is used by one user, for a second."""
    return load_of(("127.0.0.1", settings_of(exchange).port), BTC, [key], 1, 1, batch)


@needs_wrk
def test_wrk_counts_what_is_refused_by_status(shared_exchange: Running) -> None:
    measured = wrk.place(load_on(shared_exchange, "nobody's", 0))
    assert measured.orders == 0
    assert measured.refused.keys() == {401}
    assert measured.refused[401] > 0


@needs_wrk
def test_orders_that_a_batch_was_refused_are_missed_afterwards(shared_exchange: Running) -> None:
    pauper = shared_exchange.person()
    measured = wrk.place(load_on(shared_exchange, pauper.tokens["accessToken"], 5))
    assert measured.sent >= measured.orders > 0
    found = checked(measured, placed=orders_of(pauper))
    assert (found.orders, found.refused) == (0, {NOT_THERE: measured.sent})


def orders_of(person: Person) -> int:
    """How many orders somebody has."""
    return len(person.get("/api/orders")["data"])


def test_what_is_there_was_accepted() -> None:
    measured = Measured(10, 12, 1.0, 1.0, 1.0, Counter())
    assert checked(measured, 12) == checked(measured, 13) == measured
    assert checked(measured, 11).refused == {NOT_THERE: 1}


@pytest.mark.parametrize("what", ["orders", "floor"])
def test_the_options_are_explained(tmp_path: Path, what: str) -> None:
    done = borsa("bench", what, "--help", folder=tmp_path)
    assert done.returncode == 0
    for option in ("--seconds", "--connections", "--batch", "--load"):
        assert option in done.stdout
