"""An exchange of processes that begin and end one by one: each service its own, and gateways, of which any may be
started more than once. PostgreSQL is under them, NATS between them.
"""

import asyncio
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from typing import Any, Self

import structlog

from borsa import app
from borsa.errors import CantStart, Refused
from borsa.requests import AssignMarkets, DescribeAccess, Request
from borsa.runtime.access.auth import Authenticator
from borsa.runtime.bus import Origin
from borsa.runtime.buses.broker import Broker
from borsa.runtime.buses.jetstream import JetStreamBus
from borsa.runtime.buses.producers import Take, Work
from borsa.runtime.clock import SystemClock
from borsa.runtime.databases.lease import look
from borsa.runtime.databases.postgres import take_turn
from borsa.runtime.databases.postgres_server import Server
from borsa.runtime.edge import Edge, Futures
from borsa.runtime.following import channels
from borsa.runtime.http.app import Application, application
from borsa.runtime.http.call import Means
from borsa.runtime.http.limits import Limits
from borsa.runtime.log import Recorded
from borsa.runtime.observability.vitals import DescribeProcess, Vitals
from borsa.runtime.shards import shards_of
from borsa.runtime.standard import Health, Look, standard_routes
from borsa.runtime.store import Database
from borsa.runtime.writing.worker import EventBell, Worker
from borsa.runtime.writing.writers import Writers
from borsa.services.orders.assigning import shard_for
from borsa.services.orders.store import shard_of_markets
from borsa.settings import Settings

_log = structlog.get_logger("borsa")

OWN_ROUTES = ("/healthz", "/readyz", "/metrics")
"""What the process of a service answers over HTTP."""

TICK_SECONDS = 0.1
"""How often a gateway looks at what waits, when nothing calls it."""

DRAIN_LOOK_SECONDS = 0.01


def prepared(settings: Settings) -> dict[str, Database]:
    """The databases, as soon as their server is there, all brought to this version by whichever process comes first."""
    settings.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    # however many come before it, and however long they take
    with Server(settings.database_url).awaited("public", "prepare", lock_timeout=0) as connection:
        # until the connection ends: who comes at the same time finds all of them, or none
        connection.execute("SELECT pg_advisory_lock(7311)")
        app.check_moved(settings)
        return app.complete(settings, app.databases(settings))


# a service ---------------------------------------------------------------------------------------------------------


class Hatch:
    """Where one asks a service's process how it is."""

    def __init__(self, look: Look) -> None:
        self.health = Health(look)

    def application(self, settings: Settings, bus: JetStreamBus) -> Application:
        """The ASGI application: what needs nobody's identity, and no service's data."""
        clock = SystemClock()
        edge = Edge(bus, {}, asyncio.get_running_loop())
        authenticator = Authenticator(edge, settings, clock)
        means = Means(edge, settings, authenticator, Limits(clock, settings), clock, self.health, app.facts(settings))
        own = [route for route in standard_routes(app.SERVICES) if route.path in OWN_ROUTES]
        return application(own, means, channels(app.SERVICES, means.doors, edge))


class Part:
    """The process of a service. It stands by until nobody else has the lease; then it recovers, and works until it is
    told to stop, or has lost the lease. `begun` is called then, with the password that the first start made up."""

    def __init__(
        self, name: str, settings: Settings, die: Callable[[BaseException], None], begun: Callable[[str], None]
    ) -> None:
        self.settings = settings
        self.door = Hatch(self._look)
        self._name = name
        self._service = next(service for service in app.services(settings) if service.name == name)
        self._die = die
        self._begun = begun
        self._clock = SystemClock()
        self._worker = Worker(self._clock, die, EventBell())
        self._broker = Broker(settings.nats_url, f"borsa {name}", self._worker.wake)
        self._databases = prepared(settings)
        logs = {each: self._databases[each].reader() for each in (name, *self._service.consumes)}
        self._bus = JetStreamBus(
            self._broker, app.language(), logs, settings, self._clock, self._vitals, patient=True, usurped=self._usurped
        )
        self._writers: Writers | None = None
        self._thread = threading.Thread(target=self._run, name="borsa-writers", daemon=True)

    async def start(self) -> Application:
        self._thread.start()
        return self.door.application(self.settings, self._bus)

    def _run(self) -> None:
        try:
            self._begin()
        except BaseException as error:
            self._die(error)
            return
        self._worker.run()

    def _begin(self) -> None:
        writers = self._writers = self._recovered()
        writers.start_background()
        self.door.health.ready = True
        self._begun(app.first_password(writers.by_name))

    def _recovered(self) -> Writers:
        self._broker.start()
        take_turn(Server(self.settings.database_url), [self._name])
        app.check_moved(self.settings)
        # it may have stood by while markets were assigned
        app.check_shards(self._databases)
        bus, databases = self._bus, self._databases
        writers = Writers([self._service], databases, bus, bus, self.settings, self._clock, self._worker.wake)
        # heard before it is read: nothing that comes in between is missed
        bus.start()
        writers.recover()
        writer = writers.by_name[self._name]
        if self._name in app.FOLLOWERS:
            self._worker.take([bus.receive, writer.hear, bus.flush], [writer.step], paced=True)
        else:
            self._worker.take([bus.receive, writer.step, bus.flush])
        bus.open(databases[self._name].reader(), self._epoch())
        return writers

    def _epoch(self) -> int:
        """That of the lease which this process has."""
        with Server(self.settings.database_url).reached(self._name, "look") as connection:
            return look(connection).epoch

    def _usurped(self, name: str) -> None:
        raise RuntimeError(f"another process writes {name}")

    def _vitals(self) -> Vitals:
        return Vitals(self._writers.vitals() if self._writers else [], "")

    async def _look(self) -> Mapping[str, Vitals]:
        return {self._name: self._vitals()}

    async def stop(self) -> None:
        # one that stands by, or recovers, has nothing to finish, and ends with the process
        if self._writers is not None:
            await asyncio.to_thread(self._stop, self._writers)

    def _stop(self, writers: Writers) -> None:
        writers.stop_background()
        self._bus.shut()
        given_up_at = time.monotonic() + self.settings.drain_seconds_max
        while self._bus.is_waiting and time.monotonic() < given_up_at:
            time.sleep(DRAIN_LOOK_SECONDS)
        self._worker.stop()
        self._thread.join()
        self._bus.settle()
        self._broker.close()
        self._bus.close()
        writers.close()


# the markets of a shard --------------------------------------------------------------------------------------------


def _nobody(_: str) -> None:
    """There is no writer here who could be replaced."""


class _Beforehand:
    """Asks, before there is a service here that could; for as long as it takes."""

    def __init__(self, settings: Settings) -> None:
        self._arrived = threading.Event()
        self._broker = Broker(settings.nats_url, "borsa trades", self._arrived.set)
        nothing = Vitals([], "")
        self._bus = JetStreamBus(
            self._broker, app.language(), {}, settings, SystemClock(), lambda: nothing, patient=True, usurped=_nobody
        )
        self._outcomes: dict[str, Any] = {}

    def __enter__(self) -> Self:
        self._broker.start()
        self._bus.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._broker.close()

    def ask(self, service: str, request: Request[Any]) -> Any:
        """The outcome."""
        _log.info("waiting", why=f"{service} is asked")
        self._bus.ask_of(service, request, Origin("serve"), self, service)
        while service not in self._outcomes:
            self._bus.flush()
            self._arrived.wait(TICK_SECONDS)
            self._arrived.clear()
            self._bus.receive()
        return self._outcomes.pop(service)

    def deliver(self, outcomes: Sequence[tuple[str, Any]]) -> None:
        """Take what was answered."""
        self._outcomes.update(outcomes)


def shard_with(settings: Settings, markets: Sequence[str]) -> str:
    """The shard of trades that has these markets; CantStart where there can be none. What was assigned before stands in
    the database; else orders is asked."""
    shards = shards_of("trades", settings.trades_shards)[1:]
    with closing(prepared(settings)["orders"].reader()) as reader:
        assigned = shard_of_markets(reader)
    try:
        if assigned.keys() >= set(markets):
            return shard_for(markets, assigned, shards)
        with _Beforehand(settings) as others:
            _check_followed(others, settings, shards)
            outcome = others.ask("orders", AssignMarkets(markets=list(markets)))
    except Refused as refused:
        outcome = refused
    if isinstance(outcome, Refused):
        raise CantStart(f"--markets {','.join(markets)}: {outcome.detail}")
    return str(outcome.shard)


def _check_followed(others: _Beforehand, settings: Settings, shards: Sequence[str]) -> None:
    """Whoever follows trades follows every shard: what one of them does not hear of would never be settled, or told."""
    for service in app.services(settings):
        if "trades" in service.consumes:
            (vital,) = others.ask(service.name, DescribeProcess()).writers
            if missing := set(shards).difference(each.source for each in vital.follows):
                told = f"BORSA_TRADES_SHARDS={len(shards)}"
                raise CantStart(f"{service.name} does not follow {', '.join(sorted(missing))}: start it with {told}")


# a gateway ---------------------------------------------------------------------------------------------------------


class Gateway:
    """HTTP, and nothing behind it: it asks the services, and reads what they committed."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        clock = SystemClock()
        found = prepared(settings)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._called = False
        self._catching_up = ThreadPoolExecutor(1, thread_name_prefix="borsa-logs")
        self._broker = Broker(settings.nats_url, "borsa gateway", self._wake)
        self._broker.start()
        self._bus = JetStreamBus(
            self._broker,
            app.language(),
            app.readers_of(found),
            settings,
            clock,
            lambda: Vitals([], ""),
            patient=False,
            usurped=_nobody,
        )
        self.door = app.Door(settings, found, self._bus, clock, self._look)

    def _wake(self) -> None:
        """Something arrived, on the broker's thread."""
        if self._loop is not None and not self._called:
            self._called = True
            self._loop.call_soon_threadsafe(self._receive)

    def _receive(self) -> None:
        self._called = False
        self._bus.receive()
        self._bus.flush()

    async def start(self) -> Application:
        loop = self._loop = asyncio.get_running_loop()
        self._bus.aside = self._aside
        self._bus.on_ask(lambda: loop.call_soon(self._bus.flush))
        self._bus.start()
        self._ticking = loop.create_task(self._tick())
        while isinstance(await self._asked("users", DescribeAccess()), Refused):
            _log.warning("waiting", why="users does not answer")
        return await self.door.open()

    def _aside(self, work: Work, take: Take) -> None:
        """Read a log for the bus: on a thread, where the loop does not wait for it."""

        def done(found: "asyncio.Future[Sequence[Recorded]]") -> None:
            if found.cancelled():
                return
            error = found.exception()
            if error is not None:
                _log.warning("log_not_read", error=str(error))
            take([] if error else found.result())

        asyncio.get_running_loop().run_in_executor(self._catching_up, work).add_done_callback(done)

    async def _tick(self) -> None:
        while True:
            await asyncio.sleep(TICK_SECONDS)
            self._receive()

    def _asked(self, service: str, request: Any) -> "asyncio.Future[Any]":
        token: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self._bus.ask_of(service, request, Origin("gateway"), Futures(), token)
        return token

    async def _look(self) -> Mapping[str, Vitals | None]:
        names = [service.name for service in app.services(self.settings)]
        return dict(zip(names, await asyncio.gather(*(self._vitals_of(name) for name in names)), strict=True))

    async def _vitals_of(self, name: str) -> Vitals | None:
        try:
            found = await asyncio.wait_for(self._asked(name, DescribeProcess()), app.LOOK_SECONDS_MAX)
        except TimeoutError:
            return None
        return found if isinstance(found, Vitals) else None

    async def stop(self) -> None:
        self._ticking.cancel()
        self.door.close()
        self._catching_up.shutdown(wait=False, cancel_futures=True)
        await asyncio.to_thread(self._broker.close)
        self._bus.close()
