"""The right to write a schema of PostgreSQL: a row that says who has it and until when, numbered by an epoch.

Whoever takes the lease raises the epoch (to no less than the seconds of the clock: one that was restored from a backup
is below every epoch that was heard of), and every commit asks in its own transaction whether the epoch is still its
own. So a writer that was paused or cut off can't commit, however late it goes on (a fencing token: Kleppmann, "How to
do distributed locking", 2016). Time is the server's alone: no clock of another machine counts.

A commit locks the row's key, and a renewal does not change it: neither ever waits for the other. Taking the lease
changes the key: it waits for commits in flight, and they are either before it, or fail.
"""

import os
import socket
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from typing import Any, LiteralString, NamedTuple

import psycopg
import sqlalchemy as sa
import structlog

from borsa.errors import CantStart

_log = structlog.get_logger("borsa")

LEASE_SECONDS = 3
"""How long a writer that is not heard of keeps the others out."""

RENEW_SECONDS = 0.75
"""How often it says that it is there."""

LOOK_SECONDS = 0.1
"""How often one that waits looks whether the lease is free."""

TAKE_SECONDS_MAX = 5
"""How long beyond that a connection waits for it, until it gives up."""

Connect = Callable[[], "psycopg.Connection[Any]"]


def lease_table(schema: str) -> sa.Table:
    """The lease of a schema: one row. `backend` and `backend_start` are the connection that has it."""
    return sa.Table(
        "lease",
        sa.MetaData(),
        sa.Column("epoch", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("id", sa.Integer, unique=True, nullable=False),
        sa.Column("holder", sa.Text, nullable=False),
        sa.Column("until", sa.DateTime(timezone=True), nullable=False),
        sa.Column("backend", sa.Integer, nullable=False),
        sa.Column("backend_start", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("id = 1", name="lease_once"),
        schema=schema,
    )


MAKE = """
    INSERT INTO lease (epoch, id, holder, until, backend, backend_start)
    VALUES (0, 1, 'nobody', '-infinity', 0, '-infinity') ON CONFLICT DO NOTHING
"""
"""The row, as nobody has it."""

FENCE = "SELECT 1 / count(*) FROM (SELECT FROM lease WHERE epoch = %s FOR KEY SHARE) AS mine"
"""Fails, with a division by zero, where the epoch is not the own one any more: as part of a transaction it makes sure
that its COMMIT, sent behind it without waiting, commits nothing."""

# the backend -1 is a connection that is still to come: an exchange starts, and its processes are about to connect.
# free when its time is over, when the connection that had it is gone (nobody can commit over that one any more), or
# when it is reserved for who asks
_LOOK = """
    SELECT epoch, holder, until <= clock_timestamp() OR CASE WHEN backend = -1 THEN holder = ANY (%s)
        ELSE NOT EXISTS (SELECT 1 FROM pg_stat_activity a WHERE a.pid = lease.backend
            AND coalesce(a.backend_start = lease.backend_start, true)) END AS free
    FROM lease
"""
# what it has not committed would keep locks, and others from writing the same rows
_END_FORMER = """
    SELECT pg_terminate_backend(a.pid, 5000) FROM lease JOIN pg_stat_activity a
    ON a.pid = lease.backend AND a.backend_start = lease.backend_start
    WHERE lease.epoch = %s AND lease.until <= clock_timestamp() AND a.pid != pg_backend_pid()
"""
_TAKE = """
    UPDATE lease SET epoch = greatest(epoch + 1, extract(epoch FROM clock_timestamp())::bigint), holder = %s,
        backend = pg_backend_pid(),
        backend_start = (SELECT a.backend_start FROM pg_stat_activity a WHERE a.pid = pg_backend_pid()),
        until = clock_timestamp() + make_interval(secs => %s)
    WHERE epoch = %s RETURNING epoch
"""
_RESERVE = """
    UPDATE lease SET epoch = greatest(epoch + 1, extract(epoch FROM clock_timestamp())::bigint), holder = %s,
        backend = -1, backend_start = '-infinity',
        until = clock_timestamp() + make_interval(secs => %s)
    WHERE epoch = %s RETURNING epoch
"""
_RENEW = "UPDATE lease SET until = clock_timestamp() + make_interval(secs => %s) WHERE epoch = %s"
_GIVE_BACK = "UPDATE lease SET until = '-infinity' WHERE epoch = %s"
_ENTER = "SELECT set_config('search_path', %s, false)"


class Seen(NamedTuple):
    """A lease as it was when it was looked at."""

    epoch: int
    holder: str
    is_free: bool


def look(connection: "psycopg.Connection[Any]") -> Seen:
    """At the lease of this connection's schema."""
    host = socket.gethostname()
    # a process and the one that forked it start together
    names = [f"{host}/{process_id}" for process_id in (os.getpid(), os.getppid())]
    found = connection.execute(_LOOK, (names,)).fetchone()
    if found is None:
        raise CantStart("a schema has lost the row of its lease")
    return Seen(*found)


def own_name() -> str:
    """How this process signs a lease: machine and process id."""
    return f"{socket.gethostname()}/{os.getpid()}"


def reserve(connection: "psycopg.Connection[Any]", schemas: Iterable[str]) -> None:
    """Wait until nobody has a lease of these schemas, however long that is, and keep them all for the processes that
    this one starts, which have LEASE_SECONDS to take them. Two that wait can't each get some of them."""
    schemas = tuple(schemas)
    told = ""
    while taken_by := _reserve_all(connection, schemas):
        if taken_by != told:
            _log.warning("waiting", why=taken_by)
            told = taken_by
        time.sleep(LOOK_SECONDS)


def _reserve_all(connection: "psycopg.Connection[Any]", schemas: Sequence[str]) -> str:
    """Who is in the way; empty when nobody was."""
    with connection.transaction(force_rollback=False) as transaction:
        for schema in schemas:
            connection.execute(_ENTER, (schema,))
            seen = look(connection)
            if not seen.is_free or not _taken(connection, _RESERVE, seen.epoch):
                raise psycopg.Rollback(transaction)
        return ""
    return f"{schema} is written by {seen.holder}"


def _taken(connection: "psycopg.Connection[Any]", how: LiteralString, epoch: int) -> int:
    """The epoch that this one has now; 0 where another one was quicker."""
    connection.execute(_END_FORMER, (epoch,))
    found = connection.execute(how, (own_name(), LEASE_SECONDS, epoch)).fetchone()
    return found[0] if found else 0


class Lease:
    """That of one writer. `lost` says who took it, as soon as that is known."""

    def __init__(self, connection: "psycopg.Connection[Any]", schema: str) -> None:
        self._connection = connection
        self.schema = schema
        self.epoch = 0
        self.lost = ""

    def take(self) -> None:
        """Wait until it is free, and have it; CantStart when others are always quicker."""
        given_up_at = time.monotonic() + LEASE_SECONDS + TAKE_SECONDS_MAX
        while not self.epoch:
            seen = look(self._connection)
            if seen.is_free:
                self.epoch = _taken(self._connection, _TAKE, seen.epoch)
            elif time.monotonic() > given_up_at:
                raise CantStart(f"{self.schema} is written by {seen.holder}")
            else:
                time.sleep(LOOK_SECONDS)

    def lose(self) -> None:
        """It is somebody else's: find out whose, and say so from now on."""
        seen = look(self._connection)
        self.lost = f"{self.schema} is written by {seen.holder} in epoch {seen.epoch}; this process had {self.epoch}"

    def cut(self, why: str) -> None:
        """Nobody knows whose it is: say so from now on, also to who waits for the server."""
        self.lost = self.lost or why
        with suppress(OSError, psycopg.Error), socket.socket(fileno=os.dup(self._connection.fileno())) as wire:
            wire.shutdown(socket.SHUT_RDWR)

    def give_back(self) -> None:
        """Nothing more is written: the next one need not wait."""
        self._connection.execute(_GIVE_BACK, (self.epoch,))


class Keeper:
    """Renews the leases of a process, on a thread and a connection of its own: no commit waits for it, and it waits for
    none. It begins with the first lease, and ends with the last."""

    def __init__(self, connect: Connect) -> None:
        self._connect = connect
        self._leases: dict[str, Lease] = {}
        self._changing = threading.Lock()
        self._ended = threading.Event()

    def keep(self, lease: Lease) -> None:
        """Renew this one too."""
        with self._changing:
            if not self._leases:
                self._ended = threading.Event()
                threading.Thread(target=self._run, args=(self._ended,), name="borsa-leases", daemon=True).start()
            self._leases[lease.schema] = lease

    def drop(self, lease: Lease) -> None:
        """Renew this one no more."""
        with self._changing:
            self._leases.pop(lease.schema, None)
            if not self._leases:
                self._ended.set()

    def _run(self, ended: threading.Event) -> None:
        connection: psycopg.Connection[Any] | None = None
        failing_since: float | None = None
        while not ended.wait(RENEW_SECONDS):
            tried_at = time.monotonic()
            try:
                connection = connection or self._connect()
                self._renew(connection)
                failing_since = None
            except psycopg.Error as error:
                _log.warning("leases_not_renewed", error=str(error).strip())
                if connection is not None:
                    connection.close()
                connection = None
                failing_since = failing_since or tried_at
                if time.monotonic() - failing_since >= LEASE_SECONDS:
                    self._give_up()
        if connection is not None:
            connection.close()

    def _give_up(self) -> None:
        """Nothing was renewed for as long as a lease lasts. A server that is gone says so to the writers; one that
        stands still says nothing, and they would wait for it."""
        with self._changing:
            for lease in self._leases.values():
                lease.cut(f"the lease of {lease.schema} could not be renewed for {LEASE_SECONDS} s")

    def _renew(self, connection: "psycopg.Connection[Any]") -> None:
        with self._changing:
            leases = [lease for lease in self._leases.values() if not lease.lost]
        for lease in leases:
            connection.execute(_ENTER, (lease.schema,))
            if connection.execute(_RENEW, (LEASE_SECONDS, lease.epoch)).rowcount != 1:
                lease.lost = f"the lease of {lease.schema} was taken by another process"
