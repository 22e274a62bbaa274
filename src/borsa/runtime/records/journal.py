"""A table that only grows, as its writer has it."""

from collections.abc import Callable, Iterable, Sequence
from typing import Generic, TypeVar

import sqlalchemy as sa

from borsa.runtime.store import Connection, Row, insert_row

T = TypeVar("T")


class Journal(Generic[T]):
    """A table that only grows: rows are appended, never read back, changed or removed by the writer.

    `rows` are those that wait for the commit; appending to them is all that a row costs before it.
    """

    def __init__(self, connection: Connection, table: sa.Table, row_of: Callable[[T], Row]) -> None:
        self._connection = connection
        self._insert = insert_row(table)
        self._row_of = row_of
        self.rows: list[T] = []

    def append(self, record: T) -> None:
        """Add a row at the end."""
        self.rows.append(record)

    def extend(self, records: Iterable[T]) -> None:
        """Add rows at the end."""
        self.rows.extend(records)

    def flush(self) -> Sequence[Row]:
        """Write the new rows, in the open transaction; gives them as they were written."""
        if not self.rows:
            return ()
        written = list(map(self._row_of, self.rows))
        self._connection.write(self._insert, written)
        self.rows = []
        return written
