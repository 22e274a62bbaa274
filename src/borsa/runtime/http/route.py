"""A route is a row of a table: the address, who may call it, what it takes and what it answers."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Literal

import msgspec

Access = Literal["public", "user", "trade", "admin"]
"""Who may call: anybody; somebody signed in (or an API key with scope read); the same with scope trade; an admin."""

Handle = Callable[..., Awaitable[Any]]
"""`handle(call)`, or `handle(call, body)` where the route takes one; answers a struct, an `Answered`, or None."""


class Answered(msgspec.Struct, frozen=True):
    """An answer with another status than the route's, or with headers of its own."""

    body: Any
    status: int
    headers: Mapping[str, str] = {}


class Empty(msgspec.Struct, frozen=True):
    """A query without parameters."""


class _Row(msgspec.Struct, frozen=True):
    """What every row of a table of routes begins with."""

    method: Literal["GET", "POST", "PUT", "DELETE"]
    path: str
    handle: Handle
    access: Access
    summary: str


class Route(_Row, frozen=True, kw_only=True):
    """One row: `Route("GET", "/api/orders/{id}", get_order, "user", "An order", reply=OrderReply)`.

    `errors` are the codes that this route refuses with beside those that every route has; `also` further statuses of
    success; `accepted` what a 202 answers, where that is not `reply`; `body_bytes_max` the setting that bounds its
    body; `media` the type of an answer that is no struct.
    """

    body: type[msgspec.Struct] | None = None
    query: type[msgspec.Struct] = Empty
    reply: Any = None
    status: int = 200
    also: tuple[int, ...] = ()
    accepted: Any = None
    errors: tuple[str, ...] = ()
    body_bytes_max: str = "body_bytes_max"
    key_required: bool = False
    media: str = "application/json"
    service: str = ""

    @property
    def name(self) -> str:
        """How the route is called in metrics and tables."""
        return f"{self.method} {self.path}"
