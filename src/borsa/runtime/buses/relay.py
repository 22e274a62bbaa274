"""From a log to the broker: the events of a commit in one message, and, for outsiders, each by itself.

What the broker has is a copy. It may lack the newest, repeat some, or be lost: whoever needs the events goes by their
sequences, and to the log for what is missing. The relay fills the copy again from the log when it knows of a loss.
"""

import asyncio
import contextlib
import time
from collections import deque
from collections.abc import Iterator, Mapping, Sequence

import msgspec
import nats.errors
import structlog
from nats.js import JetStreamContext
from nats.js.api import DiscardPolicy, PubAck, StorageType, StreamConfig
from nats.js.errors import APIError, NotFoundError
from nats.js.errors import Error as JetStreamError

from borsa.runtime.buses.broker import Broker
from borsa.runtime.codec import encode
from borsa.runtime.log import Recorded, cloud_event, newest, read_after, row_of
from borsa.runtime.store import Reader, Unreadable
from borsa.settings import Settings

_log = structlog.get_logger("borsa")

LOG = "borsa.log."
"""The subject of a service's packs, with its name behind."""

LAST = "borsa.last."
"""The subject on which a service says how far its log goes, with its name behind."""

EVENTS = "borsa.events."
"""The subjects of single events: with source, type, and market or "-" behind."""

LOG_STREAM = "borsa-log"
EVENTS_STREAM = "borsa-events"

ANNOUNCE_SECONDS = 1
"""How often a service says how far its log goes."""

ACKNOWLEDGE_SECONDS_MAX = 5
"""How long the broker may take to say that it has a message."""

FILL_EVENTS_MAX = 100_000
"""How far back a copy that was lost is filled again."""

REMEMBER_SECONDS = 120
"""How long the broker knows a message that comes twice."""


REPLICAS = 3
"""On how many brokers a copy is to be, where there are so many."""

LOOK_AFTER_SECONDS = 10
"""How often is looked whether the copy is there, on as many brokers as it can be."""


class Pack(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """Events of a log, in sequence: the first, the last, the rows of all, and the epoch of the log's writer."""

    first: int
    last: int
    rows: msgspec.Raw
    epoch: int = 0

    def events(self, source: str) -> list[Recorded]:
        """The events themselves."""
        return [Recorded(source, *row) for row in _decode_rows(self.rows)]


class Announced(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """How far a log goes, and which of all its writers that were writes it now."""

    last: int
    epoch: int


_encode = msgspec.msgpack.Encoder().encode
_decode_rows = msgspec.msgpack.Decoder(list[tuple[int, int, str, str, str, str | None, bytes]]).decode
decode_pack = msgspec.msgpack.Decoder(Pack).decode
decode_announced = msgspec.msgpack.Decoder(Announced).decode


def packs(events: Sequence[Recorded], bytes_max: int, epoch: int) -> Iterator[tuple[Sequence[Recorded], bytes]]:
    """The events in as few messages as take them."""
    rows = msgspec.Raw(_encode([row_of(event) for event in events]))
    packed = _encode(Pack(events[0].sequence, events[-1].sequence, rows, epoch))
    if len(packed) <= bytes_max or len(events) == 1:
        yield events, packed
        return
    middle = len(events) // 2
    yield from packs(events[:middle], bytes_max, epoch)
    yield from packs(events[middle:], bytes_max, epoch)


class Relay:
    """Publishes what it is offered. Where it has a log of its `own`, it announces how far that goes, and keeps the
    broker's copy of it whole. All but `offer` and `own` happens on the broker's loop."""

    def __init__(self, broker: Broker, settings: Settings) -> None:
        self._broker = broker
        self._events_max = settings.stream_events_max
        self._bytes_max = settings.nats_bytes_max
        self._single = settings.nats_events
        self._streams = {LOG_STREAM: LOG + "*"} | ({EVENTS_STREAM: EVENTS + ">"} if self._single else {})
        self._offered: deque[tuple[str, Sequence[Recorded]]] = deque()
        self._some = asyncio.Event()
        self._told = False
        self._source = ""
        self._epoch = 0
        self._reader: Reader | None = None
        self._last = self._position = 0
        self._waiting = 0
        self._stream: JetStreamContext | None = None
        self._unacknowledged: deque[tuple[float, asyncio.Future[PubAck]]] = deque()
        self._is_lacking = True
        self._failed = False
        self._worth = ""
        self._is_idle = False

    def start(self) -> None:
        """Begin; the broker is connected."""
        self._broker.on_connected(self._fill_again)
        self._broker.run(self._run())
        self._broker.run(self._tick())
        self._broker.run(self._look_after())

    # from the writer's thread ---------------------------------------------------------------------------------------

    def own(self, source: str, reader: Reader, epoch: int) -> None:
        """From now on this process writes the log of `source`, as its writer number `epoch`."""
        self._last = newest(reader)[0]
        self._reader, self._source, self._epoch = reader, source, epoch
        self._broker.call_soon(self._fill_again)
        self._announce()

    def offer(self, source: str, events: Sequence[Recorded]) -> None:
        """Publish committed events soon. What does not fit into memory is read from the log, or left to it."""
        if source == self._source:
            self._last = events[-1].sequence
        if self._waiting + len(events) > self._events_max:
            self._failed = True
            return
        self._waiting += len(events)
        self._offered.append((source, events))
        if not self._told:
            self._told = True
            self._broker.call_soon(self._some.set)

    # on the loop ----------------------------------------------------------------------------------------------------

    def _fill_again(self) -> None:
        self._is_lacking = True
        self._some.set()

    async def _tick(self) -> None:
        """Once a second: say how far the log goes, and look whether the broker has what it was sent."""
        while True:
            await asyncio.sleep(ANNOUNCE_SECONDS)
            self._announce()
            self._give_up()
            if self._failed:
                self._failed = False
                self._fill_again()

    def _announce(self) -> None:
        if self._source and self._broker.client.is_connected:
            self._broker.send(LAST + self._source, _encode(Announced(self._last, self._epoch)))

    def _give_up(self) -> None:
        """What was not acknowledged for long is lost, as far as anybody knows."""
        waiting, now = self._unacknowledged, time.monotonic()
        while waiting and (waiting[0][1].done() or waiting[0][0] + ACKNOWLEDGE_SECONDS_MAX < now):
            future = waiting.popleft()[1]
            if not future.done():
                future.cancel()

    def _acknowledged(self, future: "asyncio.Future[PubAck]") -> None:
        if future.cancelled() or future.exception() is not None:
            self._failed = True

    async def _run(self) -> None:
        while True:
            self._is_idle = not self._some.is_set()
            await self._some.wait()
            self._is_idle = False
            self._some.clear()
            self._told = False
            try:
                if self._is_lacking:
                    await self._fill()
                while self._offered and self._broker.client.is_connected:
                    source, events = self._offered.popleft()
                    self._waiting -= len(events)
                    if source != self._source or events[-1].sequence > self._position:
                        await self._publish(source, events)
            except (nats.errors.Error, JetStreamError, TimeoutError, Unreadable) as error:
                # the second brings it back here
                _log.warning("relay_failed", source=self._source, error=repr(error))
                self._failed = True

    async def _publish(self, source: str, events: Sequence[Recorded]) -> None:
        if source == self._source:
            self._position = events[-1].sequence
        for part, packed in packs(events, self._broker.payload_bytes_max, self._epoch):
            await self._put(LOG + source, packed, f"{source}/{part[0].sequence}-{part[-1].sequence}")
        if self._single:
            for event in events:
                await self._put(subject_of(event), encode(cloud_event(event)), event.id)

    async def _put(self, subject: str, data: bytes, known_as: str) -> None:
        if self._stream is None:
            await self._broker.client.publish(subject, data)
            return
        future = await self._stream.publish_async(subject, data, headers={"Nats-Msg-Id": known_as})
        future.add_done_callback(self._acknowledged)
        self._unacknowledged.append((time.monotonic(), future))

    # the broker's copy ----------------------------------------------------------------------------------------------

    async def _fill(self) -> None:
        """Make the copy what the log is, as far as it goes back."""
        if not self._broker.client.is_connected:
            return
        self._is_lacking = False
        self._stream, found = await prepared(self._broker, self._streams, self._bytes_max)
        if found != self._worth:
            self._worth = found
            _log.info("broker", version=self._broker.version, acknowledgement=found)
        if self._reader is None or self._stream is None:
            return
        after = max(await self._stored(self._stream), self._last - FILL_EVENTS_MAX)
        while events := await asyncio.to_thread(read_after, self._reader, self._source, after, 1_000):
            await self._publish(self._source, events)
            after = events[-1].sequence
        self._position = max(self._position, after)

    async def _look_after(self) -> None:
        """Now and then: is the copy there, on as many brokers as it can be? Aside, so that no event waits for it."""
        while True:
            await asyncio.sleep(LOOK_AFTER_SECONDS)
            with contextlib.suppress(nats.errors.Error, JetStreamError, TimeoutError):
                if self._broker.client.is_connected and not await self._is_kept():
                    self._fill_again()

    async def _is_kept(self) -> bool:
        """Are the streams there, as they were when the copy was filled? Those with too few replicas get them."""
        try:
            for name in self._streams:
                await grow(self._broker.jetstream(), name)
        except NotFoundError:
            return False
        return self._stream is not None

    async def _stored(self, stream: JetStreamContext) -> int:
        """The last sequence that the broker has; what goes beyond the log is of another history, and removed."""
        last = await stored(stream, LOG + self._source)
        if last <= self._last:
            return last
        _log.warning("copy_of_another_history", source=self._source, stored=last, last=self._last)
        await stream.purge_stream(LOG_STREAM, subject=LOG + self._source)
        return 0

    def settle(self) -> None:
        """Until everything that was offered is on its way."""
        self._broker.wait_for(self._is_out)

    def _is_out(self) -> bool:
        return self._is_idle and not (self._offered or self._some.is_set() or self._told)


def subject_of(recorded: Recorded) -> str:
    """Where outsiders find an event: by source, type and market."""
    market = getattr(recorded.event, "symbol", None) or "-"
    return f"{EVENTS}{recorded.source}.{recorded.type}.{market}"


async def stored(stream: JetStreamContext, subject: str) -> int:
    """The last sequence that the broker has."""
    try:
        found = await stream.get_last_msg(LOG_STREAM, subject)
    except NotFoundError:
        return 0
    return decode_pack(found.data or b"").last


async def prepared(broker: Broker, streams: Mapping[str, str], bytes_max: int) -> tuple[JetStreamContext | None, str]:
    """The streams, by name with their subjects, made where they are not there, None where the broker stores nothing;
    and what its word is worth."""
    stream = broker.jetstream()
    try:
        replicas = min([await _made(stream, name, subject, bytes_max) for name, subject in streams.items()])
    except (TimeoutError, JetStreamError, nats.errors.Error) as error:
        return None, f"nothing is stored: {error!r}"
    return stream, worth(replicas)


def worth(replicas: int) -> str:
    """What the broker's word is worth that it has a message."""
    # it says so before the message is on disk, and 2.9 can't be told otherwise
    return f"{replicas} of its servers have it in memory; on disk within two minutes, or its sync_interval"


async def _made(stream: JetStreamContext, name: str, subject: str, bytes_max: int) -> int:
    """See to it that a stream is there; gives its replicas: REPLICAS where the broker can, else one."""
    try:
        return (await stream.stream_info(name)).config.num_replicas or 1
    except NotFoundError:
        pass
    wanted = StreamConfig(
        name=name,
        subjects=[subject],
        storage=StorageType.FILE,
        discard=DiscardPolicy.OLD,
        max_bytes=bytes_max,
        duplicate_window=REMEMBER_SECONDS,
    )
    try:
        await stream.add_stream(wanted.evolve(num_replicas=REPLICAS))
    except APIError:
        await stream.add_stream(wanted.evolve(num_replicas=1))
        return 1
    return REPLICAS


async def grow(stream: JetStreamContext, name: str) -> None:
    """See to it that one that was made when too few brokers were there has its REPLICAS, where they are."""
    found = await stream.stream_info(name)
    if found.cluster is None or (found.config.num_replicas or 1) >= REPLICAS:
        return
    with contextlib.suppress(APIError):
        await stream.update_stream(found.config.evolve(num_replicas=REPLICAS))
        _log.info("copies_added", stream=name, replicas=REPLICAS)
