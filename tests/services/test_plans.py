"""No statement of a service looks at every row of a table that grows: its cost would grow with history."""

import importlib
import pkgutil
from collections.abc import Iterable
from contextlib import closing
from pathlib import Path

import apsw
import pytest
import sqlalchemy as sa
from sqlalchemy.dialects import sqlite
from sqlalchemy.sql import visitors

import borsa.services
from borsa import app
from borsa.runtime.service import Service
from borsa.runtime.store import Statement
from borsa.settings import Settings

FEW = {"assets", "cursors", "markets", "shard_of_markets", "snapshots", "snapshot_pieces"}
"""Tables with few rows, however long an exchange runs."""

DIALECT = sqlite.dialect(paramstyle="qmark")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Empty databases of all services."""
    folder = tmp_path_factory.mktemp("plans")
    app.prepared(Settings(data=str(folder)))
    return folder


def statements() -> list[tuple[Service[object], Statement]]:
    """Every statement that a service keeps, with the service whose tables it is about."""
    found = []
    for module in pkgutil.walk_packages(borsa.services.__path__, "borsa.services."):
        if ".migrations" not in module.name:
            for value in vars(importlib.import_module(module.name)).values():
                found += [(service, each) for each in held(value) for service in app.SERVICES if is_of(service, each)]
    return found


def held(value: object) -> Iterable[Statement]:
    """The statement that a value is, or those that it has."""
    values = value.values() if isinstance(value, dict) else value if isinstance(value, tuple) else (value,)
    return (each for each in values if isinstance(each, Statement))


def is_of(service: Service[object], statement: Statement) -> bool:
    """Is it about tables of this service, and no others?"""
    tables = {
        part
        for part in visitors.iterate(statement.core)  # type: ignore[arg-type]
        if isinstance(part, sa.Table)
    }
    return bool(tables) and tables <= set(service.tables.sorted_tables)


def partial_indexes(tables: sa.MetaData) -> set[str]:
    """The names of indexes that have only some rows of their tables."""
    indexes = [index for table in tables.sorted_tables for index in table.indexes]
    return {str(index.name) for index in indexes if index.dialect_options["sqlite"]["where"] is not None}


def looks_at_all(service: Service[object], text: str, plan: list[str]) -> bool:
    """Is every row of a table that grows looked at? A limit needs few, where any will do."""
    if "LIMIT" in text and "WHERE" not in text and "USE TEMP B-TREE FOR ORDER BY" not in plan:
        return False
    scans = [step.split() for step in plan if step.startswith("SCAN")]
    few = partial_indexes(service.tables)
    large = set(service.tables.tables) - FEW
    return any(words[1] in large and words[-1] not in few for words in scans)


def test_no_statement_looks_at_all_of_a_table_that_grows(folder: Path) -> None:
    found = statements()
    assert len(found) > 50
    slow = []
    for service, statement in found:
        text, names = statement.compiled(DIALECT)
        with closing(apsw.Connection(str(folder / f"{service.name}.db"))) as database:
            plan = [str(row[3]) for row in database.execute(f"EXPLAIN QUERY PLAN {text}", (0,) * len(names))]
        if looks_at_all(service, text, plan):
            slow.append(f"{service.name}: {' '.join(text.split())}")
    assert slow == []
