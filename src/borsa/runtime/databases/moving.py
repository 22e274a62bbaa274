"""A table in pages, each with a digest of the table so far: how data is moved from one database to another, and how one
proves that both have the same.

The digest is SHA-256 over the digest before and the page's rows as one MessagePack array. Where a page ends follows
from the rows alone, so whoever reads the same rows from another database comes to the same pages and digests.
"""

import hashlib
import os
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import NamedTuple

import msgspec
import sqlalchemy as sa

from borsa.errors import CantStart
from borsa.runtime.store import Reader, Row, Statement

PAGE_ROWS_FIRST = 64
"""Rows of the first page of a table; each page tells how many the next one may have."""

PAGE_ROWS_MAX = 4_096

PAGE_BYTES = 1024 * 1024
"""About so large are pages of many rows, and about so much of a table is in memory at once."""

MOVED = "moved-to"
"""The file that says where the data of a folder is now."""

_encode = msgspec.msgpack.Encoder().encode


class Page(NamedTuple):
    """Rows of a table, by its key. `total` and `digest` are over all rows up to its end."""

    rows: Sequence[Row]
    total: int
    digest: bytes


class Summary(NamedTuple):
    """How many rows a table has, and their digest."""

    total: int
    digest: bytes


NO_ROWS = Summary(0, bytes(32))
"""That of no rows."""


def pages(reader: Reader, table: sa.Table) -> Iterator[Page]:
    """All rows of a table that nobody writes meanwhile."""
    names = [column.name for column in table.primary_key]
    places = [at for at, column in enumerate(table.c) if column.name in names]
    limit, (total, digest) = PAGE_ROWS_FIRST, NO_ROWS
    rows = reader.read(_first(table), limit=limit)
    while rows:
        packed = _encode(rows)
        total += len(rows)
        digest = hashlib.sha256(digest + packed).digest()
        yield Page(rows, total, digest)
        limit = max(1, min(4 * limit, PAGE_ROWS_MAX, PAGE_BYTES * len(rows) // len(packed)))
        after = {f"after_{at}": rows[-1][place] for at, place in enumerate(places)}
        rows = reader.read(_next(table), limit=limit, **after)


def summary(reader: Reader, table: sa.Table) -> Summary:
    """What one compares."""
    found = NO_ROWS
    for page in pages(reader, table):
        found = Summary(page.total, page.digest)
    return found


@cache
def row_count(table: sa.Table) -> Statement:
    """How many rows a table has."""
    return Statement(sa.select(sa.func.count()).select_from(table))


@cache
def _first(table: sa.Table) -> Statement:
    return Statement(sa.select(table).order_by(*table.primary_key).limit(sa.bindparam("limit")))


@cache
def _next(table: sa.Table) -> Statement:
    keys = list(table.primary_key)
    after = [sa.bindparam(f"after_{at}", type_=column.type) for at, column in enumerate(keys)]
    behind = sa.tuple_(*keys) > sa.tuple_(*after) if len(keys) > 1 else keys[0] > after[0]
    return Statement(sa.select(table).where(behind).order_by(*keys).limit(sa.bindparam("limit")))


# the folder that the data was moved from -----------------------------------------------------------------------------


def leave_behind(folder: Path, place: str) -> None:
    """Say in a data folder where its data is now; on disk before this returns."""
    path = folder / MOVED
    with path.open("w") as file:
        file.write(place)
        file.flush()
        os.fsync(file.fileno())


def check_here(folder: Path) -> None:
    """CantStart where the data of a folder was moved elsewhere: two exchanges would go on from it."""
    path = folder / MOVED
    if path.exists():
        raise CantStart(
            f"the data of {folder} was moved to {path.read_text()}: set BORSA_DATABASE_URL; "
            f"to go on with what was here before, remove {path}"
        )
