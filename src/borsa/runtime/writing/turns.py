"""Turns of users: where more waits than a commit takes, no user waits for what another has asked for in masses.

Start-time fair queueing (Goyal, Vin and Cheng, "Start-time Fair Queuing", SIGCOMM 1996): time is counted in what was
served. A question may begin when its user's question before it ends, or now, if that is later; it ends as many units
later as it weighs. Whose question would end first is next.
"""

from collections import deque
from heapq import heappop, heappush, heapreplace
from itertools import count
from typing import Generic, Protocol, TypeVar


class Weighed(Protocol):
    """What waits: of whom, and what it weighs."""

    @property
    def line(self) -> str:
        """Whoever has the same line stands in it one behind the other."""

    @property
    def weight(self) -> int:
        """How many small ones it is worth."""


W = TypeVar("W", bound=Weighed)


class Turns(Generic[W]):
    """Lines of what waits, one for each user, of which the head that would end first is taken."""

    def __init__(self) -> None:
        self._lines: dict[str, deque[W]] = {}
        self._heads: list[tuple[int, int, str]] = []
        self._ends: dict[str, int] = {}
        self._now = 0
        self._numbers = count()
        self._waiting = 0

    def __len__(self) -> int:
        return self._waiting

    def join(self, item: W) -> None:
        """Stand at the end of one's line."""
        self._waiting += 1
        line = self._lines.get(item.line)
        if line is not None:
            line.append(item)
            return
        self._lines[item.line] = deque([item])
        heappush(self._heads, (self._end_of(item), next(self._numbers), item.line))

    def _end_of(self, item: W) -> int:
        return max(self._now, self._ends.get(item.line, 0)) + item.weight

    def take(self, limit: int, weight_max: int | None = None) -> list[W]:
        """The next, until their weight reaches the limit, or the next weighs more than `weight_max`."""
        taken: list[W] = []
        while self._heads and limit > 0:
            end, _, name = self._heads[0]
            line = self._lines[name]
            if weight_max is not None and line[0].weight > weight_max:
                break
            item = line.popleft()
            taken.append(item)
            limit -= item.weight
            self._now = max(self._now, end - item.weight)
            self._ends[name] = end
            if line:
                heapreplace(self._heads, (self._end_of(line[0]), next(self._numbers), name))
            else:
                heappop(self._heads)
                del self._lines[name]
        self._waiting -= len(taken)
        if not self._heads:
            self._ends.clear()
        return taken
