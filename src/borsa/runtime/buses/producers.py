"""Who publishes elsewhere, as a bus between processes knows it, and where their logs are read."""

from collections.abc import Callable, Sequence

from borsa.runtime.log import Recorded

Work = Callable[[], Sequence[Recorded]]
Take = Callable[[Sequence[Recorded]], None]
Aside = Callable[[Work, Take], None]
"""Does some work where nobody waits for it, and has what comes of it taken on the bus's own thread; nothing, where the
work failed."""


def here(work: Work, take: Take) -> None:
    """At once, on the same thread: an `Aside` for those whose logs are files."""
    take(work())


class Producer:
    """What was heard of it: how far, how far it says that its log goes, its newest writer's epoch, and when."""

    __slots__ = ("announced", "epoch", "heard", "heard_at", "reading")

    def __init__(self, now: int) -> None:
        self.heard = self.announced = self.epoch = 0
        self.reading = False
        self.heard_at = now
