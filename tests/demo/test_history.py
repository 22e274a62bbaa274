"""The day before the first start, an hour or two of it: real facts, the same for the same seed, made once."""

import os
import shutil
import signal
import sqlite3
import subprocess
import sys
from contextlib import closing
from itertools import pairwise
from pathlib import Path
from typing import Any

import msgspec

from borsa.commands import verify
from borsa.demo import history
from tests.demo.conftest import HOUR, SYMBOLS, made, settings_of
from tests.support.postgres import Postgres
from tests.support.running import Running


def rows(folder: Path, service: str, query: str) -> list[tuple[Any, ...]]:
    with closing(sqlite3.connect(folder / f"{service}.db")) as connection:
        return connection.execute(query).fetchall()


def trades(folder: Path) -> list[tuple[Any, ...]]:
    return rows(folder, "trades", "SELECT symbol, taker_side, price, quantity FROM trades ORDER BY trade_id")


def test_an_exchange_opens_with_a_past_and_a_book_in_every_market(past: Path, tmp_path: Path) -> None:
    assert history.wanted(settings_of(tmp_path / "nothing"))
    shutil.copytree(past, tmp_path, dirs_exist_ok=True)
    assert not history.wanted(settings_of(tmp_path))
    assert verify.run(settings_of(tmp_path), None) == 0

    times = [each for (each,) in rows(tmp_path, "trades", "SELECT executed_at FROM trades ORDER BY trade_id")]
    assert times == sorted(times)
    assert 1.7 * HOUR < (times[-1] - times[0]) / 1_000_000 < 2.1 * HOUR
    assert max(later - earlier for earlier, later in pairwise(times)) < 15 * 60 * 1_000_000
    assert {symbol for symbol, *_ in trades(tmp_path)} == SYMBOLS

    with Running(tmp_path) as running:
        for symbol in SYMBOLS:
            book = running.http.get(f"/api/markets/{symbol}/book?depth=100").json()
            bids, asks = ([float(price) for price, _ in book[side]] for side in ("bids", "asks"))
            assert min(len(bids), len(asks)) >= 20, symbol
            assert 0 < asks[0] - bids[0] < bids[0] / 200, symbol
        assert running.admin().call("GET", "/api/users").status_code == 200
    # of each wallet and portfolio that was made, and of nothing that was traded
    ((told,),) = rows(tmp_path, "notifications", "SELECT count(*) FROM notifications")
    assert told <= 12


def test_the_same_seed_makes_the_same_past(tmp_path: Path) -> None:
    for name, seed in (("one", "a"), ("two", "a"), ("other", "b")):
        made(tmp_path / name, HOUR // 4, demo_seed=seed)
    assert trades(tmp_path / "one") == trades(tmp_path / "two")
    assert trades(tmp_path / "one") != trades(tmp_path / "other")


CHILD = """
import sys
from tests.demo.conftest import settings_of
from borsa.demo import history
from pathlib import Path
history.make(settings_of(Path(sys.argv[1])), lambda *said: None, lambda hours: print(hours, flush=True), 2 * 3600)
"""


def test_killed_in_the_middle_it_goes_on_and_is_not_made_twice(tmp_path: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", CHILD, str(tmp_path)],
        stdout=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parents[2],
        env=os.environ | {"BORSA_LOG_LEVEL": "info"},
    ) as child:
        assert child.stdout is not None
        for line in child.stdout:
            if line == "1\n":
                break
        child.send_signal(signal.SIGKILL)
        child.wait(30)
    before = trades(tmp_path)
    plan = msgspec.json.decode((tmp_path / history.PLAN_FILE).read_bytes())
    plan["ends"] -= HOUR // 2 * 1_000_000  # as if the next start were half an hour later
    (tmp_path / history.PLAN_FILE).write_bytes(msgspec.json.encode(plan))
    assert history.wanted(settings_of(tmp_path))

    made(tmp_path, 24 * HOUR)  # however long another one would be
    after = trades(tmp_path)
    assert after[: len(before)] == before
    assert len(after) > len(before)
    times = rows(tmp_path, "trades", "SELECT min(executed_at), max(executed_at) FROM trades")[0]
    assert plan["began"] <= times[0] < times[1] <= plan["ends"] + 180 * 1_000_000
    assert rows(tmp_path, "users", "SELECT count(*) FROM users") == [(6,)]
    # each turn at its own time: none was made again at the time of the kill
    crowded = rows(tmp_path, "trades", "SELECT max(n) FROM (SELECT count(*) AS n FROM trades GROUP BY executed_at)")
    assert crowded[0][0] < 100
    assert verify.run(settings_of(tmp_path), None) == 0
    assert not history.wanted(settings_of(tmp_path))


def test_an_exchange_that_somebody_used_gets_no_past(tmp_path: Path) -> None:
    with Running(tmp_path) as running:
        running.person()
    assert not history.wanted(settings_of(tmp_path))


def test_on_postgresql_there_is_a_past_too(postgres: Postgres, tmp_path: Path) -> None:
    with postgres.database() as url:
        settings = made(tmp_path, HOUR // 6, database_url=url)
        assert verify.run(settings, None) == 0
        assert not history.wanted(settings)
        found = postgres.run("SELECT DISTINCT symbol FROM trades.trades", database=url.rpartition("/")[2])
    assert {symbol for (symbol,) in found} == SYMBOLS
