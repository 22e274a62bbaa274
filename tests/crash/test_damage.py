"""Files that were damaged: what is in them is the same, or the next start or `borsa verify` refuses it and says why.

SQLite has no checksums of its pages: `verify` finds damage because it counts everything again. What nobody can count
again (an e-mail address, the text of a message) is in UNCOVERED: there a changed bit is another text.
More of it: BORSA_TEST_LONG=1.
"""

import os
import random
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import msgspec
import pytest

from borsa import app
from borsa.commands import verify
from borsa.errors import CantStart
from borsa.settings import Settings
from tests.crash.session import Session
from tests.support.process import Process
from tests.support.running import Running, until

DAMAGES = 2_000 if os.environ.get("BORSA_TEST_LONG") else 110

SEEDS = range(10 if os.environ.get("BORSA_TEST_LONG") else 1)

Contents = dict[tuple[str, str], list[tuple[object, ...]]]
"""The rows of each table; messages, which follow from nothing, apart from other notifications."""

UNCOVERED = {
    # the record of a request that can be repeated, and who caused what
    ("*", "answers", "*"),
    ("*", "log", "correlation"),
    ("*", "log", "causation"),
    ("*", "log", "time"),
    ("*", "alembic_version", "*"),
    # what a person said once, and nothing follows from
    ("users", "users", "email"),
    ("users", "passwords", "hash"),
    ("users", "sign_ins", "*"),
    ("users", "api_keys", "*"),
    ("users", "log", "data"),
    ("notifications", "messages", "data"),
    ("notifications", "readings", "read_at"),
    ("notifications", "preferences", "*"),
    ("notifications", "deliveries", "*"),
    # texts, and times of rows
    ("*", "*", "time"),
    ("*", "*", "created_at"),
    ("*", "*", "updated_at"),
    ("*", "*", "executed_at"),
    ("*", "*", "placed_at"),
    ("*", "*", "reason"),
    ("*", "*", "author"),
    ("wallets", "wallets", "name"),
    ("portfolios", "portfolios", "name"),
    ("orders", "orders", "client_order_id"),
}
"""Service, table and column of what `verify` can't know; * is any."""

FORGOTTEN = UNCOVERED | {("notifications", "*", "*")}
"""The same of a database at an earlier moment of its own: nobody follows the log of notifications, so nobody is ahead
of it; what users were told comes again from the events, and messages and readings do not."""


@pytest.fixture(scope="module")
def session() -> Session:
    """What was done in the folder that is damaged."""
    return Session()


@pytest.fixture(scope="module")
def killed(session: Session, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder with a session in it, in its write-ahead logs as a kill leaves them."""
    folder = tmp_path_factory.mktemp("killed") / "data"
    with Process(folder, processes="1", snapshot_events="5", snapshot_piece_bytes="700") as process:
        session.go_on(process)
        until(lambda: session.state(process)["alice"]["told"], "the followers")
        process.kill()
    return folder


@pytest.fixture(scope="module")
def stopped(killed: Path) -> Path:
    """The same folder after a start and a stop: everything is in the files themselves."""
    folder = killed.with_name("stopped")
    shutil.copytree(killed, folder)
    with Process(folder, processes="1") as process:
        assert process.stop() == 0
    return folder


def contents(folder: Path) -> Contents:
    found: Contents = {}
    for path in folder.glob("*.db"):
        with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as database:
            database.text_factory = bytes
            for (table,) in database.execute("SELECT name FROM sqlite_schema WHERE type = 'table'").fetchall():
                name = table.decode()
                # SQLite takes a name in whatever case it is
                found[path.stem, name.lower()] = rows_of(database, name)
            if path.stem == "notifications":
                told = found[path.stem, "notifications"]
                found[path.stem, "messages"] = [told[0], *(row for row in told[1:] if b"message" in row)]
                found[path.stem, "notifications"] = [row for row in told if b"message" not in row]
    return found


def rows_of(database: sqlite3.Connection, table: str) -> list[tuple[object, ...]]:
    """The names of its columns, and its rows."""
    cursor = database.execute(f"SELECT * FROM {table}")
    columns = tuple(column for column, *_ in cursor.description)
    return [columns, *sorted(cursor, key=repr)]


def is_refused(folder: Path) -> bool:
    """By the next start, or by `borsa verify`."""
    of_folder = msgspec.structs.replace(Settings(), data=str(folder))
    try:
        app.prepared(of_folder)
    except CantStart:
        return True
    return verify.run(of_folder) != verify.RIGHT


def changed(before: Contents, after: Contents) -> set[tuple[str, str, str]]:
    """Service, table and column where two contents differ; of a row too many or too few, all its columns."""
    found = set()
    for (service, table), rows in before.items():
        now = after.get((service, table), [])
        if rows == now:
            continue
        columns = [str(column) for column in rows[0]]
        if len(now) != len(rows):
            found |= {(service, table, column) for column in columns}
            continue
        for one, other in zip(rows[1:], now[1:], strict=True):
            found |= {(service, table, column) for column, a, b in zip(columns, one, other, strict=True) if a != b}
    return found


def is_in(known: set[tuple[str, str, str]], where: tuple[str, str, str]) -> bool:
    return any(all(name in ("*", part) for name, part in zip(each, where, strict=True)) for each in known)


def damage(path: Path, chance: random.Random) -> str:
    """Turn a bit of a file, or cut it off."""
    data = bytearray(path.read_bytes())
    at = chance.randrange(len(data))
    if chance.random() < 0.15:
        path.write_bytes(data[:at])
        return f"{path.name} cut at {at}"
    bit = chance.randrange(8)
    data[at] ^= 1 << bit
    path.write_bytes(data)
    return f"{path.name} byte {at} bit {bit}"


@pytest.mark.timeout(0 if os.environ.get("BORSA_TEST_LONG") else 120)
@pytest.mark.parametrize("seed", SEEDS)
def test_a_damaged_database_is_the_same_or_refused(
    seed: int, stopped: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    chance = random.Random(f"databases {seed}")
    before = contents(stopped)
    for _ in range(DAMAGES):
        folder = tmp_path / "data"
        shutil.copytree(stopped, folder)
        what = damage(chance.choice(sorted(folder.glob("*.db"))), chance)
        if not is_refused(folder):
            silent = {where for where in changed(before, contents(folder)) if not is_in(UNCOVERED, where)}
            assert not silent, f"{what}: {sorted(silent)}"
        shutil.rmtree(folder)
        capsys.readouterr()


def without_the_last_commit(killed: Path, log: str, folder: Path) -> Contents:
    """What a power cut in the last commit leaves, before it was acknowledged."""
    shutil.copytree(killed, folder)
    (folder / log).write_bytes((folder / log).read_bytes()[:-1])
    app.prepared(msgspec.structs.replace(Settings(), data=str(folder)))
    found = contents(folder)
    shutil.rmtree(folder)
    return found


def is_repaired(folder: Path, session: Session, known: Any) -> bool:
    """Does a start come to what there was?"""
    with Running(folder) as again:
        return bool(until(lambda: session.state(again) == known, "the repair"))


@pytest.mark.timeout(0 if os.environ.get("BORSA_TEST_LONG") else 120)
@pytest.mark.parametrize("seed", SEEDS)
def test_a_damaged_write_ahead_log_is_refused_or_loses_nothing_that_the_logs_do_not_bring_back(
    seed: int, killed: Path, session: Session, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    chance = random.Random(f"logs {seed}")
    whole = tmp_path / "whole"
    shutil.copytree(killed, whole)
    with Running(whole) as undamaged:
        known = session.state(undamaged)
    shutil.rmtree(whole)
    shutil.copytree(killed, whole)
    before = contents(whole)
    for _ in range(DAMAGES):
        folder = tmp_path / "data"
        shutil.copytree(killed, folder)
        what = damage(chance.choice(sorted(folder.glob("*.db-wal"))), chance)
        if not is_refused(folder):
            # the rows of a list are in one of two tables: that they are complete, verify says
            silent = {
                where
                for where in changed(before, contents(folder))
                if not where[1].removesuffix("_recent").endswith(("_of_user", "_of_wallet"))
                # without its end a log is one of an earlier moment, and what nobody else knew is gone
                and not (" cut at " in what and is_in(FORGOTTEN, where))
            }
            name = what.split()[0]
            assert (
                not silent
                or without_the_last_commit(killed, name, tmp_path / "shorter") == contents(folder)
                or (is_repaired(folder, session, known))
            ), f"{what}: {sorted(silent)}"
        shutil.rmtree(folder)
        capsys.readouterr()
