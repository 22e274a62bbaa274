"""Lists of what somebody has (the orders of a user, the entries of a wallet), written in large pieces.

An index by owner is touched in another leaf by every row: with 64 users trading, seven of ten pages that the commits
wrote were leaves of such indexes. So a list is two tables. What is new goes to the end of the first, where hundreds of
rows share a page; once a second all of it moves, sorted, to the second, where a leaf is then written once for many of
them. It is a log-structured merge-tree of two levels (O'Neil, Cheng, Gawlick and O'Neil, 1996).
"""

from collections.abc import Callable, Sequence
from functools import cache
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Dialect

from borsa.runtime.log import strict_table
from borsa.runtime.records.session import Session, as_it_is
from borsa.runtime.store import Reader, Row, Statement, insert_new


class Listing:
    """The schema of a list: of which `owner` which `item` is. Items ascend, so that the newest is the highest."""

    def __init__(self, name: str, metadata: sa.MetaData, owner: str, item: str, kind: Any) -> None:
        self._owner = owner
        self._item = item
        self.table = strict_table(name, metadata, *self._columns(kind, owner, item), by_key=True)
        self.recent = strict_table(f"{name}_recent", metadata, *self._columns(kind, item, owner), by_key=True)
        self.any = Statement(sa.select(*self.recent.c).limit(1))

    def _columns(self, kind: Any, *names: str) -> list[sa.Column[Any]]:
        return [
            sa.Column(name, kind if name == self._item else sa.Text, primary_key=True, autoincrement=False)
            for name in names
        ]

    def pages(self, select: Callable[[sa.Table], sa.Executable]) -> Sequence[Statement]:
        """One statement for both tables: `select` says it of either. To be read by `newest`."""
        # in this order: what moves between the two readings is seen twice, and never missed
        return Statement(select(self.recent)), Statement(select(self.table))

    def opened(self, session: Session) -> "List":
        """The list, for the writer."""
        return List(self, session)

    def moving(self, dialect: Dialect) -> Sequence[Statement]:
        """What brings the new rows to their places."""
        columns = [self.recent.c[self._owner], self.recent.c[self._item]]
        sorted_rows = sa.select(*columns).order_by(*columns)
        into = insert_new(self.table, dialect).from_select([self._owner, self._item], sorted_rows)
        return Statement(into), Statement(sa.delete(self.recent))


class List:
    """A list, as its writer has it."""

    def __init__(self, listing: Listing, session: Session) -> None:
        self._session = session
        self._rows = session.journal_of(listing.recent, as_it_is)
        self._any = listing.any
        self._moving = _moving(listing, session.dialect)
        session.lists.append(self)

    def add(self, item: Any, owner: str) -> None:
        """Somebody has something new; each pair once."""
        self._rows.append((item, owner))

    def settle(self) -> None:
        """Bring what is new to its place: the writer's work, once a second."""
        if self._session.peek(self._any):
            for statement in self._moving:
                self._session.run(statement)


@cache
def _moving(listing: Listing, dialect: Dialect) -> Sequence[Statement]:
    return listing.moving(dialect)


def newest(reader: Reader, pages: Sequence[Statement], limit: int, **given: Any) -> list[Row]:
    """The newest rows of a list, by their first column, which is the item."""
    found = {row[0]: row for page in pages for row in reader.read(page, limit=limit, **given)}
    return [found[item] for item in sorted(found, reverse=True)[:limit]]
