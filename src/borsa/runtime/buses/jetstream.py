"""The bus of processes apart, over NATS: what lives here is reached directly, everything else by messages.

Requests are messages to whoever is the service's writer now, and replies go back to who asked: many in one. Events come
as packs of a commit. A pack is a hint: what did not come, came twice, or not in its turn, is read from the log of its
producer, which can be read also while nobody writes it.
"""

import itertools
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import msgspec
import structlog

from borsa.errors import Refused
from borsa.requests import Request
from borsa.runtime.bus import Listener, Once, Origin, Outcome, Receiver, Replies
from borsa.runtime.buses.broadcasts import SAID, Broadcasts
from borsa.runtime.buses.broker import Arrived, Broker
from borsa.runtime.buses.link import Asked, Language, Message, outcome_message
from borsa.runtime.buses.producers import Aside, Producer, here
from borsa.runtime.buses.questions import Questions
from borsa.runtime.buses.relay import LAST, LOG, Relay, decode_announced, decode_pack
from borsa.runtime.clock import Clock
from borsa.runtime.log import Recorded, Tail, newest
from borsa.runtime.observability.vitals import DescribeProcess, Vitals
from borsa.runtime.store import Reader
from borsa.runtime.writing.inbox import Question
from borsa.runtime.writing.writer import Writer
from borsa.settings import Settings

_log = structlog.get_logger("borsa")

ASK = "borsa.ask."
"""The subject of questions for a service, with its name behind."""

REPLY = "borsa.reply."
"""The subject of replies, with the name of who asked and the number of the message behind."""

ASKERS_MAX = 1_000
"""How many of those who asked are known; most of them have ended."""

LOOK_NS = 100_000_000
"""How often is looked at what was announced, in nanoseconds."""

SILENT_NS = 3_000_000_000
"""After how long without a word of a producer its log is looked at, and how often, in nanoseconds."""


class _Asker:
    """Somebody elsewhere who asked: the outcomes of a commit go back in one message."""

    def __init__(self, inbox: str, send: Callable[[str, Sequence[Message]], None]) -> None:
        self._subject = f"{REPLY}{inbox}.0"
        self._send = send
        self.unanswered: set[int] = set()

    def deliver(self, outcomes: Sequence[tuple[int, Outcome]]) -> None:
        self.unanswered.difference_update([number for number, _ in outcomes])
        self._send(self._subject, [outcome_message(number, outcome) for number, outcome in outcomes])


MISSED_EVENTS_MAX = 100_000
"""Events of one reading of a log for listeners."""


class JetStreamBus:
    """Everything but `ask` of services that live here is called on one thread.

    `vitals` describes this process. `patient`: it waits for replies as long as it takes. `usurped` is called with the
    name of a service that lives here when another process says that it lives there.
    """

    def __init__(
        self,
        broker: Broker,
        language: Language,
        logs: Mapping[str, Reader],
        settings: Settings,
        clock: Clock,
        vitals: Callable[[], Vitals],
        *,
        patient: bool,
        usurped: Callable[[str], None],
    ) -> None:
        self.name = clock.new_id()
        self._broker = broker
        self._relay = Relay(broker, settings)
        self._language = language
        self._encode = msgspec.msgpack.Encoder().encode
        self._logs = logs
        self._fetch_max = settings.fetch_events_max
        self._tails = {source: Tail(source, reader, self._fetch_max) for source, reader in logs.items()}
        self._ticks = clock.ticks
        self._vitals = vitals
        self._usurped = usurped
        self._writers: dict[str, Writer] = {}
        self._consumers: dict[str, list[Writer]] = {}
        self._listeners: dict[str, list[Listener]] = {}
        self._broadcasts = Broadcasts(broker)
        self._sources: dict[str, Producer] = {}
        self._askers: dict[str, _Asker] = {}
        self._questions = Questions(
            self._ask, clock.ticks, settings.inbox_items_max, settings.ask_seconds_max, patient=patient
        )
        self._look_at = self._epoch = 0
        self._connections = broker.connections
        self.aside: Aside = here
        """Where logs are read for listeners."""

    def on_ask(self, act: Callable[[], Any]) -> None:
        """What to do when there is something to flush, for those who don't do so by themselves."""
        self._questions.on_ask = act

    # the life of a process ------------------------------------------------------------------------------------------

    def start(self) -> None:
        """Hear replies and producers. The broker is connected."""
        self._relay.start()
        self._broker.subscribe(f"{REPLY}{self.name}.*")
        self._broker.subscribe(LAST + "*")
        for source in self._consumers:
            self._broker.subscribe(LOG + source)

    def attach(self, writer: Writer) -> None:
        """Connect a service's writer; it has recovered, or is about to."""
        self._writers[writer.service.name] = writer
        for source in writer.service.consumes:
            self._consumers.setdefault(source, []).append(writer)
            self._source(source)

    def open(self, reader: Reader, epoch: int) -> None:
        """The writer of this process is at work, as number `epoch` of its service: say so, and take questions. `reader`
        is for the relay alone."""
        self._epoch = epoch
        for name in self._writers:
            self._relay.own(name, reader, epoch)
            self._broker.subscribe(ASK + name)

    def shut(self) -> None:
        """Take no more questions than have come."""
        for name in self._writers:
            self._broker.unsubscribe(ASK + name)

    def settle(self) -> None:
        """Until what was published is on its way."""
        self._relay.settle()

    @property
    def is_waiting(self) -> bool:
        """Is there a question that this process put, and has no answer to?"""
        return len(self._questions) > 0

    def close(self) -> None:
        """End the connections to the logs."""
        for reader in self._logs.values():
            reader.close()

    # what others need of a bus --------------------------------------------------------------------------------------

    def ask(
        self,
        request: Request[Any],
        origin: Origin,
        replies: Replies,
        token: Any,
        once: Once | None = None,
        of: str = "",
    ) -> None:
        service = of or request.answered_by
        writer = self._writers.get(service)
        if writer is not None:
            writer.inbox.put(Question(request, origin, replies, token, once))
        else:
            self.ask_of(service, request, origin, replies, token, once)

    def ask_of(
        self,
        service: str,
        request: Request[Any],
        origin: Origin,
        replies: Replies,
        token: Any,
        once: Once | None = None,
    ) -> None:
        """Put a question to the process of a service."""
        self._questions.ask(service, request, origin, replies, token, once)

    def publish(self, source: str, events: Sequence[Recorded]) -> None:
        self._relay.offer(source, events)

    def fetch(self, source: str, after: int) -> Sequence[Recorded]:
        return self._tails[source].after(after)

    def listen(self, source: str, listener: Listener) -> None:
        if source not in self._listeners:
            self._broker.subscribe(LOG + source)
            self._source(source).heard = newest(self._logs[source])[0]
        self._listeners.setdefault(source, []).append(listener)

    def broadcast(self, source: str, messages: Sequence[bytes]) -> None:
        self._broadcasts.say(source, messages)

    def tune(self, source: str, receiver: Receiver) -> None:
        self._broadcasts.tune(source, receiver)

    def flush(self) -> bool:
        """Hand over what was asked; False: a step that never has more to do."""
        self._questions.flush()
        return False

    # what arrives ---------------------------------------------------------------------------------------------------

    def receive(self) -> bool:
        """Take what others said; False when they said nothing."""
        arrived = self._broker.arrived
        waiting = len(arrived)
        for each in itertools.islice(iter(arrived.popleft, None), waiting):
            try:
                self._take(each)
            except msgspec.DecodeError as error:
                # of another version, or of nobody that is known
                _log.error("message_not_understood", subject=each.subject, error=str(error))
        self._look()
        return waiting > 0

    def _take(self, arrived: Arrived) -> None:
        subject = arrived.subject
        if subject.startswith(ASK):
            for asked in self._language.decode(arrived.data):
                self._answer(subject.removeprefix(ASK), asked, arrived.reply)
        elif subject.startswith(REPLY):
            if arrived.nobody:
                self._questions.nobody(int(subject.rpartition(".")[2]))
            else:
                self._questions.told(self._language.decode(arrived.data))
        elif subject.startswith(SAID):
            self._broadcasts.take(subject.removeprefix(SAID), arrived.data)
        elif subject.startswith(LOG):
            self._hear(subject.removeprefix(LOG), arrived.data)
        else:
            self._hear_of(subject.removeprefix(LAST), arrived.data)

    # requests -------------------------------------------------------------------------------------------------------

    def _ask(self, service: str, questions: Sequence[Asked], batch: int) -> None:
        self._send(ASK + service, questions, f"{REPLY}{self.name}.{batch}")

    def _send(self, subject: str, messages: Sequence[Message], reply: str = "") -> None:
        """Many in one, as far as the broker takes it."""
        data = self._encode(messages)
        if len(data) <= self._broker.payload_bytes_max:
            self._broker.send(subject, data, reply)
        elif len(messages) > 1:
            middle = len(messages) // 2
            self._send(subject, messages[:middle], reply)
            self._send(subject, messages[middle:], reply)
        elif isinstance(messages[0], Asked):
            refused = outcome_message(messages[0].number, Refused("body_too_large"))
            self._questions.told(self._language.decode(self._encode([refused])))
        else:
            _log.error("reply_too_large", subject=subject, bytes=len(data))

    def _answer(self, service: str, asked: Asked, reply: str) -> None:
        asker = self._asker(reply.removeprefix(REPLY).partition(".")[0])
        if isinstance(asked.request, DescribeProcess):
            asker.deliver([(asked.number, self._vitals())])
        elif asked.number not in asker.unanswered:
            # else it is asked again, and the answer is still to come
            asker.unanswered.add(asked.number)
            origin = Origin(asked.correlation, asked.causation, asked.admin)
            inbox = self._writers[service].inbox
            inbox.put(Question(asked.request, origin, asker, asked.number, asked.once))

    def _asker(self, inbox: str) -> _Asker:
        found = self._askers.get(inbox)
        if found is None:
            if len(self._askers) >= ASKERS_MAX:
                self._askers = {name: each for name, each in self._askers.items() if each.unanswered}
            found = self._askers[inbox] = _Asker(inbox, self._send)
        return found

    # events ---------------------------------------------------------------------------------------------------------

    def _source(self, name: str) -> Producer:
        return self._sources.get(name) or self._sources.setdefault(name, Producer(self._ticks()))

    def _hear(self, name: str, data: bytes) -> None:
        pack = decode_pack(data)
        source = self._source(name)
        source.heard_at = self._ticks()
        if pack.epoch > source.epoch:
            self._take_over(name, source, pack.epoch)
        if pack.last <= source.heard:
            return
        consumers = self._consumers.get(name, ())
        listeners = [each for each in self._listeners.get(name, ()) if each.is_listening()]
        if listeners and pack.first > source.heard + 1:
            self._read(name, source, pack.first - 1)
        if consumers or listeners:
            events = pack.events(name)
            for writer in consumers:
                writer.deliver(name, events)
            if listeners and pack.first > source.heard + 1:
                # what is before it is still being read, and it will be, too
                source.announced = max(source.announced, pack.last)
                return
            self._observe(name, source, events)
        source.heard = pack.last

    def _observe(self, name: str, source: Producer, events: Sequence[Recorded]) -> None:
        fresh = [each for each in events if each.sequence > source.heard]
        for listener in self._listeners.get(name, ()):
            if fresh and listener.is_listening():
                listener.observe(fresh)

    def _read(self, name: str, source: Producer, last: int) -> None:
        """What listeners missed, from the log, up to a sequence that it is known to have, or to its end."""
        if not source.reading:
            source.reading = True
            self.aside(partial(self._missed, name, source.heard, last), partial(self._take_missed, name, source))

    def _missed(self, name: str, heard: int, last: int) -> Sequence[Recorded]:
        last = max(last, newest(self._logs[name])[0])
        found: list[Recorded] = []
        while heard < last and len(found) < MISSED_EVENTS_MAX and (events := self.fetch(name, heard)):
            heard = events[-1].sequence
            found += events
        return found

    def _take_missed(self, name: str, source: Producer, events: Sequence[Recorded]) -> None:
        source.reading = False
        if events:
            self._observe(name, source, events)
            source.heard = max(source.heard, events[-1].sequence)

    def _hear_of(self, name: str, data: bytes) -> None:
        announced = decode_announced(data)
        source = self._source(name)
        if announced.epoch < source.epoch:
            return  # it was paused, and does not know yet that it was replaced
        source.heard_at = self._ticks()
        if name in self._writers and announced.epoch > self._epoch > 0:
            self._usurped(name)
        if announced.epoch > source.epoch:
            if source.epoch > 0:
                # a log that was put back to an older moment goes less far than was heard
                source.heard = min(source.heard, announced.last)
            self._take_over(name, source, announced.epoch)
        source.announced = max(source.announced, announced.last)

    def _take_over(self, name: str, source: Producer, epoch: int) -> None:
        """A producer has another writer, and may have another log: what is known of it is to be looked at again."""
        if source.epoch > 0:
            self._questions.restarted(name)
            self._broadcasts.miss(name)
        source.epoch, source.announced = epoch, 0
        if name in self._logs:
            self._tails[name] = Tail(name, self._logs[name], self._fetch_max)
        for writer in self._consumers.get(name, ()):
            writer.streams.doubt(name)

    def _look(self) -> None:
        """Now and then: what was announced and did not come is read from the log, and so is that of the silent."""
        self._questions.look()
        now = self._ticks()
        if now < self._look_at:
            return
        self._look_at = now + LOOK_NS
        if self._connections != self._broker.connections:
            self._connections = self._broker.connections
            self._questions.ask_again()
            self._broadcasts.miss()
        for name, source in self._sources.items():
            silent = now - source.heard_at > SILENT_NS
            if silent or source.announced > source.heard:
                source.heard_at = now if silent else source.heard_at
                self._catch_up(name, source)

    def _catch_up(self, name: str, source: Producer) -> None:
        for writer in self._consumers.get(name, ()):
            writer.hear_of(name)
        if any(each.is_listening() for each in self._listeners.get(name, ())):
            self._read(name, source, source.announced)
        else:
            source.heard = max(source.heard, source.announced)
