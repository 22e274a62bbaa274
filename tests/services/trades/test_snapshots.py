"""When the books are kept whole: often enough for a quick start, and the more rarely the more a snapshot costs. They
are written piece by piece, and wherever that is cut off, damaged or taken back, a start comes to the same books."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from hashlib import sha256
from itertools import pairwise
from pathlib import Path
from typing import Any

import apsw
import msgspec
import pytest
import structlog
from hypothesis import given, settings
from hypothesis import strategies as st

from borsa.events import MarketCreated, OrderCancelRequested
from borsa.runtime.databases.sqlite import SqliteDatabase
from borsa.runtime.log import Cursor
from borsa.runtime.records.session import Session
from borsa.services.trades import TRADES, snapshots, store
from borsa.services.trades.engine import Engine
from borsa.services.trades.store import Memory
from borsa.settings import Settings
from tests.services.trades.test_engine import MARKET, created
from tests.support.earlier import migrate_to
from tests.support.stepped import Stepped, limit


class Books:
    """The memory of trades over a database of its own: orders come in, a commit has a piece of a snapshot."""

    def __init__(self, folder: Path, **options: Any) -> None:
        self.database = SqliteDatabase("trades", folder, TRADES.tables)
        self.settings = msgspec.structs.replace(Settings(), snapshot_piece_bytes=100, snapshots_kept=2, **options)
        self.log: list[Any] = [MarketCreated(**MARKET)]
        self.database.migrate()
        self.open()

    def open(self) -> None:
        """As a start does: the newest snapshot that is whole, and the log from there."""
        self.session = Session(self.database.connect(), 1_000)
        self.cursors = self.session.records(TRADES.tables.tables["cursors"], Cursor)
        self.memory = Memory(self.session, self.settings)
        self.memory.load_newest_snapshot()
        self.loaded = self.memory.saved
        self.apply()

    def apply(self) -> None:
        """Bring the books to the end of the log, and the cursor with them."""
        inputs = list(enumerate(self.log, 1))[self.memory.applied :]
        self.memory.engine.apply(inputs)
        self.memory.applied = len(self.log)

    def order(self, count: int = 1) -> None:
        """Orders that rest, and now and then a cancel."""
        for _ in range(count):
            number = len(self.log)
            self.log.append(created(number, "buy", 50 + number % 40, 1 + number % 9))
            if number % 4 == 0:
                self.log.append(OrderCancelRequested(order_id=str(number // 2), user_id="u", symbol="BTC-USD"))
        self.apply()

    def take(self) -> None:
        self.memory.take_snapshot(now=7)
        self.memory.complete_snapshot()

    def commit(self) -> None:
        """With where the books are."""
        self.cursors.put(Cursor("orders", self.memory.applied))
        self.session.commit()

    def finish(self) -> int:
        """Write what is left, a piece a commit; how many there were."""
        pieces = 0
        while self.memory.snapshots.is_writing:
            self.memory.snapshots.write(1)
            self.commit()
            pieces += 1
        return pieces

    def forget(self) -> None:
        self.memory.snapshots.forget()
        self.commit()

    def kill(self) -> None:
        """What is not committed is gone, and a start follows."""
        self.session.close()
        self.open()

    @property
    def state(self) -> bytes:
        saved = Engine()
        saved.kernel, saved.books = self.memory.engine.kernel, self.memory.engine.books
        return b"".join(saved.save())

    def rows(self, sql: str) -> list[Any]:
        # of the same library as the driver's: another one would let go of its locks
        with closing(apsw.Connection(str(self.database.path))) as connection:
            return connection.execute(sql).fetchall()

    @property
    def content(self) -> list[Any]:
        return self.rows("SELECT * FROM snapshots ORDER BY 1") + self.rows(
            "SELECT * FROM snapshot_pieces ORDER BY 1, 2"
        )

    @property
    def heads(self) -> list[int]:
        return [sequence for (sequence,) in self.rows("SELECT sequence FROM snapshots ORDER BY sequence")]

    @property
    def with_pieces(self) -> list[int]:
        return [each for (each,) in self.rows("SELECT DISTINCT sequence FROM snapshot_pieces ORDER BY sequence")]


@pytest.fixture
def books(tmp_path: Path) -> Iterator[Books]:
    made = Books(tmp_path)
    made.order(12)
    yield made
    made.session.close()


def test_a_snapshot_counts_when_its_last_piece_is_there(books: Books) -> None:
    books.take()
    while books.memory.snapshots.is_writing:
        assert books.heads == []
        books.memory.snapshots.write(1)
        books.commit()
    assert books.heads == [books.memory.saved]
    assert len(books.rows("SELECT 1 FROM snapshot_pieces")) > 5


def test_a_kill_after_any_piece_loses_that_snapshot_only(books: Books) -> None:
    books.take()
    pieces, first, last = books.finish(), books.memory.saved, 0
    for cut in range(pieces):
        books.order()
        books.take()
        books.memory.snapshots.write(cut)
        books.commit()
        books.memory.snapshots.write(1)
        state, last = books.state, books.memory.saved
        books.kill()
        assert (books.loaded, books.state) == (first, state)
        assert books.heads == [first]
    assert books.with_pieces[-1] == last
    while len(books.with_pieces) > 1:
        books.forget()
    assert books.with_pieces == [first]


def test_orders_that_come_meanwhile_are_not_in_it(books: Books) -> None:
    books.take()
    taken, state = books.memory.saved, books.state
    while books.memory.snapshots.is_writing:
        books.order()
        books.memory.snapshots.write(1)
        books.commit()
    last = books.state
    at_rest = Memory(Session(books.database.connect(), 1_000), books.settings)
    at_rest.load_newest_snapshot()
    assert (at_rest.saved, b"".join(at_rest.engine.save())) == (taken, state)
    at_rest._session.close()
    books.kill()
    assert (books.loaded, books.state) == (taken, last)


def test_none_is_due_while_another_is_being_written(books: Books) -> None:
    books.memory.settings = msgspec.structs.replace(books.settings, snapshot_events=1)
    books.order()
    assert books.memory.is_snapshot_due()
    books.take()
    books.order(50)
    assert not books.memory.is_snapshot_due()
    books.finish()
    assert books.memory.is_snapshot_due()


def test_pieces_that_a_handler_took_back_are_written_again(books: Books) -> None:
    books.take()
    while books.memory.snapshots.is_writing:
        mark = books.session.mark()
        books.memory.snapshots.write(3)
        books.session.back_to(mark)
        books.memory.snapshots.write(2)
        books.commit()
    state = books.state
    books.kill()
    assert (books.loaded, books.state) == (len(books.log), state)


def test_one_that_a_handler_took_is_taken_back_with_it(books: Books) -> None:
    mark = books.session.mark()
    books.take()
    books.memory.snapshots.write(2)
    books.session.back_to(mark)
    assert not books.memory.snapshots.is_writing
    books.commit()
    assert books.with_pieces == []


def test_what_is_just_finished_is_not_forgotten_in_the_same_commit(books: Books) -> None:
    books.take()
    books.memory.snapshots.write(3)
    books.commit()
    books.memory.snapshots.write(10_000)
    books.forget()
    state = books.state
    books.kill()
    assert (books.loaded, books.state) == (len(books.log), state)


def test_the_oldest_are_forgotten_some_pieces_at_a_time(books: Books) -> None:
    books.memory.snapshots._piece_bytes = 20
    taken = []
    for _ in range(4):
        books.order()
        books.take()
        books.finish()
        taken.append(books.memory.saved)
    assert books.heads == taken
    before = len(books.rows("SELECT 1 FROM snapshot_pieces"))
    books.forget()
    assert books.heads == taken[2:]
    assert before - len(books.rows("SELECT 1 FROM snapshot_pieces")) == snapshots.PIECES_FORGOTTEN_A_SWEEP
    for _ in range(before):
        books.forget()
    assert books.with_pieces == taken[2:]


DAMAGES = {
    "changed": "UPDATE snapshot_pieces SET body = zeroblob(length(body)) WHERE number = {number} AND sequence = {of}",
    "cut": "UPDATE snapshot_pieces SET body = substr(body, 2) WHERE number = {number} AND sequence = {of}",
    "missing": "DELETE FROM snapshot_pieces WHERE number = {number} AND sequence = {of}",
    "doubled": "INSERT INTO snapshot_pieces SELECT sequence, 1000, body FROM snapshot_pieces"
    " WHERE number = {number} AND sequence = {of}",
    "elsewhere": "UPDATE snapshot_pieces SET number = 1000 + number WHERE number >= {number} AND sequence = {of}",
    "of another": "UPDATE snapshot_pieces SET body = (SELECT body FROM snapshot_pieces o"
    " WHERE o.number = {number} AND o.sequence < {of}) WHERE number = {number} AND sequence = {of}"
    " AND number IN (SELECT number FROM snapshot_pieces WHERE sequence < {of})",
    "without a time": "UPDATE snapshots SET taken_at = 0 WHERE sequence = {of}",
    "of other orders": "UPDATE snapshots SET orders = orders + 1 WHERE sequence = {of}",
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_one_is_passed_over_with_a_warning_whichever_piece_it_is(
    books: Books, damage: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    said = structlog.testing.LogCapture()
    monkeypatch.setattr(store, "_log", structlog.wrap_logger(None, processors=[said]))
    books.take()
    books.finish()
    older = books.memory.saved
    books.order(3)
    books.take()
    newest, pieces, state = books.memory.saved, books.finish(), books.state
    changed = 0
    books.session.close()
    kept = books.database.path.read_bytes()
    before = books.content
    for number in range(pieces):
        books.rows(DAMAGES[damage].format(number=number, of=newest))
        differs = books.content != before
        books.open()
        assert (books.loaded, books.state) == (older if differs else newest, state)
        changed += differs
        books.session.close()
        books.database.path.write_bytes(kept)
    assert [entry["sequence"] for entry in said.entries] == [newest] * changed
    # a piece may be the same in both, or the older one has none of its number
    assert changed == pieces if damage != "of another" else changed > 3
    books.open()
    assert books.loaded == newest


@settings(max_examples=40, deadline=None)
@given(st.lists(st.sampled_from(["order", "order", "take", "write", "write", "commit", "take back", "forget", "kill"])))
def test_whatever_happens_a_start_comes_to_the_same_books(
    tmp_path_factory: pytest.TempPathFactory, steps: list[str]
) -> None:
    books = Books(tmp_path_factory.mktemp("books"))
    books.order(5)
    for step in steps:
        if step == "order":
            books.order()
        elif step == "take" and not books.memory.snapshots.is_writing:
            books.take()
        elif step == "write":
            books.memory.snapshots.write(4)
        elif step == "take back":
            mark = books.session.mark()
            books.memory.snapshots.write(3)
            books.session.back_to(mark)
        elif step == "forget":
            books.memory.snapshots.forget()
        elif step == "commit":
            books.commit()
        elif step == "kill":
            books.commit()
            state, heads = books.state, books.heads
            books.kill()
            assert books.state == state
            assert books.loaded == max(heads, default=0)
    books.session.close()


def test_the_newest_whole_snapshot_of_an_earlier_version_is_read(tmp_path: Path) -> None:
    """And one that is not whole is dropped."""
    (tmp_path / "now").mkdir()
    source = Books(tmp_path / "now")
    source.order(12)
    kernel, state = source.memory.engine.kernel.snapshot(), source.state
    fields = source.memory.engine.books
    named = {key: {name: getattr(live, name) for name in live.__struct_fields__} for key, live in fields.live.items()}
    body = msgspec.msgpack.encode((kernel, msgspec.structs.asdict(fields) | {"live": named}))
    folder = tmp_path / "earlier"
    folder.mkdir()
    path = folder / "trades.db"
    migrate_to("0004", TRADES, path)
    with closing(sqlite3.connect(path)) as connection:
        insert = "INSERT INTO snapshots (sequence, taken_at, orders, digest, body) VALUES (?, 7, ?, ?, ?)"
        applied = source.memory.applied
        connection.execute(insert, (applied, len(fields.live), sha256(body).digest(), body))
        connection.execute(insert, (applied + 1, len(fields.live), sha256(body).digest(), body[:-1]))
        strange = msgspec.msgpack.encode("of another time")
        connection.execute(insert, (applied + 2, 1, sha256(strange).digest(), strange))
        connection.execute("INSERT INTO cursors (source, sequence) VALUES ('orders', ?)", (applied,))
        connection.commit()
    source.session.close()
    again = Books(folder)
    assert (again.loaded, again.heads, again.with_pieces, again.state) == (applied, [applied], [applied], state)
    again.session.close()


def test_snapshots_are_as_far_apart_as_half_of_the_open_orders(tmp_path: Path) -> None:
    with Stepped(tmp_path, snapshot_events=10, snapshots_kept=50) as exchange:
        user = exchange.user("ann", USD=1_000_000 * 10**8)
        for price in range(1, 101):
            exchange.ask(limit(user, "buy", "1", str(price)))
        memory = exchange.writers["trades"].memory
        assert len(memory.engine.books.live) == 100
    with closing(sqlite3.connect(tmp_path / "trades.db")) as connection:
        kept = list(connection.execute("SELECT sequence, orders FROM snapshots ORDER BY sequence"))
    apart = [later[0] - earlier[0] for earlier, later in pairwise(kept)]
    assert min(apart) >= 10
    assert apart[-1] > 2 * min(apart)
    assert all(events >= orders // 2 for events, (_, orders) in zip(apart, kept[1:], strict=True))


def test_a_snapshot_is_finished_and_old_ones_go_although_nobody_orders(tmp_path: Path) -> None:
    with Stepped(tmp_path, snapshot_events=20, snapshots_kept=2, snapshot_piece_bytes=300) as exchange:
        user = exchange.user("ann", USD=1_000_000 * 10**8)
        for price in range(1, 81):
            exchange.ask(limit(user, "buy", "1", str(price)))
        writer = exchange.writers["trades"]
        newest = writer.memory.saved
        for _ in range(30):
            writer._due = [(0, sweep) for _, sweep in writer._due]
            exchange.settle()
    with closing(sqlite3.connect(tmp_path / "trades.db")) as connection:
        kept = [sequence for (sequence,) in connection.execute("SELECT sequence FROM snapshots ORDER BY sequence")]
        pieces = connection.execute("SELECT DISTINCT sequence FROM snapshot_pieces ORDER BY sequence").fetchall()
    assert len(kept) == 2
    assert kept[-1] == newest
    assert [sequence for (sequence,) in pieces] == kept
