"""Whoever follows notifications is told each of them once, whatever the clock does."""

from collections.abc import Callable
from pathlib import Path

import pytest

from borsa.runtime.databases.sqlite import SqliteDatabase
from borsa.services.notifications import NOTIFICATIONS
from borsa.services.notifications.feeds import feeds
from borsa.services.notifications.model import SendMessage
from tests.support.earlier import insert, migrate_to
from tests.support.stepped import Stepped

OWN = feeds(None).own["notifications"]
BEGINNING = 1_700_000_000_000_000


class Put:
    """A clock that stands where it is put; its ids begin with their time, as UUIDv7 do."""

    def __init__(self) -> None:
        self.at = BEGINNING
        self._ids = 0

    def now(self) -> int:
        return self.at

    def ticks(self) -> int:
        return self.at * 1_000

    def new_id(self) -> str:
        self._ids += 1
        first = f"{self.at // 1_000:012x}"
        return f"{first[:8]}-{first[8:]}-7000-8000-{self._ids:012d}"


def tell(stage: Stepped, *words: str) -> None:
    """Messages of one commit."""
    for word in words:
        stage.put(SendMessage(user_id="user-ann", title=word, body="x"))
    stage.settle()


CLOCKS: dict[str, Callable[[int], int]] = {
    "goes on": lambda at: at + 1_000_000,
    "goes on by less than a commit has notifications": lambda at: at + 1,
    "stands": lambda at: at,
    "is put back by a minute": lambda at: at - 60_000_000,
    "is another one at a restart, a minute behind": lambda at: at - 60_000_000,
}


@pytest.mark.parametrize("moves", CLOCKS)
def test_who_goes_on_misses_nothing(tmp_path: Path, moves: str) -> None:
    clock = Put()
    with Stepped(tmp_path, clock) as stage:
        stage.user("ann")
        reader = SqliteDatabase("notifications", tmp_path, NOTIFICATIONS.tables).reader()
        try:
            tell(stage, "one", "two", "three")
            first = OWN.since(0)(reader, 1_000) if OWN.since else []
            position = OWN.newest(reader)
            follows = OWN.since(position) if OWN.since else None
            assert follows is not None
            assert follows(reader, 1_000) == []
            clock.at = CLOCKS[moves](clock.at)
            if "restart" in moves:
                with Stepped(tmp_path, clock) as again:
                    tell(again, "four", "five")
            else:
                tell(stage, "four", "five")
            later = follows(reader, 1_000)
            assert len(later) == 2
            sequences = [row[0] for row in (*first, *later)]
            assert sequences == sorted(set(sequences))
            assert max(row[0] for row in first) == position
            assert OWN.since(position)(reader, 1_000) == later  # type: ignore[misc]
        finally:
            reader.close()


def test_what_was_told_before_there_were_sequences_has_its_time_or_the_next_number(tmp_path: Path) -> None:
    path = tmp_path / "notifications.db"
    migrate_to("0004", NOTIFICATIONS, path)
    before = [("a", 70), ("b", 70), ("c", 71), ("d", 90), ("e", 60)]
    for name, time in before:
        insert(path, "notifications", {"notification_id": name, "created_at": time, "origin": None, "user_id": "ann"})
    database = SqliteDatabase("notifications", tmp_path, NOTIFICATIONS.tables)
    database.migrate()
    reader = database.reader()
    try:
        assert OWN.since is not None
        found = {told: sequence for sequence, _, told in OWN.since(0)(reader, 1_000)}
    finally:
        reader.close()
    assert found == {"a": 70, "b": 71, "c": 72, "d": 90, "e": 91}
