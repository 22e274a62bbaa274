"""The composition root: the one file that names drivers and services, and wires them into a running exchange."""

import asyncio
import fcntl
import os
import signal
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import msgspec
import uvicorn
from starlette.routing import Router

from borsa.requests import DescribeAccess
from borsa.runtime.auth import Authenticator
from borsa.runtime.bus import Origin
from borsa.runtime.clock import Clock, SystemClock
from borsa.runtime.edge import Edge
from borsa.runtime.embedded import EmbeddedBus
from borsa.runtime.http.app import application, order_of
from borsa.runtime.http.call import Means
from borsa.runtime.http.limits import Limits
from borsa.runtime.http.route import Route
from borsa.runtime.service import Service
from borsa.runtime.sqlite import SqliteDatabase
from borsa.runtime.standard import Health, standard_routes
from borsa.runtime.store import Database
from borsa.runtime.worker import Worker
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

TURN = ("orders", "wallets", "orders", "trades", "wallets", "users")
"""The order in which one thread steps the writers: it is the way of an order. `orders` asks, `wallets` holds, `orders`
commits and answers, `trades` matches, `wallets` settles; then the followers follow."""


class AlreadyRunning(RuntimeError):
    """Another process has this data folder open."""


def databases(settings: Settings) -> dict[str, Database]:
    """The database of each service."""
    return {each.name: SqliteDatabase(each.name, settings.folder, each.tables) for each in SERVICES}


def facts() -> dict[str, str]:
    """What runs here, for /healthz and `borsa doctor`."""
    known = {"store": "sqlite", "bus": "embedded"}
    for service in SERVICES:
        known |= service.facts
    return known


def routes() -> list[Route]:
    """Every route of every service, each with the name of its service."""
    own = [_of(service, route) for service in SERVICES for route in service.routes]
    return order_of(own + standard_routes(SERVICES))


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
        for writer in self.writers.values():
            writer.start()
        self._worker.start([self.writers[name] for name in TURN], [self.writers[name] for name in FOLLOWERS])
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
        means = Means(edge, self.settings, authenticator, Limits(self._clock), self._clock, self.health, facts())
        self.health.ready = True
        return application(routes(), means)

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


async def serve(
    exchange: Exchange, started: Callable[[int], None], hold: Callable[[uvicorn.Server], None] | None = None
) -> None:
    """Serve HTTP until the process is told to stop (SIGTERM, SIGINT), then drain. `started` gets the port; `hold`
    the server, for those who stop it by its `should_exit`."""
    settings = exchange.settings
    listening = _listen(settings)
    app = await exchange.start()
    server = _Server(_config(app, settings), exchange.health)
    if hold:
        hold(server)
    started(listening.getsockname()[1])
    try:
        await server.serve(sockets=[listening])
    finally:
        await asyncio.to_thread(exchange.stop)


def _config(app: Router, settings: Settings) -> uvicorn.Config:
    return uvicorn.Config(
        app,
        http="httptools",
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_keep_alive=75,
        timeout_graceful_shutdown=settings.drain_seconds_max,
    )


class _Server(uvicorn.Server):
    """Says that it is not ready from the moment that it is told to stop."""

    def __init__(self, config: uvicorn.Config, health: Health) -> None:
        super().__init__(config)
        self._health = health

    def handle_exit(self, sig: int, frame: Any) -> None:
        self._health.ready = False
        super().handle_exit(sig, frame)

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        # uvicorn raises the signal again when HTTP has ended, which would end the process before the writers have
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        for number in (signal.SIGTERM, signal.SIGINT):
            # left in place to the end: a second signal must not cut off the writers either
            signal.signal(number, self.handle_exit)
        yield


def _listen(settings: Settings) -> socket.socket:
    listening = socket.socket(socket.AF_INET6 if ":" in settings.host else socket.AF_INET)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    # inherited by every connection: an answer must not wait until the client has acknowledged the one before
    listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    listening.bind((settings.host, settings.port))
    listening.listen(2048)
    listening.setblocking(False)
    return listening


def locked(folder: Path) -> IO[str]:
    """Hold the data folder for this process until the file is closed; AlreadyRunning when another one does."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    file = (folder / "borsa.lock").open("a+")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        file.seek(0)
        holder = file.read().strip() or "unknown"
        file.close()
        raise AlreadyRunning(f"{folder} is in use by process {holder}") from None
    file.truncate(0)
    file.write(str(os.getpid()))
    file.flush()
    return file
