"""Seals on the ledger, also on what is there already: some thousand entries in each, so that memory stays small."""

import hashlib
from typing import Any

import msgspec
import sqlalchemy as sa
from alembic import op

from borsa.runtime.log import INTEGER

revision = "0005"
down_revision = "0004"

ENTRIES_AT_ONCE = 5_000

_ENTRIES = sa.text(
    "SELECT entry_id, time, kind, reference, reason, author FROM entries"
    " WHERE entry_id > :after ORDER BY entry_id LIMIT :limit"
)
_POSTINGS = sa.text(
    "SELECT entry_id, line, wallet_id, asset, bucket, amount FROM postings"
    " WHERE entry_id > :after AND entry_id <= :last ORDER BY entry_id, line"
)
_SEAL = sa.text("INSERT INTO seals (last_id, first_id, row_count, digest) VALUES (:last, :first, :rows, :digest)")


def upgrade() -> None:
    """Make the table, and seal the past."""
    op.create_table(
        "seals",
        sa.Column("last_id", INTEGER, autoincrement=False, nullable=False),
        sa.Column("first_id", INTEGER, nullable=False),
        sa.Column("row_count", INTEGER, nullable=False),
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("last_id"),
        sqlite_strict=True,
    )
    _seal_all(op.get_bind())


def _seal_all(connection: sa.Connection) -> None:
    last, digest = 0, bytes(32)
    while entries := _rows(connection, _ENTRIES, after=last, limit=ENTRIES_AT_ONCE):
        after, last = last, entries[-1][0]
        postings = _rows(connection, _POSTINGS, after=after, last=last)
        digest = hashlib.sha256(digest + msgspec.msgpack.encode([entries, postings])).digest()
        count = len(entries) + len(postings)
        connection.execute(_SEAL, {"last": last, "first": entries[0][0], "rows": count, "digest": digest})


def _rows(connection: sa.Connection, statement: sa.TextClause, **given: int) -> list[tuple[Any, ...]]:
    return [tuple(row) for row in connection.execute(statement, given)]
