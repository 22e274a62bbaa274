"""One connection to a client: uvicorn's with httptools, with bounds on the length of a head and on slowness."""

import asyncio
import socket
import struct
from enum import Enum
from typing import Any

import msgspec
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

from borsa.errors import Refused
from borsa.runtime.http.headers import FIXED_HEADERS
from borsa.runtime.http.problem import MEDIA_TYPE, document

HEAD_BYTES_MAX = 64 * 1024
"""Request line and headers together."""

HEADERS_MAX = 200
"""Headers of one request."""

PIECE_BYTES = 8 * 1024
"""What is parsed at a time: no more requests of a connection wait for their turn than there are in one piece."""

_HEADERS = b"".join(
    b"%b: %b\r\n" % header
    for header in ((b"content-type", MEDIA_TYPE.encode()), *FIXED_HEADERS, (b"connection", b"close"))
)

_DROP = struct.pack("ii", 1, 0)
"""SO_LINGER: on, for no time at all."""


class GatheringTransport(asyncio.Transport):
    """Hands over in one system call what is written in a turn of the event loop: uvicorn writes head and body apart."""

    def __init__(self, transport: asyncio.Transport, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__()
        self.handed_over = 0
        self.held = False
        self._transport = transport
        self._loop = loop
        self._parts: list[bytes | bytearray | memoryview] = []

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Take data, to be sent at the end of this turn."""
        if not self._parts:
            self._loop.call_soon(self._send)
        self._parts.append(data)

    def write_at_once(self, data: bytes) -> None:
        """Take data, to be sent now; after what was taken before. Who was let go gets nothing any more."""
        if self._parts:
            self._parts.append(data)
        elif not self._transport.is_closing():
            self._transport.write(data)

    def flush(self) -> None:
        """Send what was taken, now."""
        if self._parts:
            self._send()

    def _send(self) -> None:
        # who was let go in the meantime gets nothing any more
        if self._parts and not self._transport.is_closing():
            self.handed_over += 1
            self._transport.write(b"".join(self._parts))
        self._parts.clear()

    def close(self) -> None:
        """Send what was written, and close."""
        self._send()
        self._transport.close()

    def abort(self) -> None:
        """Close, and let the system drop what was not sent: it would keep megabytes for minutes for whom it waits."""
        self._transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _DROP)
        self._transport.abort()

    def is_closing(self) -> bool:
        """Is it closed, or about to be?"""
        return self._transport.is_closing()

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        """More bytes than `high` wait: the protocol is told to pause. No more than `low`: it may go on."""
        self._transport.set_write_buffer_limits(high, low)

    def get_write_buffer_size(self) -> int:
        """Bytes that the client has not taken yet."""
        return self._transport.get_write_buffer_size()

    def set_protocol(self, protocol: asyncio.BaseProtocol) -> None:
        """Somebody else is told from now on what comes."""
        self._transport.set_protocol(protocol)

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        """What is known of the connection."""
        return self._transport.get_extra_info(name, default)

    def pause_reading(self) -> None:
        """Take nothing from the client for now."""
        self._transport.pause_reading()

    def resume_reading(self) -> None:
        """Take what the client sends again, unless it is held."""
        if not self.held:
            self._transport.resume_reading()

    def hold(self) -> None:
        """Take nothing, whoever says so, until it is let go on."""
        self.held = True
        self._transport.pause_reading()

    def go_on(self) -> None:
        """The end of `hold`."""
        self.held = False
        self._transport.resume_reading()


class Patience(msgspec.Struct, frozen=True):
    """For how many seconds a client may take to send a head or a body, and to read an answer."""

    head: int
    body: int
    answer: int


class Awaited(Enum):
    """What a client has to do next. Between two requests it is nothing: then the time of keep-alive runs."""

    NOTHING = "nothing"
    HEAD = "head"
    BODY = "body"
    READING = "answer"


class BoundedProtocol(HttpToolsProtocol):
    """Answers 431 to a head without end, 400 to what is no HTTP, and 408 to a client that stands still.

    The parser has no bound of its own. Time is looked at from outside, now and then, so that a request that comes as
    it should costs no timer.
    """

    _transport: GatheringTransport
    _awaited = Awaited.HEAD
    _messages = 0
    _head_bytes = 0
    _may_be_long = False
    _fault: Refused | None = None
    _seen: tuple[Awaited, int] = (Awaited.NOTHING, 0)
    _since = 0.0
    _kept = b""

    # what comes ----------------------------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """A client is there."""
        self._transport = GatheringTransport(transport, self.loop)
        super().connection_made(self._transport)

    def data_received(self, data: bytes) -> None:
        """Take what came, as far as it is its turn: who sends requests and reads no answers fills no memory."""
        if len(data) <= PIECE_BYTES and not self._kept:
            self._parse(data)
        else:
            self._kept += data
            self._parse_kept()
        if self.pipeline or self._kept:
            self._transport.hold()

    def _parse_kept(self) -> None:
        while self._kept and not self.pipeline and not self._transport.is_closing():
            piece, self._kept = self._kept[:PIECE_BYTES], self._kept[PIECE_BYTES:]
            self._parse(piece)

    def on_response_complete(self) -> None:
        """The next request's turn."""
        super().on_response_complete()
        if self._kept:
            self._parse_kept()
        if self._transport.held and not self.pipeline and not self._kept:
            self._transport.go_on()

    def _parse(self, data: bytes) -> None:
        """Parse a piece, and count it while the head is not complete."""
        messages, in_body = self._messages, self._awaited is Awaited.BODY
        self._may_be_long = self._head_bytes + len(data) > HEAD_BYTES_MAX
        super().data_received(data)
        if self._awaited is not Awaited.HEAD:
            return
        begun = self._messages - messages
        if begun > 1 or (begun and in_body):
            return  # this head began somewhere in this piece; what comes next is counted
        self._head_bytes += len(data)
        if self._head_bytes > HEAD_BYTES_MAX and not self.transport.is_closing():
            self._refuse(Refused("headers_too_large"))

    def on_message_begin(self) -> None:
        """A head begins."""
        self._awaited = Awaited.HEAD
        self._messages += 1
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        """The head is complete."""
        self._head_bytes = 0
        if len(self.headers) > HEADERS_MAX or (self._may_be_long and self._head_size() > HEAD_BYTES_MAX):
            self._fault = Refused("headers_too_large")
            raise self._fault  # the parser stops, and reports a fault
        self._awaited = Awaited.BODY
        super().on_headers_complete()

    def _head_size(self) -> int:
        return len(self.url) + sum(len(name) + len(value) for name, value in self.headers)

    def on_message_complete(self) -> None:
        """The body is complete."""
        self._awaited = Awaited.NOTHING
        super().on_message_complete()

    # what is refused -----------------------------------------------------------------------------------------------

    def send_400_response(self, msg: str) -> None:
        """The parser found a fault."""
        self._refuse(self._fault or Refused("malformed_request", "This is no request of HTTP/1.1"))

    def _refuse(self, refused: Refused) -> None:
        """Answer in place of the application, and close."""
        if self.cycle is not None:
            # it gets no further part of its request, and its answer would come too late
            self.cycle.disconnected = True
            self.cycle.message_event.set()
        body = document(refused)
        length = b"content-length: %d\r\n\r\n" % len(body)
        self.transport.write(STATUS_LINE[refused.status] + _HEADERS + length + body)
        self.transport.close()

    # who stands still ----------------------------------------------------------------------------------------------

    @property
    def unread_bytes(self) -> int:
        """Bytes of answers that the client has not taken yet."""
        return self._transport.get_write_buffer_size()

    def let_go(self) -> None:
        """End the connection, and drop what was not sent."""
        self._transport.abort()

    def check(self, now: float, patience: Patience) -> None:
        """End the connection of a client that has stood at the same place for too long; `now` in seconds."""
        seen = self._place()
        if seen != self._seen:
            self._seen, self._since = seen, now
        elif seen[0] is not Awaited.NOTHING and now - self._since > getattr(patience, seen[0].value):
            self._end(seen[0])

    def _place(self) -> tuple[Awaited, int]:
        """What is awaited from the client, and the how-manieth of its kind."""
        if self._transport.is_closing() or self._transport.get_write_buffer_size():
            return Awaited.READING, self._transport.handed_over
        if self.pipeline or self._kept or (self._awaited is Awaited.HEAD and self._is_answering()):
            return Awaited.NOTHING, self._messages  # it is our turn
        return self._awaited, self._messages

    def _is_answering(self) -> bool:
        return self.cycle is not None and not self.cycle.response_complete

    def _end(self, awaited: Awaited) -> None:
        if awaited is Awaited.READING:
            self.let_go()
        elif self._messages == 0 or (awaited is Awaited.BODY and self.cycle.response_started):
            self.transport.close()
        else:
            self._refuse(Refused("request_timeout", f"The {awaited.value} took too long"))
