"""The exchange over several processes of one machine: the door, and the services behind it.

One interpreter runs on one core. Decoding HTTP costs as much as everything behind it, so the door gets a process of its
own; and the followers, whom no request waits for, get another.
"""

import asyncio
import os
import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import closing
from functools import partial

from borsa import app
from borsa.errors import CantStart
from borsa.runtime.bus import Origin
from borsa.runtime.buses.embedded import EmbeddedBus
from borsa.runtime.buses.link import Close, Failed, Finished, Link, Message, Started, Stop
from borsa.runtime.buses.linked import LinkedBus
from borsa.runtime.buses.processes import DOOR, Ends, LinkBell, end, start, wait_for
from borsa.runtime.clock import SystemClock
from borsa.runtime.databases.lock import locked
from borsa.runtime.edge import Futures
from borsa.runtime.http.app import Application
from borsa.runtime.observability import telemetry
from borsa.runtime.observability.vitals import DescribeProcess, Vitals
from borsa.runtime.writing.worker import Worker
from borsa.runtime.writing.writers import Writers
from borsa.settings import Settings

ALL = tuple(service.name for service in app.SERVICES)
LEADERS = tuple(name for name in ALL if name not in app.FOLLOWERS)

DIVISIONS: Mapping[int, Mapping[str, tuple[str, ...]]] = {
    2: {"services": ALL},
    3: {"services": LEADERS, "followers": app.FOLLOWERS},
}
"""Which services live in which process beside the door, by the number of processes."""

Die = Callable[[BaseException], None]


def _links(ends: Ends, parts: Mapping[str, tuple[str, ...]]) -> tuple[dict[str, Link], dict[str, Link]]:
    """The links by the process at the other end, and by the services that are behind them."""
    known = app.language()
    by_process = {name: Link(end, known) for name, end in ends.items()}
    behind = {service: by_process[name] for name, found in parts.items() if name in by_process for service in found}
    return by_process, behind


# behind the door ---------------------------------------------------------------------------------------------------


class Part:
    """A process of some services: it works until the door says stop, or is gone."""

    def __init__(
        self, name: str, parts: Mapping[str, tuple[str, ...]], ends: Ends, settings: Settings, die: Die
    ) -> None:
        links, behind = _links(ends, parts)
        self._door = links[DOOR]
        self._closing = False
        clock = SystemClock()
        self._bell = LinkBell(links.values())
        self._worker = Worker(clock, die, self._bell)
        local = _local(settings)
        self._bus = LinkedBus(local, behind, links.values(), self._vitals, self._control)
        services = [service for service in app.SERVICES if service.name in parts[name]]
        databases = app.databases(settings)
        self._writers = Writers(services, databases, local, self._bus, settings, clock, self._worker.wake)

    def run(self) -> int:
        """Recover, work, finish, close; returns the exit status."""
        self._writers.recover()
        self._door.put(Started(app.first_password(self._writers.by_name)))
        writers = self._writers.by_name
        steps = [self._receive, *app.turn(writers), self._bus.flush]
        between = app.between(writers)
        if between:
            between = [self._receive, *between, self._bus.flush]
        paced = not any(name in writers for name in LEADERS)
        self._worker.take(steps, app.following(writers), between, paced=paced)
        self._writers.start_background()
        self._worker.run()
        self._writers.stop_background()
        self._worker.run()  # once more: what the background's last word was
        # no log is read any more: whoever closes a database last must be its writer, also if that is another process
        self._bus.close()
        self._door.put(Finished())
        telemetry.flush_traces()
        self._wait_to_close()
        self._writers.close()
        return 0

    def _receive(self) -> bool:
        busy = self._bus.receive()
        if self._door.closed:
            os._exit(os.EX_UNAVAILABLE)  # nobody is there to be answered; what is committed is there
        return busy

    def _control(self, _: Link, message: Message) -> None:
        if isinstance(message, Stop):
            self._worker.stop()
        elif isinstance(message, Close):
            self._closing = True

    def _wait_to_close(self) -> None:
        while not self._closing:
            self._bus.flush()
            self._receive()
            if not self._closing:
                self._bell.wait(1)

    def _vitals(self) -> Vitals:
        return Vitals(self._writers.vitals(), telemetry.own_metrics())


def _run_part(name: str, parts: Mapping[str, tuple[str, ...]], ends: Ends, settings: Settings, die: Die) -> int:
    try:
        return Part(name, parts, ends, settings, die).run()
    except (CantStart, OSError) as error:
        door = Link(ends[DOOR], app.language())
        door.put(Failed(str(error)))
        door.flush()
        return 1


# the door ----------------------------------------------------------------------------------------------------------


class DividedExchange:
    """The door's process: HTTP here, the services behind links. Make it before any thread is started."""

    def __init__(self, settings: Settings, die: Die) -> None:
        self.settings = settings
        self.first_password = ""
        self._die = die
        self._silent_seconds_max = settings.drain_seconds_max + settings.webhook_timeout_seconds
        self._lock = locked(settings.folder)
        app.prepared(settings)
        parts = DIVISIONS[settings.processes]
        self._ids, ends = start(list(parts), lambda name, own: _run_part(name, parts, own, settings, die))
        self._links, behind = _links(ends, parts)
        self._unheard: dict[Link, type[Message]] = {}
        self._bus = LinkedBus(_local(settings), behind, self._links.values(), lambda: Vitals([], ""), self._control)
        self._wait_until_started()
        self.door = app.Door(settings, app.databases(settings), self._bus, SystemClock(), self._look)

    def _control(self, link: Link, message: Message) -> None:
        if isinstance(message, Failed):
            raise CantStart(message.reason)
        if isinstance(message, Started) and message.said:
            self.first_password = message.said
        if self._unheard.get(link) is type(message):
            del self._unheard[link]

    def _wait_until_started(self) -> None:
        """However long they take to recover."""
        self._unheard = dict.fromkeys(self._links.values(), Started)
        with closing(LinkBell(self._unheard)) as bell:
            try:
                while self._unheard:
                    self._hear(self._links)
                    bell.wait(1 if self._unheard else 0)
            except CantStart:
                end(self._ids.values())
                raise

    def _wait_until_finished(self, name: str) -> None:
        """However much it has to do, as long as it answers now and then."""
        link = self._links[name]
        self._unheard = {link: Finished}
        heard_at = time.monotonic()
        with closing(LinkBell(self._unheard)) as bell:
            while self._unheard:
                if self._hear([name]):
                    heard_at = time.monotonic()
                elif time.monotonic() - heard_at > self._silent_seconds_max:
                    raise TimeoutError(f"the process of the {name} does not answer")
                else:
                    self._bus.ask_over(link, DescribeProcess(), Origin("stop"), Futures(), None)
                    link.flush()
                bell.wait(1 if self._unheard else 0)

    def _hear(self, names: Iterable[str]) -> bool:
        """Say what is to be said, and take what was; False when nothing was."""
        self._bus.flush()
        heard = self._bus.receive()
        for name in names:
            if self._links[name].closed:
                raise CantStart(f"the process of the {name} ended")
        return heard

    def _wait_until_gone(self, name: str) -> None:
        link = self._links[name]
        given_up_at = time.monotonic() + self._silent_seconds_max
        with closing(LinkBell([link])) as bell:
            while not link.closed:
                if time.monotonic() > given_up_at:
                    raise TimeoutError(f"the process of the {name} does not end")
                link.flush()
                bell.wait(1)
                link.receive()
        wait_for([self._ids[name]])

    async def start(self) -> Application:
        loop = asyncio.get_running_loop()
        for name, link in self._links.items():
            loop.add_reader(link.socket, self._read, name, link)
            link.on_put = partial(loop.call_soon, self._flush, loop, link)
        return await self.door.open()

    def _read(self, name: str, link: Link) -> None:
        self._bus.receive_from(link)
        if link.closed:
            self._fail(ConnectionError(f"the process of the {name} ended"))

    def _fail(self, error: Exception) -> None:
        """Nobody outlives the door, not even who stands still: the next start needs the folder."""
        end(self._ids.values())
        self._die(error)

    def _flush(self, loop: asyncio.AbstractEventLoop, link: Link) -> None:
        if not link.flush():
            loop.add_writer(link.socket, self._flush_rest, loop, link)

    def _flush_rest(self, loop: asyncio.AbstractEventLoop, link: Link) -> None:
        if link.flush():
            loop.remove_writer(link.socket)

    async def _look(self) -> Mapping[str, Vitals | None]:
        asked = [self._vitals_of(link) for link in self._links.values()]
        return dict(zip(self._links, await asyncio.gather(*asked), strict=True))

    async def _vitals_of(self, link: Link) -> Vitals | None:
        token: asyncio.Future[Vitals] = asyncio.get_running_loop().create_future()
        self._bus.ask_over(link, DescribeProcess(), Origin("health"), Futures(), token)
        try:
            return await asyncio.wait_for(token, app.LOOK_SECONDS_MAX)
        except TimeoutError:
            return None

    async def stop(self) -> None:
        loop = asyncio.get_running_loop()
        for link in self._links.values():
            link.on_put = None
            loop.remove_reader(link.socket)
            loop.remove_writer(link.socket)
        self.door.close()
        try:
            # each after those that it follows
            for name in self._links:
                self._links[name].put(Stop())
                self._wait_until_finished(name)
            self._bus.close()
            # readers before writers: who closes a database last moves its write-ahead log into the file
            for name in reversed(self._links):
                self._links[name].put(Close())
                self._wait_until_gone(name)
        except (CantStart, TimeoutError) as error:
            self._fail(error)
        self._lock.close()


def _local(settings: Settings) -> EmbeddedBus:
    return EmbeddedBus(settings.fetch_events_max, app.readers_of(app.databases(settings)))
