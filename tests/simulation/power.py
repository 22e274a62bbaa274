"""A disk that loses power: what was synced is there afterwards, of the rest any part, in pieces of a sector.

It is a VFS of SQLite (apsw's, which brings the same engine). The file system keeps names, and nothing else that was
not synced. A cut does not disturb whoever writes: it takes an image of what would be left, and writing goes on.
"""

import random
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import apsw

SECTOR_BYTES = 512

Image = dict[str, bytes]
"""The files that are left, by their names."""


class Platter:
    """Files in memory. Before each operation on them `before` is called."""

    def __init__(self, image: Image | None = None) -> None:
        self.files = {name: bytearray(content) for name, content in (image or {}).items()}
        self.synced: Image = dict(image or {})
        self.pending: dict[str, list[tuple[int, bytes | None]]] = {}
        self.before: Callable[[], None] = lambda: None

    def write(self, name: str, offset: int, data: bytes) -> None:
        """Into the cache of the drive."""
        self.before()
        content = self.files[name]
        content.extend(bytes(max(0, offset + len(data) - len(content))))
        content[offset : offset + len(data)] = data
        self.pending.setdefault(name, []).append((offset, data))

    def truncate(self, name: str, size: int) -> None:
        """Make a file shorter."""
        self.before()
        del self.files[name][size:]
        self.pending.setdefault(name, []).append((size, None))

    def sync(self, name: str) -> None:
        """From the cache to where no power is needed."""
        self.before()
        self.synced[name] = bytes(self.files[name])
        self.pending.pop(name, None)

    def cut(self, chance: random.Random) -> Image:
        """What is left when the power goes now: each sector that was not synced is there, or not, or torn."""
        return {name: self._left(name, chance) for name in self.files}

    def _left(self, name: str, chance: random.Random) -> bytes:
        content = bytearray(self.synced.get(name, b""))
        survives = chance.choice((0.0, 0.1, 0.5, 0.9, 1.0))
        for offset, data in self.pending.get(name, ()):
            if data is None:
                if chance.random() < survives:
                    del content[offset:]
                continue
            for at in range(0, len(data), SECTOR_BYTES):
                if chance.random() < survives:
                    piece = data[at : at + SECTOR_BYTES]
                    if chance.random() < 0.02:
                        piece = piece[: chance.randrange(len(piece) + 1)]
                    content.extend(bytes(max(0, offset + at + len(piece) - len(content))))
                    content[offset + at : offset + at + len(piece)] = piece
        return bytes(content)


class _File:
    """An open file, as SQLite's VFS wants it. One connection has it, so locks are always granted."""

    def __init__(self, platter: Platter, name: str) -> None:
        self._platter = platter
        self._name = name
        platter.files.setdefault(name, bytearray())

    def xRead(self, amount: int, offset: int) -> bytes:  # noqa: N802
        return bytes(self._platter.files[self._name][offset : offset + amount])

    def xWrite(self, data: bytes, offset: int) -> None:  # noqa: N802
        self._platter.write(self._name, offset, bytes(data))

    def xTruncate(self, size: int) -> None:  # noqa: N802
        self._platter.truncate(self._name, size)

    def xSync(self, _: int) -> None:  # noqa: N802
        self._platter.sync(self._name)

    def xFileSize(self) -> int:  # noqa: N802
        return len(self._platter.files[self._name])

    def xLock(self, _: int) -> None:  # noqa: N802
        """Granted."""

    def xUnlock(self, _: int) -> None:  # noqa: N802
        """Given back."""

    def xCheckReservedLock(self) -> bool:  # noqa: N802
        return False

    def xFileControl(self, *_: int) -> bool:  # noqa: N802
        return False

    def xSectorSize(self) -> int:  # noqa: N802
        return SECTOR_BYTES

    def xDeviceCharacteristics(self) -> int:  # noqa: N802
        return 0

    def xClose(self) -> None:  # noqa: N802
        """Nothing is left to do."""


class Drive(apsw.VFS):
    """The platters in it, by the names under which SQLite opens them: `platter` is the one that is in now."""

    NAME = "borsa-power"

    def __init__(self) -> None:
        self.platter = Platter()
        super().__init__(self.NAME, base="")

    def xOpen(self, name: Any, _: list[int]) -> Any:  # noqa: N802
        return _File(self.platter, _text(name))

    def xAccess(self, path: str, _: int) -> bool:  # noqa: N802
        return path in self.platter.files

    def xDelete(self, path: str, _: bool) -> None:  # noqa: N802
        self.platter.before()
        for files in (self.platter.files, self.platter.synced, self.platter.pending):
            files.pop(path, None)

    def xFullPathname(self, path: str) -> str:  # noqa: N802
        return path


def _text(name: Any) -> str:
    return name.filename() if isinstance(name, apsw.URIFilename) else str(name)


class Connection:
    """What the driver needs of an `apsw.Connection`, over the drive."""

    def __init__(self, path: str, synchronous: str) -> None:
        self._connection = apsw.Connection(path, vfs=Drive.NAME)
        self._synchronous = synchronous
        # without shared memory, which a VFS in Python can't offer: one connection at a time
        self._connection.execute("PRAGMA locking_mode=EXCLUSIVE")

    def set_busy_timeout(self, _: int) -> None:
        """Nobody else is there."""

    def execute(self, text: str, row: Any = ()) -> Any:
        if text.startswith("PRAGMA synchronous"):
            text = f"PRAGMA synchronous={self._synchronous}"
        cursor = self._connection.execute(text, row)
        return SimpleNamespace(fetchall=lambda: list(cursor))

    def executemany(self, text: str, rows: Any) -> None:
        self._connection.executemany(text, rows)

    @property
    def in_transaction(self) -> bool:
        return self._connection.in_transaction

    def close(self) -> None:
        self._connection.close()
