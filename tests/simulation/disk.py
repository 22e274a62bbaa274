"""The simulated disk: the real SQLite driver and files, below which the world cuts power, refuses and fails.

A service ends at any call of a port by `Crashed`. What it had committed is in its files, what it had not is gone: its
connection is closed, and a new writer is made over the same files. A transaction is never torn here; that SQLite keeps
this promise on a disk that tears is the concern of test_power_cuts.py.
"""

from collections.abc import Sequence
from typing import Any

import apsw

from borsa.runtime.databases.sqlite import SqliteConnection
from borsa.runtime.store import Database, Row
from tests.simulation.coverage import Coverage
from tests.simulation.invariants import Watch


class Crashed(BaseException):
    """A service was cut off: whatever it would have done next, it did not do."""


class Disk:
    """What one service has below it. The world sets the faults, calls of ports set them off."""

    def __init__(self, name: str, watch: Watch, coverage: Coverage) -> None:
        self.name = name
        self.watch = watch
        self._coverage = coverage
        self.fuse = 0
        self.fuse_at = ""
        self.full = ""
        self.failing_read = 0
        self.failing_sync = ""

    def heal(self) -> None:
        """Nothing goes wrong here any more."""
        self.fuse = self.failing_read = 0
        self.full = self.failing_sync = ""

    def make_room(self) -> None:
        """It is not full any more."""
        self.full = ""

    def call(self, port: str) -> None:
        """A port is called: perhaps it is the last thing that the service does."""
        if self.fuse and port == self.fuse_at:
            self.fuse -= 1
            if not self.fuse:
                self._coverage.faults[f"crash at {port}"] += 1
                raise Crashed(port)

    def read(self) -> None:
        """Rows are read."""
        self.call("read")
        if self.failing_read:
            self.failing_read -= 1
            if not self.failing_read:
                self._coverage.faults["failing read"] += 1
                raise apsw.IOError("disk I/O error")

    def write(self, connection: apsw.Connection) -> None:
        """Rows are written: there may be no room for them."""
        self.call("write")
        if self.full in ("disk full", "disk full, rolled back by itself"):
            self._coverage.faults[self.full] += 1
            if "rolled back" in self.full:
                self.watch.forget()
                connection.execute("ROLLBACK")
            raise apsw.FullError("database or disk is full")

    def commit(self, connection: apsw.Connection) -> None:
        """A transaction becomes durable, or does not."""
        self.call("commit")
        if self.full == "disk full at the commit":
            self._coverage.faults[self.full] += 1
            raise apsw.FullError("database or disk is full")
        failing, self.failing_sync = self.failing_sync, ""
        if failing != "failing sync, nothing kept":
            connection.execute("COMMIT")
            self.watch.committed()
        if failing:
            self._coverage.faults[failing] += 1
            raise apsw.IOError("disk I/O error")
        self.call("committed")


class Below:
    """Stands where the driver has its `apsw.Connection`, and has the disk's say in each call."""

    def __init__(self, connection: apsw.Connection, disk: Disk) -> None:
        self._connection = connection
        self._disk = disk

    def execute(self, text: str, row: Sequence[Any] = ()) -> Any:
        if text == "COMMIT":
            return self._disk.commit(self._connection)
        if text == "BEGIN IMMEDIATE":
            self._disk.call("begin")
        elif text == "ROLLBACK":
            self._disk.watch.forget()
        elif text.startswith("PRAGMA user_version"):
            # how a writer finds out whether there is room
            self._disk.write(self._connection)
        else:
            self._disk.read()
        return self._connection.execute(text, row)

    def executemany(self, text: str, rows: Sequence[Row]) -> None:
        self._disk.write(self._connection)
        self._connection.executemany(text, rows)
        self._disk.watch.wrote(text, rows)
        if not self._connection.in_transaction:
            # outside a transaction each row is durable at once
            self._disk.watch.committed()

    @property
    def in_transaction(self) -> bool:
        return self._connection.in_transaction

    def close(self) -> None:
        self._connection.close()


def connect(database: Database, disk: Disk) -> SqliteConnection:
    """The driver's own connection, over the simulated disk. The files are in memory: syncing them would say nothing."""
    connection = database.connect()
    assert isinstance(connection, SqliteConnection)
    connection._connection.execute("PRAGMA synchronous=OFF")
    connection._connection = Below(connection._connection, disk)  # type: ignore[assignment]
    return connection
