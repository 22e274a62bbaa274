"""One moment of PostgreSQL, as auditors read it: copied into databases of their own, for the same checks.

The copy has no constraint and no unique index: whatever PostgreSQL gave away is in it, right or wrong.
"""

import tempfile
import time
from contextlib import closing
from pathlib import Path
from typing import Any

import apsw
import sqlalchemy as sa
from sqlalchemy.dialects.sqlite import dialect

from borsa import app
from borsa.commands.audit.moment import (
    PAUSE_SECONDS,
    QUIET_TRIES_MAX,
    Follows,
    Moment,
    NothingToAudit,
    shards_in,
)
from borsa.errors import CantStart
from borsa.runtime.shards import service_of
from borsa.settings import Settings

_TABLES = {service.name: service.tables.tables for service in app.SERVICES}


def moment_of(settings: Settings, follows: Follows) -> Moment:
    """The moments of the exchange that the settings name, wherever its data is."""
    if settings.database_url:
        return CopiedMoment(settings, follows)
    return Moment(settings.folder, follows)


class CopiedMoment(Moment):
    """All schemas at one moment: a copy is made of each."""

    def __init__(self, settings: Settings, follows: Follows) -> None:
        try:
            self._snapshot = app.snapshot(settings)
        except CantStart as error:
            raise NothingToAudit(str(error)) from error
        self._copies = tempfile.TemporaryDirectory(prefix="borsa-audit-")
        folder = Path(self._copies.name)
        try:
            made = [service for service in shards_in(follows) if self._snapshot.has(service)]
            if not made:
                raise NothingToAudit(f"{self._snapshot.place} has no exchange")
            for service in made:
                _make(folder / f"{service}.db", service, self._snapshot.revision(service))
            super().__init__(folder, follows)
        except BaseException:
            self._end()
            raise
        self.where = self._snapshot.place

    def __exit__(self, *given: object) -> None:
        super().__exit__(*given)
        self._end()

    def _end(self) -> None:
        self._snapshot.close()
        self._copies.cleanup()

    def fix(self) -> None:
        """Begin to look: at a quiet moment if one comes. No consumer is ahead of its source in any."""
        for _ in range(QUIET_TRIES_MAX):
            self._snapshot.begin()
            if self._comes_to_rest():
                break
            time.sleep(PAUSE_SECONDS)
        if self.connection.in_transaction:
            # with the tables that the last look made
            self.connection.execute("ROLLBACK")
        for service in self.services:
            self._copy(service)
        self._snapshot.end()
        self._begin()

    def _comes_to_rest(self) -> bool:
        standing = {service: self._snapshot.standing(service) for service in self.services}
        return all(standing[consumer][1].get(source, 0) == standing[source][0] for consumer, source in self._follows)

    def _copy(self, service: str) -> None:
        with closing(apsw.Connection(str(self.folder / f"{service}.db"))) as copy:
            copy.execute("PRAGMA synchronous = OFF")
            with copy:
                for table in _TABLES[service_of(service)].values():
                    emptied, filled = _sql(sa.delete(table)), _sql(sa.insert(table))
                    copy.execute(emptied)
                    for rows in self._snapshot.rows(service, table):
                        copy.executemany(filled, rows)


def _make(path: Path, service: str, revision: str) -> None:
    """The tables of a service, empty."""
    copy = sa.MetaData()
    for table in _TABLES[service_of(service)].values():
        _like(table, copy)
    made = [_sql(sa.schema.CreateTable(table)) for table in copy.sorted_tables]
    made += [_sql(sa.schema.CreateIndex(index)) for table in copy.sorted_tables for index in table.indexes]
    with closing(apsw.Connection(str(path))) as connection:
        for each in made:
            connection.execute(each)
        connection.execute("CREATE TABLE alembic_version (version_num TEXT)")
        connection.execute("INSERT INTO alembic_version VALUES (?)", (revision,))


def _like(table: sa.Table, metadata: sa.MetaData) -> None:
    """A table of the same columns and nothing that could refuse a row, found as quickly."""
    columns: list[sa.schema.SchemaItem] = [sa.Column(column.name, column.type) for column in table.columns]
    keys = [sa.Index(f"{table.name}_by_key", *(column.name for column in table.primary_key))]
    others = [sa.Index(str(index.name), *(column.name for column in index.columns)) for index in table.indexes]
    sa.Table(table.name, metadata, *columns, *keys, *others)


def _sql(core: Any) -> str:
    return str(core.compile(dialect=dialect(paramstyle="qmark")))
