"""What a service is to the runtime: a manifest that says what it answers, follows and publishes."""

from collections.abc import Callable, Generator, Mapping, Sequence
from functools import partial
from typing import Any, Generic, Protocol, TypeVar

import msgspec
import sqlalchemy as sa

from borsa.events import Event
from borsa.requests import Request
from borsa.runtime.bus import Bus
from borsa.runtime.clock import Clock
from borsa.runtime.edge import Edge
from borsa.runtime.feeds import Feeds, Messages
from borsa.runtime.http.route import Route
from borsa.runtime.shards import shards_of
from borsa.runtime.store import Reader
from borsa.settings import Settings

M = TypeVar("M")

Asking = Generator[Request[Any], Any, Any]
"""A deed that asks other services on its way: it yields requests and is sent their replies.

Each yield ends a transaction: what was staged before it is committed before the question leaves, and the rest runs in a
later transaction, so whatever was read before must be looked at again.
"""

Deed = Callable[..., Any]
"""`deed(tx, memory, request_or_event)`: changes the memory, publishes events, returns the reply or an `Asking`."""


class Batch(msgspec.Struct, frozen=True):
    """A deed that takes the events of a source many at a time: `deed(tx, memory, list of Recorded)`."""

    deed: Deed


class Many(msgspec.Struct, frozen=True):
    """A deed that answers many requests at a time: `deed(tx, memory, list of (origin, request))` returns their
    outcomes, in order. A refusal among them is returned, not raised."""

    deed: Deed


class Sweep(msgspec.Struct, frozen=True):
    """A deed that is due every so often: `deed(tx, memory)`."""

    every_seconds: int
    deed: Deed


class Background(Protocol):
    """Work beside the writer, on a thread of its own: what it learns it tells the writer by asking."""

    def start(self) -> None:
        """Begin."""

    def stop(self) -> None:
        """End, soon: the writers are still there to take its last word."""


class Service(msgspec.Struct, Generic[M], frozen=True, kw_only=True):
    """A service's manifest.

    `memory(session, settings)` opens what the handlers work on, and of a shard (`shards.py`) `memory(session, settings,
    shard=name)`; `starts` run once before anything else, each in a transaction of its own,
    as `deed(tx, memory, fetch)`, where `fetch(source, after)` reads another service's log.
    `skips_poison`: an event that can't be handled is tried again and then set aside (a follower that can be rebuilt),
    instead of stopping the service (where skipping would break the books). `facts` say what it runs, for /healthz.
    `door` makes what the service's routes and feeds keep in the door's process, and `feeds` what of it can be followed:
    `channels` are their names, with their messages.
    `acts` are the words for what admins do here, in the audit.
    """

    name: str
    tables: sa.MetaData
    memory: Callable[..., M]
    routes: Sequence[Route]
    answers: Mapping[type[Any], Deed | Many]
    consumes: Mapping[str, Mapping[type[Event], Deed] | Batch] = {}
    publishes: tuple[type[Event], ...] = ()
    acts: tuple[str, ...] = ()
    starts: Sequence[Deed] = ()
    sweeps: Sequence[Sweep] = ()
    skips_poison: bool = False
    facts: Callable[[Settings], Mapping[str, str]] = lambda _: {}
    door: Callable[[Edge, Clock], Any] = lambda _, __: None
    channels: Messages = {}
    feeds: Callable[[Any], Feeds] = lambda _: Feeds()
    background: Callable[[Bus, Reader, Settings, Clock], Background] | None = None


def streamed(services: Sequence[Service[Any]]) -> dict[str, tuple[type[msgspec.Struct], ...]]:
    """The messages of every channel that can be followed, by its name."""
    return {name: kinds for service in services for name, kinds in service.channels.items()}


def divided(services: Sequence[Service[Any]], service: str, more: int) -> tuple[Service[Any], ...]:
    """The services, with so many more shards of one of them, and followed as that one is."""
    found: list[Service[Any]] = []
    for each in services:
        followed = msgspec.structs.replace(each, consumes=_followed(each.consumes, service, more))
        found.append(followed)
        if each.name == service:
            found += [
                msgspec.structs.replace(followed, name=shard, memory=partial(each.memory, shard=shard))
                for shard in shards_of(service, more)[1:]
            ]
    return tuple(found)


def _followed(consumes: Mapping[str, Any], service: str, more: int) -> dict[str, Any]:
    """What is taken of a service is taken of each of its shards."""
    found: dict[str, Any] = {}
    for source, takes in consumes.items():
        for shard in shards_of(source, more) if source == service else (source,):
            found[shard] = takes
    return found
