"""Where the databases of a world are: in files with write-ahead logs, as those of an exchange, or in SQLite's memory.

What a run comes to is the same in both. In memory a commit copies no pages and asks the kernel for nothing.
"""

import shutil
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, closing, contextmanager
from pathlib import Path

import apsw

from tests.simulation.scene import folder, template

FILES_EVERY = 3
"""Of so many seeds, one has its databases in files."""

MEMORY = "memdb"
"""SQLite's name of the files that it keeps in memory: whoever opens the same path in this process has the same file."""


def place(seed: int) -> AbstractContextManager[Path]:
    """The place of a seed's world."""
    return in_files() if seed % FILES_EVERY == 0 else in_memory()


@contextmanager
def in_files() -> Iterator[Path]:
    """A folder with the data of a first start."""
    made = folder()
    try:
        for path in template().iterdir():
            shutil.copyfile(path, made / path.name)
        yield made
    finally:
        shutil.rmtree(made, ignore_errors=True)


@contextmanager
def in_memory() -> Iterator[Path]:
    """The same, but the databases in it are empty files: until the end, whatever SQLite opens is in memory."""
    before = apsw.vfs_names()[0]
    with in_files() as made, ExitStack() as until_the_end:
        for path in sorted(made.glob("*.db")):
            until_the_end.enter_context(closing(_loaded(path)))
        apsw.set_default_vfs(MEMORY)
        until_the_end.callback(apsw.set_default_vfs, before)
        yield made


def _loaded(path: Path) -> apsw.Connection:
    """Move a database into memory: it stays there as long as this connection to it."""
    kept = apsw.Connection(str(path), vfs=MEMORY)
    with closing(apsw.Connection(str(path))) as source, kept.backup("main", source, "main") as copying:
        copying.step()
    path.write_bytes(b"")
    return kept
