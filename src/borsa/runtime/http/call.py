"""What a route's handler has in hand: who calls, with what, and the way to the services."""

import asyncio
from collections.abc import Callable, Mapping, MutableMapping, Sequence
from typing import Any, Protocol, TypeVar, TypeVarTuple

import msgspec
import structlog

from borsa.errors import Refused
from borsa.events import Event
from borsa.requests import Request
from borsa.runtime.access.auth import Authenticator
from borsa.runtime.access.identity import Identity
from borsa.runtime.bus import Once, Origin
from borsa.runtime.clock import Clock
from borsa.runtime.codec import id_number
from borsa.runtime.edge import Edge
from borsa.runtime.http.cookies import own_cookie
from borsa.runtime.http.limits import Limits
from borsa.runtime.store import Reader, Unreadable
from borsa.settings import Settings

_log = structlog.get_logger("borsa")

R = TypeVar("R")
T = TypeVar("T")
Given = TypeVarTuple("Given")


class Readiness(Protocol):
    """What is known of the process's health."""

    ready: bool

    async def halted(self) -> list[str]:
        """Streams that stopped."""

    async def measure(self) -> bytes:
        """Metrics, up to date."""


class Means(msgspec.Struct, frozen=True):
    """What all requests share. `facts` say what runs here, for /healthz; `doors` are what each service keeps
    in this process."""

    edge: Edge
    settings: Settings
    authenticator: Authenticator
    limits: Limits
    clock: Clock
    health: Readiness
    facts: Mapping[str, str] = {}
    doors: Mapping[str, Any] = {}


class Call:
    """One request: its identity, parameters and means."""

    __slots__ = ("_asked", "_identity", "_scope", "means", "once", "origin", "path", "prefer_wait", "query", "service")

    def __init__(
        self,
        means: Means,
        service: str,
        identity: Identity | None,
        origin: Origin,
        path: Mapping[str, str],
        query: Any,
        scope: MutableMapping[str, Any],
        once: Once | None,
        prefer_wait: int,
    ) -> None:
        self.means = means
        self.service = service
        self._identity = identity
        self.origin = origin
        self.path = path
        self.query = query
        self._scope = scope
        self.once = once
        self.prefer_wait = prefer_wait
        self._asked = False

    @property
    def identity(self) -> Identity:
        """Who calls; the route's guard has seen to it that somebody does."""
        if self._identity is None:
            raise LookupError("a public route has no identity")
        return self._identity

    @property
    def owner(self) -> str | None:
        """Whose things the caller may see: their own, or, as an admin, everybody's (None)."""
        return None if self.identity.is_admin else self.identity.user_id

    @property
    def listed(self) -> str | None:
        """Whose things a list is to have: one's own; for an admin those of the user that its query names, or all."""
        wanted: str | None = self.query.user_id
        return wanted if self.owner is None else self.owner

    def cookie(self, name: str) -> str | None:
        """A cookie of the request, where its page is this server's own: other sites' pages send none that count."""
        return own_cookie(self._scope, name)

    @property
    def is_encrypted(self) -> bool:
        """Did the request come by HTTPS?"""
        return str(self._scope.get("scheme")) == "https"

    def number(self, name: str) -> int:
        """A number in the path; what can't be one is not there."""
        number = id_number(self.path[name])
        if number is None:
            raise Refused("not_found")
        return number

    @property
    def address(self) -> str:
        """The network address of the client."""
        return address_of(self._scope)

    @property
    def settings(self) -> Settings:
        """Every option."""
        return self.means.settings

    async def read(self, select: Callable[[Reader, *Given], T], *given: *Given) -> T:
        """What `select(reader, *given)` finds in the committed data of the service that the route belongs to."""
        return await self.read_of(self.service, select, *given)

    @property
    def shards(self) -> Sequence[str]:
        """The names of the shards of the service that the route belongs to, the first one first."""
        return self.means.edge.shards(self.service)

    async def read_each(self, select: Callable[[Reader, *Given], T], *given: *Given) -> list[T]:
        """As `read`, of each shard, in their order."""
        return [await self.read_of(shard, select, *given) for shard in self.shards]

    async def read_of(self, service: str, select: Callable[[Reader, *Given], T], *given: *Given) -> T:
        """As `read`, of a named service."""
        try:
            return await self.means.edge.read(service, select, *given)
        except Unreadable as error:
            _log.warning("not_read", service=service, error=str(error))
            # what was asked for before may be done
            raise Refused("no_answer" if self._asked else "overloaded") from None

    @property
    def door(self) -> Any:
        """What the service that the route belongs to keeps in this process."""
        return self.means.doors[self.service]

    async def ask(self, request: Request[R], *, keyed: bool = True, of: str = "") -> R:
        """The reply of a service's writer, or of that of the shard which `of` names; `keyed` passes the Idempotency-Key
        on (once for each call)."""
        self._asked = True
        return await self.means.edge.ask(request, self.origin, self.once if keyed else None, of)

    def watch(self, source: str, about: str) -> asyncio.Future[Event]:
        """The next event about a subject, or caused by an event."""
        return self.means.edge.watch(source, about)


def address_of(scope: MutableMapping[str, Any]) -> str:
    """The network address of a request's client; of forwarded headers only those of a trusted proxy count."""
    client = scope.get("client")
    return client[0] if client else ""


async def first_of_any(futures: Sequence[asyncio.Future[Event]], seconds: float) -> Event | None:
    """The first event that comes, or None when none does in time. What did not come is still waited for."""
    done, _ = await asyncio.wait(futures, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
    return next(iter(done)).result() if done else None


async def first_of(future: asyncio.Future[Event], seconds: float) -> Event | None:
    """The event, or None when it does not come in time."""
    try:
        return await asyncio.wait_for(future, seconds)
    except TimeoutError:
        return None
