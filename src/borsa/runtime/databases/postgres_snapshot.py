"""What those who only look see of PostgreSQL: all schemas at one moment, and the server itself."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from typing import Any

import msgspec
import psycopg
import sqlalchemy as sa

from borsa.errors import CantStart
from borsa.runtime.databases.lease import look
from borsa.runtime.databases.postgres import COLLATIONS, DURABLE
from borsa.runtime.databases.postgres_arrays import DIALECT
from borsa.runtime.databases.postgres_server import Server
from borsa.runtime.log import cursors, newest
from borsa.runtime.store import Row, Statement, StorageBroken

FETCH_ROWS = 5_000
"""Rows that are in memory at once while a table is read."""


class PostgresSnapshot:
    """One moment of all schemas, from `begin` to `end`; writers go on meanwhile. StorageBroken where the server does
    not give what it has, CantStart where there is none."""

    def __init__(self, url: str) -> None:
        server = Server(url)
        self.place = server.place
        self._connection = server.reached("public", "audit")
        self._connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
        self._connection.read_only = True

    def begin(self) -> None:
        """A new moment: now."""
        self.end()
        with _told():
            self._connection.autocommit = False
            # it is fixed by the first statement
            self._connection.execute("SELECT 1")

    def end(self) -> None:
        """Let go of the moment: the server need not keep what was deleted since."""
        with _told():
            self._connection.rollback()
            self._connection.autocommit = True

    def has(self, schema: str) -> bool:
        """Was it ever made?"""
        with _told():
            found = self._connection.execute("SELECT to_regclass(%s)", (f"{schema}.alembic_version",)).fetchone()
        return found is not None and found[0] is not None

    def revision(self, schema: str) -> str:
        """Which revision it is at."""
        ((revision,),) = self.within(schema).read(Statement(sa.text("SELECT version_num FROM alembic_version")))
        return str(revision)

    def standing(self, schema: str) -> tuple[int, Mapping[str, int]]:
        """The newest event of its log, and its cursors."""
        reader = self.within(schema)
        return newest(reader)[0], {source: cursor.sequence for source, cursor in cursors(reader).items()}

    def within(self, schema: str) -> "_Within":
        """A reader of one schema at this moment."""
        return _Within(self._connection, schema)

    def rows(self, schema: str, table: sa.Table) -> Iterator[Sequence[Row]]:
        """All rows of a table, by their key, some at a time."""
        text, given = Statement(sa.select(table).order_by(*table.primary_key)).bind(DIALECT, {})
        self.within(schema)
        with _told(), self._connection.cursor("audit", withhold=False) as cursor:
            cursor.execute(text, given, binary=True)
            while rows := cursor.fetchmany(FETCH_ROWS):
                yield rows

    def close(self) -> None:
        """End the connection."""
        self._connection.close()


class _Within:
    """The reader of a schema that `newest` and `cursors` expect."""

    def __init__(self, connection: "psycopg.Connection[Any]", schema: str) -> None:
        self._connection = connection
        with _told():
            connection.execute("SELECT set_config('search_path', %s, false)", (schema,))

    def read(self, statement: Statement, **given: Any) -> list[Row]:
        text, row = statement.bind(DIALECT, given)
        with _told():
            return self._connection.execute(text, row).fetchall()

    def close(self) -> None:
        """The connection is the snapshot's."""


@contextmanager
def _told() -> Iterator[None]:
    try:
        yield
    except psycopg.Error as error:
        raise StorageBroken(f"{type(error).__name__}: {error.diag.message_primary or str(error).strip()}") from error


class Examined(msgspec.Struct, frozen=True):
    """A server as it was found. `unsafe` are settings that may lose a commit, `revisions` what each schema is at (None
    where it is not made), `writers` who writes which, `lasts` how far each log goes."""

    version: str
    collation: str
    good_collation: bool
    unsafe: Mapping[str, str]
    connections_max: int
    connections: int
    revisions: Mapping[str, str | None]
    writers: Mapping[str, str]
    lasts: Mapping[str, int]


def examined(url: str, schemas: Sequence[str]) -> Examined:
    """Look at a server; CantStart where there is none."""
    snapshot = PostgresSnapshot(url)
    connection = snapshot._connection
    try:
        known = {name: _setting(connection, name) for name in (*DURABLE, "server_version", "max_connections")}
        ((collation, used),) = connection.execute(
            "SELECT datcollate, (SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend')"
            " FROM pg_database WHERE datname = current_database()"
        ).fetchall()
        made = {schema: snapshot.has(schema) for schema in schemas}
        return Examined(
            version=known["server_version"],
            collation=collation,
            good_collation=collation in COLLATIONS,
            unsafe={name: known[name] for name, good in DURABLE.items() if known[name] not in good},
            connections_max=int(known["max_connections"]),
            connections=used,
            revisions={schema: snapshot.revision(schema) if made[schema] else None for schema in schemas},
            lasts={schema: snapshot.standing(schema)[0] for schema in schemas if made[schema]},
            writers=dict(_writers(snapshot, [schema for schema in schemas if made[schema]])),
        )
    except (psycopg.Error, StorageBroken) as error:
        raise CantStart(f"{snapshot.place} can't be looked at: {error}") from error
    finally:
        snapshot.close()


def _setting(connection: "psycopg.Connection[Any]", name: str) -> str:
    ((value,),) = connection.execute("SELECT current_setting(%s)", (name,)).fetchall()
    return str(value)


def _writers(snapshot: PostgresSnapshot, schemas: Sequence[str]) -> Iterator[tuple[str, str]]:
    for schema in schemas:
        snapshot.within(schema)
        with suppress(CantStart):
            seen = look(snapshot._connection)
            if not seen.is_free:
                yield schema, seen.holder
