"""Damage in a write-ahead log, which SQLite passes over in silence.

At the first frame whose checksum is wrong SQLite takes the log for ended, and forgets what comes behind it. That is
right for a transaction that a crash interrupted: it is the last one, and was acknowledged to nobody. Where more whole
commits lie behind, something has damaged the file, and what was acknowledged would be lost.
The format: sqlite.org/fileformat2.html, section 4.
"""

import struct
from collections.abc import Iterator
from itertools import count, pairwise
from pathlib import Path

HEAD_BYTES = 32
FRAME_HEAD_BYTES = 24
LITTLE_ENDIAN = 0x377F0682

Checksum = tuple[int, int]


def lost_commits(path: Path, frames: int) -> int:
    """How many commits a write-ahead log has behind its first `frames` frames, which are all that SQLite sees: whole
    ones, and the one that the first of these frames should end.

    One may be what a power cut left of the last transaction; two can't be.
    """
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        return 0
    if len(data) < HEAD_BYTES:
        return 0
    magic, page_bytes = struct.unpack(">I4xI", data[:12])
    order = "<" if magic == LITTLE_ENDIAN else ">"
    found = list(_frames(data, FRAME_HEAD_BYTES + page_bytes))
    head = data[:HEAD_BYTES]
    salt = head[16:24]
    if found and _checksum(head[:24], (0, 0), order) != _stored(head[24:]):
        salt = found[0][8:16]  # it is the head that is damaged
    unseen = found[frames:]
    whole = sum(_is_whole_commit(frame, before, salt, order) for before, frame in pairwise(unseen))
    return whole + (1 if unseen and _ends_a_transaction(unseen[0], salt) else 0)


def _frames(data: bytes, size: int) -> Iterator[bytes]:
    for at in count(HEAD_BYTES, size):
        frame = data[at : at + size]
        if len(frame) < size:
            return
        yield frame


def _is_whole_commit(frame: bytes, before: bytes, salt: bytes, order: str) -> bool:
    """Does it end a transaction of this log, and go on where the frame before it ended?"""
    if not _ends_a_transaction(frame, salt):
        return False
    so_far = _checksum(frame[:8], _stored(before[16:24]), order)
    return _checksum(frame[FRAME_HEAD_BYTES:], so_far, order) == _stored(frame[16:24])


def _ends_a_transaction(frame: bytes, salt: bytes) -> bool:
    return frame[8:16] == salt and frame[4:8] != bytes(4)


def _stored(data: bytes) -> Checksum:
    first, second = struct.unpack(">II", data)
    return first, second


def _checksum(data: bytes, start: Checksum, order: str) -> Checksum:
    first, second = start
    for one, other in struct.iter_unpack(f"{order}II", data):
        first = (first + one + second) & 0xFFFFFFFF
        second = (second + other + first) & 0xFFFFFFFF
    return first, second
