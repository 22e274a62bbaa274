"""Lists by owner were indexes once: a database from then gets its lists, complete, and knows all it knew."""

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import msgspec
import pytest
import sqlalchemy as sa

from borsa import app
from borsa.runtime.databases.sqlite import SqliteDatabase
from borsa.runtime.service import Service
from tests.support.earlier import insert, migrate_to

BEFORE = "0001"


class Kind(msgspec.Struct, frozen=True):
    """A list: the rows from before that it is made of, and the (owner, item) pairs that have to be in it."""

    service: str
    rows: dict[str, list[dict[str, Any]]]
    name: str
    pairs: list[tuple[Any, ...]]
    gone: tuple[str, ...]


def order(order_id: int, user_id: str, status: str) -> dict[str, Any]:
    return {"order_id": order_id, "user_id": user_id, "status": status, "client_order_id": f"c{order_id}"}


def trade(trade_id: int, buyer_id: str, seller_id: str) -> dict[str, Any]:
    return {
        "trade_id": trade_id, "buyer_id": buyer_id, "seller_id": seller_id,
        "buyer_fee": 0, "seller_fee": 0, "note": None, "bust_reason": None,
    }  # fmt: skip


def posting(entry_id: int, line: int, wallet_id: str) -> dict[str, Any]:
    return {"entry_id": entry_id, "line": line, "wallet_id": wallet_id, "bucket": "available"}


def told(notification_id: str, user_id: str) -> dict[str, Any]:
    return {"notification_id": notification_id, "user_id": user_id, "origin": None, "data": b"{}"}


KINDS = [
    Kind(
        "orders",
        {"orders": [order(3, "bob", "filled"), order(1, "ann", "open"), order(2, "ann", "cancelled")]},
        "orders_of_user",
        [("ann", 1), ("ann", 2), ("bob", 3)],
        (),
    ),
    Kind(
        "trades",
        {"trades": [trade(3, "bob", "ann"), trade(5, "ann", "ann"), trade(9, "eve", "bob")]},
        "trades_of_user",
        [("ann", 3), ("ann", 5), ("bob", 3), ("bob", 9), ("eve", 9)],
        ("trades_of_buyer", "trades_of_seller"),
    ),
    Kind(
        "wallets",
        {
            "entries": [{"entry_id": 1}, {"entry_id": 2}],
            "postings": [
                *(posting(1, line, name) for line, name in enumerate(["world", "anns", "anns", "fees"])),
                *(posting(2, line, name) for line, name in enumerate(["bobs", "anns"])),
            ],
        },
        "entries_of_wallet",
        [("anns", 1), ("anns", 2), ("bobs", 2)],
        ("postings_of_wallet",),
    ),
    Kind(
        "notifications",
        {"notifications": [told("n3", "ann"), told("n1", "bob"), told("n2", "ann")]},
        "notifications_of_user",
        [("ann", "n2"), ("ann", "n3"), ("bob", "n1")],
        (),
    ),
]

every_list = pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)


def before(kind: Kind, folder: Path) -> SqliteDatabase:
    """A database from before there were lists."""
    (service,) = (each for each in app.SERVICES if each.name == kind.service)
    database = SqliteDatabase(service.name, folder, service.tables)
    migrate_to(BEFORE, service, database.path)
    for name, rows in kind.rows.items():
        insert(database.path, name, *rows)
    return database


def all_of(database: SqliteDatabase, name: str) -> list[dict[str, Any]]:
    """The rows of a table by the names of their columns."""
    with closing(sqlite3.connect(database.path)) as connection:
        connection.row_factory = sqlite3.Row
        return sorted((dict(row) for row in connection.execute(f"SELECT * FROM {name}")), key=str)


@every_list
def test_a_list_has_what_was_there(kind: Kind, tmp_path: Path) -> None:
    database = before(kind, tmp_path)
    database.migrate()
    assert sorted(tuple(row.values()) for row in all_of(database, kind.name)) == kind.pairs
    assert all_of(database, f"{kind.name}_recent") == []


@every_list
def test_what_was_listed_is_as_it_was(kind: Kind, tmp_path: Path) -> None:
    database = before(kind, tmp_path)
    kept = {name: all_of(database, name) for name in kind.rows}
    database.migrate()
    for name, rows in kept.items():
        now = all_of(database, name)
        assert len(now) == len(rows) > 0
        # a column that came later is not asked about
        assert [{column: row[column] for column in rows[0]} for row in now] == rows


@every_list
def test_the_indexes_from_before_are_gone(kind: Kind, tmp_path: Path) -> None:
    database = before(kind, tmp_path)
    database.migrate()
    with closing(sqlite3.connect(database.path)) as connection:
        names = {name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'index'")}
    assert not names.intersection({*kind.gone, "orders_of_user", "notifications_of_user"})


@every_list
def test_a_list_of_nothing_is_empty(kind: Kind, tmp_path: Path) -> None:
    database = before(msgspec.structs.replace(kind, rows={}), tmp_path)
    database.migrate()
    assert all_of(database, kind.name) == []


def test_every_list_is_tried() -> None:
    lists = {name for service in app.SERVICES for name in recent(service)}
    assert lists == {f"{kind.name}_recent" for kind in KINDS}


def recent(service: Service[Any]) -> list[str]:
    """The first tables of a service's lists."""
    tables: sa.MetaData = service.tables
    return [name for name in tables.tables if name.endswith("_recent")]
