"""The store seam: what Borsa asks of a database. Every database passes the same suite."""

from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import apsw
import psycopg
import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from borsa.runtime.databases.migrations import NewerSchema, head
from borsa.runtime.databases.postgres import PostgresDatabase
from borsa.runtime.databases.postgres_server import Server
from borsa.runtime.databases.sqlite import SqliteDatabase
from borsa.runtime.log import READ_AFTER, newest, read_after
from borsa.runtime.records.session import Session
from borsa.runtime.store import (
    Connection,
    Database,
    Statement,
    StorageBroken,
    delete_by_key,
    select_by_key,
    update_by_key,
    upsert,
)
from borsa.services.wallets import tables
from borsa.services.wallets.model import Balance

MOST = 2**63 - 1
BALANCES = tables.BALANCES
ALL = Statement(sa.select(BALANCES).order_by(BALANCES.c.wallet_id, BALANCES.c.asset))
INSERT = Statement(sa.insert(BALANCES))
LOG = Statement(sa.insert(tables.METADATA.tables["log"]))
# whatever may be in a text but NUL, which is refused at the door
TEXTS = st.text(st.characters(codec="utf-8", exclude_characters="\0")) | st.sampled_from(
    ['"', "\\", "{,}", "NULL", "\\x"]
)
EVENTS = st.tuples(
    st.integers(-(2**63), MOST), TEXTS, TEXTS, TEXTS, st.none() | TEXTS, st.binary() | st.just(b'\\x"{}')
)
# each example takes back what it wrote, and a suite is meant to be run by several classes
_OF_A_SUITE = (HealthCheck.function_scoped_fixture, HealthCheck.differing_executors)
SET_VERSION = Statement(sa.text("UPDATE alembic_version SET version_num = '9999'"))


class StoreSuite:
    """What a database has to do. A subclass brings `database`, that of wallets, before its schema is made, and
    `broken`, the errors of a statement that can't be; `driver` is what its driver raises."""

    broken: tuple[type[BaseException], ...]
    driver: type[Exception]

    def check_refused(self, connection: Connection, *rows: Any) -> None:
        """The rows are, at once or at the commit; and after it the connection goes on."""
        with pytest.raises((*self.broken, OverflowError)):  # noqa: PT012 - which of them raises is the driver's
            connection.write(INSERT, rows)
            connection.commit()
        connection.rollback()

    @pytest.fixture
    def connection(self, database: Database) -> Iterator[Connection]:
        database.migrate()
        with closing(database.connect()) as connection:
            yield connection

    def test_a_schema_is_made_once(self, database: Database) -> None:
        database.migrate()
        with closing(database.connect()) as connection:
            connection.write(INSERT, [("w", "USD", 1, 2, 3)])
            connection.commit()
        database.migrate()
        with closing(database.reader()) as reader:
            assert reader.read(ALL) == [("w", "USD", 1, 2, 3)]
            assert reader.read(Statement(sa.text("SELECT version_num FROM alembic_version"))) == [(head("wallets"),)]

    def test_a_newer_schema_is_refused(self, database: Database) -> None:
        database.migrate()
        with closing(database.connect()) as connection:
            connection.write(SET_VERSION, [()])
            connection.commit()
        with pytest.raises(NewerSchema, match="9999"):
            database.migrate()

    def test_nothing_is_seen_before_its_commit(self, database: Database, connection: Connection) -> None:
        with closing(database.reader()) as reader:
            connection.write(INSERT, [("w", "USD", 1, 0, 0)])
            assert connection.read(ALL) == [("w", "USD", 1, 0, 0)]
            assert reader.read(ALL) == []
            connection.commit()
            assert reader.read(ALL) == [("w", "USD", 1, 0, 0)]

    def test_what_is_rolled_back_never_was(self, database: Database, connection: Connection) -> None:
        connection.write(INSERT, [("w", "USD", 1, 0, 0)])
        connection.rollback()
        connection.rollback()
        connection.commit()
        assert connection.read(ALL) == []
        connection.write(INSERT, [("w", "EUR", 1, 0, 0)])
        connection.commit()
        assert connection.read(ALL) == [("w", "EUR", 1, 0, 0)]

    def test_what_was_not_committed_when_it_closed_never_was(self, database: Database) -> None:
        database.migrate()
        connection = database.connect()
        connection.write(INSERT, [("w", "USD", 1, 0, 0)])
        connection.close()
        with closing(database.reader()) as reader:
            assert reader.read(ALL) == []

    def test_a_reader_reads_on_while_the_writer_writes(self, database: Database, connection: Connection) -> None:
        with closing(database.reader()) as one, closing(database.reader()) as two:
            connection.write(INSERT, [("w", f"A{at}", at, 0, 0) for at in range(100)])
            assert one.read(ALL) == two.read(ALL) == []
            connection.commit()
            assert len(one.read(ALL)) == len(two.read(ALL)) == 100

    def test_a_reader_can_not_write(self, database: Database, connection: Connection) -> None:
        with closing(database.reader()) as reader, pytest.raises(self.broken):
            reader.read(Statement(sa.text("DELETE FROM balances")))

    @pytest.mark.parametrize("amount", [0, 1, 2**31, 2**53 + 1, MOST - 1, MOST])
    def test_an_integer_has_64_bits(self, connection: Connection, amount: int) -> None:
        connection.write(INSERT, [("w", "USD", amount, 0, 0), ("world", "USD", -amount, 0, 0)])
        connection.commit()
        assert [row[2] for row in connection.read(ALL)] == [amount, -amount]

    def test_more_than_64_bits_are_refused(self, connection: Connection) -> None:
        self.check_refused(connection, ("w", "USD", MOST + 1, 0, 0))
        self.check_refused(connection, ("w", "EUR", 1, 0, 0), ("w", "USD", MOST + 1, 0, 0))

    def test_a_text_is_no_integer(self, connection: Connection) -> None:
        self.check_refused(connection, ("w", "USD", "much", 0, 0))
        self.check_refused(connection, ("w", "EUR", 1, 0, 0), ("w", "USD", "much", 0, 0))

    @pytest.mark.parametrize("row", [("w", "USD", -1, 0, 0), ("w", "USD", 0, -1, 0)])
    def test_the_database_itself_refuses_a_balance_below_zero(self, connection: Connection, row: Any) -> None:
        self.check_refused(connection, row)
        self.check_refused(connection, ("w", "EUR", 1, 0, 0), row)
        assert connection.read(ALL) == []

    def test_a_row_that_is_refused_in_an_attempt_takes_nothing_else_with_it(self, connection: Connection) -> None:
        connection.write(INSERT, [("w", "EUR", 1, 0, 0)])
        for _ in range(2):
            with pytest.raises(self.driver), connection.attempt():  # noqa: PT012 - which of them raises is the driver's
                connection.write(INSERT, [("w", "BTC", 1, 0, 0), ("w", "USD", -1, 0, 0)])
                connection.read(ALL)
        with connection.attempt():
            connection.write(INSERT, [("w", "USD", 1, 0, 0)])
            assert len(connection.read(ALL)) == 2
        connection.commit()
        assert connection.read(ALL) == [("w", "EUR", 1, 0, 0), ("w", "USD", 1, 0, 0)]

    @pytest.mark.parametrize("order", [1, -1])
    def test_a_handler_whose_row_is_refused_takes_no_other_handler_with_it(
        self, order: int, connection: Connection
    ) -> None:
        session = Session(connection, 10)
        balances = session.records(BALANCES, Balance)
        balances.add(Balance("w", "EUR", 1, 0, 0))
        balances.add(Balance("w", "GBP", 1, 0, 0))
        session.commit()
        for asset in ("BTC", "USD", "ETH", "SOL")[::order]:
            mark = session.mark()
            balances.add(Balance("w", asset, 1, 0, 0))
            balances.delete(("w", "GBP"))
            if asset in ("USD", "ETH"):
                balances.put(Balance("w", "EUR", -1, 0, 0))
                with pytest.raises(self.driver):
                    session.read(ALL)
                session.back_to(mark)
        session.commit()
        left = [("w", asset, 1, 0, 0) for asset in ("BTC", "EUR", "SOL")]
        assert connection.read(ALL) == left
        assert [balances.get(("w", asset)) is not None for asset in ("BTC", "GBP", "USD")] == [True, False, False]

    def test_a_key_is_there_once(self, connection: Connection) -> None:
        connection.write(INSERT, [("w", "USD", 1, 0, 0)])
        connection.commit()
        self.check_refused(connection, ("w", "USD", 2, 0, 0))
        self.check_refused(connection, ("x", "USD", 2, 0, 0), ("x", "USD", 2, 0, 0))
        assert connection.read(ALL) == [("w", "USD", 1, 0, 0)]

    def test_an_upsert_inserts_or_replaces(self, connection: Connection) -> None:
        statement = upsert(BALANCES, connection.dialect)
        connection.write(statement, [("w", "EUR", 1, 0, 0), ("w", "USD", 1, 0, 0)])
        connection.write(statement, [("w", "USD", 5, 6, 7), ("x", "USD", 8, 0, 0)])
        connection.commit()
        assert connection.read(ALL) == [("w", "EUR", 1, 0, 0), ("w", "USD", 5, 6, 7), ("x", "USD", 8, 0, 0)]

    def test_an_upsert_of_a_key_alone_is_once(self, connection: Connection) -> None:
        statement = upsert(tables.ASSETS, connection.dialect)
        connection.write(statement, [("USD",), ("BTC",)])
        connection.write(statement, [("USD",)])
        connection.commit()
        assert sorted(connection.read(Statement(sa.select(tables.ASSETS)))) == [("BTC",), ("USD",)]

    def test_rows_are_found_and_removed_by_key(self, connection: Connection) -> None:
        connection.write(INSERT, [("w", "EUR", 1, 0, 0), ("w", "USD", 2, 0, 0)])
        assert connection.read(select_by_key(BALANCES), key_0="w", key_1="USD") == [("w", "USD", 2, 0, 0)]
        connection.write(delete_by_key(BALANCES), [("w", "USD"), ("w", "none")])
        connection.commit()
        assert connection.read(ALL) == [("w", "EUR", 1, 0, 0)]

    def test_rows_that_are_there_are_updated_by_key(self, connection: Connection) -> None:
        statement = update_by_key(BALANCES)
        assert statement is not None
        connection.write(INSERT, [("w", asset, 1, 2, 3) for asset in ("BTC", "EUR", "USD")])
        connection.write(statement, [(4, 5, 6, "w", "USD"), (7, 8, 9, "w", "BTC")])
        connection.write(statement, [(0, 0, 0, "w", "EUR")])
        connection.commit()
        assert connection.read(ALL) == [("w", "BTC", 7, 8, 9), ("w", "EUR", 0, 0, 0), ("w", "USD", 4, 5, 6)]

    def test_bytes_and_nothing_come_back_as_they_went(self, connection: Connection) -> None:
        event = b'{"userId":"u","userName":"\xc3\xa9"}'
        connection.write(
            LOG, [(1, 5, "UserUpdated", "u", "c", None, event), (2, 6, "UserUpdated", "u", "c", "x", event)]
        )
        connection.commit()
        found = read_after(connection, "wallets", 0, 10)
        assert [(each.sequence, each.causation, each.data) for each in found] == [(1, None, event), (2, "x", event)]
        assert newest(connection)[0] == 2
        assert [each.sequence for each in read_after(connection, "wallets", 1, 10)] == [2]
        assert [each.sequence for each in read_after(connection, "wallets", 0, 1)] == [1]

    @given(st.lists(EVENTS, min_size=1, max_size=5))
    @settings(max_examples=60, deadline=None, suppress_health_check=_OF_A_SUITE)
    def test_many_rows_come_back_as_they_went(self, connection: Connection, found: list[Any]) -> None:
        rows = [(at, *row) for at, row in enumerate(found, 1)]
        connection.write(LOG, rows)
        assert connection.read(READ_AFTER, after=0, limit=10) == rows
        connection.rollback()

    def test_texts_are_ordered_by_their_code_points(self, connection: Connection) -> None:
        texts = ["-", "0", "A", "Z", "_", "a", "z", "\xe9", "\u20ac", "\U0001f600"]
        connection.write(INSERT, [("w", text, 0, 0, 0) for text in reversed(texts)])
        assert [row[1] for row in connection.read(ALL)] == texts

    def test_a_closed_connection_leaves_the_next_one_to_write(self, database: Database) -> None:
        database.migrate()
        for asset in ("EUR", "USD"):
            with closing(database.connect()) as connection:
                connection.write(INSERT, [("w", asset, 1, 0, 0)])
                connection.commit()
        with closing(database.reader()) as reader:
            assert [row[1] for row in reader.read(ALL)] == ["EUR", "USD"]

    def test_there_is_room(self, connection: Connection) -> None:
        assert connection.has_room()
        assert connection.has_room()
        assert connection.read(ALL) == []

    def test_an_empty_log_ends_at_zero(self, connection: Connection) -> None:
        assert newest(connection)[0] == 0


class TestSqlite(StoreSuite):
    """One file."""

    broken = (apsw.Error,)
    driver = apsw.ConstraintError

    @pytest.fixture
    def database(self, tmp_path: Path) -> SqliteDatabase:
        return SqliteDatabase("wallets", tmp_path, tables.METADATA)

    @pytest.mark.parametrize(
        ("pragma", "value"), [("journal_mode", "wal"), ("synchronous", 2), ("foreign_keys", 1), ("mmap_size", 0)]
    )
    def test_a_commit_is_on_disk_when_it_returns(self, connection: Any, pragma: str, value: Any) -> None:
        read: Callable[[Statement], Any] = connection.read
        assert read(Statement(sa.text(f"PRAGMA {pragma}"))) in ([(value,)], [])


class TestPostgres(StoreSuite):
    """One schema."""

    broken = (psycopg.Error, StorageBroken)
    driver = psycopg.IntegrityError

    @pytest.fixture
    def database(self, postgres_url: str) -> PostgresDatabase:
        return PostgresDatabase("wallets", Server(postgres_url), tables.METADATA)
