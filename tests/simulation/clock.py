"""Simulated time: ticks for everybody, and for each service a wall clock that may be wrong."""

START = 1_700_000_000_000_000
"""The first moment, in microseconds since 1970."""

SECOND = 1_000_000


class SimTime:
    """What time it is, in microseconds since the beginning. Only the world moves it."""

    def __init__(self) -> None:
        self.elapsed = 0
        self._ids = 0

    def next_id(self) -> int:
        self._ids += 1
        return self._ids


class SimClock:
    """The clock of one service: its wall time can jump, and stand still while ticks go on."""

    def __init__(self, time: SimTime, number: int) -> None:
        self._time = time
        self._number = number
        self._offset = 0
        self._frozen: int | None = None

    def now(self) -> int:
        return START + self._offset + (self._time.elapsed if self._frozen is None else self._frozen)

    def ticks(self) -> int:
        return self._time.elapsed * 1000

    def new_id(self) -> str:
        ms, number = self.now() // 1000, self._time.next_id()
        return f"{ms >> 16:08x}-{ms & 0xFFFF:04x}-7000-8{self._number:03x}-{number:012x}"

    def jump(self, microseconds: int) -> None:
        """Be set to another time."""
        self._offset += microseconds

    def freeze(self) -> None:
        """Stand still."""
        self._frozen = self._time.elapsed

    def mend(self) -> None:
        """Be right again, as by a time server."""
        self._offset = 0
        self._frozen = None
