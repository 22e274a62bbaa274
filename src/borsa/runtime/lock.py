"""One process for one data folder: a second writer would break what the first one knows."""

import fcntl
import os
from pathlib import Path
from typing import IO

from borsa.errors import CantStart


class AlreadyRunning(CantStart):
    """Another process has this data folder open."""


def locked(folder: Path) -> IO[str]:
    """Hold the data folder for this process until the file is closed; AlreadyRunning when another one does."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    file = (folder / "borsa.lock").open("a+")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        file.seek(0)
        holder = file.read().strip() or "unknown"
        file.close()
        raise AlreadyRunning(f"{folder} is in use by process {holder}") from None
    file.truncate(0)
    file.write(str(os.getpid()))
    file.flush()
    return file
