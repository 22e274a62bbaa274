"""The world of one seed: who acts next, what goes wrong, and what must be true at the end."""

import gc
import hashlib
import random
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, closing
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import apsw

from borsa import app
from borsa.runtime.store import StorageBroken, StorageFull
from borsa.runtime.writing.writer import Writer
from borsa.settings import Settings
from tests.simulation import verdict
from tests.simulation.access import WatchedUsers
from tests.simulation.bus import Port, SimBus
from tests.simulation.clock import SECOND, SimClock, SimTime
from tests.simulation.coverage import PORTS, Coverage
from tests.simulation.disk import Crashed, Disk, connect
from tests.simulation.invariants import Broken, Watch, WatchedOrders, WatchedTrades, WatchedWallets
from tests.simulation.people import People
from tests.simulation.place import place
from tests.simulation.scene import PASSWORD, heard

NAMES = tuple(service.name for service in app.SERVICES)
SERVICES = {service.name: service for service in app.SERVICES}
ORDERS = 1_000

KINDS: Mapping[str, type[Watch]] = {
    "wallets": WatchedWallets,
    "orders": WatchedOrders,
    "trades": WatchedTrades,
    "users": WatchedUsers,
}
"""Services whose rows are judged; of the others, only the log and the cursors."""

TURN = ("orders", "wallets", "orders", "trades", "users")
FOLLOWERS = app.FOLLOWERS

QUIET_TRIES_MAX = 60

ROOM_MICROSECONDS = 2_000_000
"""How long a disk stays full."""

WRONG = ("handler_failed", "stream_halted", "event_set_aside")
"""What a service must never have to say of itself."""

_SET_PIECE = "UPDATE snapshot_pieces SET body = ? WHERE sequence = ? AND number = ?"


class World:
    """One run: `run` raises Broken when anything does not hold."""

    def __init__(self, seed: int, orders: int, folder: Path) -> None:
        self.seed = seed
        self.coverage = Coverage()
        self.trace = hashlib.sha256()
        self._orders = orders
        self._chance = random.Random(seed)
        self._time = SimTime()
        self._pace = self._chance.choice((1, 1, 30, 300))
        self.folder = folder
        self._settings = self._some_settings()
        self._databases = app.databases(self._settings)
        self.watches: dict[str, Watch] = {}
        for name in NAMES:
            self.watches[name] = KINDS.get(name, Watch)(name, self.coverage, self.watches, self.trace)
        self.disks = {name: Disk(name, self.watches[name], self.coverage) for name in NAMES}
        self._clocks = {name: SimClock(self._time, number) for number, name in enumerate(NAMES, 1)}
        self._readers = app.readers_of(self._databases)
        self.bus = SimBus(
            self._chance,
            self._time,
            self.coverage,
            self.disks,
            self._readers,
            self._settings.fetch_events_max,
            self._pace,
        )
        for service in app.SERVICES:
            self.bus.follows(service.name, list(service.consumes))
        self._writers: dict[str, Writer] = {}
        self._down: dict[str, int] = {}
        self._paused: dict[str, int] = {}
        self._mending: list[tuple[int, Callable[[], None]]] = []
        self._damaged: dict[tuple[int, int], bytes] = {}
        self._logged: list[dict[str, Any]] = []
        self._remember_template()
        self.people = People(self._chance, self.bus, self.coverage, self.watches, self._admin())
        self.people.sessions.grace_seconds = self._settings.refresh_grace_seconds
        self._trouble = self._chance.choice((0.003, 0.01, 0.03, 0.1))
        self._burst = self._chance.choice((8, 30, 60, 100))
        # so many misfortunes in a run, whether it has many rounds or few
        self._danger = self._chance.choice((5, 15, 30)) * self._burst / (2 * orders)
        self.bus.trouble = self._chance.choice((0.0, self._trouble))
        self._orderly = self._chance.random() < 0.5

    def _some_settings(self) -> Settings:
        chance = self._chance
        return Settings(
            admin_password=PASSWORD,
            data=str(self.folder),
            snapshot_events=chance.choice((40, 200, 1_000)),
            snapshot_piece_bytes=chance.choice((500, 5_000, 262_144)),
            fetch_events_max=chance.choice((7, 60, 1_000)),
            stream_events_max=chance.choice((30, 20_000, 20_000)),
            unconfirmed_hold_seconds=chance.choice((0, 1, 5)),
            commit_requests_max=chance.choice((5, 30, 100, 500)),
            commit_events_max=chance.choice((20, 10_000, 10_000)),
            inbox_user_items_max=chance.choice((50, 10_000)),
            inbox_items_max=chance.choice((150, 20_000, 20_000)),
            cached_records_max=chance.choice((10, 300, 50_000)),
            open_orders_max=chance.choice((30, 10_000)),
            refresh_grace_seconds=chance.choice((0, 1, 10)),
            kernel=chance.choice(("", "", "", "naive")),
        )

    def _remember_template(self) -> None:
        for name in NAMES:
            with closing(apsw.Connection(str(self._databases[name].path))) as connection:  # type: ignore[attr-defined]
                for table in ("users", "passwords", "wallets", "orders", "log", "cursors"):
                    if table in SERVICES[name].tables.tables:
                        rows = connection.execute(f"SELECT * FROM {table}").fetchall()
                        self.watches[name].wrote(f"INSERT INTO {table}", rows)
        for name in NAMES:
            self.watches[name].committed()

    def _admin(self) -> str:
        users = self.watches["users"]
        assert isinstance(users, WatchedUsers)
        return next(iter(users.status))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for writer in self._writers.values():
            writer.close()
        for reader in self._readers.values():
            reader.close()

    # a run ---------------------------------------------------------------------------------------------------------

    def run(self) -> str:
        """From the first start to the last audit; gives the digest of all that was logged."""
        with heard() as self._logged:
            for name in NAMES:
                self._start(name)
            self.people.begin(self._chance.choice((3, 5, 9)))
            self._settle()
            self.people.pay_in_all()
            self._settle()
            while self.people.placed < self._orders:
                self._round()
            self._calm()
            verdict.judge(self.watches, self.people)
            self._start_again()
            verdict.judge(self.watches, self.people)
        self._repair_snapshots()
        verdict.audit(self.folder)
        self.coverage.totals["orders"] += self.people.placed
        self.coverage.totals["runs"] += 1
        self.coverage.totals["events"] += sum(watch.log_end for watch in self.watches.values())
        return self.trace.hexdigest()

    def _round(self) -> None:
        chance = self._chance
        if chance.random() < self._danger:
            self._misfortune()
        self.people.act(chance.randrange(1, self._burst + 1))
        self._advance(chance.randrange(1, 8_000 * self._pace))
        if self._orderly:
            # the way of an order, as the one thread of an exchange takes it; followers come when they can
            names = [*TURN, *FOLLOWERS] if chance.random() < 0.3 else list(TURN)
        else:
            names = chance.choices(NAMES, weights=(1, 4, 2, 4, 1, 1), k=chance.randrange(1, 12))
        for name in names:
            self._step(name)
        if chance.random() < 0.02:
            self._pass_time()

    def _pass_time(self) -> None:
        """Seconds in which nobody comes: what is swept now and then is swept."""
        for _ in range(self._chance.randrange(4)):
            for name in TURN:
                self._step(name)
        self._advance(self._chance.randrange(SECOND, 7 * SECOND))

    def _advance(self, microseconds: int) -> None:
        self._time.elapsed += microseconds
        now = self._time.elapsed
        if self._mending:
            for _, mend in [each for each in self._mending if each[0] <= now]:
                mend()
            self._mending = [each for each in self._mending if each[0] > now]
        for name in [name for name, at in self._down.items() if at <= now]:
            self._start(name)
        self.bus.tick()
        if self._chance.random() < 0.2:
            self.bus.beat()

    def _step(self, name: str, hears: float = 0.1) -> bool:
        writer = self._writers.get(name)
        if writer is None or self._paused.get(name, 0) > self._time.elapsed:
            return False
        try:
            busy = self._turned(writer, hears)
        except (Crashed, StorageBroken) as error:
            self._crash(name, error)
            return True
        if self._logged:
            self._read_log()
        return busy

    def _turned(self, writer: Writer, hears: float) -> bool:
        """Mostly a step; sometimes only what is asked is heard, or only what is small of it."""
        self.coverage.branches["users took turns"] += writer.inbox.has_turns
        which = self._chance.random()
        if which < hears:
            return writer.hear()
        if which < 2 * hears:
            heard = writer.hear_small()
            self.coverage.branches["small passed large"] += heard
            return heard
        return writer.step()

    def _read_log(self) -> None:
        said, self._logged[:] = list(self._logged), []
        for entry in said:
            if entry["event"] in WRONG:
                raise Broken(f"P0: {entry['event']} in {entry.get('service')}\n{entry.get('trace')}")
            self.coverage.branches["snapshot passed over"] += entry["event"] == "snapshot_passed_over"

    # starting and ending -------------------------------------------------------------------------------------------

    def _start(self, name: str) -> None:
        self._down.pop(name, None)
        disk = self.disks[name]
        connection = None
        try:
            connection = connect(self._databases[name], disk)
            port = Port(name, self.bus, disk)
            writer = Writer(SERVICES[name], connection, port, self._clocks[name], self._settings, lambda: None)
            writer.start()
        except (Crashed, StorageBroken, StorageFull):
            self.coverage.faults["crash while starting"] += 1
            if connection is not None:
                connection.close()
            disk.heal()
            self._down[name] = self._time.elapsed + self._some_time(30_000)
            return
        self._writers[name] = writer
        if name == "trades":
            self.coverage.branches["snapshot cut off"] += self._has_loose_pieces()
            self.coverage.branches["snapshot loaded"] += writer.memory.saved > 0
            self.coverage.branches["log replayed at a start"] += writer.memory.applied > writer.memory.saved
        self._read_log()
        self.bus.up(writer)

    def _crash(self, name: str, error: BaseException) -> None:
        names: Sequence[str] = (name,)
        if isinstance(error, Crashed):
            fate = self._chance.random()
            if fate < 0.15:
                self.coverage.faults["crash of all services"] += 1
                names = NAMES
            elif fate < 0.3:
                # the process that it is in, as `borsa up` has three of them: the others go on
                process = "followers" if name in FOLLOWERS else "services"
                self.coverage.faults[f"crash of the process of {process}"] += 1
                names = [each for each in NAMES if (each in FOLLOWERS) == (name in FOLLOWERS)]
        for each in names:
            self._end(each)
        if "trades" in names and self._chance.random() < 0.5:
            self._damage_snapshot()

    def _end(self, name: str) -> None:
        writer = self._writers.pop(name, None)
        if writer is None:
            return
        disk = self.disks[name]
        disk.heal()
        if self._chance.random() < 0.15:
            # it will not even start
            disk.fuse_at, disk.fuse = self._chance.choice(("read", "fetch")), 1
        self.bus.down(name)
        self.watches[name].forget()
        writer.close()
        self._down[name] = self._time.elapsed + self._some_time(30_000)

    def _damage_snapshot(self) -> None:
        with closing(apsw.Connection(str(self._databases["trades"].path))) as trades:  # type: ignore[attr-defined]
            pieces = trades.execute(
                "SELECT sequence, number, body FROM snapshot_pieces"
                " WHERE sequence = (SELECT max(sequence) FROM snapshots) ORDER BY number"
            ).fetchall()
            if pieces and not any(sequence == pieces[0][0] for sequence, _ in self._damaged):
                sequence, number, body = self._chance.choice(pieces)
                at = self._chance.randrange(len(body))
                worse = body[:at] + bytes([body[at] ^ 1]) + body[at + 1 :]
                trades.execute(_SET_PIECE, (worse, sequence, number))
                self._damaged[sequence, number] = body
                self.coverage.faults["snapshot damaged"] += 1

    def _has_loose_pieces(self) -> bool:
        """Is there something of a snapshot that is not whole?"""
        with closing(apsw.Connection(str(self._databases["trades"].path))) as trades:  # type: ignore[attr-defined]
            loose = "SELECT 1 FROM snapshot_pieces WHERE sequence > (SELECT max(sequence) FROM snapshots) LIMIT 1"
            return trades.execute(loose).fetchone() is not None

    def _repair_snapshots(self) -> None:
        """What was damaged from outside is not to be held against the exchange."""
        with closing(apsw.Connection(str(self._databases["trades"].path))) as trades:  # type: ignore[attr-defined]
            trades.executemany(_SET_PIECE, [(body, *where) for where, body in self._damaged.items()])

    # what goes wrong -----------------------------------------------------------------------------------------------

    def _misfortune(self) -> None:
        chance = self._chance
        self.bus.trouble = self._trouble if chance.random() < 0.7 else 0.0
        name = chance.choice(NAMES)
        disk, clock, faults = self.disks[name], self._clocks[name], self.coverage.faults
        what = chance.randrange(10)
        if what <= 4:
            disk.fuse_at, disk.fuse = chance.choice(PORTS), min(20, int(chance.paretovariate(1.0)))
        elif what == 5:
            disk.full = chance.choice(("disk full", "disk full, rolled back by itself", "disk full at the commit"))
            self._mending.append((self._time.elapsed + ROOM_MICROSECONDS, disk.make_room))
        elif what == 6:
            if chance.random() < 0.6:
                disk.failing_sync = chance.choice(("failing sync, nothing kept", "failing sync, all kept"))
            else:
                disk.failing_read = chance.randrange(1, 30)
        elif what == 7:
            self.bus.part(name, chance.choice([each for each in (*NAMES, "door") if each != name]))
            self._later(60_000, self.bus.join)
        elif what == 8:
            self._wrong_clock(clock)
        else:
            faults["service paused"] += 1
            self._paused[name] = self._time.elapsed + self._some_time(60_000)

    def _wrong_clock(self, clock: SimClock) -> None:
        what = self._chance.randrange(3)
        if what == 0:
            self.coverage.faults["clock frozen"] += 1
            clock.freeze()
            self._later(600_000, clock.mend)
            return
        self.coverage.faults["clock jumped forward" if what == 1 else "clock jumped back"] += 1
        distance = self._chance.choice((SECOND, 60 * SECOND, 3600 * SECOND))
        clock.jump(distance if what == 1 else -distance)

    def _later(self, most: int, act: Callable[[], None]) -> None:
        self._mending.append((self._time.elapsed + self._some_time(most), act))

    def _some_time(self, most: int) -> int:
        return self._chance.randrange(most * self._pace)

    # the end -------------------------------------------------------------------------------------------------------

    def _calm(self) -> None:
        """No more faults: whatever was left undone is done, without anybody's help."""
        self.bus.trouble = self._trouble = 0.0
        self.bus.join()
        for name in NAMES:
            self.disks[name].heal()
            self._clocks[name].mend()
        self._mending.clear()
        self._paused.clear()
        self.people.open_markets()
        # clocks that went back an hour make what is old seem new for an hour
        self._time.elapsed += 2 * 3600 * SECOND
        self._settle()

    def _start_again(self) -> None:
        """Everybody ends, and begins anew with what is on disk: nothing may be other than before."""
        for name in NAMES:
            self._end(name)
            self.disks[name].heal()
        self._settle()

    def _settle(self) -> None:
        quiet = 0
        for _ in range(QUIET_TRIES_MAX):
            self._advance(3 * SECOND * max(1, self._pace // 30))
            self.bus.beat()
            for name in [name for name in NAMES if name not in self._writers]:
                self._start(name)
            while sum([self._step(name, hears=0) for name in NAMES]):
                pass
            quiet = quiet + 1 if self.bus.is_quiet else 0
            if quiet > 3:
                return
        raise Broken(f"I-43: not quiet after {QUIET_TRIES_MAX} tries")


def simulate(seed: int, orders: int = ORDERS) -> tuple[str, Coverage]:
    """Run one seed: the digest of all that was logged, and what was covered. What breaks names the seed."""
    # nothing is looked for while a world lives: nearly all that it makes stays until its end
    gc.disable()
    try:
        return _simulated(seed, orders, place(seed))
    except BaseException as error:
        error.add_note(f"python -m tests.simulation {seed}" + ("" if orders == ORDERS else f" --orders {orders}"))
        raise
    finally:
        gc.enable()


def _simulated(seed: int, orders: int, where: AbstractContextManager[Path]) -> tuple[str, Coverage]:
    with where as folder, World(seed, orders, folder) as world:
        return world.run(), world.coverage
