"""What a writer has in hand: tables as mappings, with staged writes that reach the database at the commit.

Handlers read and change records; nothing goes to the database one by one. At the commit each table is written with one
executemany. A handler is all or nothing: what it staged before it failed is taken back, and the rest of the batch
goes on. Reads that are not by primary key flush first, so that they see what was staged.
"""

from collections.abc import Callable, Collection, Iterable, Sequence
from itertools import islice
from operator import attrgetter, itemgetter
from typing import Any, Generic, NamedTuple, Protocol, TypeVar

import msgspec
import sqlalchemy as sa
from sqlalchemy.engine import Dialect

from borsa.runtime.records.journal import Journal
from borsa.runtime.store import (
    Connection,
    Row,
    Statement,
    delete_by_key,
    insert_row,
    select_by_key,
    update_by_key,
    upsert,
)

R = TypeVar("R", bound=msgspec.Struct)
K = TypeVar("K")
T = TypeVar("T")
V = TypeVar("V")


class Settled(Protocol):
    """A list whose new rows are brought to their places now and then."""

    def settle(self) -> None:
        """Do so."""


class Sealing(Protocol):
    """Tables whose new rows are sealed with each commit."""

    def seal(self) -> None:
        """Write them, and the seal."""


Mark = tuple[int, Sequence[int]]
"""How many changes were staged, and how many rows each journal had."""

_as_row = msgspec.structs.astuple


def _key_last(table: sa.Table) -> Callable[[Row], Row]:
    """Puts a row's columns into the order that an update takes them in."""
    of = {column.name: at for at, column in enumerate(table.c)}
    keys = [column.name for column in table.primary_key]
    return itemgetter(*(at for name, at in of.items() if name not in keys), *(of[name] for name in keys))


def as_it_is(row: Row) -> Row:
    """For a journal of what are rows already."""
    return row


def _check_columns(table: sa.Table, kind: type[msgspec.Struct]) -> None:
    columns = tuple(column.name for column in table.c)
    if columns != kind.__struct_fields__:
        raise TypeError(f"{kind.__name__} must have the columns of {table.name} in their order: {columns}")


class Session:
    """The writer's connection, with everything staged on it since the last commit."""

    def __init__(self, connection: Connection, cached_records_max: int) -> None:
        self._connection = connection
        self._cached_max = cached_records_max
        self._records: list[Records[Any]] = []
        self._journals: list[Journal[Any]] = []
        self._remembered: list[Remembered[Any, Any]] = []
        self.lists: list[Settled] = []
        self.chains: list[Sealing] = []
        self._undo: list[tuple[Callable[[Any, Any], None], Any, Any]] = []
        self._sent = False

    @property
    def dirty(self) -> bool:
        """Is anything staged, or sent to the database, since the last commit?"""
        return bool(self._undo) or self._sent or any(journal.rows for journal in self._journals)

    def records(self, table: sa.Table, kind: type[R]) -> "Records[R]":
        """A table as a mapping from its primary key to a struct with the same columns."""
        _check_columns(table, kind)
        made = Records(self, self._connection, table, kind, self._cached_max)
        self._records.append(made)
        return made

    def journal(self, table: sa.Table, kind: type[R]) -> Journal[R]:
        """A table that only grows."""
        _check_columns(table, kind)
        return self.journal_of(table, _as_row)

    def journal_of(self, table: sa.Table, row_of: Callable[[T], Row]) -> Journal[T]:
        """A table that only grows, of things that are no rows yet: `row_of` makes them so at the commit."""
        made = Journal(self._connection, table, row_of)
        self._journals.append(made)
        return made

    def remembered(self, known: dict[K, V], keys_max: int | None = None) -> "Remembered[K, V]":
        """A mapping in memory that follows from the tables; beyond `keys_max` a commit forgets the oldest keys."""
        made = Remembered(self, known, keys_max)
        self._remembered.append(made)
        return made

    def grouped(self, pairs: Iterable[tuple[K, V]]) -> "Grouped[K, V]":
        """Members by group in memory, that follow from the tables."""
        return Grouped(self, pairs)

    def read(self, statement: Statement, **given: Any) -> list[Row]:
        """The rows of a select, staged records included (but not what was appended to journals)."""
        if not self.dirty:
            return self._connection.read(statement, **given)
        # also when all of it was taken back: the open transaction may hold what a failed handler had sent
        self._sent = True
        staged = [(table, table.staged) for table in self._records if table.staged.changed]
        if not staged:
            return self._connection.read(statement, **given)
        try:
            with self._connection.attempt():
                for table, _ in staged:
                    table.flush()
                return self._connection.read(statement, **given)
        except Exception:
            # one handler's row can't be written; those of the others are staged as they were
            for table, before in staged:
                table.stage_again(before)
            raise

    def peek(self, statement: Statement, **given: Any) -> list[Row]:
        """The rows of a select without what is staged: for those who know what they have staged themselves."""
        return self._connection.read(statement, **given)

    def run(self, statement: Statement, **given: Any) -> None:
        """Run a statement that changes rows at once, in the open transaction. It can't be taken back by `back_to`."""
        self._sent = True
        _, row = statement.bind(self.dialect, given)
        self._connection.write(statement, [row])

    @property
    def dialect(self) -> Dialect:
        """Which SQL the database speaks."""
        return self._connection.dialect

    def staged(self, undo: Callable[[Any, Any], None], key: Any, before: Any) -> None:
        """Remember how to take back the change that was just staged."""
        self._undo.append((undo, key, before))

    def mark(self) -> Mark:
        """A point to which `back_to` can return, within this transaction."""
        return len(self._undo), [len(journal.rows) for journal in self._journals]

    def back_to(self, mark: Mark) -> None:
        """Take back everything that was staged since a mark."""
        changes, lengths = mark
        while len(self._undo) > changes:
            undo, key, before = self._undo.pop()
            undo(key, before)
        for journal, length in zip(self._journals, lengths, strict=True):
            del journal.rows[length:]

    def commit(self) -> None:
        """Write what is staged and make it durable."""
        for table in self._records:
            table.flush()
        for chain in self.chains:
            chain.seal()
        for journal in self._journals:
            journal.flush()
        self._connection.commit()
        self._undo.clear()
        self._sent = False
        for table in self._records:
            table.trim()
        for remembered in self._remembered:
            remembered.trim()

    def close(self) -> None:
        """Forget what is not committed, and end the connection."""
        self._connection.close()


class Staged(NamedTuple):
    """The keys of what changed in a table, and of those, which are in the database for sure not, and which may be."""

    changed: set[Any]
    new: set[Any]
    unsure: set[Any]


class Records(Generic[R]):
    """A table as a mapping: the newest records are kept in memory, changes are staged."""

    def __init__(
        self, session: Session, connection: Connection, table: sa.Table, kind: type[R], cached_max: int
    ) -> None:
        self._session = session
        self._connection = connection
        self._kind = kind
        self._cached_max = cached_max
        self._names = [f"key_{at}" for at in range(len(table.primary_key))]
        self._key_of = attrgetter(*(column.name for column in table.primary_key))
        self._cache: dict[Any, R | None] = {}
        self.staged = Staged(set(), set(), set())
        self._select = select_by_key(table)
        self._delete = delete_by_key(table)
        self._insert = insert_row(table)
        self._upsert = upsert(table, connection.dialect)
        self._update = update_by_key(table) or self._upsert
        self._for_update = _key_last(table) if update_by_key(table) else as_it_is

    def get(self, key: Any) -> R | None:
        """The record with a primary key (a tuple, where it has several columns)."""
        if key in self._cache:
            return self._cache[key]
        values = key if len(self._names) > 1 else (key,)
        rows = self._connection.read(self._select, **dict(zip(self._names, values, strict=True)))
        record = self._kind(*rows[0]) if rows else None
        if record is not None:
            self._cache[key] = record
        return record

    def load(self, row: Row) -> R:
        """The record of a row that a select of all columns gave; what is in memory wins."""
        record = self._kind(*row)
        found = self._cache.setdefault(self._key_of(record), record)
        return record if found is None else found

    def add(self, record: R) -> None:
        """Insert a record whose key is known to be new."""
        self._add(self._key_of(record), record)

    def put(self, record: R) -> None:
        """Insert the record, or replace the one with its key."""
        key = self._key_of(record)
        before = self.get(key)
        if before is None:
            self._add(key, record)
        else:
            self._stage(key, record, before)

    def _add(self, key: Any, record: R) -> None:
        # when it was changed before, a handler that failed may have had it sent to the database, or it was removed
        (self.staged.unsure if key in self.staged.changed else self.staged.new).add(key)
        self._stage(key, record, None)

    def delete(self, key: Any) -> None:
        """Remove the record with a key."""
        self._stage(key, None, self.get(key))

    def _stage(self, key: Any, record: R | None, before: R | None) -> None:
        self._set(key, record)
        self._session.staged(self._take_back, key, before)

    def _set(self, key: Any, record: R | None) -> None:
        self._cache[key] = record
        self.staged.changed.add(key)

    def _take_back(self, key: Any, before: R | None) -> None:
        # what is taken back may have been sent to the database already: then the row is there, or is not
        self.staged.unsure.add(key)
        self._set(key, before)

    def flush(self) -> None:
        """Write what changed, in the open transaction."""
        cache, (changed, new, unsure) = self._cache, self.staged
        if not changed:
            return
        self.staged = Staged(set(), set(), set())
        inserted: list[Row] = []
        updated: list[Row] = []
        written: list[Row] = []
        removed: list[Any] = []
        for key in changed:
            record = cache[key]
            if record is None:
                removed.append(key)
            elif key in new:
                inserted.append(_as_row(record))
            else:
                (written if key in unsure else updated).append(_as_row(record))
        if inserted:
            self._connection.write(self._insert, inserted)
        if updated:
            self._connection.write(self._update, list(map(self._for_update, updated)))
        if written:
            self._connection.write(self._upsert, written)
        if removed:
            self._remove(removed)

    def stage_again(self, before: "Staged") -> None:
        """What was staged, when none of it could be written."""
        self.staged = before
        for key in before.changed:
            # what was to be removed was forgotten with that
            self._cache.setdefault(key, None)

    def _remove(self, keys: list[Any]) -> None:
        self._connection.write(self._delete, keys if len(self._names) > 1 else [(key,) for key in keys])
        for key in keys:
            del self._cache[key]

    def trim(self) -> None:
        """Forget the records that were longest in memory, when there are too many."""
        excess = len(self._cache) - self._cached_max
        if excess > 0:
            for key in list(self._cache)[: excess + self._cached_max // 4]:
                del self._cache[key]


class Remembered(Generic[K, V]):
    """A mapping in memory only, such as a count: its changes are taken back with the handler that made them."""

    def __init__(self, session: Session, known: dict[K, V], keys_max: int | None) -> None:
        self._session = session
        self._known = known
        self._keys_max = keys_max

    def get(self, key: K) -> V | None:
        """What is known of a key."""
        return self._known.get(key)

    def set(self, key: K, value: V | None) -> None:
        """Know this of a key from now on; None is to know nothing."""
        self._session.staged(self._set, key, self._known.get(key))
        self._set(key, value)

    def _set(self, key: K, value: V | None) -> None:
        if value is None:
            self._known.pop(key, None)
        else:
            self._known[key] = value

    def trim(self) -> None:
        """Forget the oldest keys, when there are too many: after a commit, for before it nothing else knows them."""
        if self._keys_max is not None:
            for key in list(islice(self._known, max(0, len(self._known) - self._keys_max))):
                del self._known[key]

    def items(self) -> Iterable[tuple[K, V]]:
        """Everything that is known, the oldest first."""
        return self._known.items()


class Grouped(Generic[K, V]):
    """Members by group, in memory only, such as the open orders of a user. Changes are taken back with the handler."""

    def __init__(self, session: Session, pairs: Iterable[tuple[K, V]]) -> None:
        self._session = session
        self._groups: dict[K, set[V]] = {}
        for key, member in pairs:
            self._add(key, member)

    def of(self, key: K) -> Collection[V]:
        """The members of a group."""
        return self._groups.get(key, ())

    def add(self, key: K, member: V) -> None:
        """A new member."""
        self._add(key, member)
        self._session.staged(self._discard, key, member)

    def discard(self, key: K, member: V) -> None:
        """A member leaves; nothing happens when it was none."""
        if member in self.of(key):
            self._discard(key, member)
            self._session.staged(self._add, key, member)

    def _add(self, key: K, member: V) -> None:
        self._groups.setdefault(key, set()).add(member)

    def _discard(self, key: K, member: V) -> None:
        members = self._groups[key]
        members.discard(member)
        if not members:
            del self._groups[key]
