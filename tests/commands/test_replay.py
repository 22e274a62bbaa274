"""borsa replay: what traded when it was recorded trades here."""

import json
import os
from pathlib import Path
from typing import Any

import msgspec
import pytest

from borsa.commands.replay import run
from borsa.settings import Settings
from tests.commands.recordings import COMMANDS, TRADES, write_recording
from tests.support.running import Running

SHARED = Path(os.environ.get("BORSA_SHARED") or Path(__file__).parents[3] / "shared")


def settings_of(exchange: Running) -> Settings:
    """The settings that lead a client to a running exchange."""
    return msgspec.structs.replace(exchange.settings, port=int(exchange.url.rpartition(":")[2]))


def last_line(capsys: pytest.CaptureFixture[str]) -> Any:
    """The JSON object on the last line of standard output."""
    return json.loads(capsys.readouterr().out.splitlines()[-1])


def test_a_recording_trades_as_it_was_recorded(
    exchange: Running, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    status = run(settings_of(exchange), write_recording(tmp_path / "recording"), limit=0, speed=0, users=4)
    said = last_line(capsys)
    assert said.pop("seconds") > 0
    assert said == {"symbol": "PEAR-USD", "commands": 17, "trades": 8, "matched": 6, "recorded": 6}
    assert status == 0


def test_two_users_and_the_recorded_pace_give_the_same_fills(
    shared_exchange: Running, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    status = run(settings_of(shared_exchange), write_recording(tmp_path / "recording"), limit=0, speed=1, users=2)
    said = last_line(capsys)
    assert (status, said["trades"], said["matched"]) == (0, 8, 6)


def test_every_replay_has_a_market_of_its_own(
    shared_exchange: Running, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = write_recording(tmp_path / "recording")
    symbols = set()
    for _ in range(2):
        assert run(settings_of(shared_exchange), file, limit=0, speed=0, users=2) == 0
        symbols.add(last_line(capsys)["symbol"])
    assert len(symbols) == 2


def test_a_limit_plays_and_compares_only_the_first_rows(
    shared_exchange: Running, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    status = run(settings_of(shared_exchange), write_recording(tmp_path / "recording"), limit=6, speed=0, users=2)
    said = last_line(capsys)
    assert (status, said["commands"], said["trades"], said["matched"]) == (0, 6, 2, 2)


@pytest.mark.parametrize(
    ("trades", "matched"),
    [
        pytest.param([*TRADES[:-1], (8000, "S", 103, 2, 9800, 3)], 5, id="another size"),
        pytest.param([(1000, "B", 100, 4, 10100, 5), *TRADES[1:]], 4, id="another maker"),
        pytest.param([*TRADES[:2], (4000, "B", 101, 0, 10000, 3), *TRADES[3:]], 5, id="another price"),
        pytest.param(TRADES[:-1], 5, id="a trade too many"),
        pytest.param([*TRADES, (10000, "S", 104, 2, 9800, 1)], 6, id="a trade too few"),
    ],
)
def test_fills_other_than_the_recorded_ones_are_told(
    shared_exchange: Running, tmp_path: Path, capsys: pytest.CaptureFixture[str], trades: Any, matched: int
) -> None:
    file = write_recording(tmp_path / "recording", trades=trades)
    assert run(settings_of(shared_exchange), file, limit=0, speed=0, users=2) == 1
    said = last_line(capsys)
    assert (said["recorded"], said["matched"]) == (len(trades), matched)


def test_a_bad_recording_is_named(shared_exchange: Running, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = write_recording(tmp_path / "recording", rows=[*COMMANDS[:2], (1, "shout", "B", 1, 1, 1)])
    settings = settings_of(shared_exchange)
    assert run(settings, file, limit=0, speed=0, users=2) == 2
    assert "after 2 rows" in capsys.readouterr().err
    inexact = write_recording(tmp_path / "inexact", lot="1 lot = 1e-7 PEAR")
    assert run(settings, inexact, limit=0, speed=0, users=2) == 2
    assert "tickSize times lotSize" in capsys.readouterr().err
    assert run(settings, tmp_path / "none.csv.gz", limit=0, speed=0, users=2) == 2
    assert "No such file" in capsys.readouterr().err


def test_nothing_is_played_without_the_admin_or_the_exchange(
    shared_exchange: Running, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = write_recording(tmp_path / "recording")
    for changes, told in (
        ({"admin_password": ""}, "set BORSA_ADMIN_PASSWORD"),
        ({"admin_password": "another-harbour-lantern"}, "does not take BORSA_ADMIN_PASSWORD"),
        ({"port": 1}, "No exchange answers at http://127.0.0.1:1"),
    ):
        settings = msgspec.structs.replace(settings_of(shared_exchange), **changes)
        assert run(settings, file, limit=0, speed=0, users=2) == 2
        said = capsys.readouterr()
        assert told in said.err
        assert '"symbol"' not in said.out


def test_recorded_flow_of_nasdaq_trades_with_the_recorded_makers(
    shared_exchange: Running, capsys: pytest.CaptureFixture[str]
) -> None:
    file = SHARED / "data" / "lobster_aapl_20120621_first998.csv.gz"
    if not file.is_file():
        pytest.skip(f"no {file}: set BORSA_SHARED to the folder with the recordings")
    assert run(settings_of(shared_exchange), file, limit=0, speed=0, users=8) == 0
    said = last_line(capsys)
    assert said["symbol"].startswith("AAPL")
    assert (said["commands"], said["trades"], said["matched"]) == (947, 98, 98)
