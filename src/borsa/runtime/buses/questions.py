"""What this process asked others over a broker that may lose it, and has no answer to yet.

A question that may be put twice is put again for as long as nobody answers. Of one that may not, and that somebody may
have taken, nothing is known after a while; and that is what is said.
"""

import itertools
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import msgspec

from borsa.errors import Refused
from borsa.requests import ASKED, Request, reply_type
from borsa.runtime.bus import Once, Origin, Outcome, Replies, overloaded
from borsa.runtime.buses.link import Asked, Declined, Told
from borsa.runtime.observability.vitals import DescribeProcess

LOOK_NS = 100_000_000
"""How often is looked at what waits, in nanoseconds."""

AGAIN_NS = 5_000_000_000
"""After how long without an answer a question is put again, in nanoseconds."""

BATCHES_MAX = 1_000
"""Of how many messages is known what was in them, in case the broker says that nobody took one."""

REPEATABLE = frozenset((*ASKED, DescribeProcess))
"""Requests that have no second effect, by what is in them."""


def no_answer() -> Refused:
    """What is said of a question that somebody may have taken, and nobody answered."""
    return Refused("no_answer")


class _Waiting:
    """A question. `is_out`: somebody may have taken it."""

    __slots__ = ("asked", "at", "is_out", "repeatable", "replies", "service", "token")

    def __init__(self, service: str, asked: Asked, replies: Replies, token: Any, at: int, repeatable: bool) -> None:
        self.service = service
        self.asked = asked
        self.replies = replies
        self.token = token
        self.at = at
        self.is_out = False
        self.repeatable = repeatable


class Questions:
    """`send(service, questions, batch)` puts many at a time. `patient`: they wait as long as it takes, and may all be
    put again; else each is given up after `seconds_max`."""

    def __init__(
        self,
        send: Callable[[str, Sequence[Asked], int], None],
        ticks: Callable[[], int],
        items_max: int,
        seconds_max: int,
        *,
        patient: bool,
    ) -> None:
        self._send = send
        self._ticks = ticks
        self._items_max = items_max
        self._wait_ns = seconds_max * 1_000_000_000
        self._patient = patient
        self._numbers = itertools.count(1)
        self._batches = itertools.count(1)
        self._waiting: dict[int, _Waiting] = {}
        self._unsent: list[int] = []
        self._again: list[int] = []
        self._batch: dict[int, list[int]] = {}
        self._look_at = 0
        self.on_ask: Callable[[], Any] = lambda: None
        """Called when the first question since the last flush is put."""
        self._decoders: dict[type[Any], msgspec.msgpack.Decoder[Any]] = {}

    def __len__(self) -> int:
        return len(self._waiting)

    def ask(
        self, service: str, request: Request[Any], origin: Origin, replies: Replies, token: Any, once: Once | None
    ) -> None:
        """Put a question with the next flush; when too many wait for answers, it is refused at once."""
        if len(self._waiting) >= self._items_max:
            replies.deliver([(token, overloaded())])
            return
        number = next(self._numbers)
        if not self._unsent:
            self.on_ask()
        asked = Asked(number, request, origin.correlation, origin.causation, once, origin.admin)
        repeatable = self._patient or once is not None or type(request) in REPEATABLE
        self._waiting[number] = _Waiting(service, asked, replies, token, self._ticks(), repeatable)
        self._unsent.append(number)

    def flush(self) -> None:
        """Put what was asked since the last time: all questions to a service in one message."""
        if not self._unsent:
            return
        unsent, self._unsent = self._unsent, []
        by_service: dict[str, list[int]] = {}
        for number in unsent:
            waiting = self._waiting.get(number)
            if waiting is not None:
                waiting.is_out = True
                by_service.setdefault(waiting.service, []).append(number)
        for service, numbers in by_service.items():
            batch = next(self._batches)
            self._batch[batch] = numbers
            if len(self._batch) > BATCHES_MAX:
                del self._batch[next(iter(self._batch))]
            self._send(service, [self._waiting[number].asked for number in numbers], batch)

    def told(self, messages: Iterable[Told | Declined]) -> None:
        """Hand over what was answered. What nobody waits for any more was answered before, or given up."""
        found: dict[Replies, list[tuple[Any, Outcome]]] = {}
        for message in messages:
            waiting = self._waiting.pop(message.number, None)
            if waiting is not None:
                outcome = self._outcome(message, type(waiting.asked.request))
                found.setdefault(waiting.replies, []).append((waiting.token, outcome))
        for replies, outcomes in found.items():
            replies.deliver(outcomes)

    def _outcome(self, message: Told | Declined, kind: type[Request[Any]]) -> Outcome:
        if not isinstance(message, Told):
            return message.refusal.refused
        decoder = self._decoders.get(kind)
        if decoder is None:
            decoder = self._decoders[kind] = msgspec.msgpack.Decoder(reply_type(kind))
        return decoder.decode(message.reply)

    def nobody(self, batch: int) -> None:
        """Nobody was there to take a batch: nothing happened of it, and it is put again in a moment."""
        for number in self._batch.pop(batch, ()):
            if number in self._waiting:
                self._waiting[number].is_out = False
                self._again.append(number)

    def restarted(self, service: str) -> None:
        """Another process answers for a service: what the one before it had taken, it has forgotten."""
        self._lost([number for number, each in self._waiting.items() if each.service == service and each.is_out])

    def ask_again(self) -> None:
        """The connection was lost: what was on its way may have been, too. It goes to those who know what they took."""
        self._again += [number for number, each in self._waiting.items() if each.repeatable]

    def _lost(self, numbers: Iterable[int]) -> None:
        for number in numbers:
            waiting = self._waiting[number]
            if waiting.repeatable:
                self._again.append(number)
            else:
                self._end(number, no_answer())

    def _end(self, number: int, refused: Refused) -> None:
        waiting = self._waiting.pop(number)
        waiting.replies.deliver([(waiting.token, refused)])

    def look(self) -> None:
        """Now and then: put again what may be lost, and give up what waited for too long."""
        now = self._ticks()
        if now < self._look_at:
            return
        self._look_at = now + LOOK_NS
        again, self._again = self._again, []
        self._unsent += again
        if self._patient:
            self._put_old_again(now)
        else:
            self._give_up_old(now)

    def _put_old_again(self, now: int) -> None:
        waiting = self._waiting
        while waiting:
            number, oldest = next(iter(waiting.items()))
            if oldest.at + AGAIN_NS > now:
                return
            # to the end of the line, which is in the order of their times
            del waiting[number]
            oldest.at = now
            waiting[number] = oldest
            self._unsent.append(number)

    def _give_up_old(self, now: int) -> None:
        waiting = self._waiting
        while waiting:
            number, oldest = next(iter(waiting.items()))
            if oldest.at + self._wait_ns > now:
                return
            self._end(number, no_answer() if oldest.is_out else overloaded())
