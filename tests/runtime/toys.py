"""Two toy services over real databases: `alpha` says words, `beta` hears them. The test steps them."""

import itertools
import socket
from collections.abc import Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, ClassVar, Self

import msgspec
import sqlalchemy as sa
from sqlalchemy.engine import Dialect

from borsa.errors import Refused
from borsa.events import UserCreated, UserUpdated
from borsa.requests import Done, Request
from borsa.runtime.bus import Once, Origin, Outcome
from borsa.runtime.buses.embedded import EmbeddedBus
from borsa.runtime.buses.link import Language, Link, Message
from borsa.runtime.buses.linked import LinkedBus
from borsa.runtime.databases.sqlite import SqliteConnection, SqliteDatabase, engine_of
from borsa.runtime.log import INTEGER, runtime_tables, strict_table
from borsa.runtime.observability.vitals import Vitals
from borsa.runtime.records.session import Session
from borsa.runtime.service import Asking, Service
from borsa.runtime.store import Row, Statement
from borsa.runtime.writing.writer import Writer
from borsa.settings import Settings

ALPHA = sa.MetaData()
runtime_tables(ALPHA)
SAID = strict_table(
    "said",
    ALPHA,
    sa.Column("word", sa.Text, primary_key=True),
    sa.Column("times", INTEGER, nullable=False),
)

BETA = sa.MetaData()
runtime_tables(BETA)
HEARD = strict_table(
    "heard",
    BETA,
    sa.Column("word", sa.Text, primary_key=True),
    sa.Column("times", INTEGER, nullable=False),
)


class Word(msgspec.Struct, frozen=True):
    """How often a word was said or heard."""

    word: str
    times: int


class Say(Request[Word], frozen=True, kw_only=True):
    """Say a word: counted, and published as often as asked."""

    answered_by: ClassVar[str] = "alpha"
    word: str
    events: int = 1
    aloud: bool = False


class SayAndFail(Request[Done], frozen=True, kw_only=True):
    """Say a word, and then be refused (a code) or break (no code)."""

    answered_by: ClassVar[str] = "alpha"
    word: str
    code: str = ""


class AskBeta(Request[Word], frozen=True, kw_only=True):
    """Say a word, ask beta how often it heard it, and say what came back."""

    answered_by: ClassVar[str] = "alpha"
    word: str


class HowOften(Request[Word], frozen=True, kw_only=True):
    """How often did beta hear a word? Refused: not_found."""

    answered_by: ClassVar[str] = "beta"
    word: str


class Memory:
    """Words by key."""

    def __init__(self, table: sa.Table, session: Session) -> None:
        self.words = session.records(table, Word)
        self.poison: set[str] = set()
        self.handled: list[str] = []

    def count(self, word: str) -> Word:
        found = self.words.get(word)
        counted = Word(word, (found.times if found else 0) + 1)
        self.words.put(counted)
        return counted


def say(tx: Any, memory: Memory, request: Say) -> Word:
    counted = memory.count(request.word)
    for _ in range(request.events):
        tx.publish(UserUpdated(user_id=request.word, user_name="alpha"))
    if request.aloud:
        tx.broadcast(request.word.encode())
    return counted


def say_and_fail(tx: Any, memory: Memory, request: SayAndFail) -> Done:
    memory.count(request.word)
    tx.publish(UserUpdated(user_id=request.word, user_name="never"))
    tx.broadcast(b"never")
    if request.code:
        raise Refused(request.code, "as asked")
    raise ZeroDivisionError("as asked")


def ask_beta(tx: Any, memory: Memory, request: AskBeta) -> Asking:
    memory.count(request.word)
    tx.publish(UserUpdated(user_id=request.word, user_name="before"))
    try:
        heard: Word = yield HowOften(word=request.word)
    except Refused as refused:
        return refused
    return heard


def how_often(_: Any, memory: Memory, request: HowOften) -> Word:
    found = memory.words.get(request.word)
    if found is None:
        raise Refused("not_found", "never heard")
    return found


def on_said(_: Any, memory: Memory, event: UserUpdated) -> None:
    memory.count(event.user_id)
    memory.handled.append(event.user_id)
    if event.user_id in memory.poison:
        raise ValueError(f"can't bear {event.user_id}")


ALPHA_SERVICE: Service[Memory] = Service(
    name="alpha",
    tables=ALPHA,
    memory=lambda session, _: Memory(SAID, session),
    routes=(),
    answers={Say: say, SayAndFail: say_and_fail, AskBeta: ask_beta},
    publishes=(UserUpdated, UserCreated),
)
BETA_SERVICE: Service[Memory] = Service(
    name="beta",
    tables=BETA,
    memory=lambda session, _: Memory(HEARD, session),
    routes=(),
    answers={HowOften: how_often},
    consumes={"alpha": {UserUpdated: on_said}},
)


class ToyClock:
    """Time stands still until it is moved."""

    def __init__(self) -> None:
        self.microseconds = 1_000_000
        self._ids = 0

    def now(self) -> int:
        return self.microseconds

    def ticks(self) -> int:
        return self.microseconds * 1000

    def new_id(self) -> str:
        self._ids += 1
        return f"id-{self._ids}"


class Watched:
    """A connection that notes its commits, and fails when it is told to."""

    def __init__(self, connection: SqliteConnection, notes: list[str], name: str) -> None:
        self._connection = connection
        self._notes = notes
        self._name = name
        self.fails = False

    @property
    def dialect(self) -> Dialect:
        return self._connection.dialect

    def read(self, statement: Statement, **given: Any) -> list[Row]:
        return self._connection.read(statement, **given)

    def write(self, statement: Statement, rows: Sequence[Row]) -> None:
        self._connection.write(statement, rows)

    def attempt(self) -> AbstractContextManager[None]:
        return self._connection.attempt()

    def commit(self) -> None:
        if self.fails:
            raise OSError("the disk is gone")
        self._connection.commit()
        self._notes.append(f"commit {self._name}")

    def rollback(self) -> None:
        self._connection.rollback()

    def has_room(self) -> bool:
        return self._connection.has_room()

    def fill(self) -> None:
        """From now on the database can't grow."""
        self._limit("(SELECT page_count FROM pragma_page_count)")

    def free(self) -> None:
        """From now on it can."""
        self._limit("1000000")

    def _limit(self, pages: str) -> None:
        driver = self._connection._connection
        ((number,),) = driver.execute(f"SELECT {pages}")
        driver.execute(f"PRAGMA max_page_count={number}")

    def close(self) -> None:
        self._connection.close()


class Asker:
    """Collects outcomes, and notes when they come."""

    def __init__(self, notes: list[str]) -> None:
        self._notes = notes
        self.outcomes: list[tuple[Any, Outcome]] = []

    def deliver(self, outcomes: Sequence[tuple[Any, Outcome]]) -> None:
        self._notes.append(f"answers {[token for token, _ in outcomes]}")
        self.outcomes.extend(outcomes)

    def of(self, token: Any) -> Outcome:
        """The one outcome that came for a token."""
        found = [outcome for said, outcome in self.outcomes if said == token]
        assert len(found) == 1, found
        return found[0]


def made(folder: Path, name: str, metadata: sa.MetaData) -> SqliteDatabase:
    """A database with its tables."""
    database = SqliteDatabase(name, folder, metadata)
    engine = engine_of(database.path)
    metadata.create_all(engine)
    engine.dispose()
    return database


class Stage:
    """Both toys on one bus. `notes` has commits, answers and events in the order in which they happened."""

    def __init__(self, folder: Path, beta: Service[Memory] = BETA_SERVICE, **options: Any) -> None:
        self.folder = folder
        self.settings = msgspec.structs.replace(Settings(), **options)
        self.services = (ALPHA_SERVICE, beta)
        self.notes: list[str] = []
        self.clock = ToyClock()

    def __enter__(self) -> Self:
        self.databases = {each.name: made(self.folder, each.name, each.tables) for each in self.services}
        self.make_buses()
        self.asker = Asker(self.notes)
        self.connections: dict[str, Watched] = {}
        self.writers = {service.name: self._writer(service) for service in self.services}
        self.alpha, self.beta = self.writers["alpha"], self.writers["beta"]
        for writer in self.writers.values():
            writer.start()
        return self

    def local_bus(self) -> EmbeddedBus:
        """A bus of one process, which can read every log."""
        logs = {name: database.reader() for name, database in self.databases.items()}
        return EmbeddedBus(self.settings.fetch_events_max, logs)

    def make_buses(self) -> None:
        """The bus that the test talks to, and for each service its own: here one for all."""
        self.bus: Any = self.local_bus()
        self.local = self.reach = dict.fromkeys(self.databases, self.bus)

    def _writer(self, service: Service[Memory]) -> Writer:
        connection = Watched(self.databases[service.name].connect(), self.notes, service.name)
        self.connections[service.name] = connection
        reach = self.reach[service.name]
        writer = Writer(service, connection, reach, self.clock, self.settings, lambda: None)
        self.local[service.name].attach(writer)
        return writer

    def __exit__(self, *_: object) -> None:
        for writer in self.writers.values():
            writer.close()
        for bus in {id(bus): bus for bus in self.local.values()}.values():
            bus.close()

    def ask(self, request: Request[Any], token: Any = "it", once: Once | None = None) -> None:
        """Put a question; nobody steps."""
        self.bus.ask(request, Origin(f"request-{token}"), self.asker, token, once)

    def settle(self, steps_max: int = 100) -> None:
        """Step both until neither has anything to do."""
        for _ in range(steps_max):
            if not (self.carry() | self.alpha.step() | self.beta.step()):
                return
        raise AssertionError("never quiet")

    def carry(self) -> bool:
        """Let what is on its way arrive; False when nothing was."""
        return False

    def heard(self) -> dict[str, int]:
        """What beta has on disk."""
        return words(self.folder, "beta", HEARD)

    def said(self) -> dict[str, int]:
        """What alpha has on disk."""
        return words(self.folder, "alpha", SAID)


def words(folder: Path, name: str, table: sa.Table) -> dict[str, int]:
    """A table of words as it is on disk."""
    reader = SqliteDatabase(name, folder, sa.MetaData()).reader()
    try:
        return dict(reader.read(Statement(sa.select(table))))
    finally:
        reader.close()


class LinkedStage(Stage):
    """The toys and the test in three processes, as far as their buses can tell."""

    def make_buses(self) -> None:
        known = Language([kind for service in self.services for kind in service.answers])
        ends: dict[str, dict[str, Link]] = {name: {} for name in ("door", "alpha", "beta")}
        for one, other in itertools.combinations(ends, 2):
            ends[one][other], ends[other][one] = (Link(end, known) for end in socket.socketpair())
        self.links = [link for links in ends.values() for link in links.values()]
        self.local = {name: self.local_bus() for name in ends}
        self.reach = {
            name: LinkedBus(self.local[name], links, links.values(), lambda: Vitals([], ""), self.control)
            for name, links in ends.items()
        }
        self.bus = self.reach["door"]

    def control(self, _: Link, message: Message) -> None:
        """There is nothing to control."""
        raise AssertionError(message)

    def carry(self) -> bool:
        waiting = [link for link in self.links if not link.flush()]
        came = [bus for bus in self.reach.values() if bus.receive()]
        return bool(waiting or came)

    def __exit__(self, *_: object) -> None:
        super().__exit__()
        for link in self.links:
            link.close()
