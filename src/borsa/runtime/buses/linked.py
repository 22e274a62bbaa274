"""The bus of one process of several: what lives here is reached directly, everything else through a link.

Requests and replies travel. Events do not: a link says how far a log goes, and whoever follows it reads it there, as
after a loss. So the log is the only way of events between processes, and it is the durable one.
"""

import itertools
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import msgspec

from borsa.requests import Request, reply_type
from borsa.runtime.bus import Listener, Once, Origin, Outcome, Receiver, Replies
from borsa.runtime.buses.embedded import EmbeddedBus
from borsa.runtime.buses.link import Asked, Broadcast, Declined, Link, Message, Published, Told, Tuned, outcome_message
from borsa.runtime.log import Recorded
from borsa.runtime.observability.vitals import DescribeProcess, Vitals

Control = Callable[[Link, Message], None]
"""What becomes of messages that are not the bus's own: those about the life of the processes."""


class _Over:
    """Somebody in another process who asked: outcomes go back over the link, one system call for those of a commit."""

    def __init__(self, link: Link) -> None:
        self._link = link

    def deliver(self, outcomes: Sequence[tuple[int, Outcome]]) -> None:
        self._link.put_all([outcome_message(number, outcome) for number, outcome in outcomes])
        self._link.flush()


class LinkedBus:
    """Knows which service is `behind` which link. `fetch` reads any log: the databases are shared, for reading.

    Everything is called on one thread, that of the process's loop; only `ask` of services that live here is not bound
    to it. `vitals` describes this process to the others.
    """

    def __init__(
        self,
        local: EmbeddedBus,
        behind: Mapping[str, Link],
        links: Iterable[Link],
        vitals: Callable[[], Vitals],
        control: Control,
    ) -> None:
        self._local = local
        self._behind = behind
        self._askers = {link: _Over(link) for link in links}
        self._vitals = vitals
        self._control = control
        self._numbers = itertools.count(1)
        self._waiting: dict[int, tuple[Replies, Any, type[Request[Any]]]] = {}
        self._tuned: dict[str, list[Link]] = {}
        self._decoders: dict[type[Request[Any]], msgspec.msgpack.Decoder[Any]] = {}

    def ask(
        self,
        request: Request[Any],
        origin: Origin,
        replies: Replies,
        token: Any,
        once: Once | None = None,
        of: str = "",
    ) -> None:
        link = self._behind.get(of or request.answered_by)
        if link is None:
            self._local.ask(request, origin, replies, token, once, of)
        else:
            self.ask_over(link, request, origin, replies, token, once)

    def ask_over(
        self,
        link: Link,
        request: Request[Any],
        origin: Origin,
        replies: Replies,
        token: Any,
        once: Once | None = None,
    ) -> None:
        """Put a question to the process at the other end of a link."""
        number = next(self._numbers)
        self._waiting[number] = (replies, token, type(request))
        link.put(Asked(number, request, origin.correlation, origin.causation, once, origin.admin))

    def publish(self, source: str, events: Sequence[Recorded]) -> None:
        self._local.publish(source, events)
        for link in self._askers:
            link.announce(source, events[-1].sequence)

    def fetch(self, source: str, after: int) -> Sequence[Recorded]:
        return self._local.fetch(source, after)

    def listen(self, source: str, listener: Listener) -> None:
        self._local.listen(source, listener)

    def broadcast(self, source: str, messages: Sequence[bytes]) -> None:
        self._local.broadcast(source, messages)
        for link in self._tuned.get(source, ()):
            link.put_all([Broadcast(source, message) for message in messages])

    def tune(self, source: str, receiver: Receiver) -> None:
        self._local.tune(source, receiver)
        if source in self._behind:
            self._behind[source].put(Tuned(source))

    def flush(self) -> bool:
        """Hand over what the other processes are to know; False: a step that never has more to do."""
        for link in self._askers:
            link.flush()
        return False

    def close(self) -> None:
        """End the connections to the logs."""
        self._local.close()

    def receive(self) -> bool:
        """Take what the other processes said; False when they said nothing."""
        busy = False
        for link in self._askers:
            busy = self.receive_from(link) or busy
        return busy

    def receive_from(self, link: Link) -> bool:
        """Take what has arrived over a link; False when nothing had."""
        messages = link.receive()
        told: dict[Replies, list[tuple[Any, Outcome]]] = {}
        for message in messages:
            if type(message) is link.asked:
                self._answer(link, message)
            elif isinstance(message, Told | Declined):
                replies, token, outcome = self._outcome(message)
                told.setdefault(replies, []).append((token, outcome))
            elif isinstance(message, Broadcast):
                self._local.broadcast(message.source, [message.said])
            elif isinstance(message, Tuned):
                self._tune_in(link, message.source)
            elif isinstance(message, Published):
                self._local.hear_of(message.source, message.last)
            else:
                self._control(link, message)
        for replies, outcomes in told.items():
            replies.deliver(outcomes)
        return bool(messages)

    def _tune_in(self, link: Link, source: str) -> None:
        links = self._tuned.setdefault(source, [])
        if link not in links:
            links.append(link)

    def _answer(self, link: Link, asked: Asked) -> None:
        if isinstance(asked.request, DescribeProcess):
            link.put(outcome_message(asked.number, self._vitals()))
            return
        origin = Origin(asked.correlation, asked.causation, asked.admin)
        self._local.ask(asked.request, origin, self._askers[link], asked.number, asked.once)

    def _outcome(self, message: Told | Declined) -> tuple[Replies, Any, Outcome]:
        replies, token, kind = self._waiting.pop(message.number)
        if isinstance(message, Told):
            return replies, token, self._decoder(kind).decode(message.reply)
        return replies, token, message.refusal.refused

    def _decoder(self, kind: type[Request[Any]]) -> msgspec.msgpack.Decoder[Any]:
        decoder = self._decoders.get(kind)
        if decoder is None:
            decoder = self._decoders[kind] = msgspec.msgpack.Decoder(reply_type(kind))
        return decoder
