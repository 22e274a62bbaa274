"""Counters of what a run injected and what it went through: a simulation that saw nothing proves nothing."""

from collections import Counter

PORTS = ("read", "begin", "write", "commit", "committed", "ask", "publish", "fetch", "answer")
"""Where a service may be cut off. `committed`: the commit is on disk, and nobody was told."""

FAULTS = (
    *(f"crash at {port}" for port in PORTS),
    "crash of all services",
    "crash of the process of services",
    "crash of the process of followers",
    "crash while starting",
    "disk full",
    "disk full, rolled back by itself",
    "disk full at the commit",
    "failing sync, nothing kept",
    "failing sync, all kept",
    "failing read",
    "snapshot damaged",
    "event lost",
    "event batch cut",
    "event repeated",
    "event late",
    "event reordered",
    "event only heard of",
    "partition",
    "question lost",
    "question late",
    "question repeated",
    "answer lost",
    "answer late",
    "clock jumped forward",
    "clock jumped back",
    "clock frozen",
    "service paused",
)
"""Each must have happened."""

BRANCHES = (
    "cancel asked, fill won",
    "amendment asked, fill came first",
    "amended to less than was filled",
    "amendment rejected by the engine",
    "price improvement",
    "self-trade prevented",
    "self-trade allowed",
    "tombstoned hold",
    "order lost against a tombstone",
    "hold refused",
    "hold asked for twice",
    "users took turns",
    "small passed large",
    "gap repaired",
    "snapshot loaded",
    "snapshot passed over",
    "snapshot cut off",
    "log replayed at a start",
    "request timed out",
    "answer repeated by its key",
    "order repeated by its client id",
    "batch placed",
    "batch placed in part",
    "batch asked for again",
    "holds of a batch asked for twice",
    "stop triggered",
    "cut off at the price band",
    "budget spent",
    "post-only refused by the engine",
    "fill-or-kill killed",
    "market halted",
    "block trade",
    "cross rejected",
    "trade busted",
    "bust refused",
    "user deleted",
    "user not empty",
    "wallet closed",
    "signed in",
    "signed in with an outdated password",
    "signed out",
    "password changed",
    "role changed",
    "refresh repeated in its grace",
    "refresh token shown by two",
)
"""Rare branches: each must have been taken."""


class Coverage:
    """What happened, by name."""

    def __init__(self) -> None:
        self.faults: Counter[str] = Counter()
        self.branches: Counter[str] = Counter()
        self.refusals: Counter[str] = Counter()
        self.totals: Counter[str] = Counter()

    def add(self, other: "Coverage") -> None:
        """Sum up."""
        self.faults += other.faults
        self.branches += other.branches
        self.refusals += other.refusals
        self.totals += other.totals

    def missing(self) -> list[str]:
        """What should have happened, and did not."""
        return [name for name in FAULTS if not self.faults[name]] + [
            name for name in BRANCHES if not self.branches[name]
        ]

    def unknown(self) -> list[str]:
        """What was counted under a name that no list has."""
        return sorted({*self.faults} - {*FAULTS} | {*self.branches} - {*BRANCHES})
