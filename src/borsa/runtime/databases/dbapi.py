"""apsw as SQLAlchemy expects a driver to be (PEP 249), as far as Alembic needs it to change a schema.

Python's own module would do, if it could: but SQLite's locks belong to the process, and two copies of SQLite in one
process take each other's away. So every connection of Borsa's is apsw's.
"""

from collections.abc import Iterable, Sequence
from typing import Any

import apsw
from apsw import Error

__all__ = [
    "Error",
    "ProgrammingError",
    "apilevel",
    "connect",
    "paramstyle",
    "sqlite_version",
    "sqlite_version_info",
    "threadsafety",
]

apilevel = "2.0"
paramstyle = "qmark"
threadsafety = 1
sqlite_version = apsw.sqlite_lib_version()
sqlite_version_info = tuple(map(int, sqlite_version.split(".")))


class ProgrammingError(Error):
    """What PEP 249 calls a wrong use of a driver: SQLAlchemy looks at every error whether it is one."""


class Cursor:
    """One statement at a time, its rows read at once: nothing stays open that would hold a lock."""

    arraysize = 1
    lastrowid = None

    def __init__(self, connection: apsw.Connection) -> None:
        self._connection = connection
        self._rows: list[Any] = []
        self.description: Sequence[tuple[Any, ...]] | None = None
        self.rowcount = -1

    def execute(self, statement: str, given: Sequence[Any] = ()) -> None:
        """Run a statement, and have its rows at hand."""
        cursor = self._connection.cursor()
        self.description = None
        # asked before it runs: of a select that finds nothing, the columns are forgotten afterwards
        cursor.exec_trace = self._describe
        cursor.execute(statement, given)
        self._rows = cursor.fetchall()
        self.rowcount = self._connection.changes()

    def _describe(self, cursor: apsw.Cursor, _statement: str, _given: Any) -> bool:
        self.description = cursor.description or None
        return True

    def executemany(self, statement: str, many: Iterable[Sequence[Any]]) -> None:
        """Run a statement for each of many rows."""
        self._connection.executemany(statement, many)
        self.description, self._rows = None, []

    def fetchone(self) -> Any:
        """The next row, or None."""
        return self._rows.pop(0) if self._rows else None

    def fetchall(self) -> list[Any]:
        """All rows that are left."""
        taken, self._rows = self._rows, []
        return taken

    def close(self) -> None:
        """Forget the rows."""
        self._rows = []


class Connection:
    """A connection on which BEGIN is said by whoever wants a transaction."""

    def __init__(self, path: str) -> None:
        self._connection = apsw.Connection(path)

    def cursor(self) -> Cursor:
        """What runs statements."""
        return Cursor(self._connection)

    def commit(self) -> None:
        """End the transaction, if one is open."""
        self._end("COMMIT")

    def rollback(self) -> None:
        """Take back the transaction, if one is open."""
        self._end("ROLLBACK")

    def _end(self, how: str) -> None:
        if self._connection.in_transaction:
            self._connection.execute(how)

    def create_function(self, name: str, arguments: int, function: Any, *, deterministic: bool = False) -> None:
        """SQLAlchemy calls create_function for its REGEXP, on each new connection."""
        self._connection.create_scalar_function(name, function, arguments, deterministic=deterministic)

    def close(self) -> None:
        """End the connection."""
        self._connection.close()


def connect(path: str) -> Connection:
    """A connection to a file."""
    return Connection(path)
