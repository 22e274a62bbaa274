"""Power cuts at every operation of the disk: what was answered is there afterwards, and a transaction whole or not.

A real writer, its session and the SQLite driver, over a VFS that keeps what was synced, and of the rest any sectors.
"""

import random
from collections.abc import Iterator, Sequence
from types import SimpleNamespace
from typing import Any

import pytest
import sqlalchemy as sa

from borsa.runtime.bus import Origin
from borsa.runtime.databases import sqlite
from borsa.runtime.log import READ_AFTER
from borsa.runtime.store import Statement, StorageBroken
from borsa.runtime.writing.inbox import Question
from borsa.runtime.writing.writer import Writer
from borsa.settings import Settings
from tests.runtime.toys import ALPHA, ALPHA_SERVICE, SAID, Asker, Say, ToyClock
from tests.simulation.power import Connection, Drive, Image, Platter

FILE = "alpha.db"
ROUNDS = 40
IMAGES_EACH = 3
"""What may be left differs from cut to cut: so many of them at each operation."""

State = tuple[dict[str, int], int]
"""How often each word was said, and how long the log is."""


@pytest.fixture
def drive(monkeypatch: pytest.MonkeyPatch) -> Iterator[Drive]:
    drive = Drive()
    monkeypatch.setattr(sqlite, "CHECKPOINT_PAGES", 12)
    into(monkeypatch, "FULL")
    yield drive
    drive.unregister()


def into(patch: pytest.MonkeyPatch, synchronous: str) -> None:
    """The driver opens its files on the drive."""

    patch.setattr(sqlite, "apsw", SimpleNamespace(Connection=lambda path: Connection(path, synchronous)))


class Alone:
    """A bus without anybody else."""

    def ask(self, *_: Any) -> None:
        """Nobody is there."""

    publish = listen = ask

    def fetch(self, *_: Any) -> Sequence[Any]:
        return ()


def opened() -> tuple[sqlite.SqliteConnection, Writer]:
    """The writer over what is on the platter."""
    connection = sqlite.SqliteConnection(FILE)  # type: ignore[arg-type]
    try:
        return connection, Writer(ALPHA_SERVICE, connection, Alone(), ToyClock(), Settings(), lambda: None)  # type: ignore[arg-type]
    except BaseException:
        # else it would be closed at some later time, and remove the files of whatever is on the platter then
        connection.close()
        raise


def prepared(drive: Drive) -> Image:
    """An empty database with its tables, all of it synced."""
    drive.platter = Platter()
    connection = sqlite.SqliteConnection(FILE)  # type: ignore[arg-type]
    for table in ALPHA.tables.values():
        connection._connection.execute(str(sa.schema.CreateTable(table).compile(dialect=sqlite.DIALECT)))
    connection.close()
    return {name: bytes(content) for name, content in drive.platter.files.items()}


def state(connection: sqlite.SqliteConnection) -> State:
    said = dict(connection.read(Statement(sa.select(SAID))))
    events = connection.read(READ_AFTER, after=0, limit=1_000_000)
    assert [row[0] for row in events] == list(range(1, len(events) + 1))
    return said, len(events)


def cuts(drive: Drive, chance: random.Random) -> list[tuple[Image, int]]:
    """Say words, and cut the power before each operation: what is left, and how many rounds were answered by then."""
    drive.platter = Platter(prepared(drive))
    _, writer = opened()
    found: list[tuple[Image, int]] = []
    answered = 0

    def cut() -> None:
        found.extend((drive.platter.cut(chance), answered) for _ in range(IMAGES_EACH))

    drive.platter.before = cut
    for number in range(ROUNDS):
        asker = Asker([])
        for word in words(number):
            writer.inbox.put(Question(Say(word=word), Origin("test"), asker, word, None))
        writer.step()
        assert len(asker.outcomes) == len(words(number))
        answered = number + 1
    drive.platter.before = lambda: None
    writer.close()
    return found


def words(number: int) -> list[str]:
    """What is said in a round: some words again and again, some long ones, so that pages move."""
    return [f"word {number % 7}", f"word {number} {'x' * (number * 37 % 900)}", f"other {number % 5}"]


def after(rounds: int) -> State:
    """What must be on disk after so many rounds."""
    said: dict[str, int] = {}
    for number in range(rounds):
        for word in words(number):
            said[word] = said.get(word, 0) + 1
    return said, 3 * rounds


def wrong(drive: Drive, image: Image, answered: int) -> str:
    """What is wrong with an image; empty when nothing is."""
    drive.platter = Platter(image)
    try:
        connection, writer = opened()
    except (Exception, StorageBroken) as error:
        return f"it does not open: {error!r}"
    try:
        (checked,) = connection._connection.execute("PRAGMA integrity_check").fetchall()
        if checked != ("ok",):
            return f"it is broken: {checked}"
        found = state(connection)
        if found not in (after(answered), after(answered + 1)):
            return f"{answered} rounds were answered, {found[1]} events are left"
        writer.inbox.put(Question(Say(word="more"), Origin("test"), Asker([]), None, None))
        writer.step()
        return "" if state(connection)[1] == found[1] + 1 else "it does not go on"
    except (Exception, StorageBroken) as error:
        return f"it can't be read: {error!r}"
    finally:
        connection.close()


@pytest.mark.parametrize("seed", [1, 2])
def test_what_was_answered_outlives_any_power_cut(drive: Drive, seed: int) -> None:
    images = cuts(drive, random.Random(seed))
    assert len(images) > 500
    assert {answered for _, answered in images} == {*range(ROUNDS)}
    assert not [said for image, answered in images if (said := wrong(drive, image, answered))]


@pytest.mark.parametrize("synchronous", ["NORMAL", "OFF"])
def test_without_syncing_every_commit_answers_are_lost(
    drive: Drive, monkeypatch: pytest.MonkeyPatch, synchronous: str
) -> None:
    """The disk does lose what it may lose, and this suite sees it."""
    into(monkeypatch, synchronous)
    images = cuts(drive, random.Random(1))
    assert [said for image, answered in images if "rounds were answered" in (said := wrong(drive, image, answered))]
