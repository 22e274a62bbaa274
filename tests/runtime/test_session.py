"""Staged records against a dict: whatever is put, removed, taken back, committed and reopened, both hold the same."""

import tempfile
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

import hypothesis.strategies as st
import msgspec
import pytest
import sqlalchemy as sa
from hypothesis import settings
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from borsa.runtime.log import INTEGER, strict_table
from borsa.runtime.records.listing import Listing, newest
from borsa.runtime.records.session import Mark, Session
from borsa.runtime.store import Statement
from tests.runtime.toys import made

METADATA = sa.MetaData()
PAIRS = strict_table(
    "pairs",
    METADATA,
    sa.Column("left", sa.Text, primary_key=True),
    sa.Column("right", INTEGER, primary_key=True),
    sa.Column("value", INTEGER),
)
LINES = strict_table("lines", METADATA, sa.Column("line", INTEGER, primary_key=True, autoincrement=False))
LINES_OF = Listing("lines_of", METADATA, owner="kind", item="line", kind=INTEGER)
ODD_LINES = LINES_OF.pages(
    lambda listed: (
        sa.select(listed.c.line)
        .where(listed.c.kind == "odd", listed.c.line < sa.bindparam("before"))
        .order_by(listed.c.line.desc())
        .limit(sa.bindparam("limit"))
    )
)
ALL_PAIRS = Statement(sa.select(PAIRS))
ALL_LINES = Statement(sa.select(LINES).order_by(LINES.c.line))

Key = tuple[str, int]


class Pair(msgspec.Struct, frozen=True):
    left: str
    right: int
    value: int | None


class Line(msgspec.Struct, frozen=True):
    line: int


keys = st.tuples(st.sampled_from("abc"), st.integers(0, 3))
values = st.none() | st.integers(-(2**63), 2**63 - 1)


class SessionMachine(RuleBasedStateMachine):
    """A session with a cache of three records, and a dict."""

    def __init__(self) -> None:
        super().__init__()
        self.stack = ExitStack()
        self.folder = Path(self.stack.enter_context(tempfile.TemporaryDirectory()))
        self.database = made(self.folder, "pairs", METADATA)
        self.pairs: dict[Key, int | None] = {}
        self.lines: list[int] = []
        self.open()

    def open(self) -> None:
        self.session = Session(self.database.connect(), cached_records_max=3)
        self.records = self.session.records(PAIRS, Pair)
        self.journal = self.session.journal(LINES, Line)
        self.list = LINES_OF.opened(self.session)
        self.committed = (dict(self.pairs), list(self.lines))
        self.marks: list[tuple[Mark, dict[Key, int | None], list[int]]] = []

    @rule(key=keys, value=values)
    def put(self, key: Key, value: int | None) -> None:
        self.records.put(Pair(*key, value))
        self.pairs[key] = value

    @rule(key=keys, value=values)
    def add(self, key: Key, value: int | None) -> None:
        if key not in self.pairs:
            self.records.add(Pair(*key, value))
            self.pairs[key] = value

    @rule(key=keys)
    def delete(self, key: Key) -> None:
        self.records.delete(key)
        self.pairs.pop(key, None)

    @rule()
    def append(self) -> None:
        line = len(self.lines) + 1
        self.journal.append(Line(line))
        self.list.add(line, "even" if line % 2 == 0 else "odd")
        self.lines.append(line)

    @rule()
    def settle(self) -> None:
        """A list moves to its place what was committed, whatever becomes of the rest."""
        self.list.settle()

    @rule()
    def mark(self) -> None:
        self.marks.append((self.session.mark(), dict(self.pairs), list(self.lines)))

    @precondition(lambda self: self.marks)
    @rule(data=st.data())
    def back_to(self, data: st.DataObject) -> None:
        at = data.draw(st.integers(0, len(self.marks) - 1))
        mark, self.pairs, self.lines = self.marks[at]
        del self.marks[at:]
        self.session.back_to(mark)

    @rule()
    def commit(self) -> None:
        self.session.commit()
        self.committed = (dict(self.pairs), list(self.lines))
        self.marks.clear()

    @rule(limit=st.integers(1, 4), before=st.integers(0, 20))
    def read_list(self, limit: int, before: int) -> None:
        with closing(self.database.reader()) as reader:
            found = [row[0] for row in newest(reader, ODD_LINES, limit, before=before)]
        odd = [line for line in reversed(self.committed[1]) if line % 2 and line < before]
        assert found == odd[:limit]

    @rule()
    def crash(self) -> None:
        self.session.close()
        self.pairs, self.lines = (kept.copy() for kept in self.committed)  # type: ignore[assignment]
        self.open()

    @rule(key=keys)
    def get(self, key: Key) -> None:
        found = self.records.get(key)
        assert (found is not None) == (key in self.pairs)
        assert found is None or found == Pair(*key, self.pairs[key])

    @rule()
    def read(self) -> None:
        """A select sees what is staged."""
        assert {row[:2]: row[2] for row in self.session.read(ALL_PAIRS)} == self.pairs

    @rule()
    def load(self) -> None:
        for row in self.session.read(ALL_PAIRS):
            assert self.records.load(row) == Pair(*row)

    @invariant()
    def others_see_what_is_committed(self) -> None:
        reader = self.database.reader()
        pairs, lines = reader.read(ALL_PAIRS), reader.read(ALL_LINES)
        reader.close()
        assert ({row[:2]: row[2] for row in pairs}, [line for (line,) in lines]) == self.committed

    def teardown(self) -> None:
        self.session.close()
        self.stack.close()


TestSession = SessionMachine.TestCase
TestSession.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)


@pytest.fixture
def session(tmp_path: Path) -> Any:
    opened = Session(made(tmp_path, "pairs", METADATA).connect(), cached_records_max=10)
    yield opened
    opened.close()


def test_a_record_has_the_columns_of_its_table(session: Session) -> None:
    with pytest.raises(TypeError, match="columns of pairs"):
        session.records(PAIRS, Line)


def test_nothing_is_dirty_after_everything_was_taken_back(session: Session) -> None:
    records = session.records(PAIRS, Pair)
    mark = session.mark()
    records.put(Pair("a", 1, 1))
    assert session.dirty
    session.back_to(mark)
    assert not session.dirty


def test_a_read_after_everything_was_taken_back_does_not_see_what_was_sent_before(session: Session) -> None:
    records = session.records(PAIRS, Pair)
    mark = session.mark()
    records.put(Pair("a", 1, 1))
    assert session.read(ALL_PAIRS) == [("a", 1, 1)]
    session.back_to(mark)
    assert session.read(ALL_PAIRS) == []
    assert session.dirty, "the database's transaction is still open"
    session.commit()
    assert not session.dirty


def test_a_removal_that_was_sent_and_taken_back_leaves_the_row(session: Session) -> None:
    records = session.records(PAIRS, Pair)
    records.put(Pair("a", 1, 1))
    session.commit()
    mark = session.mark()
    records.delete(("a", 1))
    assert session.read(ALL_PAIRS) == []
    session.back_to(mark)
    records.put(Pair("a", 1, 2))
    session.commit()
    assert session.read(ALL_PAIRS) == [("a", 1, 2)]
