"""One moment of all databases: a read transaction on each, and how far each consumer had come in it."""

import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from string import Template
from typing import Any, Self
from urllib.parse import quote

import apsw

from borsa.runtime.databases.migrations import head
from borsa.runtime.shards import known_of

SERVICES = ("notifications", "portfolios", "trades", "orders", "wallets", "users")
"""In the order in which they are looked at: who asks before who is asked, so that an order implies its hold."""

Follows = Sequence[tuple[str, str]]
"""The pairs of consumer and source that there are."""

_IN_MEMORY = apsw.SQLITE_OPEN_READWRITE | apsw.SQLITE_OPEN_CREATE | apsw.SQLITE_OPEN_URI

BUSY_MS = 5000
"""How long a reader waits for another's lock."""

PAUSE_SECONDS = 0.01
QUIET_TRIES_MAX = 100
"""How often a moment is looked for in which every consumer has applied everything."""


def of(service: str, sql: str, **names: str) -> str:
    """A statement about one of the services: `$service` is the name of its database here, `names` are others."""
    return Template(sql).substitute(names, service=service)


def shards_in(follows: Follows) -> list[str]:
    """All services and their shards, in that order."""
    names = {*SERVICES, *(name for pair in follows for name in pair)}
    return [shard for service in SERVICES for shard in known_of(service, names)]


class NothingToAudit(RuntimeError):
    """The folder has no exchange that this version can read."""


class Moment:
    """All databases in one read-only connection, each under its service's name.

    `services` are those that there are, shards included; `where` says where the databases are. `temp.every_trade` and
    `temp.every_word` have the trades and the logs of all shards of trades.
    """

    def __init__(self, folder: Path, follows: Follows) -> None:
        self.services = shards_in(follows)
        self.shards = known_of("trades", self.services)
        self.folder = folder
        self.where = str(folder)
        self._follows = follows
        missing = [service for service in self.services if not (folder / f"{service}.db").is_file()]
        if len(missing) == len(self.services):
            raise NothingToAudit(f"{folder} has no databases")
        if missing:
            raise apsw.CantOpenError(f"{', '.join(missing)} has no database")
        self.last: dict[str, int] = {}
        self.cursors: dict[tuple[str, str], int] = {}
        # the driver of the exchange: SQLite's locks belong to the process, and two copies of it take each other's away
        self.connection = apsw.Connection(":memory:", flags=_IN_MEMORY)
        self.connection.set_busy_timeout(BUSY_MS)
        for service in self.services:
            path = quote(str(folder / f"{service}.db"))
            try:
                self.connection.execute(of(service, "ATTACH DATABASE ? AS $service"), (f"file:{path}?mode=ro",))
            except apsw.Error as error:
                raise apsw.CantOpenError(f"{service}.db: {error}") from error
        self._check_schemas()
        for view, each in _VIEWS.items():
            parts = " UNION ALL ".join(of(shard, each) for shard in self.shards)
            self.connection.execute(of(view, "CREATE TEMP VIEW $service AS $parts", parts=parts))

    def _check_schemas(self) -> None:
        """Refuse databases whose tables are not those that the checks read."""
        for service in self.services:
            (found,) = self.one(of(service, "SELECT version_num FROM $service.alembic_version"))
            known = head(service)
            if found < known:
                raise NothingToAudit(f"{service}.db has the schema {found}: `borsa migrate` brings it to {known}")
            if found > known:
                raise NothingToAudit(f"{service}.db has the schema {found}, and this version knows {known}")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.connection.close()

    def rows(self, sql: str, *given: Any) -> Iterator[tuple[Any, ...]]:
        """The rows of a select, one by one."""
        yield from self.connection.execute(sql, given)

    def one(self, sql: str, *given: Any) -> Any:
        """The first row of a select; None when there is none."""
        return self.connection.execute(sql, given).fetchone()

    def fix(self) -> None:
        """Begin to look: at a quiet moment if one comes, else at one where no consumer is ahead of its source."""
        for _ in range(QUIET_TRIES_MAX):
            self._begin()
            if self.is_quiet:
                return
            time.sleep(PAUSE_SECONDS)
        for _ in range(QUIET_TRIES_MAX):
            if not self.is_ahead:
                return
            self._begin()

    @property
    def is_quiet(self) -> bool:
        """Has every consumer applied exactly what there is?"""
        return not any(self._lags())

    @property
    def is_ahead(self) -> bool:
        """Has a consumer applied what its source does not have yet, at this moment?"""
        return any(lag < 0 for lag in self._lags())

    def lagging(self) -> list[str]:
        """Who has not applied everything, and how much is left."""
        return [
            f"{consumer} is {lag} events behind {source}"
            for (consumer, source), lag in zip(self.cursors, self._lags(), strict=True)
            if lag > 0
        ]

    def state(self) -> tuple[dict[str, int], dict[tuple[str, str], int]]:
        """What tells one moment from another."""
        return dict(self.last), dict(self.cursors)

    def cursor(self, consumer: str, source: str) -> int:
        """The last event of a source that a consumer had applied."""
        return self.cursors.get((consumer, source), 0)

    def newest_time(self) -> int:
        """When the newest event of all was logged: a stopped exchange has no later time than this."""
        return max(self.one(of(service, "SELECT max(time) FROM $service.log"))[0] or 0 for service in self.services)

    def _lags(self) -> list[int]:
        return [self.last[source] - cursor for (_, source), cursor in self.cursors.items()]

    def _begin(self) -> None:
        execute = self.connection.execute
        if self.connection.in_transaction:
            execute("ROLLBACK")
        execute("BEGIN")
        self.last = {
            service: self.one(of(service, "SELECT max(sequence) FROM $service.log"))[0] or 0
            for service in self.services
        }
        self._check_shards()
        self.cursors = dict.fromkeys(self._follows, 0)
        for consumer in self.services:
            for source, sequence in execute(of(consumer, "SELECT source, sequence FROM $service.cursors")):
                if source in self.services:
                    self.cursors[consumer, source] = sequence

    def _check_shards(self) -> None:
        """What a shard that nobody named has would be missed in silence."""
        for symbol, shard in self.rows("SELECT symbol, shard FROM orders.shard_of_markets"):
            if shard not in self.services:
                raise NothingToAudit(f"{shard} has {symbol}, and BORSA_TRADES_SHARDS names no {shard}")


_VIEWS = {
    "every_trade": "SELECT '$service' AS source, * FROM $service.trades",
    "every_word": "SELECT '$service' AS source, * FROM $service.log",
}
