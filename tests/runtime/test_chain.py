"""Chains of seals against a list: each commit that appends has one seal, over what it wrote and all that was before."""

import hashlib
import random
from contextlib import closing
from pathlib import Path
from typing import Any

import msgspec
import pytest
import sqlalchemy as sa

from borsa.runtime.databases.sqlite import SqliteDatabase
from borsa.runtime.log import INTEGER, strict_table
from borsa.runtime.records.chain import Chain, seals_table
from borsa.runtime.records.session import Session
from borsa.runtime.store import Statement
from tests.runtime.toys import made

METADATA = sa.MetaData()
HEADS = strict_table("heads", METADATA, sa.Column("head", INTEGER, primary_key=True, autoincrement=False))
TAILS = strict_table(
    "tails", METADATA, sa.Column("tail", INTEGER, primary_key=True, autoincrement=False), sa.Column("word", sa.Text)
)
SEALS = seals_table("seals", METADATA)
ALL = Statement(sa.select(SEALS).order_by(SEALS.c.last_id))


class Head(msgspec.Struct, frozen=True):
    head: int


class Tail(msgspec.Struct, frozen=True):
    tail: int
    word: str | None


class Sealed:
    """A session with a chain over heads and tails."""

    def __init__(self, database: SqliteDatabase) -> None:
        self.session = Session(database.connect(), 100)
        self.heads = self.session.journal(HEADS, Head)
        self.tails = self.session.journal(TAILS, Tail)
        Chain(self.session, SEALS, self.heads, self.tails)

    def append(self, head: int) -> None:
        self.heads.append(Head(head))
        self.tails.extend([Tail(10 * head + at, "odd" if at % 2 else None) for at in range(head % 3)])

    def seals(self) -> list[tuple[Any, ...]]:
        return self.session.read(ALL)

    def close(self) -> None:
        self.session.close()


@pytest.fixture
def database(tmp_path: Path) -> SqliteDatabase:
    return made(tmp_path, "chained", METADATA)


def rows_of(heads: list[int]) -> list[list[tuple[Any, ...]]]:
    tails = [(10 * head + at, "odd" if at % 2 else None) for head in heads for at in range(head % 3)]
    return [[(head,) for head in heads], tails]


def test_each_commit_is_sealed_with_all_before_it(database: SqliteDatabase) -> None:
    """Also what is taken back, commits of nothing, and starts again in between."""
    dice = random.Random(5)
    due: list[tuple[Any, ...]] = []
    digest, head = bytes(32), 0
    for _ in range(6):
        with closing(Sealed(database)) as sealed:
            assert sealed.seals() == due
            for _ in range(8):
                heads = list(range(head + 1, head + 1 + dice.randint(0, 4)))
                for each in heads:
                    sealed.append(each)
                mark = sealed.session.mark()
                sealed.append(1_000_000)
                sealed.session.back_to(mark)
                sealed.session.commit()
                if heads:
                    head, rows = heads[-1], rows_of(heads)
                    digest = hashlib.sha256(digest + msgspec.msgpack.encode(rows)).digest()
                    due.append((heads[-1], heads[0], sum(map(len, rows)), digest))
                assert sealed.seals() == due
    assert len(due) > 20


def test_what_is_not_committed_is_not_sealed(database: SqliteDatabase) -> None:
    with closing(Sealed(database)) as sealed:
        sealed.append(1)
        sealed.session.commit()
        sealed.append(2)
    with closing(Sealed(database)) as again:
        assert [seal[0] for seal in again.seals()] == [1]
        again.append(2)
        again.session.commit()
        assert [seal[0] for seal in again.seals()] == [1, 2]
