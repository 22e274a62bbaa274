"""The bus seam: how events and requests travel between services.

The bus carries, the database knows: delivery may repeat, reorder, lose or be late, and each effect still happens
exactly once, because consumers keep cursors and fetch what they miss from the producer's log.
"""

from collections.abc import Sequence
from typing import Any, Protocol

import msgspec

from borsa.errors import Refused
from borsa.requests import Request
from borsa.runtime.log import Recorded

Outcome = Any
"""The reply to a request, or the `Refused` that came in its place."""


class Origin(msgspec.Struct, frozen=True, gc=False):
    """Where an effect comes from: the id of the request that started it all, and of the event just before it; and the
    id of the admin who asked, where it was one."""

    correlation: str
    causation: str | None = None
    admin: str | None = None


class Once(msgspec.Struct, frozen=True, gc=False):
    """A request's Idempotency-Key: whose, which, and a digest of what was asked with it."""

    owner: str
    key: str
    fingerprint: bytes


class Replies(Protocol):
    """Somebody who asked: gets the outcomes of a commit all at once."""

    def deliver(self, outcomes: Sequence[tuple[Any, Outcome]]) -> None:
        """Take (token, outcome) pairs; called on the answering writer's thread."""


class Listener(Protocol):
    """Somebody who follows committed events without a cursor (streams, waiting requests, access)."""

    def is_listening(self) -> bool:
        """Does it want events now? What it did not want is not repeated."""

    def observe(self, events: Sequence[Recorded]) -> None:
        """Take the events of a commit; called on the producing writer's thread."""


class Receiver(Protocol):
    """Somebody who wants what a service says in passing (the door's replicas)."""

    def receive(self, message: bytes) -> None:
        """Take what was broadcast; called on any thread. Messages of one source come in their order, or not at all."""

    def miss(self) -> None:
        """Something may have been lost just now, and nothing may follow by which that would be seen."""


class Bus(Protocol):
    """What a writer and the edge need of a bus."""

    def ask(
        self,
        request: Request[Any],
        origin: Origin,
        replies: Replies,
        token: Any,
        once: Once | None = None,
        of: str = "",
    ) -> None:
        """Put a question to the service that answers it, or to the one of its shards that `of` names; the outcome comes
        to `replies` with the token."""

    def publish(self, source: str, events: Sequence[Recorded]) -> None:
        """Hand committed events to every consumer and listener."""

    def fetch(self, source: str, after: int) -> Sequence[Recorded]:
        """The events of a source that follow a sequence, from its log; empty when there are none."""

    def listen(self, source: str, listener: Listener) -> None:
        """Follow the committed events of a source from now on."""

    def broadcast(self, source: str, messages: Sequence[bytes]) -> None:
        """Say something of a commit to whoever is there. It is kept nowhere and may be lost: messages bear their own
        numbers, and who misses one asks."""

    def tune(self, source: str, receiver: Receiver) -> None:
        """Hear what a source broadcasts from now on."""


def overloaded() -> Refused:
    """What a request is told when a service's inbox is full: each its own, for what is raised keeps where it was."""
    return Refused("overloaded")


def storage_full() -> Refused:
    """What a request is told when there is no room to write what it changes: each its own."""
    return Refused("storage_full")
