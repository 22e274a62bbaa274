"""The users service alone, with wallets that close, refuse or keep silent as they are told."""

from pathlib import Path
from typing import Any

from borsa.errors import Refused
from borsa.events import Event
from borsa.requests import CloseWallets, Done, Request
from borsa.runtime.bus import Once, Origin, Outcome, Replies
from borsa.runtime.writing.inbox import Question
from borsa.services.users import USERS
from borsa.services.users.model import OpenSession, RegisterUser, Tokens, User
from borsa.services.users.store import Memory
from tests.support.alone import Alone
from tests.support.running import ADMIN_PASSWORD

HASH = "not a hash: the writer never looks into it"


class Bench(Alone):
    """Asks the users service. `wallets` is what closing wallets ends with; None is silence."""

    def __init__(self, folder: Path, **options: Any) -> None:
        self.wallets: Outcome | None = Done()
        self.wallets_asked: list[str] = []
        self.keys: list[str] = []
        super().__init__(USERS, folder, **({"admin_password": ADMIN_PASSWORD} | options))

    def ask(
        self, request: Request[Any], origin: Origin, replies: Replies, token: Any, once: Once | None = None
    ) -> None:
        if not isinstance(request, CloseWallets):
            self.writer.inbox.put(Question(request, origin, replies, token, once))
            return
        self.wallets_asked.append(request.user_id)
        self.keys.append(once.key if once else "")
        if self.wallets is not None:
            replies.deliver([(token, self.wallets)])

    @property
    def memory(self) -> Memory:
        memory: Memory = self.writer.memory
        return memory

    def reply(self, request: Request[Any]) -> Any:
        """What a request is answered with, when it is not refused."""
        outcome = self.say(request)
        assert not isinstance(outcome, Refused), outcome
        return outcome

    def refusal(self, request: Request[Any]) -> str:
        """The code that a request is refused with."""
        outcome = self.say(request)
        assert isinstance(outcome, Refused), outcome
        return outcome.code

    def begin(self, request: Request[Any]) -> None:
        """Ask, and don't wait for the answer."""
        self.ask(request, Origin("test"), self.writer.inbox, None)
        self.settle()

    def pass_time(self, seconds: int) -> None:
        """Let time pass, and do what is due then."""
        self.clock.advance(seconds)
        self.settle()

    def happened(self, *kinds: type[Event]) -> list[Any]:
        """The events of these kinds since they were looked at last."""
        published, self.published = self.published, []
        return [each.event for each in published if isinstance(each.event, kinds)]

    def user(self, name: str = "ada") -> User:
        """Somebody who registered."""
        request = RegisterUser(user_name=name, email=f"{name}@example.org", password_hash=HASH)
        user: User = self.reply(request)
        return user

    def now(self, user: User) -> User:
        """A user as it stands."""
        found = self.memory.users.get(user.user_id)
        assert found is not None
        return found

    def tokens(self, user: User) -> Tokens:
        """Somebody's sign-in."""
        tokens: Tokens = self.reply(OpenSession(user_id=user.user_id, verified_hash=HASH, new_hash=None))
        return tokens

    def admin(self) -> User:
        """The user that the first start made."""
        admin = self.memory.user_named("admin")
        assert admin is not None
        return admin


def session_of(tokens: Tokens) -> str:
    """The session that tokens belong to."""
    return tokens.refresh_token.split(".")[0]
