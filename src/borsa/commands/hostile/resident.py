"""Resident memory of the processes of an exchange, as Linux counts it."""

import re
from pathlib import Path

import msgspec

_NOW = re.compile(r"^VmRSS:\s+(\d+) kB", re.MULTILINE)
_MOST = re.compile(r"^VmHWM:\s+(\d+) kB", re.MULTILINE)

_FORGET_THE_MOST = "5"
"""Written to clear_refs it makes the most that was resident start from what is resident now (man proc)."""


class Resident(msgspec.Struct, frozen=True):
    """Megabytes of each process (the door, then those behind it): now, and at most since `begin`."""

    now_mb: list[int]
    most_mb: list[int]


class Watched:
    """The processes of an exchange, by the process id of its door."""

    def __init__(self, process_id: int) -> None:
        self._folders = [Path(f"/proc/{each}") for each in (process_id, *_children(process_id))]

    def begin(self) -> Resident:
        """What is resident now; the most is counted from here on."""
        for folder in self._folders:
            (folder / "clear_refs").write_text(_FORGET_THE_MOST)
        return self.look()

    def look(self) -> Resident:
        """What is resident now, and what was at most."""
        texts = [(folder / "status").read_text() for folder in self._folders]
        return Resident([_megabytes(_NOW, text) for text in texts], [_megabytes(_MOST, text) for text in texts])


def _children(process_id: int) -> list[int]:
    return [int(each) for each in Path(f"/proc/{process_id}/task/{process_id}/children").read_text().split()]


def _megabytes(pattern: re.Pattern[str], text: str) -> int:
    found = pattern.search(text)
    return round(int(found[1]) / 1024) if found else 0
