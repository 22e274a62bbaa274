"""A link between two processes of one exchange: messages in frames, over a pair of sockets.

Many messages go in one frame and one system call: what a turn of the event loop asks, or what a commit answers.
A frame is four bytes of length and a MessagePack array. Both ends are of one version, forked from one process.
"""

import socket
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Union, get_type_hints

import msgspec

from borsa.errors import Refusal, Refused
from borsa.requests import Request
from borsa.runtime.bus import Once, Outcome

READ_BYTES = 1 << 18
_HEAD = 4


class Message(msgspec.Struct, frozen=True, array_like=True, tag=True, gc=False):
    """What one end tells the other."""


class Asked(Message, frozen=True):
    """A request; the reply comes back under the same number."""

    number: int
    request: Any
    correlation: str
    causation: str | None
    once: Once | None
    admin: str | None = None


class Told(Message, frozen=True):
    """The reply to a request; who asked knows its type."""

    number: int
    reply: Any


class Declined(Message, frozen=True):
    """The refusal that came in place of a reply."""

    number: int
    refusal: Refusal


class Published(Message, frozen=True):
    """The log of a service has events up to this sequence: whoever follows it can read them there."""

    source: str
    last: int


class Broadcast(Message, frozen=True):
    """What a service said in passing."""

    source: str
    said: bytes


class Tuned(Message, frozen=True):
    """The other end hears from now on what a service says in passing."""

    source: str


class Started(Message, frozen=True):
    """The other process recovered, and is at work. `said` is what its operator should read."""

    said: str


class Failed(Message, frozen=True):
    """The other process can't start, and why."""

    reason: str


class Stop(Message, frozen=True):
    """Finish what waits, then say `Finished`."""


class Finished(Message, frozen=True):
    """Everything that was accepted is done."""


class Close(Message, frozen=True):
    """Close everything, and end."""


class _Told(Told, frozen=True, tag="Told"):
    # of which type it is, only who asked can say
    reply: msgspec.Raw


def outcome_message(number: int, outcome: Outcome) -> Message:
    """A reply or a refusal, to be sent."""
    if isinstance(outcome, Refused):
        return Declined(number, Refusal.of(outcome))
    return Told(number, outcome)


class Language:
    """How messages become bytes and come back: it knows every request that may be asked."""

    def __init__(self, requests: Iterable[type[Request[Any]]]) -> None:
        any_request: Any = Union[tuple(requests)]  # noqa: UP007
        fields = [(name, any_request if name == "request" else kind) for name, kind in get_type_hints(Asked).items()]
        asked: Any = msgspec.defstruct("Asked", fields, bases=(Message,), frozen=True)
        others = Declined | Published | Broadcast | Tuned | Started | Failed | Stop | Finished | Close
        any_message: Any = asked | _Told | others
        self.decode = msgspec.msgpack.Decoder(list[any_message]).decode
        self.asked: type[Asked] = asked


class Link:
    """One end of a link. `receive` and `flush` never block; whoever owns the end knows when it can be read.

    `on_put` is called when the first message since the last flush is put.
    """

    def __init__(self, end: socket.socket, language: Language) -> None:
        end.setblocking(False)
        self.socket = end
        self.asked = language.asked
        self._decode = language.decode
        self._encode = msgspec.msgpack.Encoder().encode
        self._out: list[Message] = []
        self._news: dict[str, int] = {}
        self._unsent = b""
        self._read = bytearray()
        self.closed = False
        self.on_put: Callable[[], Any] | None = None

    def put(self, message: Message) -> None:
        """Send a message with the next flush."""
        self.put_all((message,))

    def put_all(self, messages: Iterable[Message]) -> None:
        """Send messages with the next flush."""
        self._before_put()
        self._out.extend(messages)

    def announce(self, source: str, last: int) -> None:
        """Send with the next flush that a log goes so far. Of what could not be sent before, only the newest is."""
        self._before_put()
        self._news[source] = last

    def _before_put(self) -> None:
        if self.on_put and not (self._out or self._news):
            self.on_put()

    def flush(self) -> bool:
        """Hand over what was put; False when the other end has to read first."""
        while not self.closed:
            if not self._unsent:
                if not (self._out or self._news):
                    return True
                self._unsent = self._frame()
            try:
                self._unsent = self._unsent[self.socket.send(self._unsent) :]
            except BlockingIOError:
                return False
            except OSError:
                self.closed = True
        return True

    def _frame(self) -> bytes:
        """What was put. News first: who reads an answer knows of the events that came with it."""
        body = self._encode([*(Published(source, last) for source, last in self._news.items()), *self._out])
        self._out = []
        self._news = {}
        return len(body).to_bytes(_HEAD, "big") + body

    def receive(self) -> Sequence[Any]:
        """The messages that have arrived. `closed` is set when the other end is gone."""
        while not self.closed:
            try:
                data = self.socket.recv(READ_BYTES)
            except BlockingIOError:
                break
            except OSError:
                data = b""
            self.closed = not data
            self._read += data
            if len(data) < READ_BYTES:
                break
        return self._messages() if len(self._read) >= _HEAD else ()

    def _messages(self) -> list[Any]:
        found: list[Any] = []
        read, at = self._read, 0
        while len(read) - at >= _HEAD:
            end = at + _HEAD + int.from_bytes(read[at : at + _HEAD], "big")
            if end > len(read):
                break
            found += self._decode(bytes(read[at + _HEAD : end]))
            at = end
        del read[:at]
        return found

    def close(self) -> None:
        """End this end."""
        self.closed = True
        self.socket.close()
