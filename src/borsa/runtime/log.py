"""The tables that every service has beside its own: the event log, the cursors, what admins did, what was answered.

The log is outbox, audit trail and replay source in one: a handler's events are appended in the transaction that makes
them true, with sequences 1, 2, 3 and no gaps. A cursor is the last sequence that a consumer applied from a producer; it
moves in the transaction of the effects, so each effect happens once however often an event is delivered.
"""

import hashlib
from collections.abc import Callable, Mapping, Sequence

import msgspec
import sqlalchemy as sa

from borsa.events import PUBLISHED, Event
from borsa.runtime.clock import time_text
from borsa.runtime.codec import encode
from borsa.runtime.store import Reader, Row, Statement

INTEGER = sa.BigInteger().with_variant(sa.Integer, "sqlite")
"""A signed 64-bit integer in both databases (SQLite's STRICT tables know no other name for it)."""


def strict_table(name: str, metadata: sa.MetaData, *columns: sa.schema.SchemaItem, by_key: bool = False) -> sa.Table:
    """A table whose types SQLite checks (it does so only where it is told to).

    `by_key`: rows are kept in the order of the primary key, without a number of their own. For a key that is not one
    integer this is one tree to write instead of two.
    """
    return sa.Table(name, metadata, *columns, sqlite_strict=True, sqlite_with_rowid=not by_key)


def runtime_tables(metadata: sa.MetaData) -> None:
    """Add the tables that the runtime needs to a service's schema."""
    _log_table(metadata)
    _cursors_table(metadata)
    actions_table(metadata)
    strict_table(
        "answers",
        metadata,
        sa.Column("owner", sa.Text, primary_key=True),
        sa.Column("key", sa.Text, primary_key=True),
        sa.Column("fingerprint", sa.LargeBinary, nullable=False),
        sa.Column("code", sa.Text),
        sa.Column("reply", sa.LargeBinary, nullable=False),
        sa.Column("time", INTEGER, nullable=False),
    )
    strict_table(
        "dead_letters",
        metadata,
        sa.Column("source", sa.Text, primary_key=True),
        sa.Column("sequence", INTEGER, primary_key=True),
        sa.Column("error", sa.Text, nullable=False),
        sa.Column("time", INTEGER, nullable=False),
    )


def _cursors_table(metadata: sa.MetaData) -> sa.Table:
    return strict_table(
        "cursors",
        metadata,
        sa.Column("source", sa.Text, primary_key=True),
        sa.Column("sequence", INTEGER, nullable=False),
        sa.Column("digest", sa.LargeBinary),
    )


def _log_table(metadata: sa.MetaData) -> sa.Table:
    return strict_table(
        "log",
        metadata,
        sa.Column("sequence", INTEGER, primary_key=True, autoincrement=False),
        sa.Column("time", INTEGER, nullable=False),
        sa.Column("type", sa.Text, nullable=False),
        sa.Column("subject", sa.Text, nullable=False),
        sa.Column("correlation", sa.Text, nullable=False),
        sa.Column("causation", sa.Text),
        sa.Column("data", sa.LargeBinary, nullable=False),
    )


def actions_table(metadata: sa.MetaData) -> sa.Table:
    """What admins did (`actions.py`)."""
    return strict_table(
        "actions",
        metadata,
        sa.Column("sequence", INTEGER, primary_key=True, autoincrement=False),
        sa.Column("time", INTEGER, nullable=False),
        sa.Column("author", sa.Text, nullable=False),
        sa.Column("action", sa.Text, nullable=False),
        sa.Column("target", sa.Text, nullable=False),
        sa.Column("correlation", sa.Text, nullable=False),
        sa.Column("details", sa.LargeBinary, nullable=False),
        sa.Column("digest", sa.LargeBinary, nullable=False),
        sa.Index("actions_by_time", "time", "sequence"),
        sa.Index("actions_of_author", "author", "time", "sequence"),
    )


class Recorded(msgspec.Struct, gc=False):
    """An event with its place in the log of its source. `data` is the event as JSON, encoded once.

    An event that came from a log is decoded when somebody first looks at it: most consumers pass over most events.
    """

    source: str
    sequence: int
    time: int
    type: str
    subject: str
    correlation: str
    causation: str | None
    data: bytes
    decoded: Event | None = None

    @property
    def event(self) -> Event:
        """The event itself."""
        if self.decoded is None:
            self.decoded = _DECODERS[self.type](self.data)
        return self.decoded

    @property
    def id(self) -> str:
        """The id that causes are named by: "orders/1042"."""
        return f"{self.source}/{self.sequence}"


def recorded(source: str, sequence: int, time: int, correlation: str, causation: str | None, event: Event) -> Recorded:
    """An event that takes its place in a log."""
    name, subject = type(event).__name__, event.subject
    return Recorded(source, sequence, time, name, subject, correlation, causation, encode(event), event)


class Answer(msgspec.Struct, frozen=True):
    """What was answered to a request with an Idempotency-Key; `code` is the error's, where it was refused."""

    owner: str
    key: str
    fingerprint: bytes
    code: str | None
    reply: bytes
    time: int


class DeadLetter(msgspec.Struct, frozen=True):
    """An event that a follower gave up on."""

    source: str
    sequence: int
    error: str
    time: int


class Cursor(msgspec.Struct, frozen=True):
    """The last event of a source that was applied. `digest` is that of its row, by which the log of another history is
    known; None where nothing was applied, or only by an earlier version."""

    source: str
    sequence: int
    digest: bytes | None = None

    def fits(self, found: Recorded | None) -> bool:
        """Is that the event which was applied, as far as it is known?"""
        return self.digest is None or (found is not None and digest_of(found) == self.digest)


_log = _log_table(sa.MetaData())
READ_AFTER = Statement(
    sa.select(_log)
    .where(_log.c.sequence > sa.bindparam("after"))
    .order_by(_log.c.sequence)
    .limit(sa.bindparam("limit"))
)
_FROM = Statement(
    sa.select(_log.c.sequence, _log.c.time)
    .where(_log.c.sequence >= sa.bindparam("sequence"))
    .order_by(_log.c.sequence)
    .limit(1)
)
LAST = Statement(sa.select(_log.c.sequence, _log.c.time).order_by(_log.c.sequence.desc()).limit(1))

_cursors = _cursors_table(sa.MetaData())
_CURSORS = Statement(sa.select(_cursors))

_DECODERS = {kind.__name__: msgspec.json.Decoder(kind).decode for kind in PUBLISHED}


def row_of(recorded: Recorded) -> Row:
    """An event as a row of the log."""
    return (
        recorded.sequence,
        recorded.time,
        recorded.type,
        recorded.subject,
        recorded.correlation,
        recorded.causation,
        recorded.data,
    )


_encode = msgspec.msgpack.Encoder().encode


def digest_of(recorded: Recorded) -> bytes:
    """SHA-256 over an event's row of the log."""
    return hashlib.sha256(_encode(row_of(recorded))).digest()


def read_after(reader: Reader, source: str, after: int, limit: int) -> list[Recorded]:
    """The events of a log that follow the sequence `after`, at most `limit` of them."""
    return [Recorded(source, *row) for row in reader.read(READ_AFTER, after=after, limit=limit)]


def last_before(reader: Reader, time: int) -> int:
    """The sequence of the last event before a time (microseconds); 0 when there is none.

    Times never go backwards in a log, so it is looked for by halves.
    """
    low, high = 1, newest(reader)[0] + 1
    while low < high:
        middle = (low + high) // 2
        rows = reader.read(_FROM, sequence=middle)
        if rows and rows[0][1] < time:
            low = middle + 1
        else:
            high = middle
    return low - 1


Fetch = Callable[[str, int], Sequence[Recorded]]
"""Reads what follows a sequence in the log of a source."""


class Tail:
    """Reads a log, and keeps the end of what was read: consumers that follow one log mostly read the same events."""

    KEPT_MAX = 10_000

    def __init__(self, source: str, reader: Reader, limit: int) -> None:
        self._source = source
        self._reader = reader
        self._limit = limit
        self._kept: list[Recorded] = []

    def after(self, sequence: int) -> list[Recorded]:
        """The events that follow a sequence; empty when there are none yet."""
        kept = self._kept
        if kept and kept[0].sequence <= sequence + 1 <= kept[-1].sequence:
            at = sequence + 1 - kept[0].sequence
            return kept[at : at + self._limit]
        found = read_after(self._reader, self._source, sequence, self._limit)
        if found and kept and kept[-1].sequence == sequence:
            del kept[: max(0, len(kept) + len(found) - self.KEPT_MAX)]
            kept += found
        elif found:
            self._kept = list(found)
        return found


def newest(reader: Reader) -> tuple[int, int]:
    """Sequence and time of the newest event of a log; zeros when it is empty."""
    rows = reader.read(LAST)
    return (rows[0][0], rows[0][1]) if rows else (0, 0)


def cursors(reader: Reader) -> Mapping[str, Cursor]:
    """The last event that a consumer applied, of each source."""
    return {row[0]: Cursor(*row) for row in reader.read(_CURSORS)}


def event_at(fetch: Fetch, source: str, sequence: int) -> Recorded | None:
    """The event with a sequence; None where the log ends before it."""
    found = fetch(source, sequence - 1)
    return found[0] if found else None


class CloudEvent(msgspec.Struct, frozen=True):
    """The envelope of an event on the wire: CloudEvents 1.0, with its extensions for sequence and causes."""

    specversion: str
    id: str
    source: str
    type: str
    time: str
    subject: str
    sequence: int
    correlationid: str
    causationid: str | None
    data: msgspec.Raw


def cloud_event(recorded: Recorded) -> CloudEvent:
    """An event in its envelope."""
    return CloudEvent(
        specversion="1.0",
        id=recorded.id,
        source=f"borsa/{recorded.source}",
        type=recorded.type,
        time=time_text(recorded.time),
        subject=recorded.subject,
        sequence=recorded.sequence,
        correlationid=recorded.correlation,
        causationid=recorded.causation,
        data=msgspec.Raw(recorded.data),
    )
