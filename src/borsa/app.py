"""The composition root: the one file that names drivers and services, and wires them into a running exchange."""

import asyncio
from collections.abc import Callable, Mapping
from contextlib import closing
from typing import TYPE_CHECKING, Any, Protocol

import msgspec
import uvicorn

from borsa.errors import CantStart
from borsa.requests import ASKED, DescribeAccess, Request
from borsa.runtime.access.auth import Authenticator
from borsa.runtime.bus import Bus, Origin
from borsa.runtime.buses.embedded import EmbeddedBus
from borsa.runtime.buses.link import Language
from borsa.runtime.clock import Clock, SystemClock
from borsa.runtime.databases.lock import locked
from borsa.runtime.databases.moving import check_here
from borsa.runtime.databases.sqlite import SqliteDatabase
from borsa.runtime.databases.whole import is_new, make_whole
from borsa.runtime.edge import Edge
from borsa.runtime.following import channels
from borsa.runtime.http.app import Application, application
from borsa.runtime.http.call import Means
from borsa.runtime.http.limits import Limits
from borsa.runtime.http.route import Route
from borsa.runtime.http.server import Server, listen
from borsa.runtime.log import newest
from borsa.runtime.observability import telemetry
from borsa.runtime.observability.vitals import DescribeProcess, Vitals
from borsa.runtime.reading import Direct, Reading, Threaded
from borsa.runtime.service import Service, divided
from borsa.runtime.shards import known_of
from borsa.runtime.standard import Health, Look, standard_routes
from borsa.runtime.store import Database, Reader
from borsa.runtime.writing.worker import EventBell, Step, Worker
from borsa.runtime.writing.writer import Writer
from borsa.runtime.writing.writers import Writers
from borsa.services.notifications import NOTIFICATIONS
from borsa.services.orders import ORDERS
from borsa.services.orders.store import shard_of_markets
from borsa.services.portfolios import PORTFOLIOS
from borsa.services.trades import TRADES
from borsa.services.users import USERS
from borsa.services.wallets import WALLETS
from borsa.settings import Settings
from borsa.web import page

if TYPE_CHECKING:
    from borsa.runtime.buses.broker_seen import SeenBroker
    from borsa.runtime.databases.postgres_move import PostgresMove
    from borsa.runtime.databases.postgres_server import Server as PostgresServer
    from borsa.runtime.databases.postgres_snapshot import Examined, PostgresSnapshot

SERVICES: tuple[Service[Any], ...] = (USERS, ORDERS, TRADES, WALLETS, PORTFOLIOS, NOTIFICATIONS)

FOLLOWERS = ("portfolios", "notifications")
"""Services that no request waits for under load."""


LOOK_SECONDS_MAX = 2
"""How long another process may take to say how it is."""


def services(settings: Settings) -> tuple[Service[Any], ...]:
    """The six, and the shards of trades that the settings name beside the first."""
    return divided(SERVICES, "trades", settings.trades_shards)


def turn(writers: Mapping[str, Writer]) -> list[Step]:
    """What one thread does over and over: it is the way of an order, in as few commits as it can be.

    `orders` hears what is asked and asks `wallets`, which holds, and settles the trades of the last turn; `orders`
    commits and answers, and follows those trades; `trades` matches. Three commits, however many orders. Followers only
    hear, here.
    """
    found: list[Step] = []
    for service in ("orders", "wallets", "orders", "trades", "users"):
        for name in known_of(service, writers):
            first_of_two = name == "orders" and not found
            found.append(writers[name].hear if first_of_two else writers[name].step)
    return found + [writers[name].hear for name in FOLLOWERS if name in writers]


def between(writers: Mapping[str, Writer]) -> list[Step]:
    """The way of an order from `orders` to `wallets` and back, for those who ask little while others ask much."""
    if "orders" not in writers or "wallets" not in writers:
        return []
    return [writers[name].hear_small for name in ("orders", "wallets", "orders")]


def following(writers: Mapping[str, Writer]) -> list[Step]:
    """The steps of followers."""
    return [writers[name].step for name in FOLLOWERS if name in writers]


def databases(settings: Settings, *, durable: bool = True) -> dict[str, Database]:
    """The database of each service; not `durable` where nobody is told yet what is committed (PostgreSQL always is)."""
    if settings.database_url:
        return _on_postgres(settings)
    folder = settings.folder
    return {each.name: SqliteDatabase(each.name, folder, each.tables, durable=durable) for each in services(settings)}


def _on_postgres(settings: Settings) -> dict[str, Database]:
    server = _server(settings)
    from borsa.runtime.databases.postgres import PostgresDatabase

    return {each.name: PostgresDatabase(each.name, server, each.tables) for each in services(settings)}


def _server(settings: Settings) -> "PostgresServer":
    try:
        # only where it is used: it takes a package that a laptop need not have
        from borsa.runtime.databases.postgres_server import Server
    except ImportError as error:
        raise CantStart(f"BORSA_DATABASE_URL needs psycopg ({error}): install borsa[cluster]") from error
    return Server(settings.database_url)


def _take_turn(settings: Settings) -> None:
    """Wait until no other exchange writes the same databases. Of a folder there is one exchange by its lock."""
    check_moved(settings)
    if settings.database_url:
        server = _server(settings)
        from borsa.runtime.databases.postgres import take_turn

        take_turn(server, [each.name for each in services(settings)])
        # whoever it waited for may have been a move
        check_moved(settings)


def check_moved(settings: Settings) -> None:
    """CantStart where the data was moved elsewhere, or has come only in part (`borsa migrate-data`)."""
    if settings.database_url:
        server = _server(settings)
        from borsa.runtime.databases.postgres_move import check_whole

        check_whole(server)
    else:
        check_here(settings.folder)


def move(settings: Settings) -> "PostgresMove":
    """The way of a data folder into PostgreSQL; CantStart."""
    _server(settings)  # says what is missing, where it is
    from borsa.runtime.databases.postgres_move import PostgresMove

    return PostgresMove(settings.database_url, {each.name: each.tables for each in services(settings)})


def place(settings: Settings) -> str:
    """Where the data is, for people; without a password."""
    return _server(settings).place if settings.database_url else str(settings.folder)


def snapshot(settings: Settings) -> "PostgresSnapshot":
    """One moment after the other of all schemas, where the data is in PostgreSQL; CantStart."""
    from borsa.runtime.databases.postgres_snapshot import PostgresSnapshot

    return PostgresSnapshot(settings.database_url)


def examined(settings: Settings) -> "Examined":
    """The server, where the data is in PostgreSQL; CantStart."""
    from borsa.runtime.databases.postgres_snapshot import examined

    return examined(settings.database_url, [service.name for service in services(settings)])


def seen_broker(settings: Settings) -> "SeenBroker":
    """The broker, where there is one; CantStart, ImportError."""
    from borsa.runtime.buses.broker_seen import seen

    return seen(settings.nats_url, [service.name for service in services(settings)])


def readers_of(found: Mapping[str, Database]) -> dict[str, Reader]:
    """A connection to the committed data of each service."""
    return {name: database.reader() for name, database in found.items()}


def readings_of(found: Mapping[str, Database], settings: Settings) -> dict[str, Reading]:
    """How a door reads the data of each service."""
    if settings.database_url:
        return {name: Threaded(name, database.reader, settings) for name, database in found.items()}
    return {name: Direct(database.reader()) for name, database in found.items()}


def facts(settings: Settings) -> dict[str, str]:
    """What runs here, for /healthz and `borsa doctor`."""
    store = "postgresql" if settings.database_url else "sqlite"
    linked = "linked" if settings.processes > 1 else "embedded"
    known = {"store": store, "bus": "jetstream" if settings.nats_url else linked}
    for service in SERVICES:
        known |= service.facts(settings)
    return known


def language() -> Language:
    """Every request that may be asked of another process."""
    doors: list[type[Request[Any]]] = [kind for service in SERVICES for kind in service.answers]
    return Language(dict.fromkeys([*doors, *ASKED, DescribeProcess]))


def routes() -> list[Route]:
    """Every route of every service, each with the name of its service."""
    own = [_of(service, route) for service in SERVICES for route in service.routes]
    return own + standard_routes(SERVICES)


def _of(service: Service[Any], route: Route) -> Route:
    return msgspec.structs.replace(route, service=service.name)


def prepared(settings: Settings, *, durable: bool = True) -> dict[str, Database]:
    """The databases, brought to this version and found to belong together; CantStart when they don't."""
    found = databases(settings, durable=durable)
    _take_turn(settings)
    return complete(settings, found)


def complete(settings: Settings, found: dict[str, Database]) -> dict[str, Database]:
    """All of them there, of this version, and of one moment; CantStart when they aren't."""
    make_whole(found, place(settings))
    check_shards(found)
    return found


def check_shards(found: Mapping[str, Database]) -> None:
    """CantStart where a market is with a shard that the settings do not name."""
    with closing(found["orders"].reader()) as reader:
        for symbol, shard in shard_of_markets(reader).items():
            if shard not in found:
                raise CantStart(f"{shard} has {symbol}, and BORSA_TRADES_SHARDS names no {shard}")


def is_untouched(settings: Settings) -> bool:
    """Did nothing happen here yet? So it is before the first start; CantStart."""
    there = [database for database in databases(settings).values() if database.exists()]
    return all(is_new(database) for database in there)


def latest_time(settings: Settings) -> int:
    """When the last event of any log happened, in microseconds since 1970; 0 before the first."""
    readers = readers_of({name: each for name, each in databases(settings).items() if each.exists()})
    try:
        return max((newest(reader)[1] for reader in readers.values()), default=0)
    finally:
        for reader in readers.values():
            reader.close()


class Door:
    """What serves HTTP: who may come in, where questions go, and what is read."""

    def __init__(self, settings: Settings, found: Mapping[str, Database], bus: Bus, clock: Clock, look: Look) -> None:
        self.health = Health(look)
        self._settings = settings
        self._bus = bus
        self._clock = clock
        self._readings = readings_of(found, settings)

    async def open(self) -> Application:
        """The ASGI application; the writers must be at work."""
        edge = Edge(self._bus, self._readings, asyncio.get_running_loop())
        authenticator = Authenticator(edge, self._settings, self._clock)
        # followed before it is asked for: nothing that is revoked in between is missed
        self._bus.listen("users", authenticator)
        authenticator.begin(await edge.ask(DescribeAccess(), Origin("start")))
        doors = {service.name: service.door(edge, self._clock) for service in SERVICES}
        means = Means(
            edge,
            self._settings,
            authenticator,
            Limits(self._clock, self._settings),
            self._clock,
            self.health,
            facts(self._settings),
            doors,
        )
        self.health.ready = True
        return application(routes(), means, channels(SERVICES, means.doors, edge), page(means))

    def close(self) -> None:
        """No more requests."""
        self.health.ready = False
        for reading in self._readings.values():
            reading.close()


class Entrance(Protocol):
    """Where HTTP comes in."""

    health: Health


class Served(Protocol):
    """An exchange in one process or several, or a part of one, as `serve` sees it."""

    settings: Settings

    @property
    def door(self) -> Entrance:
        """Where HTTP comes in."""

    async def start(self) -> Application:
        """Begin, and give the ASGI application."""

    async def stop(self) -> None:
        """Finish what was accepted, and close everything."""


class Exchange:
    """All six services in one process: one thread for the writers, HTTP on the caller's event loop."""

    def __init__(
        self,
        settings: Settings,
        failed: Callable[[BaseException], None],
        clock: Clock | None = None,
        *,
        durable: bool = True,
    ) -> None:
        self.settings = settings
        self._lock = locked(settings.folder)
        found = prepared(settings, durable=durable)
        clock = clock or SystemClock()
        self._bus = EmbeddedBus(settings.fetch_events_max, readers_of(found))
        self._worker = Worker(clock, failed, EventBell())
        self._writers = Writers(services(settings), found, self._bus, self._bus, settings, clock, self._worker.wake)
        self.door = Door(settings, found, self._bus, clock, self._look)

    @property
    def writers(self) -> Mapping[str, Writer]:
        """The writers by the names of their services."""
        return self._writers.by_name

    @property
    def first_password(self) -> str:
        """The password that the first start made up for the admin; empty at any other start."""
        return first_password(self.writers)

    async def _look(self) -> Mapping[str, Vitals]:
        return {"writers": Vitals(self._writers.vitals(), "")}

    async def start(self) -> Application:
        self._writers.recover()
        self._worker.take(turn(self.writers), following(self.writers), between(self.writers))
        self._worker.start()
        self._writers.start_background()
        return await self.door.open()

    async def start_by_hand(self) -> Application:
        """As `start`, but nothing happens beside the caller, who takes the `steps` of all writers until they are idle:
        so an exchange runs on a clock that its caller sets."""
        self._writers.recover()
        return await self.door.open()

    def steps(self) -> tuple[list[Step], list[Step]]:
        """Of a turn of all writers, and of followers."""
        return turn(self.writers), following(self.writers)

    async def stop(self) -> None:
        # the writers' last answers still go through the event loop
        await asyncio.to_thread(self._stop)

    def _stop(self) -> None:
        self._writers.stop_background()
        self._worker.stop()
        self.door.close()
        self._bus.close()
        # last: who closes a database last moves its write-ahead log into the file, and only writers may
        self._writers.close()
        self._lock.close()


def first_password(writers: Mapping[str, Writer]) -> str:
    """The password that the first start made up for the admin; empty at any other start, and where users is not."""
    users = writers.get("users")
    return str(users.memory.first_password) if users else ""


async def serve(
    exchange: Served, started: Callable[[int], None], hold: Callable[[uvicorn.Server], None] | None = None
) -> None:
    """Serve HTTP until the process is told to stop (SIGTERM, SIGINT), then drain. `started` gets the port; `hold`
    the server, for those who stop it by its `should_exit`."""
    settings = exchange.settings
    listening = listen(settings)
    server = Server(await exchange.start(), settings, exchange.door.health)
    if hold:
        hold(server)
    started(listening.getsockname()[1])
    try:
        await server.serve(sockets=[listening])
    finally:
        await exchange.stop()
        await asyncio.to_thread(telemetry.flush_traces)
