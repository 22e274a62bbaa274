"""The chain of actions: dense, taken back with the deed that acted, and carried on by the next start."""

import hashlib
from pathlib import Path

import msgspec
import pytest

from borsa.runtime.databases.sqlite import SqliteConnection, SqliteReader, engine_of
from borsa.runtime.records.session import Session
from borsa.runtime.writing.actions import START, Action, Actions, actions_before, sealed
from borsa.runtime.writing.transaction import Transaction
from tests.runtime.toys import ALPHA
from tests.support.alone import HandClock

EVER = 2**62


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "alpha.db"
    engine = engine_of(path)
    ALPHA.create_all(engine)
    engine.dispose()
    return path


class Opened:
    """A session with its actions, as a writer has it."""

    def __init__(self, path: Path) -> None:
        self.session = Session(SqliteConnection(path), 100)
        self.actions = Actions("alpha", self.session, ALPHA.tables["actions"])

    def act(self, target: str, time: int = 7) -> None:
        self.actions.add(time, "ann", "request-1", "thing.changed", target, {"reason": "why"})


def kept(path: Path) -> list[Action]:
    """What is on disk, oldest first."""
    reader = SqliteReader(path)
    found = actions_before(reader, None, EVER, EVER, 1000)[::-1]
    reader.close()
    return found


def test_what_was_taken_back_leaves_no_gap(path: Path) -> None:
    opened = Opened(path)
    opened.act("one")
    mark = opened.session.mark()
    opened.act("never")
    opened.session.back_to(mark)
    opened.act("two")
    opened.session.commit()
    opened.act("three")
    opened.session.commit()
    opened.session.close()
    assert [(each.sequence, each.target) for each in kept(path)] == [(1, "one"), (2, "two"), (3, "three")]


def test_each_row_seals_all_before_it(path: Path) -> None:
    for target in ("one", "two", "three"):
        opened = Opened(path)
        opened.act(target)
        opened.session.commit()
        opened.session.close()
    before = START
    for row in kept(path):
        text = (
            f'["alpha",{row.sequence},7,"ann","thing.changed","{row.target}","request-1","{{\\"reason\\":\\"why\\"}}"]'
        )
        assert row.digest == hashlib.sha256(before + text.encode()).digest()
        before = row.digest


@pytest.mark.parametrize("name", [name for name in Action.__struct_fields__ if name != "digest"])
def test_every_column_is_sealed(name: str) -> None:
    row = Action(1, 7, "ann", "thing.changed", "one", "request-1", b"{}", b"")
    value = getattr(row, name)
    other = msgspec.structs.replace(row, **{name: value * 2})
    assert sealed(START, "alpha", other) != sealed(START, "alpha", row)
    assert sealed(START, "beta", row) != sealed(START, "alpha", row)


def test_an_act_after_a_restart_is_not_older_than_the_last_one(path: Path) -> None:
    """The clock may have gone back while nothing ran."""
    clock = HandClock()
    later = clock.now() + 1_000_000
    opened = Opened(path)
    opened.act("one", later)
    opened.session.commit()
    opened.session.close()
    session = Session(SqliteConnection(path), 100)
    Transaction("alpha", session, ALPHA.tables, (0, 0), clock).act("thing.changed", "two")
    session.commit()
    session.close()
    assert [(each.target, each.time) for each in kept(path)] == [("one", later), ("two", later)]
