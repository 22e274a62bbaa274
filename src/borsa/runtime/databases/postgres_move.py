"""PostgreSQL while a data folder is moved into it: it was empty, its leases are held, and nobody serves a half of it.

A schema of its own, `moving`, says how far it came: for each table the rows that are there, and their digest. A page
and its place are one transaction, so that whoever goes on after a kill does nothing twice. The schema is gone when all
is in place: until then whoever would serve is refused.
"""

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager

import sqlalchemy as sa

from borsa.errors import CantStart
from borsa.runtime.databases.migrations import head
from borsa.runtime.databases.moving import Page, Summary
from borsa.runtime.databases.postgres import PostgresConnection, PostgresDatabase, engine_of
from borsa.runtime.databases.postgres_server import Server
from borsa.runtime.databases.postgres_snapshot import examined
from borsa.runtime.log import newest
from borsa.runtime.store import Statement, insert_row, upsert

SCHEMA = "moving"

_METADATA = sa.MetaData(schema=SCHEMA)
_PROGRESS = sa.Table(
    "progress",
    _METADATA,
    sa.Column("service", sa.Text, primary_key=True),
    sa.Column("name", sa.Text, primary_key=True),
    sa.Column("row_count", sa.BigInteger, nullable=False),
    sa.Column("digest", sa.LargeBinary, nullable=False),
)
_SO_FAR = Statement(sa.select(_PROGRESS))


def check_whole(server: Server) -> None:
    """CantStart where a move into this database has not come to its end."""
    if _is_begun(server):
        raise CantStart(
            f"{server.place} has only a part of a data folder: `borsa migrate-data` did not come to its end; "
            "run it again"
        )


def _is_begun(server: Server) -> bool:
    with server.reached("public", "look") as connection:
        rows = connection.execute("SELECT to_regclass(%s) IS NOT NULL", (f"{SCHEMA}.progress",)).fetchall()
    return bool(rows[0][0])


class PostgresMove:
    """From `begin` to `finish`, or to the next `begin`."""

    def __init__(self, url: str, tables: Mapping[str, sa.MetaData]) -> None:
        self._url = url
        self._server = Server(url)
        self._tables = tables
        self._databases = {name: PostgresDatabase(name, self._server, each) for name, each in tables.items()}
        self._connections: dict[str, PostgresConnection] = {}

    @contextmanager
    def begin(self) -> Iterator[Mapping[tuple[str, str], Summary]]:
        """Hold the leases of all schemas, and give how far each table is: nothing, where it has just begun. CantStart
        where somebody writes, where there is other data, or where another version began."""
        for schema, holder in examined(self._url, list(self._databases)).writers.items():
            raise CantStart(f"{schema} in {self._server.place} is written by {holder}; stop it first")
        goes_on = _is_begun(self._server)
        if goes_on:
            self._check_version()
        else:
            self._check_unused()
            for database in self._databases.values():
                database.migrate()
        with ExitStack() as stack:
            for name, database in self._databases.items():
                self._connections[name] = stack.enter_context(closing(database.connect()))
            if not goes_on:
                self._check_empty()
                self._make()
            yield self._so_far()

    def _check_version(self) -> None:
        for name, database in self._databases.items():
            if database.revision() != head(name):
                raise CantStart(
                    f"the move into {self._server.place} was begun by another version ({name} is at "
                    f"{database.revision()}, this one has {head(name)}); make the database anew"
                )

    def _check_unused(self) -> None:
        """Of whatever version: an exchange that was ever served has an event."""
        for database in self._databases.values():
            if database.exists():
                with closing(database.reader()) as reader:
                    if newest(reader) != (0, 0):
                        raise self._used(f"{database.name}.log")

    def _check_empty(self) -> None:
        for name, metadata in self._tables.items():
            for table in metadata.tables.values():
                if self._connections[name].read(Statement(sa.select(sa.literal(1)).select_from(table).limit(1))):
                    raise self._used(f"{name}.{table.name}")

    def _used(self, table: str) -> CantStart:
        return CantStart(
            f"{self._server.place} has an exchange already ({table} has rows); "
            "a data folder is moved into an empty database"
        )

    def _make(self) -> None:
        made = sa.schema.CreateSchema(SCHEMA)
        engine = engine_of(self._server, SCHEMA)
        with engine.begin() as connection:
            connection.execute(made)
            _METADATA.create_all(connection)
        engine.dispose()

    def _so_far(self) -> Mapping[tuple[str, str], Summary]:
        connection = next(iter(self._connections.values()))
        return {(service, name): Summary(total, digest) for service, name, total, digest in connection.read(_SO_FAR)}

    def put(self, service: str, table: sa.Table, page: Page) -> None:
        """The next rows of a table, for good; StorageFull, StorageBroken."""
        connection = self._connections[service]
        connection.write(insert_row(table), page.rows)
        connection.write(upsert(_PROGRESS, connection.dialect), [(service, table.name, page.total, page.digest)])
        connection.commit()

    def finish(self) -> None:
        """All of it is there: from now on it may be served."""
        with self._server.reached("public", "move") as connection:
            connection.execute("DROP SCHEMA moving CASCADE")
