"""The end of a log, kept in memory: whoever reads it, in whatever order, reads what the log says."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import hypothesis.strategies as st
import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings

from borsa.events import UserUpdated
from borsa.runtime.databases.sqlite import SqliteDatabase
from borsa.runtime.log import LAST, READ_AFTER, Tail, read_after, recorded, row_of
from borsa.runtime.store import Row, Statement
from tests.runtime.toys import ALPHA, made

Actions = list[tuple[str, int]]

actions = st.lists(
    st.one_of(
        st.tuples(st.just("append"), st.integers(1, 7)),
        st.tuples(st.just("follow"), st.integers(0, 2)),
        st.tuples(st.just("jump"), st.integers(0, 60)),
    ),
    max_size=40,
)
"""The log grows; one of three consumers reads on from where it is; somebody reads from anywhere."""


class Growing:
    """A log in a database, that grows; counts how often it is read."""

    def __init__(self, database: SqliteDatabase) -> None:
        self._connection = database.connect()
        self._insert = Statement(sa.insert(ALPHA.tables["log"]))
        self.last = self._connection.read(LAST)[0][0] if self._connection.read(LAST) else 0
        self.readings = 0

    def append(self, events: int) -> None:
        """More events."""
        new = range(self.last + 1, self.last + events + 1)
        made_now = [recorded("alpha", at, at, "c", None, UserUpdated(user_id=f"u{at}", user_name="")) for at in new]
        self._connection.write(self._insert, [row_of(each) for each in made_now])
        self._connection.commit()
        self.last += events

    def read(self, statement: Statement, **given: int) -> list[Row]:
        """As a reader of the database, counted."""
        self.readings += statement is READ_AFTER
        return self._connection.read(statement, **given)

    def close(self) -> None:
        """End the connection."""
        self._connection.close()


@pytest.fixture
def log(tmp_path: Path) -> Iterator[Growing]:
    with closing(Growing(made(tmp_path, "alpha", ALPHA))) as log:
        yield log


@given(actions, st.integers(1, 5), st.integers(1, 12))
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_every_reader_reads_what_the_log_says(
    tmp_path_factory: pytest.TempPathFactory, drawn: Actions, limit: int, kept_max: int
) -> None:
    with (
        pytest.MonkeyPatch.context() as patch,
        closing(Growing(made(tmp_path_factory.mktemp("tail"), "alpha", ALPHA))) as log,
    ):
        patch.setattr(Tail, "KEPT_MAX", kept_max)
        tail = Tail("alpha", log, limit)
        cursors = [0, 0, 0]
        for action, number in [*drawn, *[("follow", at) for at in range(3)] * (60 // limit)]:
            if action == "append":
                log.append(number)
                continue
            after = cursors[number] if action == "follow" else number
            found = [each.sequence for each in tail.after(after)]
            assert found == list(range(after + 1, min(after + limit, log.last) + 1))[: len(found)]
            assert bool(found) == (after < log.last), "empty only at the end of the log"
            assert len(tail._kept) <= max(kept_max, limit)
            if action == "follow" and found:
                cursors[number] = found[-1]


def test_what_is_read_is_what_is_in_the_log(log: Growing) -> None:
    log.append(9)
    tail = Tail("alpha", log, 4)
    for after in (0, 4, 2, 8, 5, 0):
        found = tail.after(after)
        plain = read_after(log, "alpha", after, len(found))
        assert [(each.id, each.subject, each.data, each.event) for each in found] == [
            (each.id, each.subject, each.data, each.event) for each in plain
        ]


def test_those_who_follow_one_log_share_what_was_read(log: Growing) -> None:
    tail = Tail("alpha", log, 100)
    tail.after(0)
    for _ in range(5):
        before = log.last
        log.append(10)
        log.readings = 0
        first, *others = (tail.after(before) for _ in range(4))
        assert log.readings == 1
        assert [each.sequence for each in first] == list(range(before + 1, before + 11))
        assert all(found == first and found[0] is first[0] for found in others)


def test_what_one_reader_got_does_not_grow_under_its_hands(log: Growing) -> None:
    tail = Tail("alpha", log, 100)
    log.append(3)
    first = tail.after(0)
    log.append(3)
    tail.after(3)
    assert [each.sequence for each in first] == [1, 2, 3]
