"""The simulated bus: loses, repeats, reorders and delays what it carries, and is cut in two at times.

Events: what is lost is made good by news that the log goes further, later on; consumers have to find the rest.
Requests: who asks gets one answer. When question or answer are lost or late it is `overloaded`, after a time-out; the
question may still arrive after that, and a question between services may arrive twice.
"""

import heapq
import random
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from borsa.errors import Refused
from borsa.requests import HoldAll, HoldFunds, Request
from borsa.runtime.bus import Listener, Once, Origin, Outcome, Replies
from borsa.runtime.log import Recorded, Tail
from borsa.runtime.store import Reader
from borsa.runtime.writing.inbox import Question
from borsa.runtime.writing.writer import Writer
from tests.simulation.clock import SimTime
from tests.simulation.coverage import Coverage
from tests.simulation.disk import Disk
from tests.simulation.invariants import Broken, WatchedWallets

DOOR = "door"
TIMEOUT = 60_000
LATE_MAX = 2 * TIMEOUT
"""In microseconds, in a world where time goes fast; where it goes slowly everything takes so many times as long."""

NO_ANSWER = "No answer came in time"
"""What is told to who asked when no answer came."""

Waiting = tuple[Replies, Any, str]
"""Who waits, under which token, and where."""


class SimBus:
    """Connects the writers that are up."""

    def __init__(
        self,
        chance: random.Random,
        time: SimTime,
        coverage: Coverage,
        disks: Mapping[str, Disk],
        logs: Mapping[str, Reader],
        fetch_events_max: int,
        pace: int,
    ) -> None:
        self.trouble = 0.0
        self._pace = pace
        self.writers: dict[str, Writer] = {}
        self._chance = chance
        self._time = time
        self._coverage = coverage
        self._disks = disks
        self._tails = {source: Tail(source, reader, fetch_events_max) for source, reader in logs.items()}
        self._consumers: dict[str, list[str]] = {}
        self._answers = {name: _Back(self, name) for name in logs}
        self._waiting: dict[int, Waiting] = {}
        self._deadlines: deque[tuple[int, int]] = deque()
        self._later: list[tuple[int, int, Callable[[], None]]] = []
        self._number = 0
        self._cut: set[frozenset[str]] = set()
        self._missed: set[tuple[str, str]] = set()

    # who is there --------------------------------------------------------------------------------------------------

    def follows(self, consumer: str, sources: Sequence[str]) -> None:
        """Which logs a service follows."""
        for source in sources:
            self._consumers.setdefault(source, []).append(consumer)

    def up(self, writer: Writer) -> None:
        """A service is at work, and says how far its log goes."""
        name = writer.service.name
        self.writers[name] = writer
        self._missed.update((consumer, name) for consumer in self._consumers.get(name, ()))

    def down(self, name: str) -> None:
        """A service is gone, with all that it had in memory."""
        self.writers.pop(name, None)

    def part(self, one: str, other: str) -> None:
        """Nothing goes between two services from now on."""
        self._coverage.faults["partition"] += 1
        self._cut.add(frozenset((one, other)))

    def join(self) -> None:
        """Everybody reaches everybody again."""
        self._cut.clear()

    @property
    def is_quiet(self) -> bool:
        """Is nothing on its way?"""
        return not (self._later or self._missed or self._waiting)

    # requests ------------------------------------------------------------------------------------------------------

    def ask(
        self, asker: str, request: Request[Any], origin: Origin, replies: Replies, token: Any, once: Once | None
    ) -> None:
        """Carry a question to the service that answers it."""
        target = request.answered_by
        self._number += 1
        number = self._number
        self._waiting[number] = (replies, token, asker)
        self._deadlines.append((self._time.elapsed + TIMEOUT * self._pace, number))
        if self._is_cut(asker, target):
            return
        if self.trouble and self._chance.random() < self.trouble:
            fate = self._chance.choice(("lost", "late", "late") if asker == DOOR else ("lost", "late", "repeated"))
            self._coverage.faults[f"question {fate}"] += 1
            if fate != "repeated":
                if fate == "late":
                    self._at_a_time(lambda: self._arrive(target, request, origin, number, once))
                return
            self._at_a_time(lambda: self._arrive_again(target, request, origin, number, once))
        self._arrive(target, request, origin, number, once)

    def _arrive(self, target: str, request: Request[Any], origin: Origin, number: int, once: Once | None) -> None:
        writer = self.writers.get(target)
        if writer is not None:
            writer.inbox.put(Question(request, origin, self._answers[target], number, once))

    def _arrive_again(self, target: str, request: Request[Any], origin: Origin, number: int, once: Once | None) -> None:
        wallets = self._disks["wallets"].watch
        assert isinstance(wallets, WatchedWallets)
        if isinstance(request, HoldFunds):
            self._coverage.branches["hold asked for twice"] += request.hold_id in wallets.holds
        elif isinstance(request, HoldAll):
            known = any(each.hold_id in wallets.holds for each in request.holds)
            self._coverage.branches["holds of a batch asked for twice"] += known
        self._arrive(target, request, origin, number, once)

    def answered(self, name: str, outcomes: Sequence[tuple[int, Outcome]]) -> None:
        """Carry the outcomes of a commit back."""
        found: dict[Replies, list[tuple[Any, Outcome]]] = {}
        for number, outcome in outcomes:
            waiting = self._waiting.get(number)
            if waiting is None:
                continue  # it has timed out, or was answered before
            replies, token, asker = waiting
            if self._is_cut(name, asker):
                continue
            if self.trouble and self._chance.random() < self.trouble:
                fate = self._chance.choice(("lost", "late"))
                self._coverage.faults[f"answer {fate}"] += 1
                if fate == "late":
                    self._at_a_time(lambda number=number, outcome=outcome: self._answer_late(number, outcome))  # type: ignore[misc]
                continue
            del self._waiting[number]
            found.setdefault(replies, []).append((token, outcome))
        for replies, told in found.items():
            replies.deliver(told)

    def _answer_late(self, number: int, outcome: Outcome) -> None:
        waiting = self._waiting.pop(number, None)
        if waiting is not None:
            waiting[0].deliver([(waiting[1], outcome)])

    # events --------------------------------------------------------------------------------------------------------

    def publish(self, source: str, events: Sequence[Recorded]) -> None:
        """Carry committed events to those who follow."""
        if events[-1].sequence > self._disks[source].watch.log_end:
            raise Broken(f"{events[-1].id} was published before it was committed")
        for consumer in self._consumers.get(source, ()):
            if self._is_cut(source, consumer):
                self._missed.add((consumer, source))
            elif self.trouble and self._chance.random() < self.trouble:
                self._carry_badly(consumer, source, events)
            else:
                self._deliver(consumer, source, events)

    def _carry_badly(self, consumer: str, source: str, events: Sequence[Recorded]) -> None:
        fate = self._chance.choice(("lost", "cut", "repeated", "late", "reordered", "heard"))
        if fate == "cut" and len(events) > 1:
            self._coverage.faults["event batch cut"] += 1
            at = self._chance.randrange(len(events))
            rest = [*events[:at], *events[at + 1 + self._chance.randrange(len(events) - at) :]]
            self._missed.add((consumer, source))
            if rest:
                self._deliver(consumer, source, rest)
        elif fate in ("lost", "cut"):
            self._coverage.faults["event lost"] += 1
            self._missed.add((consumer, source))
        elif fate == "heard":
            self._coverage.faults["event only heard of"] += 1
            if consumer in self.writers:
                self.writers[consumer].hear_of(source)
        elif fate == "reordered":
            self._coverage.faults["event reordered"] += 1
            self._at_a_time(lambda: self._deliver(consumer, source, events), 1)
        else:
            self._coverage.faults[f"event {fate}"] += 1
            self._at_a_time(lambda: self._deliver(consumer, source, events))
            if fate == "repeated":
                self._deliver(consumer, source, events)

    def _deliver(self, consumer: str, source: str, events: Sequence[Recorded]) -> None:
        writer = self.writers.get(consumer)
        if writer is not None:
            writer.deliver(source, events)

    def fetch(self, consumer: str, source: str, after: int) -> Sequence[Recorded]:
        """Events from a log, for who follows it. Nobody starts without the logs that it needs for it, nor reads its
        memory anew when a full disk has room again."""
        writer = self.writers.get(consumer)
        if self._is_cut(consumer, source) and writer is not None and not writer.vital().is_full:
            self._missed.add((consumer, source))
            return []
        found = self._tails[source].after(after)
        if self.trouble and len(found) > 1 and self._chance.random() < self.trouble:
            return found[: self._chance.randrange(1, len(found))]
        return found

    # time ----------------------------------------------------------------------------------------------------------

    def _is_cut(self, one: str, other: str) -> bool:
        return bool(self._cut) and frozenset((one, other)) in self._cut

    def _at_a_time(self, act: Callable[[], None], longest: int = LATE_MAX) -> None:
        self._number += 1
        due = self._time.elapsed + self._chance.randrange(1, longest * self._pace + 1)
        heapq.heappush(self._later, (due, self._number, act))

    def tick(self) -> None:
        """Carry what is due, and tell those who have waited too long."""
        now = self._time.elapsed
        while self._later and self._later[0][0] <= now:
            heapq.heappop(self._later)[2]()
        while self._deadlines and self._deadlines[0][0] <= now:
            _, number = self._deadlines.popleft()
            waiting = self._waiting.pop(number, None)
            if waiting is not None:
                self._coverage.branches["request timed out"] += 1
                waiting[0].deliver([(waiting[1], Refused("overloaded", NO_ANSWER))])

    def beat(self) -> None:
        """Say of every log that goes further than somebody was told that it does."""
        for consumer, source in sorted(self._missed):
            writer = self.writers.get(consumer)
            if self._is_cut(consumer, source):
                continue
            self._missed.discard((consumer, source))
            if writer is not None:
                if self._stream_of(writer, source) < self._disks[source].watch.log_end:
                    self._coverage.branches["gap repaired"] += 1
                writer.hear_of(source)

    @staticmethod
    def _stream_of(writer: Writer, source: str) -> int:
        return next(stream.cursor for stream in writer.streams if stream.source == source)


class _Back:
    """Where a service's outcomes go."""

    def __init__(self, bus: SimBus, name: str) -> None:
        self._bus = bus
        self._name = name

    def deliver(self, outcomes: Sequence[tuple[int, Outcome]]) -> None:
        disk = self._bus._disks[self._name]
        if disk.watch.is_open:
            raise Broken(f"{self._name} answered before its commit was on disk")
        if not _is_overloaded(outcomes[0][1]):
            # a full inbox says so by itself, in the middle of what somebody else does
            disk.call("answer")
        self._bus.answered(self._name, outcomes)


def _is_overloaded(outcome: Outcome) -> bool:
    return isinstance(outcome, Refused) and outcome.code == "overloaded"


class Port:
    """The bus as one service has it: each call may be the last thing that the service does."""

    def __init__(self, name: str, bus: SimBus, disk: Disk) -> None:
        self._name = name
        self._bus = bus
        self._disk = disk

    def ask(
        self, request: Request[Any], origin: Origin, replies: Replies, token: Any, once: Once | None = None
    ) -> None:
        self._disk.call("ask")
        self._bus.ask(self._name, request, origin, replies, token, once)

    def publish(self, source: str, events: Sequence[Recorded]) -> None:
        self._disk.call("publish")
        self._bus.publish(source, events)

    def broadcast(self, source: str, messages: Sequence[bytes]) -> None:
        """Nobody is there: the door is played by people.py."""
        self._disk.call("broadcast")

    def tune(self, source: str, receiver: Any) -> None:
        """As `listen`."""

    def fetch(self, source: str, after: int) -> Sequence[Recorded]:
        self._disk.call("fetch")
        return self._bus.fetch(self._name, source, after)

    def listen(self, source: str, listener: Listener) -> None:
        """Nobody listens here: the door is played by people.py."""
