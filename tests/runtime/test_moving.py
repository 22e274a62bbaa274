"""Pages of a table, and their digests: they follow from the rows alone."""

from contextlib import closing
from pathlib import Path

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from borsa.runtime.databases import moving
from borsa.runtime.databases.moving import NO_ROWS, pages, summary
from borsa.runtime.databases.sqlite import SqliteConnection, engine_of
from borsa.runtime.log import INTEGER, strict_table
from borsa.runtime.store import insert_row

METADATA = sa.MetaData()
THINGS = strict_table(
    "things",
    METADATA,
    sa.Column("owner", sa.Text, primary_key=True),
    sa.Column("number", INTEGER, primary_key=True),
    sa.Column("body", sa.LargeBinary),
    by_key=True,
)

Rows = dict[tuple[str, int], bytes | None]

rows_of_things = st.dictionaries(
    st.tuples(st.sampled_from(["", "a", "b", "Z", "ä", "😀"]), st.integers(-(2**63), 2**63 - 1)),
    st.one_of(st.none(), st.binary(max_size=40)),
    max_size=60,
)


@pytest.fixture(autouse=True)
def small_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(moving, "PAGE_ROWS_FIRST", 2)
    monkeypatch.setattr(moving, "PAGE_ROWS_MAX", 8)
    monkeypatch.setattr(moving, "PAGE_BYTES", 100)


def opened(folder: Path) -> SqliteConnection:
    (folder / "things.db").unlink(missing_ok=True)
    engine = engine_of(folder / "things.db")
    METADATA.create_all(engine)
    engine.dispose()
    return SqliteConnection(folder / "things.db")


def fill(connection: SqliteConnection, rows: Rows) -> None:
    connection.write(insert_row(THINGS), [(*key, body) for key, body in rows.items()])
    connection.commit()


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rows=rows_of_things, data=st.data())
def test_all_rows_come_once_in_the_order_of_their_key(rows: Rows, data: st.DataObject, tmp_path: Path) -> None:
    with closing(opened(tmp_path)) as one:
        fill(one, rows)
        found = list(pages(one, THINGS))
        whole = summary(one, THINGS)
    in_order = sorted(rows, key=lambda key: (key[0].encode(), key[1]))
    assert [row for page in found for row in page.rows] == [(*key, rows[key]) for key in in_order]
    assert [page.total for page in found] == [
        sum(len(page.rows) for page in found[: at + 1]) for at in range(len(found))
    ]
    assert whole == ((found[-1].total, found[-1].digest) if found else NO_ROWS)
    if rows:
        changed = data.draw(st.sampled_from(in_order))
        with closing(opened(tmp_path)) as other:
            fill(other, rows | {changed: (rows[changed] or b"") + b"!"})
            assert summary(other, THINGS).digest != whole.digest
