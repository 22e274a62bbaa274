"""The store seam: statements written once for both databases, and what a driver has to offer.

Statements are SQLAlchemy Core, compiled once for each dialect; on the hot path the compiled text goes straight to
the driver's executemany with tuples. Columns are integers, texts and bytes only, so that no value needs conversion.
"""

from collections.abc import Sequence
from contextlib import AbstractContextManager
from functools import cache
from typing import Any, Protocol

import sqlalchemy as sa
from sqlalchemy.engine import Dialect
from sqlalchemy.sql import visitors

Row = tuple[Any, ...]


class StorageFull(BaseException):
    """There is no room for the open transaction, and nothing of it was kept. It concerns everybody in it, so it is no
    `Exception`: no deed may take it for a fault of its own."""


class StorageBroken(BaseException):
    """The storage failed: nobody knows what of the open transaction was kept, so nothing more may be said."""


class Unreadable(Exception):
    """What was committed can't be read now: the database is away, or does not answer in time."""


class Statement:
    """A Core statement, compiled once for each dialect that runs it."""

    def __init__(self, core: sa.Executable) -> None:
        self.core = core
        self._compiled: dict[str, tuple[str, tuple[tuple[str, Any], ...]]] = {}

    def compiled(self, dialect: Dialect) -> tuple[str, tuple[tuple[str, Any], ...]]:
        """The SQL text, and (name, fixed value) of its parameters in their order."""
        found = self._compiled.get(dialect.name)
        if found is None:
            for each in visitors.iterate(self.core):  # type: ignore[arg-type]
                if isinstance(each, sa.BindParameter):
                    # its value comes with each run, but an IN would be spelled out only once all values are there
                    each.required = False
            compiled = self.core.compile(dialect=dialect, compile_kwargs={"render_postcompile": True})  # type: ignore[attr-defined]
            names = compiled.positiontup or ()
            fixed = compiled.params
            found = (str(compiled), tuple((name, fixed.get(name)) for name in names))
            self._compiled[dialect.name] = found
        return found

    def bind(self, dialect: Dialect, given: dict[str, Any]) -> tuple[str, Row]:
        """The SQL text and its parameters as the driver takes them."""
        text, names = self.compiled(dialect)
        return text, tuple(given.get(name, fixed) for name, fixed in names)


class Reader(Protocol):
    """Reads committed rows; never blocks the writer."""

    def read(self, statement: Statement, **given: Any) -> list[Row]:
        """The rows of a select; Unreadable."""

    def close(self) -> None:
        """End the connection."""


class Connection(Reader, Protocol):
    """The one connection of a database that writes. A transaction opens with the first write.

    What the disk refuses is raised as StoreFailed, and then nothing of the transaction is ever committed.
    """

    @property
    def dialect(self) -> Dialect:
        """Which SQL this database speaks."""

    def write(self, statement: Statement, rows: Sequence[Row]) -> None:
        """Run a statement for each row, in the open transaction; StorageFull, StorageBroken."""

    def attempt(self) -> AbstractContextManager[None]:
        """Within, in the open transaction, a constraint that refuses a row is raised as the driver's error, and takes
        back what was written within, and nothing else. Read within, too: until then it may not be known."""

    def commit(self) -> None:
        """Make everything since the first write durable; returns when it is on disk. StorageFull, StorageBroken."""

    def has_room(self) -> bool:
        """Can something be written now? Found out by doing so."""

    def rollback(self) -> None:
        """Forget everything since the first write."""


class Database(Protocol):
    """One service's data."""

    name: str

    def exists(self) -> bool:
        """Was it ever made?"""

    def migrate(self) -> None:
        """Bring the schema to this version's; refuse a newer one."""

    def connect(self) -> Connection:
        """The connection of the single writer."""

    def reader(self) -> Reader:
        """A connection that can only read."""


@cache
def upsert(table: sa.Table, dialect: Dialect) -> Statement:
    """Insert a row of all columns, or overwrite the one with the same primary key."""
    insert = _insert_of(dialect)(table)
    rest = {column.name: insert.excluded[column.name] for column in table.c if not column.primary_key}
    keys = [column.name for column in table.primary_key]
    if rest:
        return Statement(insert.on_conflict_do_update(index_elements=keys, set_=rest))
    return Statement(insert.on_conflict_do_nothing(index_elements=keys))


@cache
def update_by_key(table: sa.Table) -> Statement | None:
    """Overwrite the row with a primary key, which is there: first the other columns, in their order, then the key's.
    None where there are no others."""
    rest = [column.name for column in table.c if not column.primary_key]
    if not rest:
        return None
    return Statement(sa.update(table).where(*_keys(table)).values({name: sa.bindparam(f"new_{name}") for name in rest}))


@cache
def insert_row(table: sa.Table) -> Statement:
    """Insert a row of all columns."""
    return Statement(sa.insert(table))


def insert_new(table: sa.Table, dialect: Dialect) -> Any:
    """An insert that passes over rows whose primary key is there already."""
    return _insert_of(dialect)(table).on_conflict_do_nothing()


def _insert_of(dialect: Dialect) -> Any:
    if dialect.name == "sqlite":
        from sqlalchemy.dialects.sqlite import insert as sqlite_insert

        return sqlite_insert
    from sqlalchemy.dialects.postgresql import insert as postgresql_insert

    return postgresql_insert


@cache
def select_by_key(table: sa.Table) -> Statement:
    """All columns of the row with a primary key; the parameters are named key_0, key_1 ..."""
    return Statement(sa.select(table).where(*_keys(table)))


@cache
def delete_by_key(table: sa.Table) -> Statement:
    """Remove the row with a primary key."""
    return Statement(sa.delete(table).where(*_keys(table)))


def _keys(table: sa.Table) -> list[sa.ColumnElement[bool]]:
    return [column == sa.bindparam(f"key_{at}") for at, column in enumerate(table.primary_key)]
