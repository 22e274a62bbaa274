"""The single writer of a service: drains what waits, handles it in order, commits once, then answers and publishes.

Nobody is answered and no event leaves before the commit is on disk. A writer is stepped from outside and has no thread
of its own: `worker.py` turns the crank, and a simulation can turn it in any order.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import groupby
from types import GeneratorType
from typing import Any

import structlog

from borsa.errors import Refused
from borsa.events import Event
from borsa.requests import Request
from borsa.runtime.bus import Bus, Once, Origin, Outcome, Replies, storage_full
from borsa.runtime.clock import Clock
from borsa.runtime.log import DeadLetter, Recorded, newest
from borsa.runtime.observability import telemetry
from borsa.runtime.observability.vitals import Following, Vital
from borsa.runtime.records.session import Session
from borsa.runtime.service import Batch, Deed, Many, Service, Sweep
from borsa.runtime.store import Connection, StorageFull
from borsa.runtime.writing.answers import Answers
from borsa.runtime.writing.inbox import Inbox, Item, Question, Suspended, parts_of
from borsa.runtime.writing.streams import Stream, Streams
from borsa.runtime.writing.transaction import Transaction
from borsa.settings import Settings

_log = structlog.get_logger("borsa")

SECOND_NS = 1_000_000_000


class Writer:
    """Owns a service's data. Not thread-safe but for its inbox and streams, which any thread may fill."""

    def __init__(
        self,
        service: Service[Any],
        connection: Connection,
        bus: Bus,
        clock: Clock,
        settings: Settings,
        wake: Callable[[], None],
    ) -> None:
        self.service = service
        self.inbox = Inbox(wake, settings.inbox_items_max, settings.inbox_user_items_max)
        self._bus = bus
        self._clock = clock
        self._wake = wake
        self._requests_max = settings.commit_requests_max
        self._events_max = settings.commit_events_max
        self._tries_max = settings.event_tries_max
        self._connection = connection
        self._settings = settings
        self._load()
        self._many = {kind: each for kind, each in service.answers.items() if isinstance(each, Many)}
        self._deeds = {kind: each for kind, each in service.answers.items() if not isinstance(each, Many)}
        self._takes = {source: _by_name(takes) for source, takes in service.consumes.items()}
        sweeps = [*service.sweeps, *([Sweep(1, self._settle_lists)] if self._session.lists else [])]
        self._due = [(clock.ticks() + sweep.every_seconds * SECOND_NS, sweep) for sweep in sweeps]
        self._asked: list[tuple[Request[Any], Suspended]] = []
        self._outcomes: dict[Replies, list[tuple[Any, Outcome]]] = {}
        self._tries: dict[str, tuple[int, int]] = {}
        self._full_until: int | None = None
        self._tracer = telemetry.tracer()

    def _load(self) -> None:
        """Take into memory what the disk has."""
        connection, settings, tables = self._connection, self._settings, self.service.tables.tables
        self._session = Session(connection, settings.cached_records_max)
        self._tx = Transaction(self.service.name, self._session, tables, newest(connection), self._clock)
        self._answers = Answers(self._session, tables["answers"])
        self._dead = self._session.records(tables["dead_letters"], DeadLetter)
        self.streams = Streams(
            self._session, tables["cursors"], self.service.consumes, settings.stream_events_max, self._bus.fetch
        )
        self.memory = self.service.memory(self._session, settings)

    def start(self) -> None:
        """Run what the service does before anything else: load, replay, first start."""
        for deed in self.service.starts:
            self._tx.begin()
            self._tx.for_origin(Origin(f"start-{self._clock.new_id()}"))
            deed(self._tx, self.memory, self._bus.fetch)
            self._commit()

    def deliver(self, source: str, events: Sequence[Recorded]) -> None:
        """Take committed events of a producer, on its thread."""
        self.streams.deliver(source, events)
        self._wake()

    def hear_of(self, source: str) -> None:
        """There are more events in the log of a producer."""
        self.streams.hear_of(source)
        self._wake()

    def step(self) -> bool:
        """Handle what waits in one transaction; False when nothing did."""
        if self._full_until is not None and not self._has_room_again():
            return self._refuse_all()
        items = self.inbox.take(self._requests_max)
        arrived = self.streams.take(self._events_max)
        sweeps = self._sweeps_due() if self._due else ()
        return self._handle(items, arrived, sweeps)

    def hear(self) -> bool:
        """As step, for requests only: what came from other services waits for the next step, and shares its commit."""
        if self._full_until is not None:
            return self._refuse_all()
        return self._handle(self.inbox.take(self._requests_max), (), ())

    def hear_small(self) -> bool:
        """As hear, for small requests that large ones keep waiting. False also when none are kept waiting."""
        if self._full_until is not None or not self.inbox.laden:
            return False
        return self._handle(self.inbox.take_small(self._requests_max), (), ())

    def _handle(
        self,
        items: Sequence[Item],
        arrived: Sequence[tuple[Stream, Sequence[Recorded]]],
        sweeps: Sequence[Sweep],
    ) -> bool:
        if not (items or arrived or sweeps):
            return False
        try:
            self._tx.begin()
            for stream, events in arrived:
                self._consume(stream, events)
            self._answer_all(items)
            for sweep in sweeps:
                self._sweep(sweep)
            self._commit()
            if self._tracer is not None:
                self._tracer.handled(self.service.name, self._tx.now, parts_of(items, arrived))
        except StorageFull:
            self._give_up(items)
        return True

    @property
    def last_sequence(self) -> int:
        """The sequence of the newest event of the service's log."""
        return self._tx.last_sequence

    def vital(self) -> Vital:
        """Where the writer stands."""
        follows = [Following(stream.source, stream.cursor, stream.halted) for stream in self.streams]
        full = self._full_until is not None
        return Vital(self.service.name, self.last_sequence, len(self.inbox), follows, full)

    def close(self) -> None:
        """End the connection; what is not committed never happened."""
        self._session.close()

    # requests ------------------------------------------------------------------------------------------------------

    def _answer_all(self, items: Iterable[Item]) -> None:
        for many, found in groupby(items, key=self._many_for):
            if many is not None:
                self._answer_many(many, list(found))
                continue
            for item in found:
                if isinstance(item, Question):
                    self._answer(item)
                else:
                    self._go_on(*item)

    def _go_on(self, suspended: Suspended, outcome: Outcome) -> None:
        if suspended.session is self._session:
            self._attempt(suspended.origin, suspended.question, self._advance, suspended, outcome)
        elif suspended.question is not None:
            # there was no room meanwhile: what it began on is forgotten
            self._say(suspended.question, storage_full())

    def _many_for(self, item: Item) -> Many | None:
        return self._many.get(type(item.request)) if isinstance(item, Question) else None

    def _answer_many(self, many: Many, questions: Sequence[Any]) -> None:
        asked = [(question.origin, question.request) for question in questions]
        mark = self._session.mark()
        try:
            outcomes = many.deed(self._tx, self.memory, asked)
        except Exception:
            self._session.back_to(mark)
            for question in questions:
                # one by one, so that it fails only for whom it must
                self._attempt(question.origin, question, self._answer_one_of_many, many, question)
            return
        for question, outcome in zip(questions, outcomes, strict=True):
            self._say(question, outcome)

    def _answer_one_of_many(self, many: Many, question: Question) -> None:
        (outcome,) = many.deed(self._tx, self.memory, [(question.origin, question.request)])
        self._say(question, outcome)

    def _answer(self, question: Question) -> None:
        if question.once is not None:
            try:
                kept = self._answers.begin(question.once, question.request)
            except Refused as refused:
                kept = refused
            if kept is not None:
                self._say(question, kept)
                return
        deed = self._deeds[type(question.request)]
        self._attempt(question.origin, question, self._run, deed, question)

    def _run(self, deed: Deed, question: Question) -> None:
        result = deed(self._tx, self.memory, question.request)
        if type(result) is GeneratorType:
            self._advance(Suspended(result, question.origin, question, self._session), None)
        else:
            self._end(question, result)

    def _advance(self, suspended: Suspended, outcome: Outcome) -> None:
        try:
            if isinstance(outcome, Refused):
                asked = suspended.asking.throw(outcome)
            else:
                asked = suspended.asking.send(outcome)
        except StopIteration as end:
            if suspended.question is not None:
                self._end(suspended.question, end.value)
            return
        self._asked.append((asked, suspended))

    def _attempt(self, origin: Origin, question: Question | None, act: Callable[..., None], *given: Any) -> None:
        """Act, for a question or a sweep, all or nothing: a refusal or a fault takes back what it staged."""
        self._tx.for_origin(origin)
        mark = self._session.mark()
        try:
            act(*given)
            return
        except Refused as refused:
            outcome = refused
        except Exception:
            name = type(question.request).__name__ if question else "sweep"
            _log.exception("handler_failed", service=self.service.name, request=name)
            outcome = Refused("internal_error")
        self._session.back_to(mark)
        if question is not None:
            self._end(question, outcome)

    def _end(self, question: Question, outcome: Outcome) -> None:
        if question.once is not None:
            self._answers.end(question.once, outcome, self._tx.now)
        self._say(question, outcome)

    def _say(self, question: Question, outcome: Outcome) -> None:
        self._outcomes.setdefault(question.replies, []).append((question.token, outcome))

    # events --------------------------------------------------------------------------------------------------------

    def _consume(self, stream: Stream, events: Sequence[Recorded]) -> None:
        takes = self._takes[stream.source]
        mark = self._session.mark()
        try:
            if isinstance(takes, Batch):
                takes.deed(self._tx, self.memory, events)
            else:
                self._apply(takes, events)
        except Exception as error:
            self._session.back_to(mark)
            self._up_to_the_poison(stream, events, error)
        else:
            stream.applied(events[-1])
        self.streams.store(stream)

    def _apply(self, takes: Mapping[str, Deed], events: Iterable[Recorded]) -> None:
        for recorded in events:
            deed = takes.get(recorded.type)
            if deed is not None:
                self._tx.for_event(recorded)
                deed(self._tx, self.memory, recorded.event)

    def _up_to_the_poison(self, stream: Stream, events: Sequence[Recorded], error: Exception) -> None:
        """Apply one by one what many at a time could not be, as far as it goes."""
        takes = self._takes[stream.source]
        if isinstance(takes, Batch):
            self._poisoned(stream, events[0], error)
            return
        for recorded in events:
            mark = self._session.mark()
            try:
                self._apply(takes, (recorded,))
            except Exception as first:
                self._session.back_to(mark)
                self._poisoned(stream, recorded, first)
                return
            stream.applied(recorded)

    def _poisoned(self, stream: Stream, poison: Recorded, error: Exception) -> None:
        sequence = poison.sequence
        where = {"service": self.service.name, "source": stream.source, "sequence": sequence}
        stream.rewind()
        tried, tries = self._tries.get(stream.source, (sequence, 0))
        tries = tries + 1 if tried == sequence else 1
        self._tries[stream.source] = (sequence, tries)
        if self.service.skips_poison and tries >= self._tries_max:
            _log.exception("event_set_aside", **where)
            telemetry.set_aside(self.service.name)
            self._dead.put(DeadLetter(stream.source, sequence, repr(error), self._tx.now))
            stream.applied(poison)
        elif not self.service.skips_poison:
            _log.critical("stream_halted", exc_info=error, **where)
            stream.halted = True

    # sweeps --------------------------------------------------------------------------------------------------------

    def _sweeps_due(self) -> list[Sweep]:
        now = self._clock.ticks()
        due = [sweep for at, sweep in self._due if at <= now]
        if due:
            self._due = [(now + sweep.every_seconds * SECOND_NS if at <= now else at, sweep) for at, sweep in self._due]
        return due

    def _settle_lists(self, _tx: Transaction, _memory: Any) -> None:
        for each in self._session.lists:
            each.settle()

    def _sweep(self, sweep: Sweep) -> None:
        origin = Origin(f"sweep-{self._clock.new_id()}")
        self._attempt(origin, None, self._run_sweep, sweep, origin)

    def _run_sweep(self, sweep: Sweep, origin: Origin) -> None:
        result = sweep.deed(self._tx, self.memory)
        if type(result) is GeneratorType:
            self._advance(Suspended(result, origin, None, self._session), None)

    # the end of a batch --------------------------------------------------------------------------------------------

    def _commit(self) -> None:
        events = self._tx.events
        if self._session.dirty:
            with telemetry.commit_seconds(self.service.name):
                self._session.commit()
        self._tx.committed(events)
        asked, self._asked = self._asked, []
        if self._tx.broadcasts:  # first: who hears an event or an answer, and looks, sees what belongs to it
            self._bus.broadcast(self.service.name, self._tx.broadcasts)
        if events:
            self._bus.publish(self.service.name, events)
        self._deliver()
        for request, suspended in asked:
            once = Once(self.service.name, request.key, b"") if request.key else None
            self._bus.ask(request, suspended.origin, self.inbox, suspended, once)

    def _deliver(self) -> None:
        outcomes, self._outcomes = self._outcomes, {}
        for replies, said in outcomes.items():
            replies.deliver(said)

    # a full disk ---------------------------------------------------------------------------------------------------

    def _give_up(self, items: Iterable[Item]) -> None:
        """There was no room for the batch: nothing of it happened. What is in memory of it is not taken back, it is
        read anew from the disk as soon as there is room; until then everybody is refused, and no event is taken."""
        if self._full_until is None:
            _log.critical("storage_full", service=self.service.name)
        self._full_until = self._clock.ticks() + SECOND_NS
        self._asked.clear()
        self._outcomes.clear()
        self._refuse(items)

    def _refuse_all(self) -> bool:
        items = self.inbox.take(self._requests_max)
        self._refuse(items)
        return bool(items)

    def _refuse(self, items: Iterable[Item]) -> None:
        for item in items:
            question = item if isinstance(item, Question) else item[0].question
            if question is not None:
                self._say(question, storage_full())
        self._deliver()

    def _has_room_again(self) -> bool:
        """Once a second: is there room? Then memory becomes what the disk has, as at a start."""
        now = self._clock.ticks()
        if self._full_until is None or now < self._full_until:
            return False
        self._full_until = now + SECOND_NS
        if not self._connection.has_room():
            return False
        try:
            self._load()
            self.start()
        except StorageFull:
            return False
        self._full_until = None
        _log.warning("storage_has_room", service=self.service.name)
        return True


def _by_name(takes: Mapping[type[Event], Deed] | Batch) -> Mapping[str, Deed] | Batch:
    """Deeds by the names of their events: an event that has none need not even be decoded."""
    return takes if isinstance(takes, Batch) else {kind.__name__: deed for kind, deed in takes.items()}
