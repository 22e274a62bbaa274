"""The PostgreSQL driver: one schema for each service in one database, and one connection that writes, under a lease.

What a transaction writes is sent without waiting for each answer, its COMMIT too: one round trip.
"""

import threading
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from functools import partial
from typing import Any

import psycopg
import sqlalchemy as sa
import structlog
from sqlalchemy.engine import Dialect

from borsa.errors import CantStart
from borsa.runtime.databases.lease import FENCE, MAKE, Lease, lease_table, look, reserve
from borsa.runtime.databases.migrations import head, migrate
from borsa.runtime.databases.postgres_arrays import DIALECT, array, bulk
from borsa.runtime.databases.postgres_server import Server
from borsa.runtime.store import Row, Statement, StorageBroken, StorageFull, Unreadable

_log = structlog.get_logger("borsa")

READ_SECONDS_MAX = 20
"""How long the server works on one read of those who only read. They wait a second longer for what it says."""

COLLATIONS = ("C", "POSIX", "C.UTF-8", "C.utf8", "ucs_basic")
"""Those that order texts by their code points, as SQLite does and Borsa's pages and lists expect."""

DURABLE = {"synchronous_commit": ("on", "remote_write", "remote_apply"), "fsync": ("on",), "full_page_writes": ("on",)}
"""Settings of the server without which a commit that was answered could be lost, and the values that will do."""


REFUSED = (psycopg.IntegrityError, psycopg.DataError)
"""A row that a table does not take."""


class PostgresReader:
    """A connection that can only read, each time what was committed last. One that is lost is made anew."""

    def __init__(self, server: Server, schema: str) -> None:
        self._connect = partial(
            server.connect,
            schema,
            "reader",
            READ_SECONDS_MAX + 1,
            default_transaction_read_only="on",
            statement_timeout=READ_SECONDS_MAX * 1000,
        )
        self._connection = self._connect()
        # several threads may share it, and one of them replace it
        self._replacing = threading.Lock()

    def read(self, statement: Statement, **given: Any) -> list[Row]:
        text, row = statement.bind(DIALECT, given)
        connection = self._connection
        try:
            try:
                return _rows(connection, text, row)
            except psycopg.OperationalError:
                if not connection.closed:
                    raise
            return _rows(self._instead_of(connection), text, row)
        except psycopg.OperationalError as error:
            raise Unreadable(_said(error)) from error

    def _instead_of(self, lost: "psycopg.Connection[Any]") -> "psycopg.Connection[Any]":
        with self._replacing:
            if self._connection is lost:
                self._connection = self._connect()
            return self._connection

    def close(self) -> None:
        self._connection.close()


class PostgresConnection:
    """The connection of the single writer, which has the schema's lease."""

    def __init__(self, server: Server, schema: str) -> None:
        self._connection = server.reached(schema, "writer")
        try:
            self._check_durable()
            self._lease = Lease(self._connection, schema)
            self._lease.take()
        except BaseException:
            self._connection.close()
            raise
        self._keeper = server.keeper
        self._keeper.keep(self._lease)
        self._pipeline: AbstractContextManager[psycopg.Pipeline] | None = None
        self._attempting = False

    def _check_durable(self) -> None:
        for name, good in DURABLE.items():
            ((value,),) = _rows(self._connection, "SELECT current_setting(%s)", (name,))
            if value in good:
                continue
            _log.critical("database_not_durable", setting=name, value=value)
            if name == "synchronous_commit":
                self._connection.execute("SET synchronous_commit = on")

    @property
    def dialect(self) -> Dialect:
        return DIALECT

    @property
    def epoch(self) -> int:
        """The number of this writer among all that the schema had."""
        return self._lease.epoch

    def read(self, statement: Statement, **given: Any) -> list[Row]:
        text, row = statement.bind(DIALECT, given)
        self._check_lease()
        try:
            return _rows(self._connection, text, row)
        except psycopg.Error as error:
            if self._attempting and isinstance(error, REFUSED):
                raise
            if self._pipeline is None and not self._connection.closed:
                raise
            raise self._lost(error) from error

    def write(self, statement: Statement, rows: Sequence[Row]) -> None:
        self._check_lease()
        try:
            self._begin()
            text = bulk(statement) if len(rows) > 1 else None
            if text is not None:
                self._connection.execute(text, list(map(array, zip(*rows, strict=True))))
            elif len(rows) == 1:
                self._connection.execute(statement.compiled(DIALECT)[0], rows[0])
            else:
                with self._connection.cursor() as cursor:
                    cursor.executemany(statement.compiled(DIALECT)[0], rows)
        except psycopg.Error as error:
            if self._attempting and isinstance(error, REFUSED):
                raise
            raise self._lost(error) from error

    def _begin(self) -> None:
        if self._pipeline is None:
            self._enter()
            self._connection.execute("BEGIN")

    def _enter(self) -> None:
        pipeline = self._connection.pipeline()
        pipeline.__enter__()
        self._pipeline = pipeline

    @contextmanager
    def attempt(self) -> Iterator[None]:
        self._check_lease()
        try:
            self._begin()
            self._connection.execute("SAVEPOINT attempt")
            self._attempting = True
            yield
            self._connection.execute("RELEASE attempt")
        except REFUSED:
            self._take_back()
            raise
        except psycopg.Error as error:
            raise self._lost(error) from error
        finally:
            self._attempting = False

    def _take_back(self) -> None:
        """What the attempt wrote. After an error the server skips what was sent, until the pipeline ends."""
        pipeline, self._pipeline = self._pipeline, None
        try:
            if pipeline is not None:
                with suppress(psycopg.Error):
                    # it is told once more
                    pipeline.__exit__(None, None, None)
            self._connection.execute("ROLLBACK TO attempt")
            self._enter()
        except psycopg.Error as error:
            raise self._lost(error) from error

    def commit(self) -> None:
        if self._pipeline is None:
            return
        self._check_lease()
        try:
            self._connection.execute(FENCE, (self._lease.epoch,))
            ended = self._connection.execute("COMMIT")
            self._pipeline.__exit__(None, None, None)
        except psycopg.Error as error:
            raise self._lost(error) from error
        self._pipeline = None
        if ended.statusmessage != "COMMIT":
            raise StorageBroken(f"the transaction ended with {ended.statusmessage}")

    def _check_lease(self) -> None:
        if self._lease.lost:
            raise StorageBroken(self._lease.lost)

    def _lost(self, error: psycopg.Error) -> StorageFull | StorageBroken:
        """What to tell of an error that ended the open transaction. Outside of an attempt a constraint is no exception:
        the transaction can't go on after it, and everything before it is gone with it."""
        with suppress(psycopg.Error, StorageBroken):
            self.rollback()
            if isinstance(error, psycopg.errors.DiskFull):
                return StorageFull(_said(error))
            if isinstance(error, psycopg.errors.DivisionByZero):
                self._lease.lose()
        return StorageBroken(self._lease.lost or _said(error))

    def has_room(self) -> bool:
        try:
            self._begin()
            # a table takes a page of its own, and is never there for anybody else
            self._connection.execute("CREATE TABLE room (page text)")
            self._connection.execute("INSERT INTO room VALUES (repeat('-', 1000))")
            # waits for the answers
            _rows(self._connection, "SELECT 1", ())
        except psycopg.Error as error:
            lost = self._lost(error)
            if isinstance(lost, StorageBroken):
                raise lost from error
            return False
        self.rollback()
        return True

    def rollback(self) -> None:
        pipeline, self._pipeline = self._pipeline, None
        if pipeline is None:
            return
        try:
            with suppress(psycopg.Error):
                # what was wrong with it was told, or is of no interest
                pipeline.__exit__(None, None, None)
            self._connection.execute("ROLLBACK")
        except psycopg.Error as error:
            raise StorageBroken(_said(error)) from error

    def close(self) -> None:
        self._keeper.drop(self._lease)
        # a server that is gone has forgotten all that was not committed, and takes the lease back by itself
        with suppress(psycopg.Error, StorageBroken):
            self.rollback()
            if not self._lease.lost:
                self._lease.give_back()
        self._connection.close()


class PostgresDatabase:
    """One service's schema."""

    def __init__(self, name: str, server: Server, metadata: sa.MetaData) -> None:
        self.name = name
        self._server = server
        self._metadata = metadata

    def exists(self) -> bool:
        return self.revision() is not None

    def revision(self) -> str | None:
        """What the schema is at; None where there is none. CantStart when the server can't be reached."""
        with self._server.reached(self.name, "look") as connection:
            ((table,),) = _rows(connection, "SELECT to_regclass(%s)::text", (f"{self.name}.alembic_version",))
            rows = _rows(connection, "SELECT version_num FROM alembic_version", ()) if table else []
        connection.close()
        return str(rows[0][0]) if rows else None

    def migrate(self) -> None:
        _make_lease(self._server, self.name)
        with _opened(self._server, self.name) as engine:
            with engine.begin() as connection:
                self._check_free(connection)
            migrate(self.name, engine, self._metadata)

    def _check_free(self, connection: sa.Connection) -> None:
        """Nobody changes a schema under somebody who writes it."""
        revision = self.revision()
        if revision is None or revision >= head(self.name):
            return
        seen = look(connection.connection.dbapi_connection)  # type: ignore[arg-type]
        if not seen.is_free:
            raise CantStart(f"{self.name} is written by {seen.holder}; stop it, and start this version then")

    def connect(self) -> PostgresConnection:
        try:
            return PostgresConnection(self._server, self.name)
        except psycopg.Error as error:
            raise CantStart(f"{self.name} in {self._server.place} can't be written: {_said(error)}") from error

    def reader(self) -> PostgresReader:
        try:
            return PostgresReader(self._server, self.name)
        except psycopg.Error as error:
            raise CantStart(f"{self.name} in {self._server.place} can't be read: {_said(error)}") from error


def take_turn(server: Server, schemas: Sequence[str]) -> None:
    """Wait until nobody writes any of these, and keep them for the connections that this process, or one that it
    forks, is about to make."""
    for schema in schemas:
        _make_lease(server, schema)
    with server.reached("public", "turn") as connection:
        reserve(connection, schemas)


def _make_lease(server: Server, schema: str) -> None:
    """The schema and its lease, where they are not there yet."""
    with server.reached(schema, "look") as looking:
        _check_order_of_texts(looking, server.place)
    made = sa.schema.CreateSchema(schema, if_not_exists=True)
    with _opened(server, schema) as engine, engine.begin() as connection:
        connection.execute(made)
        lease_table(schema).create(connection, checkfirst=True)
        connection.exec_driver_sql(MAKE)


def _check_order_of_texts(connection: "psycopg.Connection[Any]", place: str) -> None:
    ((collation, encoding),) = _rows(
        connection,
        "SELECT datcollate, pg_encoding_to_char(encoding) FROM pg_database WHERE datname = current_database()",
        (),
    )
    if collation not in COLLATIONS or encoding != "UTF8":
        raise CantStart(
            f"{place} orders texts by {collation} in {encoding}; make the database with "
            "createdb --template=template0 --encoding=UTF8 --locale=C"
        )


@contextmanager
def _opened(server: Server, schema: str) -> Iterator[sa.Engine]:
    engine = engine_of(server, schema)
    try:
        yield engine
    except sa.exc.DBAPIError as error:
        raise CantStart(f"{schema} in {server.place} can't be used: {error.orig}") from error
    finally:
        engine.dispose()


def engine_of(server: Server, schema: str) -> sa.Engine:
    """A schema as SQLAlchemy sees it, for changes of it; one such transaction at a time."""

    def connect() -> "psycopg.Connection[Any]":
        connection = server.connect(schema, "schema", lock_timeout=60_000)
        connection.autocommit = False
        return connection

    engine = sa.create_engine("postgresql+psycopg://", creator=connect, poolclass=sa.NullPool)
    sa.event.listen(engine, "begin", _begin)
    return engine


def _begin(connection: sa.Connection) -> None:
    # whoever starts at the same time waits, and then finds everything made
    connection.exec_driver_sql("SELECT pg_advisory_xact_lock(7310)")


def _rows(connection: "psycopg.Connection[Any]", text: str, row: Row) -> list[Row]:
    return connection.execute(text, row, binary=True).fetchall()


def _said(error: psycopg.Error) -> str:
    # without DETAIL, which has values of rows
    return f"{type(error).__name__}: {error.diag.message_primary or str(error).strip()}"
