"""Snapshots of the books: taken in one go, written in pieces, and whole with their head.

A hundred thousand open orders are 17 MB. In one commit they would keep everybody's orders waiting, so each commit takes
a piece along, and the last piece brings the head. Pieces without a head count for nothing: a crash cut their snapshot
off. They are removed as those of the oldest snapshots are, some a second.
"""

import hashlib
from collections.abc import Iterator, Sequence

import msgspec
import sqlalchemy as sa

from borsa.runtime.records.session import Session
from borsa.runtime.store import Statement
from borsa.services.trades import tables
from borsa.services.trades.model import Piece, Snapshot
from borsa.settings import Settings

EVENTS_A_PIECE = 500
"""A commit of many events takes more pieces along: a snapshot is finished before the next one is due."""

PIECES_WRITTEN_A_SWEEP = 8

PIECES_FORGOTTEN_A_SWEEP = 32

_s, _p = tables.SNAPSHOTS, tables.SNAPSHOT_PIECES

_SNAPSHOTS = Statement(sa.select(_s).order_by(_s.c.sequence.desc()))
_PIECES = Statement(sa.select(_p).where(_p.c.sequence == sa.bindparam("of")).order_by(_p.c.number))
_kept = sa.select(_s.c.sequence).order_by(_s.c.sequence.desc()).limit(sa.bindparam("kept"))
_OLDEST = Statement(sa.select(_s.c.sequence).where(_s.c.sequence.not_in(_kept)))
_FORGET_OLDEST = Statement(sa.delete(_s).where(_s.c.sequence.not_in(_kept)))
_LOOSE = Statement(
    sa.select(_p.c.sequence, _p.c.number)
    .where(_p.c.sequence.not_in(sa.select(_s.c.sequence)), _p.c.sequence != sa.bindparam("but"))
    .order_by(_p.c.sequence, _p.c.number)
    .limit(PIECES_FORGOTTEN_A_SWEEP)
)
_FORGET_PIECE = Statement(sa.delete(_p).where(_p.c.sequence == sa.bindparam("of"), _p.c.number == sa.bindparam("at")))


class Unfinished(msgspec.Struct, frozen=True):
    """A snapshot on its way to the disk: the parts of the state, and how many pieces of them are written, with the
    digests of these one after the other."""

    sequence: int
    taken_at: int
    orders: int
    parts: Sequence[bytes | bytearray]
    written: int = 0
    digests: bytes = b""


class Snapshots:
    """The snapshots as the writer has them. What a handler wrote of one is taken back with that handler."""

    def __init__(self, session: Session, settings: Settings) -> None:
        self._session = session
        self._piece_bytes = settings.snapshot_piece_bytes
        self._heads = session.journal(_s, Snapshot)
        # rows of many megabytes together: written, and not kept in memory
        self._pieces = session.journal(_p, Piece)
        self._unfinished = session.remembered(dict[str, Unfinished]())
        self._taken = 0
        self._kept = settings.snapshots_kept

    @property
    def is_writing(self) -> bool:
        """Is one taken, and not yet written to its end?"""
        return self._unfinished.get("") is not None

    def take(self, sequence: int, now: int, orders: int, parts: Sequence[bytes | bytearray]) -> None:
        """Have this written from now on: the state after the event `sequence`. Not before the last one is written."""
        self._unfinished.set("", Unfinished(sequence, now, orders, parts))
        self._taken = sequence

    def write(self, pieces: int) -> None:
        """Stage so many pieces of the one that was taken; the last one with the head."""
        for _ in range(pieces):
            unfinished = self._unfinished.get("")
            if unfinished is None:
                return
            self._unfinished.set("", self._with_next_piece(unfinished))

    def _with_next_piece(self, unfinished: Unfinished) -> Unfinished | None:
        sequence, number = unfinished.sequence, unfinished.written
        end = (number + 1) * self._piece_bytes
        piece = _between(unfinished.parts, number * self._piece_bytes, end)
        digests = unfinished.digests + hashlib.sha256(piece).digest()
        self._pieces.append(Piece(sequence, number, piece))
        if end < sum(map(len, unfinished.parts)):
            return msgspec.structs.replace(unfinished, written=number + 1, digests=digests)
        taken_at, orders = unfinished.taken_at, unfinished.orders
        self._heads.append(Snapshot(sequence, taken_at, orders, digest_of(sequence, taken_at, orders, digests)))
        return None

    def forget(self) -> None:
        """Remove the oldest ones: at once from those that count, and then some of the pieces that nobody needs.

        What was taken last is left alone, as its head may not be in the database yet. An older one that a crash cut
        off has another sequence: the cursor, which is at or after it, is where the books go on."""
        if self._session.peek(_OLDEST, kept=self._kept):
            self._session.run(_FORGET_OLDEST, kept=self._kept)
        for sequence, number in self._session.peek(_LOOSE, but=self._taken):
            self._session.run(_FORGET_PIECE, of=sequence, at=number)

    def newest_first(self) -> Iterator[Snapshot]:
        """Those that are whole, or were once."""
        return (Snapshot(*row) for row in self._session.read(_SNAPSHOTS))

    def body_of(self, snapshot: Snapshot) -> bytes:
        """The state in a snapshot; ValueError when it is damaged."""
        pieces = [Piece(*row) for row in self._session.read(_PIECES, of=snapshot.sequence)]
        return joined(snapshot, pieces)


def _between(parts: Sequence[bytes | bytearray], start: int, end: int) -> bytes:
    """The bytes from `start` to before `end` of all parts together."""
    found = []
    for part in parts:
        found.append(part[max(0, start) : max(0, end)])
        start, end = start - len(part), end - len(part)
    return b"".join(found)


def digest_of(sequence: int, taken_at: int, orders: int, digests: bytes) -> bytes:
    """The SHA-256 of a snapshot's head and of the SHA-256s of its pieces in their order."""
    return hashlib.sha256(b"%d %d %d " % (sequence, taken_at, orders) + digests).digest()


def joined(snapshot: Snapshot, pieces: Sequence[Piece]) -> bytes:
    """The state that was cut into these pieces, in their order; ValueError when they are not all there, and as they
    were."""
    digests = b"".join(hashlib.sha256(piece.body).digest() for piece in pieces)
    expected = digest_of(snapshot.sequence, snapshot.taken_at, snapshot.orders, digests)
    if expected != snapshot.digest or [piece.number for piece in pieces] != list(range(len(pieces))):
        raise ValueError("the checksum does not match")
    return b"".join(piece.body for piece in pieces)
