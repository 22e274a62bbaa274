"""borsa verify: whatever somebody has is in their list once, where lists are kept in two tables."""

import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import msgspec
import pytest

from borsa.commands import verify
from borsa.commands.audit import lists
from borsa.settings import Settings
from tests.support.stepped import Stepped, limit

ONE = 10**8

LISTS = {
    "order": ("orders", "orders_of_user", "user_id", "order_id"),
    "trade": ("trades", "trades_of_user", "user_id", "trade_id"),
    "entry": ("wallets", "entries_of_wallet", "wallet_id", "entry_id"),
    "notification": ("notifications", "notifications_of_user", "user_id", "notification_id"),
}
"""Service, list, owner and item of each kind of row."""

every_list = pytest.mark.parametrize("item", LISTS)


@pytest.fixture(scope="module")
def traded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two who traded with each other, one who traded with herself; half of each list moved, and half of it new."""
    folder = tmp_path_factory.mktemp("lists")
    with Stepped(folder) as exchange:
        for writer in exchange.writers.values():
            # no sweep moves anything, however long this takes
            writer._due = []
        ann, bob = exchange.user("ann", USD=1000 * ONE, BTC=9 * ONE), exchange.user("bob", USD=1000 * ONE)
        for _ in range(2):
            exchange.ask(limit(ann, "sell", "1", "100"))
            exchange.ask(limit(bob, "buy", "1", "100"))
            exchange.ask(limit(ann, "sell", "1", "100"))
            exchange.ask(limit(ann, "buy", "1", "100", self_trade_prevention="none"))
            exchange.settle()
        exchange.ask(limit(ann, "buy", "1", "90"))
    for service, name, owner, item in LISTS.values():
        move_half(folder / f"{service}.db", name, owner, item)
    assert not wrong(folder)
    return folder


@pytest.fixture
def folder(traded: Path, tmp_path: Path) -> Path:
    """A copy to be damaged."""
    return shutil.copytree(traded, tmp_path / "data")


def move_half(path: Path, name: str, owner: str, item: str) -> None:
    """As the sweep would, if it had come in the middle."""
    with closing(sqlite3.connect(path)) as database, database:
        assert database.execute(f"SELECT count(*) FROM {name}_recent").fetchone()[0] > 3
        middle = f"(SELECT {item} FROM {name}_recent ORDER BY 1 LIMIT 1 OFFSET 2)"
        database.execute(f"INSERT INTO {name} SELECT {owner}, {item} FROM {name}_recent WHERE {item} <= {middle}")
        database.execute(f"DELETE FROM {name}_recent WHERE {item} <= (SELECT max({item}) FROM {name})")


def wrong(folder: Path) -> dict[str, list[str]]:
    """What the checks of lists find, by the kind of row."""
    found = {}
    with verify.Moment(folder, verify.follows(Settings())) as moment:
        moment.fix()
        for item, check in zip(LISTS, lists.CHECKS, strict=True):
            look = verify.Look(moment, verify.Witness())
            breaches = list(check.breaches(look))
            assert look.rows_seen
            if breaches:
                found[item] = breaches
    return found


def change(folder: Path, item: str, statement: str) -> None:
    service, name, owner, item_id = LISTS[item]
    with closing(sqlite3.connect(folder / f"{service}.db")) as database, database:
        assert database.execute(statement.format(name=name, owner=owner, item=item_id)).rowcount


@every_list
@pytest.mark.parametrize("table", ["{name}", "{name}_recent"])
def test_a_row_that_is_missing_is_named(item: str, table: str, folder: Path) -> None:
    change(folder, item, f"DELETE FROM {table} WHERE {{item}} = (SELECT min({{item}}) FROM {table})")
    assert set(wrong(folder)) == {item}
    assert all(f"{item} " in breach and "0 times" in breach for breach in wrong(folder)[item])


@every_list
def test_a_row_that_is_in_both_tables_is_named(item: str, folder: Path) -> None:
    change(folder, item, "INSERT INTO {name}_recent SELECT {item}, {owner} FROM {name} LIMIT 1")
    (breach,) = wrong(folder)[item]
    assert "2 times" in breach


@every_list
def test_a_row_of_somebody_else_is_named(item: str, folder: Path) -> None:
    change(folder, item, "INSERT INTO {name} SELECT 'stranger', {item} FROM {name} LIMIT 1")
    (breach,) = wrong(folder)[item]
    assert "the list of stranger" in breach


@every_list
def test_a_row_of_what_does_not_exist_is_named(item: str, folder: Path) -> None:
    last = "(SELECT max({item}) FROM {name}_recent)"
    change(folder, item, "UPDATE {name}_recent SET {item} = {item} || '9' WHERE {item} = " + last)
    assert len(wrong(folder)[item]) >= 2


def test_money_of_nobody_is_in_no_list(folder: Path) -> None:
    entry = "SELECT 'world', entry_id FROM postings WHERE wallet_id = 'world' LIMIT 1"
    change(folder, "entry", "INSERT INTO {name} " + entry)
    (breach,) = wrong(folder)["entry"]
    assert "the list of world" in breach


def test_verify_says_so(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    settings = msgspec.structs.replace(verify.Settings(), data=str(folder))
    assert verify.run(settings) == 0
    change(folder, "trade", "DELETE FROM {name}")
    assert verify.run(settings) == 1
    said = capsys.readouterr().out
    assert [line.split(":")[0] for line in said.splitlines() if "WRONG" in line] == [
        "I-33  every trade is in the lists of both its users once"
    ]
