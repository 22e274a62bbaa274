"""The SQLite driver: one file for each service, WAL, synchronous=FULL, one connection that writes and checkpoints.

The driver is apsw: it binds a row in half the time of Python's own module, and brings the same new SQLite everywhere.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import apsw
import sqlalchemy as sa
from sqlalchemy.dialects.sqlite import dialect as sqlite_dialect
from sqlalchemy.engine import Dialect

from borsa.errors import CantStart
from borsa.runtime.databases import dbapi
from borsa.runtime.databases.migrations import migrate
from borsa.runtime.databases.wal import lost_commits
from borsa.runtime.store import Row, Statement, StorageBroken, StorageFull

DIALECT: Dialect = sqlite_dialect(paramstyle="qmark")

CACHE_KIB = 8 * 1024
"""Page cache of a connection."""

BUSY_MS = 5000
"""How long a connection waits for another's lock."""

CHECKPOINT_PAGES = 4_000
"""Pages in the write-ahead log after which the writer moves them into the file."""

LOST = (
    *(apsw.FullError, apsw.IOError, apsw.CorruptError, apsw.NotADBError, apsw.CantOpenError, apsw.ReadOnlyError),
    *(apsw.BusyError, apsw.LockedError, apsw.ProtocolError, apsw.NoMemError),
)
"""What is the fault of the disk or the machine, and not of a statement or its rows: the open transaction is over."""


class SqliteReader:
    """A connection that can only read; its snapshot is that of the last commit."""

    def __init__(self, path: Path) -> None:
        self._connection = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READONLY)
        self._connection.set_busy_timeout(BUSY_MS)
        # its files are opened by the first read: now, and not when clients may have taken every descriptor
        self._connection.execute("SELECT 1 FROM sqlite_schema LIMIT 1").fetchall()

    def read(self, statement: Statement, **given: Any) -> list[Row]:
        text, row = statement.bind(DIALECT, given)
        return self._connection.execute(text, row).fetchall()

    def frames(self) -> int:
        """How many frames of the write-ahead log there are to be read."""
        frames, _ = self._connection.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_NOOP)
        return max(0, frames)

    def close(self) -> None:
        self._connection.close()


class SqliteConnection:
    """The connection of the single writer. `durable`: a commit waits for the disk; else only checkpoints and the close
    do, so that what is lost with the machine is the end."""

    def __init__(self, path: Path, *, durable: bool = True) -> None:
        self._connection = apsw.Connection(str(path))
        self._connection.set_busy_timeout(BUSY_MS)
        self._open = False
        for pragma in (
            "journal_mode=WAL",
            "synchronous=FULL" if durable else "synchronous=NORMAL",
            "foreign_keys=ON",
            f"cache_size=-{CACHE_KIB}",
            f"wal_autocheckpoint={CHECKPOINT_PAGES}",
            "temp_store=MEMORY",
        ):
            self._connection.execute(f"PRAGMA {pragma}")

    @property
    def dialect(self) -> Dialect:
        return DIALECT

    def read(self, statement: Statement, **given: Any) -> list[Row]:
        text, row = statement.bind(DIALECT, given)
        try:
            return self._connection.execute(text, row).fetchall()
        except LOST as error:
            raise self._lost(error) from error

    def write(self, statement: Statement, rows: Sequence[Row]) -> None:
        try:
            self._begin()
            self._connection.executemany(statement.compiled(DIALECT)[0], rows)
        except LOST as error:
            raise self._lost(error) from error

    def _begin(self) -> None:
        if not self._open:
            self._do("BEGIN IMMEDIATE")
            self._open = True

    @contextmanager
    def attempt(self) -> Iterator[None]:
        self._begin()
        self._do("SAVEPOINT attempt")
        try:
            yield
        except Exception:
            self._do("ROLLBACK TO attempt")
            raise
        self._do("RELEASE attempt")

    def _do(self, text: str) -> None:
        try:
            self._connection.execute(text)
        except LOST as error:
            # whether it was done is not known
            raise self._lost(error) from error

    def commit(self) -> None:
        if self._open:
            self._do("COMMIT")
            self._open = False

    def _lost(self, error: apsw.Error) -> StorageFull | StorageBroken:
        """What to tell of an error that ended the open transaction."""
        if not isinstance(error, apsw.FullError):
            return StorageBroken(str(error))
        self.rollback()
        return StorageFull(str(error))

    def has_room(self) -> bool:
        try:
            self._begin()
            # a number that SQLite keeps for applications, and Borsa does not use: writing it takes a page
            self._connection.execute("PRAGMA user_version=0")
            self.commit()
        except StorageFull:
            return False
        except LOST as error:
            lost = self._lost(error)
            if isinstance(lost, StorageBroken):
                raise lost from error
            return False
        return True

    def rollback(self) -> None:
        if self._open:
            self._open = False
            # a full disk makes SQLite roll back by itself, and a second ROLLBACK would raise
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")

    def close(self) -> None:
        self.rollback()
        self._connection.close()


class SqliteDatabase:
    """One service's file."""

    def __init__(self, name: str, folder: Path, metadata: sa.MetaData, *, durable: bool = True) -> None:
        self.name = name
        self._durable = durable
        self.path = folder / f"{name}.db"
        self._metadata = metadata

    def exists(self) -> bool:
        return self.path.exists() and self.path.stat().st_size > 0

    def migrate(self) -> None:
        self._check_log()
        engine = engine_of(self.path)
        try:
            migrate(self.name, engine, self._metadata)
        except (sa.exc.DBAPIError, apsw.Error) as error:
            raise CantStart(
                f"{self.path} can't be used: {getattr(error, 'orig', error)}; borsa verify says more"
            ) from error
        finally:
            engine.dispose()

    def _check_log(self) -> None:
        """What follows a crash: is what SQLite will leave out of the write-ahead log only what the crash cut off?"""
        log = self.path.with_name(f"{self.path.name}-wal")
        if not log.exists() or not self.exists():
            return
        try:
            reader = SqliteReader(self.path)
        except apsw.Error as error:
            raise CantStart(f"{self.path} can't be used: {error}; borsa verify says more") from error
        lost = lost_commits(log, reader.frames())
        reader.close()
        if lost > 1:
            raise CantStart(f"{log} is damaged, and {lost} commits behind the damage are lost; restore a copy")

    def connect(self) -> SqliteConnection:
        return SqliteConnection(self.path, durable=self._durable)

    def reader(self) -> SqliteReader:
        return SqliteReader(self.path)


def engine_of(path: Path) -> sa.Engine:
    """A file as SQLAlchemy sees it, for changes of the schema."""
    engine = sa.create_engine(
        "sqlite://", module=dbapi, creator=lambda: dbapi.connect(str(path)), poolclass=sa.NullPool
    )
    sa.event.listen(engine, "begin", _begin)
    return engine


def _begin(connection: sa.Connection) -> None:
    connection.exec_driver_sql("BEGIN IMMEDIATE")
