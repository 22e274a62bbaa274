"""One process for one data folder: a second writer would break what the first one knows."""

import fcntl
import os
import time
from pathlib import Path
from typing import IO

from borsa.errors import CantStart

DYING_SECONDS_MAX = 5
"""How long what a killed process had forked may take to end too."""


class AlreadyRunning(CantStart):
    """Another process has this data folder open."""


def locked(folder: Path) -> IO[str]:
    """Hold the data folder for this process, and those that it forks, until the file is closed; AlreadyRunning when
    another one does."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    file = (folder / "borsa.lock").open("a+")
    given_up_at = time.monotonic() + DYING_SECONDS_MAX
    while not _taken(file):
        holder = _holder(file)
        if _is_alive(holder) or time.monotonic() > given_up_at:
            file.close()
            raise AlreadyRunning(f"{folder} is in use by process {holder}")
        # it was killed, and what it forked is about to notice
        time.sleep(0.01)
    file.truncate(0)
    file.write(str(os.getpid()))
    file.flush()
    return file


def _taken(file: IO[str]) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def _holder(file: IO[str]) -> str:
    file.seek(0)
    return file.read().strip() or "unknown"


def _is_alive(holder: str) -> bool:
    try:
        os.kill(int(holder), 0)
    except (ValueError, ProcessLookupError):
        return False
    except PermissionError:
        return True
    return not _is_unreaped(holder)


def _is_unreaped(process_id: str) -> bool:
    """Has it ended, and keeps its id only until its parent asks how? Known where there is a /proc, as on Linux."""
    try:
        # "123 (its command) Z ...": a command may have any characters
        state = Path(f"/proc/{process_id}/stat").read_bytes().rpartition(b")")[2].split()[0]
    except (OSError, IndexError):
        return False
    return state in (b"Z", b"X")
