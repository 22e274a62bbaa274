"""borsa bench orders: a second of load on an exchange of its own."""

import json
import os
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from borsa.commands.bench_orders import run
from tests.commands.test_replay import settings_of
from tests.support.running import Running

KEYS = {
    "seconds",
    "connections",
    "batch",
    "orders",
    "orders_per_second",
    "p50_ms",
    "p99_ms",
    "errors",
    "trades",
    "traded_share",
    "lag_seconds",
    "verified",
    "kernel",
    "python",
    "processor",
    "cores",
}


def borsa(*arguments: str, folder: Path) -> "subprocess.CompletedProcess[str]":
    """The command line, run in a folder."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("BORSA_")}
    command = [sys.executable, "-W", "error", "-m", "borsa.cli", *arguments]
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=100)


@pytest.mark.parametrize("batch", [0, 20])
def test_a_second_of_orders_on_an_exchange_of_its_own(tmp_path: Path, batch: int) -> None:
    done = borsa("bench", "orders", "--seconds", "1", "--connections", "4", "--batch", str(batch), folder=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    said = json.loads(done.stdout.splitlines()[-1])
    assert said.keys() == KEYS
    assert (said["connections"], said["batch"], said["errors"]) == (4, batch, 0)
    assert said["verified"] is not False
    assert said["orders"] > said["trades"] > 0
    assert 0 < said["traded_share"] <= 1
    assert "synchronous=FULL" in done.stdout
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(not Path("/proc/self/task").is_dir(), reason="looks for the child in /proc")
def test_a_bench_that_is_stopped_leaves_nothing_behind(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "borsa.cli", "bench", "orders", "--seconds", "60", "--connections", "2"]
    with subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as bench:
        assert bench.stdout
        assert any(line.startswith("Durability") for line in bench.stdout)
        (server,) = (Path(f"/proc/{bench.pid}/task/{bench.pid}/children")).read_text().split()
        bench.terminate()
        assert bench.wait(60) == 143
    assert not Path(f"/proc/{server}").exists()
    assert list(tmp_path.iterdir()) == []


def test_a_running_exchange_is_measured_by_its_address(
    shared_exchange: Running, capsys: pytest.CaptureFixture[str]
) -> None:
    settings = msgspec.structs.replace(settings_of(shared_exchange), port=1)
    assert run(settings, 1, 2, shared_exchange.url, 0) == 0
    said = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert said["trades"] > 0
    assert said["verified"] is None


def test_an_address_where_nobody_answers_is_told(shared_exchange: Running, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(shared_exchange.settings, 1, 2, "http://127.0.0.1:1", 0) == 2
    assert "No exchange answers at http://127.0.0.1:1" in capsys.readouterr().err


def test_the_options_are_explained(tmp_path: Path) -> None:
    done = borsa("bench", "orders", "--help", folder=tmp_path)
    assert done.returncode == 0
    for option in ("--seconds", "--connections", "--url", "--batch"):
        assert option in done.stdout
