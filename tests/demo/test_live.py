"""Simulated participants at a running exchange, as `borsa up` and `borsa demo` bring them."""

import contextlib
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest
from typer.testing import CliRunner

from borsa.cli import cli
from borsa.commands import demo, up, verify
from borsa.demo import live
from borsa.demo.accounts import Unwelcome, password
from borsa.settings import Settings
from tests.demo.conftest import SYMBOLS
from tests.support.process import Process
from tests.support.running import PASSWORD, Person, Running, until


@pytest.fixture
def running(tmp_path: Path) -> Iterator[Running]:
    with Running(tmp_path / "exchange") as running:
        yield running


@pytest.fixture(autouse=True)
def hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live, "TURN_SECONDS", 0.0)


def trade(running: Running, tmp_path: Path, turns: int, **options: Any) -> None:
    settings = Settings(data=str(tmp_path / "bots"), demo_orders_per_second=100, **options)
    live.run(settings, running.url, lambda: True, turns)


def levels(running: Running, symbol: str, side: str) -> int:
    return len(running.http.get(f"/api/markets/{symbol}/book?depth=100").json()[side])


def test_every_market_gets_a_book_and_trades_and_no_money_comes_from_nowhere(running: Running, tmp_path: Path) -> None:
    trade(running, tmp_path, 12)
    for symbol in SYMBOLS:
        assert min(levels(running, symbol, "bids"), levels(running, symbol, "asks")) >= 10, symbol
    before = len(running.http.get("/api/markets/BTC-USD/trades").json()["data"])
    # as after a restart: the same accounts, the orders that they have, and not another endowment
    trade(running, tmp_path, 25)
    assert len(running.http.get("/api/markets/BTC-USD/trades").json()["data"]) > before
    assert len(running.admin().get("/api/users")["data"]) == 6
    assert verify.run(running.settings, None) == 0
    # what came from outside is what the faucet gave, once: USD in five draws, each other asset in one
    assert len(drawn(running, tmp_path)) == 5 + 3


def drawn(running: Running, tmp_path: Path) -> list[dict[str, Any]]:
    """The entries of play money in a maker's wallet."""
    maker = Person(running, "demo-maker-1", _password(tmp_path)).signed_in()
    found: list[dict[str, Any]] = []
    cursor = ""
    while True:
        page = maker.get(f"/api/wallets/{maker.wallet_id}/entries?limit=1000{cursor}")
        found += page["data"]
        if page["nextCursor"] is None:
            return [each for each in found if each["kind"] == "faucet"]
        cursor = f"&cursor={page['nextCursor']}"


def _password(tmp_path: Path) -> str:
    return password((tmp_path / "bots" / "demo.key").read_bytes(), "demo-maker-1")


def test_a_name_that_is_somebody_elses_is_left_alone(running: Running, tmp_path: Path) -> None:
    Person(running, "demo-maker-1", PASSWORD).register()
    with pytest.raises(Unwelcome, match="demo-maker-1 could not sign in"):
        trade(running, tmp_path, 1)


def test_without_play_money_they_say_so(tmp_path: Path) -> None:
    with Running(tmp_path / "exchange", sandbox=False) as running, pytest.raises(Unwelcome, match="faucet"):
        trade(running, tmp_path, 1)


@pytest.mark.parametrize("url", ["ftp://127.0.0.1", "127.0.0.1:8000", "http://", "http://127.0.0.1:99999"])
def test_a_command_line_with_a_wrong_address_is_told_so(url: str) -> None:
    said = CliRunner().invoke(cli, ["demo", "--url", url])
    assert said.exit_code == 1
    assert "is no address" in said.output


@pytest.mark.parametrize(("arguments", "on"), [(["up"], True), (["up", "--no-demo"], False)], ids=["with", "without"])
def test_up_has_a_demo_unless_it_is_told_otherwise(
    arguments: list[str], on: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    given: list[Settings] = []
    monkeypatch.setattr(up, "run", lambda settings: given.append(settings) or 0)
    monkeypatch.delenv("BORSA_DEMO", raising=False)
    assert CliRunner().invoke(cli, arguments).exit_code == 0
    assert [demo.is_on(settings) for settings in given] == [on]
    assert not demo.is_on(msgspec.structs.replace(Settings(), sandbox=False))


def test_up_brings_participants_and_takes_them_along(past: Path, tmp_path: Path) -> None:
    shutil.copytree(past, tmp_path / "data")
    with Process(tmp_path / "data", demo="1", demo_orders_per_second="20") as process:
        until(lambda: any("--no-demo" in line for line in process.output), "a word about the participants")
        began = newest_trade(process.http)
        until(lambda: newest_trade(process.http) != began, "a trade", 60)
        guests = process.children()[len(process.parts) :]
        assert len(guests) == 1
        assert process.stop() == 0
    assert not Path(f"/proc/{guests[0]}").exists()


def newest_trade(http: httpx.Client) -> list[Any]:
    return [http.get(f"/api/markets/{symbol}/trades?limit=1").json()["data"] for symbol in sorted(SYMBOLS)]


def test_participants_end_with_an_exchange_that_is_killed(past: Path, tmp_path: Path) -> None:
    shutil.copytree(past, tmp_path / "data")
    with Process(tmp_path / "data", demo="1") as process:
        (guest,) = until(lambda: process.children()[len(process.parts) :], "the participants")
        process.kill()
        try:
            until(lambda: not Path(f"/proc/{guest}").exists(), "the end of the participants")
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.kill(guest, signal.SIGKILL)


def test_a_folder_that_cannot_be_used_is_named_in_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no folder")
    data = str(tmp_path / "file" / "data")
    environment = os.environ | {"BORSA_DATA": data, "BORSA_DEMO": "1", "BORSA_PORT": "0"}
    said = subprocess.run(
        [sys.executable, "-m", "borsa.cli", "up"],
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert said.returncode == 1
    assert f"borsa: can't use the data folder {data}: Not a directory" in said.stderr
    assert "Traceback" not in said.stderr


def test_what_the_default_spends_is_bounded_and_every_market_has_its_share() -> None:
    pace = live.pace_of(Settings().demo_orders_per_second)
    a_minute = {symbol: 2 * 60 * pace.chance_in(symbol) / 1_000_000 for symbol in SYMBOLS}
    assert min(a_minute.values()) > 2
    moved = sum(pace.tended_in(symbol) / 1_000_000 for symbol in SYMBOLS)
    assert sum(a_minute.values()) / 60 + moved < 1.5
