"""The users service alone on a bench: its writer over a real database, with a clock to turn and wallets that obey."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec
import sqlalchemy as sa

from borsa.errors import Refused
from borsa.events import Event
from borsa.requests import CloseWallets, Done, Request
from borsa.runtime.bus import Listener, Once, Origin, Outcome, Replies
from borsa.runtime.inbox import Question
from borsa.runtime.log import Recorded
from borsa.runtime.sqlite import SqliteDatabase
from borsa.runtime.writer import Writer
from borsa.services.users import USERS
from borsa.services.users.model import OpenSession, RegisterUser, Tokens, User
from borsa.services.users.store import Memory
from borsa.settings import Settings

SECOND = 1_000_000
START = 1_800_000_000 * SECOND
HASH = "not a hash: the writer never looks into it"


class TurnedClock:
    """Stands still until it is turned."""

    def __init__(self) -> None:
        self.microseconds = START
        self._ids = 0

    def now(self) -> int:
        return self.microseconds

    def ticks(self) -> int:
        return self.microseconds * 1000

    def new_id(self) -> str:
        self._ids += 1
        return f"00000000-0000-7000-8000-{self._ids:012x}"

    def turn(self, seconds: float) -> None:
        self.microseconds += int(seconds * SECOND)


class Wallets:
    """A bus with wallets at its other end, who close when they are told `may_close`, refuse, or keep silent."""

    def __init__(self) -> None:
        self.outcome: Outcome | None = Done()
        self.asked: list[str] = []
        self.published: list[Event] = []

    def ask(
        self, request: Request[Any], origin: Origin, replies: Replies, token: Any, once: Once | None = None
    ) -> None:
        assert isinstance(request, CloseWallets)
        self.asked.append(request.user_id)
        if self.outcome is not None:
            replies.deliver([(token, self.outcome)])

    def publish(self, source: str, events: Sequence[Recorded]) -> None:
        self.published += [each.event for each in events]

    def fetch(self, source: str, after: int) -> Sequence[Recorded]:
        return []

    def listen(self, source: str, listener: Listener) -> None:
        """Nobody listens here."""


class Bench:
    """Asks the users service, one request at a time."""

    def __init__(self, folder: Path, **options: Any) -> None:
        options = {"admin_password": "quiet-harbour-lantern-42"} | options
        self.settings = msgspec.structs.replace(Settings(), data=str(folder), **options)
        self.clock = TurnedClock()
        self.wallets = Wallets()
        self._outcomes: list[Outcome] = []
        self._database = SqliteDatabase("users", folder, USERS.tables)
        engine = sa.create_engine(f"sqlite:///{self._database.path}")
        USERS.tables.create_all(engine)
        engine.dispose()
        self.writer = self._open()

    def _open(self) -> Writer:
        connection = self._database.connect()
        writer = Writer(USERS, connection, self.wallets, self.clock, self.settings, lambda: None)
        writer.start()
        return writer

    def crash(self) -> None:
        """Forget everything that is not committed, and start again."""
        self.writer.close()
        self.writer = self._open()

    def close(self) -> None:
        self.writer.close()

    @property
    def memory(self) -> Memory:
        memory: Memory = self.writer.memory
        return memory

    def deliver(self, outcomes: Sequence[tuple[Any, Outcome]]) -> None:
        self._outcomes += [outcome for _, outcome in outcomes]

    def ask(self, request: Request[Any]) -> Any:
        """The reply; raises what it is refused with."""
        outcome = self.tell(request)
        if isinstance(outcome, Refused):
            raise outcome
        return outcome

    def tell(self, request: Request[Any]) -> Outcome | None:
        """The outcome, or None when it is not there yet."""
        self.writer.inbox.put(Question(request, Origin("test"), self, None, None))
        self.step()
        return self._outcomes.pop() if self._outcomes else None

    def step(self) -> None:
        """Do all there is to do now."""
        while self.writer.step():
            pass

    def happened(self, *kinds: type[Event]) -> list[Any]:
        """The events of these kinds since they were looked at last."""
        published, self.wallets.published = self.wallets.published, []
        return [event for event in published if isinstance(event, kinds)]

    def user(self, name: str = "ada") -> User:
        """Somebody who registered."""
        user: User = self.ask(RegisterUser(user_name=name, email=f"{name}@example.org", password_hash=HASH))
        return user

    def tokens(self, user: User) -> Tokens:
        """Somebody's sign-in."""
        tokens: Tokens = self.ask(OpenSession(user_id=user.user_id, verified_hash=HASH, new_hash=None))
        return tokens

    def admin(self) -> User:
        """The user that the first start made."""
        admin = self.memory.user_named("admin")
        assert admin is not None
        return admin
