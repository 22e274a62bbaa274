"""The composition root: the one file that names drivers and services, and wires them into a running exchange."""

import asyncio
import gc
from collections.abc import Callable, Collection, Mapping
from typing import Any

import msgspec
import uvicorn
from starlette.routing import Router

from borsa.errors import CantStart
from borsa.requests import DescribeAccess
from borsa.runtime.auth import Authenticator
from borsa.runtime.bus import Origin
from borsa.runtime.clock import Clock, SystemClock
from borsa.runtime.edge import Edge
from borsa.runtime.embedded import EmbeddedBus
from borsa.runtime.http.app import application, fixed_paths_first
from borsa.runtime.http.call import Means
from borsa.runtime.http.limits import Limits
from borsa.runtime.http.route import Route
from borsa.runtime.http.server import Server, listen
from borsa.runtime.lock import locked
from borsa.runtime.service import Background, Service
from borsa.runtime.sqlite import SqliteDatabase
from borsa.runtime.standard import Health, standard_routes
from borsa.runtime.store import Database, Reader
from borsa.runtime.worker import Step, Worker
from borsa.runtime.writer import Writer
from borsa.services.notifications import NOTIFICATIONS
from borsa.services.orders import ORDERS
from borsa.services.portfolios import PORTFOLIOS
from borsa.services.trades import TRADES
from borsa.services.users import USERS
from borsa.services.wallets import WALLETS
from borsa.settings import Settings

SERVICES: tuple[Service[Any], ...] = (USERS, ORDERS, TRADES, WALLETS, PORTFOLIOS, NOTIFICATIONS)

FOLLOWERS = ("portfolios", "notifications")
"""Services that no request waits for under load."""


def turn(writers: Mapping[str, Writer]) -> list[Step]:
    """What one thread does over and over: it is the way of an order, in as few commits as it can be.

    `orders` hears what is asked and asks `wallets`, which holds, and settles the trades of the last turn; `orders`
    commits and answers, and follows those trades; `trades` matches. Three commits, however many orders.
    """
    orders, wallets, trades, users = (writers[name] for name in ("orders", "wallets", "trades", "users"))
    return [orders.hear, wallets.step, orders.step, trades.step, users.step]


def databases(settings: Settings) -> dict[str, Database]:
    """The database of each service."""
    return {each.name: SqliteDatabase(each.name, settings.folder, each.tables) for each in SERVICES}


def facts(settings: Settings) -> dict[str, str]:
    """What runs here, for /healthz and `borsa doctor`."""
    known = {"store": "sqlite", "bus": "embedded"}
    for service in SERVICES:
        known |= service.facts(settings)
    return known


def routes() -> list[Route]:
    """Every route of every service, each with the name of its service."""
    own = [_of(service, route) for service in SERVICES for route in service.routes]
    return fixed_paths_first(own + standard_routes(SERVICES))


def _of(service: Service[Any], route: Route) -> Route:
    return msgspec.structs.replace(route, service=service.name)


class Exchange:
    """All six services in one process: SQLite, one thread for the writers, HTTP on the caller's event loop."""

    def __init__(self, settings: Settings, failed: Callable[[BaseException], None], clock: Clock | None = None) -> None:
        self.settings = settings
        self._clock = clock or SystemClock()
        self._lock = locked(settings.folder)
        self._bus = EmbeddedBus(settings.fetch_events_max)
        self._worker = Worker(self._clock, failed)
        self._databases = databases(settings)
        self._background: list[Background] = []
        self._readers: dict[str, Reader] = {}
        _check_complete(self._databases.values())
        for database in self._databases.values():
            database.migrate()
        self.writers = {service.name: self._writer(service) for service in SERVICES}
        self.health = Health(self.writers)

    def _writer(self, service: Service[Any]) -> Writer:
        database = self._databases[service.name]
        connection = database.connect()
        self._bus.add_log(service.name, database.reader())
        writer = Writer(service, connection, self._bus, self._clock, self.settings, self._worker.wake)
        self._bus.attach(writer)
        return writer

    @property
    def first_password(self) -> str:
        """The password that the first start made up for the admin; empty at any other start."""
        password: str = self.writers["users"].memory.first_password
        return password

    async def start(self) -> Router:
        """Recover, start the writers, and give the ASGI application that serves them."""
        self._check_cursors()
        for writer in self.writers.values():
            writer.start()
        self._worker.start(turn(self.writers), [self.writers[name].step for name in FOLLOWERS])
        self._background = [
            service.background(self._bus, self._databases[service.name].reader(), self.settings, self._clock)
            for service in SERVICES
            if service.background is not None
        ]
        for work in self._background:
            work.start()
        self._readers = {name: database.reader() for name, database in self._databases.items()}
        edge = Edge(self._bus, self._readers, asyncio.get_running_loop())
        authenticator = Authenticator(edge, self.settings, self._clock)
        # followed before it is asked for: nothing that is revoked in between is missed
        self._bus.listen("users", authenticator)
        authenticator.begin(await edge.ask(DescribeAccess(), Origin("start")))
        known = facts(self.settings)
        means = Means(edge, self.settings, authenticator, Limits(self._clock), self._clock, self.health, known)
        self.health.ready = True
        return application(routes(), means)

    def _check_cursors(self) -> None:
        """A log that ends before what was applied of it has lost its end: nothing new may be written over the loss."""
        for name, writer in self.writers.items():
            for stream in writer.streams:
                last = self.writers[stream.source].last_sequence
                if stream.cursor > last:
                    raise CantStart(
                        f"{name} has applied {stream.source}/{stream.cursor}, but that log ends at {last}: "
                        f"{stream.source} is older than the rest; restore all databases of one moment"
                    )

    def stop(self) -> None:
        """Finish what was accepted, and close everything."""
        self.health.ready = False
        for work in self._background:
            work.stop()
        self._worker.stop()
        for reader in self._readers.values():
            reader.close()
        self._bus.close()
        # last: who closes a database last moves its write-ahead log into the file, and only writers may
        for writer in self.writers.values():
            writer.close()
        self._lock.close()


def _check_complete(found: Collection[Database]) -> None:
    """All databases of a folder, or none of them yet: what is lost is not made anew in silence."""
    missing = [database.name for database in found if not database.exists()]
    if missing and len(missing) < len(found):
        raise CantStart(f"the data folder has lost the database of {', '.join(missing)}; restore all of one moment")


async def serve(
    exchange: Exchange, started: Callable[[int], None], hold: Callable[[uvicorn.Server], None] | None = None
) -> None:
    """Serve HTTP until the process is told to stop (SIGTERM, SIGINT), then drain. `started` gets the port; `hold`
    the server, for those who stop it by its `should_exit`."""
    settings = exchange.settings
    listening = listen(settings)
    server = Server(await exchange.start(), settings, exchange.health)
    if hold:
        hold(server)
    _tune_collector()
    started(listening.getsockname()[1])
    try:
        await server.serve(sockets=[listening])
    finally:
        await asyncio.to_thread(exchange.stop)


def _tune_collector() -> None:
    """Look for cycles less often: nearly everything that an order makes is freed by counting.

    With Python's defaults (700, 10, 10) a sixth of the work of an order was looking at the caches again and again.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 50)
