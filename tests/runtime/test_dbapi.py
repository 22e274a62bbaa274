"""What migrations do through SQLAlchemy: they read before they write, also where there is nothing yet."""

from pathlib import Path

import sqlalchemy as sa

from borsa.runtime.databases.sqlite import engine_of


def test_a_select_that_finds_nothing_has_no_rows(tmp_path: Path) -> None:
    engine = engine_of(tmp_path / "empty.db")
    with engine.begin() as connection:
        connection.execute(sa.text("CREATE TABLE words (word TEXT, times INTEGER)"))
        found = connection.execute(sa.text("SELECT word, times FROM words WHERE times > :least"), {"least": 3})
        assert list(found.keys()) == ["word", "times"]
        assert found.all() == []
        assert not connection.execute(sa.text("INSERT INTO words VALUES ('a', 4)")).returns_rows
        found = connection.execute(sa.text("SELECT word, times FROM words WHERE times > :least"), {"least": 3})
        assert [tuple(row) for row in found] == [("a", 4)]
    engine.dispose()
