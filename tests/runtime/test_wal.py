"""A write-ahead log that was damaged is told from one that a crash cut off."""

from pathlib import Path

import apsw
import pytest

from borsa.runtime.databases.sqlite import SqliteReader
from borsa.runtime.databases.wal import FRAME_HEAD_BYTES, HEAD_BYTES, lost_commits

FRAME_BYTES = FRAME_HEAD_BYTES + 4096

COMMITS = 6


@pytest.fixture
def crashed(tmp_path: Path) -> Path:
    """A database whose commits, a frame each, are in its write-ahead log."""
    made = apsw.Connection(str(tmp_path / "made.db"))
    made.execute("PRAGMA journal_mode=WAL").fetchall()
    made.execute("CREATE TABLE numbers (number INTEGER) STRICT")
    made.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_TRUNCATE)
    for number in range(COMMITS):
        made.execute("INSERT INTO numbers VALUES (?)", (number,))
    for suffix in ("", "-wal"):
        # under another name: closing a file gives up the locks of everybody in the process
        (tmp_path / f"crashed.db{suffix}").write_bytes((tmp_path / f"made.db{suffix}").read_bytes())
    made.close()
    return tmp_path / "crashed.db"


def damaged(path: Path, at: int) -> None:
    log = log_of(path)
    data = bytearray(log.read_bytes())
    data[at] ^= 4
    log.write_bytes(data)


def log_of(path: Path) -> Path:
    return path.with_name("crashed.db-wal")


def lost(path: Path) -> int:
    reader = SqliteReader(path)
    frames = reader.frames()
    reader.close()
    return lost_commits(log_of(path), frames)


def test_a_whole_log_has_lost_nothing(crashed: Path) -> None:
    assert lost(crashed) == 0


@pytest.mark.parametrize("cut_bytes", [1, 5, 4096, FRAME_BYTES, 3 * FRAME_BYTES + 7])
def test_a_log_without_its_end_is_what_a_crash_leaves(cut_bytes: int, crashed: Path) -> None:
    log = log_of(crashed)
    log.write_bytes(log.read_bytes()[:-cut_bytes])
    assert lost(crashed) <= 1


@pytest.mark.parametrize("inside", [0, 9, 20, 100], ids=["page", "salt", "checksum", "data"])
@pytest.mark.parametrize("frame", range(COMMITS))
def test_commits_behind_a_damaged_frame_are_counted(frame: int, inside: int, crashed: Path) -> None:
    damaged(crashed, HEAD_BYTES + frame * FRAME_BYTES + inside)
    # a damaged salt is not this log's; what goes on from a damaged checksum can't be told from a torn frame
    hidden = (inside == 9) + (inside == 20 and frame < COMMITS - 1)
    assert lost(crashed) == COMMITS - frame - hidden


@pytest.mark.parametrize("at", [17, 25], ids=["salt", "checksum"])
def test_a_damaged_head_loses_all(at: int, crashed: Path) -> None:
    damaged(crashed, at)
    assert lost(crashed) >= COMMITS - 1


def test_what_is_left_of_an_earlier_log_is_nothing_lost(crashed: Path) -> None:
    again = apsw.Connection(str(crashed))
    again.execute("SELECT count(*) FROM numbers").fetchall()
    again.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_RESTART)
    again.execute("INSERT INTO numbers VALUES (7)")
    copy = crashed.with_name("copy.db")
    for suffix in ("", "-wal"):
        copy.with_name(f"copy.db{suffix}").write_bytes(crashed.with_name(f"crashed.db{suffix}").read_bytes())
    again.close()
    reader = SqliteReader(copy)
    assert reader.frames() == 1
    reader.close()
    assert lost_commits(copy.with_name("copy.db-wal"), 1) == 0
