"""borsa verify: what was changed in the ledger after it was sealed is named, also where all else was made to fit."""

import hashlib
import re
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import msgspec
import pytest
from typer.testing import CliRunner

from borsa.cli import cli
from borsa.commands import verify
from borsa.runtime.databases.sqlite import SqliteDatabase
from borsa.services.wallets import WALLETS
from borsa.settings import Settings
from tests.support.earlier import migrate_to
from tests.support.stepped import Stepped, cancel, limit

ONE = 10**8

SEALED = "every entry is as it was sealed"
NOTED = "the digest that was noted is in the chain of seals"


@pytest.fixture(scope="module")
def traded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A trade, an order that waits, and a cancelled one; some commits with many entries, and some with one."""
    folder = tmp_path_factory.mktemp("seals")
    with Stepped(folder) as exchange:
        ann, bob = exchange.user("ann", USD=1000 * ONE, BTC=9 * ONE), exchange.user("bob", USD=1000 * ONE)
        for user in (bob, ann):
            exchange.put(limit(user, "buy", "1", "90"))
        exchange.settle()
        exchange.ask(limit(ann, "sell", "1", "100"))
        exchange.ask(limit(bob, "buy", "1", "100"))
        gone = exchange.ask(limit(ann, "buy", "1", "80"))
        exchange.ask(cancel(gone.order.order_id, ann))
    return folder


@pytest.fixture
def folder(traded: Path, tmp_path: Path) -> Path:
    """A copy to be damaged."""
    return shutil.copytree(traded, tmp_path / "data")


def damage(folder: Path, *statements: str) -> None:
    with closing(sqlite3.connect(folder / "wallets.db")) as database, database:
        for statement in statements:
            assert database.execute(statement).rowcount, statement


def said(folder: Path, capsys: pytest.CaptureFixture[str], digest: str = "") -> list[str]:
    """The lines of what is wrong, with what is wrong about it; none when verify finds nothing."""
    capsys.readouterr()
    status = verify.run(Settings(data=str(folder)), bytes.fromhex(digest) or None)
    lines = capsys.readouterr().out.splitlines()
    assert status == any("WRONG" in line for line in lines)
    wrong = [at for at, line in enumerate(lines) if "WRONG" in line]
    return [line for at in wrong for line in [lines[at], *_indented(lines[at + 1 :])]]


def _indented(lines: list[str]) -> list[str]:
    last = next(at for at, line in enumerate(lines) if not line.startswith("   "))
    return lines[:last]


def only(lines: list[str], says: str) -> str:
    """The one breach, which is of this check alone."""
    head, breach = lines
    assert says in head
    return breach.strip()


def newest(folder: Path, capsys: pytest.CaptureFixture[str]) -> str:
    """The digest that verify prints."""
    capsys.readouterr()
    assert verify.run(Settings(data=str(folder))) == 0
    (found,) = re.findall(r"^sealed up to entry \d+, digest ([0-9a-f]{64})$", capsys.readouterr().out, re.MULTILINE)
    return str(found)


def test_seals_are_on_all_of_it(traded: Path) -> None:
    with closing(sqlite3.connect(traded / "wallets.db")) as database:
        seals = database.execute("SELECT first_id, last_id FROM seals ORDER BY last_id").fetchall()
        (last,) = database.execute("SELECT max(entry_id) FROM entries").fetchone()
    assert [first for first, _ in seals] == [1, *(last + 1 for _, last in seals[:-1])]
    assert seals[-1][1] == last
    assert any(last > first for first, last in seals), "or this proves less than it says"


@pytest.mark.parametrize(
    "changed",
    ["time = time + 1", "reason = 'a gift'", "author = 'somebody'", "author = NULL"],
    ids=["time", "reason", "author", "no author"],
)
def test_an_entry_that_was_rewritten_is_named(changed: str, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    damage(folder, f"UPDATE entries SET {changed} WHERE entry_id = 2")
    assert only(said(folder, capsys), SEALED).startswith("entry 2: not what was sealed")


def test_an_amount_that_was_changed_is_named_though_balances_fit(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    damage(
        folder,
        "UPDATE postings SET amount = amount - 7 WHERE entry_id = 1 AND wallet_id = 'world'",
        "UPDATE postings SET amount = amount + 7 WHERE entry_id = 1 AND wallet_id != 'world'",
        "UPDATE balances SET available = available - 7 WHERE asset = 'USD' AND wallet_id = 'world'",
        "UPDATE balances SET available = available + 7 WHERE asset = 'USD' AND wallet_id ="
        " (SELECT wallet_id FROM postings WHERE entry_id = 1 AND wallet_id != 'world')",
    )
    lines = said(folder, capsys)
    assert [line for line in lines if SEALED in line]
    assert [line for line in lines if "entry 1: not what was sealed" in line]
    assert not [line for line in lines if "I-01" in line or "I-06" in line], "the balances were made to fit"


def test_two_entries_that_changed_places_are_named(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    swap = "= CASE entry_id WHEN 1 THEN -2 ELSE -1 END WHERE entry_id IN (1, 2)"
    damage(
        folder,
        *(f"UPDATE {table} SET entry_id {swap}" for table in ("entries", "postings")),
        *(f"UPDATE {table} SET entry_id = -entry_id WHERE entry_id < 0" for table in ("entries", "postings")),
    )
    lines = said(folder, capsys)
    assert [line.strip()[:8] for line in lines if "not what was sealed" in line] == ["entry 1:", "entry 2:"]


def test_an_entry_that_was_removed_is_named(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    damage(folder, "DELETE FROM postings WHERE entry_id = 2", "DELETE FROM entries WHERE entry_id = 2")
    assert [line for line in said(folder, capsys) if "entry 2: 3 rows were sealed, and there are 0 of them" in line]


def test_an_entry_that_was_added_is_named(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    new = "(SELECT max(entry_id) + 1 FROM entries)"
    damage(
        folder,
        f"INSERT INTO postings SELECT {new}, line, wallet_id, asset, bucket, 0 FROM postings WHERE entry_id = 1",
        f"INSERT INTO entries SELECT {new}, time, kind, reference, reason, author FROM entries WHERE entry_id = 1",
    )
    assert [line for line in said(folder, capsys) if re.search(r"entry \d+: no seal", line)]


def test_a_posting_that_was_added_is_named(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    damage(folder, "INSERT INTO postings SELECT entry_id, 9, wallet_id, asset, bucket, 0 FROM postings LIMIT 1")
    assert [line for line in said(folder, capsys) if "3 rows were sealed, and there are more" in line]


def test_a_seal_that_was_removed_is_named(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    damage(folder, "DELETE FROM seals WHERE last_id = 2")
    lines = said(folder, capsys)
    assert SEALED in lines[0]
    assert [line.strip() for line in lines[1:]] == [
        "the seal on entry 3 follows that on entry 1",
        "entry 3: not what was sealed, or not after what was sealed before",
    ]


def test_a_seal_that_was_made_anew_does_not_fit_the_next(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    damage(folder, "UPDATE entries SET reason = 'a gift' WHERE entry_id = 1")
    with closing(sqlite3.connect(folder / "wallets.db")) as database, database:
        rows = [
            database.execute(f"SELECT * FROM {table} WHERE entry_id = 1 ORDER BY 1, 2").fetchall()
            for table in ("entries", "postings")
        ]
        digest = hashlib.sha256(bytes(32) + msgspec.msgpack.encode(rows)).digest()
        database.execute("UPDATE seals SET digest = ? WHERE last_id = 1", (digest,))
    assert only(said(folder, capsys), SEALED).startswith("entry 2: not what was sealed")


# an earlier digest -------------------------------------------------------------------------------------------------


def test_a_digest_that_was_noted_is_found_later(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    noted = newest(folder, capsys)
    with Stepped(folder) as exchange:
        exchange.ask(limit("user-ann", "sell", "1", "120"))
    assert newest(folder, capsys) != noted
    assert said(folder, capsys, noted) == []


def test_a_ledger_whose_end_was_taken_off_lacks_the_digest(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    older = shutil.copytree(folder, folder.parent / "older")
    with Stepped(folder) as exchange:
        exchange.ask(limit("user-ann", "sell", "1", "120"))
    noted = newest(folder, capsys)
    assert said(older, capsys) == []
    assert noted in only(said(older, capsys, noted), NOTED)


def test_the_command_takes_a_digest(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BORSA_DATA", str(folder))
    noted = newest(folder, capsys)
    run = CliRunner().invoke
    assert run(cli, ["verify", "--digest", noted.upper()]).exit_code == 0
    assert run(cli, ["verify", "--digest", noted[:-1] + ("0" if noted[-1] != "0" else "1")]).exit_code == 1
    wrong = run(cli, ["verify", "--digest", "12ab"])
    assert wrong.exit_code == 2
    assert "64 hexadecimal digits" in wrong.output


# ledgers from before there were seals ------------------------------------------------------------------------------


@pytest.mark.parametrize("entries", [0, 1, 5_000, 12_345])
def test_the_past_is_sealed_once_it_is_migrated(entries: int, tmp_path: Path) -> None:
    database = SqliteDatabase("wallets", tmp_path, WALLETS.tables)
    migrate_to("0002", WALLETS, database.path)
    with closing(sqlite3.connect(database.path)) as connection, connection:
        for at in range(1, entries + 1):
            author = "admin" if at % 3 else None
            connection.execute("INSERT INTO entries VALUES (?, ?, 'faucet', ?, NULL, ?)", (at, at, f"r{at}", author))
            for line, wallet in enumerate(("world", "anns")):
                connection.execute(
                    "INSERT INTO postings VALUES (?, ?, ?, 'USD', 'available', ?)",
                    (at, line, wallet, at - 2 * at * line),
                )
    database.migrate()
    with closing(sqlite3.connect(database.path)) as connection:
        seals = connection.execute("SELECT first_id, last_id, row_count, digest FROM seals ORDER BY 1").fetchall()
        last, before = 0, bytes(32)
        for first_id, last_id, count, digest in seals:
            given = (first_id, last_id)
            rows = [
                connection.execute(
                    f"SELECT * FROM {table} WHERE entry_id BETWEEN ? AND ? ORDER BY 1, 2", given
                ).fetchall()
                for table in ("entries", "postings")
            ]
            assert (first_id, count) == (last + 1, 3 * (last_id - last))
            assert digest == hashlib.sha256(before + msgspec.msgpack.encode(rows)).digest()
            last, before = last_id, digest
    assert last == entries
    assert len(seals) == -(-entries // 5_000)


EARLIER = """
DROP TABLE seals;
DROP INDEX approvals_given; DROP INDEX entries_adjusted; DROP INDEX wallets_of_all;
ALTER TABLE cursors DROP COLUMN digest;
"""
"""Takes away what came with the seals and after them."""


def test_the_chain_goes_on_after_a_migration(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    damage(folder, "DELETE FROM seals", "UPDATE alembic_version SET version_num = '0004'")
    with closing(sqlite3.connect(folder / "wallets.db")) as database:
        database.executescript(EARLIER)
    with Stepped(folder) as exchange:
        exchange.ask(limit("user-ann", "sell", "1", "120"))
    assert said(folder, capsys) == []
