"""Chains of seals over tables that only grow: a row that was written and sealed can't change without a trace.

Every commit that appends to such tables writes one seal: from which row to which, how many, and the SHA-256 over the
digest of the seal before and these rows. The rows go into it as one MessagePack array that has, for each table, the
array of its new rows, each the array of its columns. Cost is that of one encoding and one hash a commit.

Whoever can rewrite the database can rewrite all seals after a row as well: a chain proves nothing against them unless
one of its later digests was noted elsewhere.
"""

import hashlib
from collections.abc import Sequence
from functools import cache
from typing import Any

import msgspec
import sqlalchemy as sa

from borsa.runtime.log import INTEGER, strict_table
from borsa.runtime.records.journal import Journal
from borsa.runtime.records.session import Session, as_it_is
from borsa.runtime.store import Row, Statement

GENESIS = bytes(32)
"""What stands before the first seal."""

_encode = msgspec.msgpack.Encoder().encode


def sealed(before: bytes, rows: Sequence[Sequence[Row]]) -> bytes:
    """The digest of a seal: over the one before, and the rows of each table."""
    digest = hashlib.sha256(before)
    digest.update(_encode(rows))
    return digest.digest()


def seals_table(name: str, metadata: sa.MetaData) -> sa.Table:
    """The seals of a chain. `first_id` and `last_id` are keys of its first table, `row_count` is over all of them."""
    return strict_table(
        name,
        metadata,
        sa.Column("last_id", INTEGER, primary_key=True, autoincrement=False),
        sa.Column("first_id", INTEGER, nullable=False),
        sa.Column("row_count", INTEGER, nullable=False),
        sa.Column("digest", sa.LargeBinary, nullable=False),
    )


class Chain:
    """Seals what journals write. The first column of the first one is an ascending number; the others never have rows
    in a commit in which it has none."""

    def __init__(self, session: Session, seals: sa.Table, *journals: Journal[Any]) -> None:
        self._journals = journals
        self._seals = session.journal_of(seals, as_it_is)
        rows = session.peek(_newest(seals))
        self._digest: bytes = rows[0][0] if rows else GENESIS
        session.chains.append(self)

    def seal(self) -> None:
        """Write what the journals have for this commit, and the seal on it."""
        written = [journal.flush() for journal in self._journals]
        if not any(written):
            return
        numbered = written[0]
        self._digest = sealed(self._digest, written)
        self._seals.append((numbered[-1][0], numbered[0][0], sum(map(len, written)), self._digest))


@cache
def _newest(seals: sa.Table) -> Statement:
    return Statement(sa.select(seals.c.digest).order_by(seals.c.last_id.desc()).limit(1))
