"""The same channels by Server-Sent Events, for people with curl: GET /api/stream?channels=book:BTC-USD,orders

A message is an event of its channel's name. One of the channels may be an own one: then its sequence is the event's id,
and `Last-Event-ID` goes on after it.
"""

import asyncio
from collections.abc import Mapping
from urllib.parse import parse_qsl

from borsa.errors import Refused
from borsa.money import UNITS_MAX
from borsa.runtime.access.identity import Identity
from borsa.runtime.codec import encode
from borsa.runtime.feeds import Channel, OwnChanged
from borsa.runtime.http.admission import Seat, admit
from borsa.runtime.http.call import Means
from borsa.runtime.http.channels import Channels
from borsa.runtime.http.endpoint import Receive, Scope, Send, request_id_of, respond
from borsa.runtime.http.headers import FIXED_HEADERS
from borsa.runtime.http.own import OwnChannel
from borsa.runtime.http.problem import MEDIA_TYPE, document, headers_of

PATH = "/api/stream"

SILENT_SECONDS = 15
"""After so long without a message a line is sent that says nothing: proxies end what is silent."""


class EventStream:
    """One client. It is a `Reader` of channels."""

    def __init__(self, means: Means, identity: Identity | None, own: str) -> None:
        self._means = means
        self._identity = identity
        self._own = own
        self._waiting: list[bytes] = []
        self._some = asyncio.Event()
        self._unread = 0
        self.ended = False

    @property
    def is_slow(self) -> bool:
        return self._unread > self._means.settings.stream_unread_bytes

    def framed(self, channel: str, position: int, message: bytes) -> bytes:
        number = b"id: %d\n" % position if channel == self._own else b""
        return b"event: %b\n%bdata: %b\n\n" % (channel.encode(), number, message)

    def push(self, frame: bytes) -> None:
        self._waiting.append(frame)
        self._unread += len(frame)
        self._some.set()

    def flush(self) -> None:
        pass

    def fall_behind(self) -> None:
        self.end()

    def look(self) -> None:
        identity, means = self._identity, self._means
        if not means.health.ready or (identity is not None and not means.authenticator.holds(identity)):
            self.end()

    def end(self) -> None:
        """Send nothing more."""
        self.ended = True
        self._some.set()

    async def send_all(self, send: Send) -> None:
        """Send what is pushed, until it ends."""
        while not self.ended:
            try:
                await asyncio.wait_for(self._some.wait(), SILENT_SECONDS)
                self._some.clear()
            except TimeoutError:
                self._waiting.append(b":\n\n")
            body, self._waiting = b"".join(self._waiting), []
            # waits until the client has taken enough of what was sent before
            await send({"type": "http.response.body", "body": body, "more_body": True})
            self._unread = sum(map(len, self._waiting))
        await send({"type": "http.response.body", "body": b""})


class EventStreams:
    """GET /api/stream"""

    def __init__(self, means: Means, channels: Channels) -> None:
        self._means = means
        self._channels = channels

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = dict(scope["headers"])
        request_id = request_id_of(headers, self._means)
        seat = Seat(self._means.limits, scope)
        try:
            identity = await admit(self._means, scope, headers, lambda: _check(scope))
            seat.take()
            seat.belong_to(identity)
            await self._serve(scope, headers, identity, receive, send, request_id)
        except Refused as refused:
            await respond(
                send, refused.status, document(refused), request_id, {"content-type": MEDIA_TYPE} | headers_of(refused)
            )
        finally:
            seat.leave()

    async def _serve(
        self,
        scope: Scope,
        headers: Mapping[bytes, bytes],
        identity: Identity | None,
        receive: Receive,
        send: Send,
        request_id: str,
    ) -> None:
        channels = await self._opened(scope, identity)
        own = [channel.name for channel in channels if isinstance(channel, OwnChannel)]
        if len(own) > 1:
            raise Refused("invalid_request", "One own channel a stream: an event has one id", field="channels")
        reader = EventStream(self._means, identity, "".join(own))
        for channel, missed in [(each, await self._missed(each, headers)) for each in channels]:
            for message in missed[1] if missed else ():
                reader.push(reader.framed(channel.name, message.sequence, encode(message)))
            self._channels.fanout.follow(channel, reader, None if missed is None else missed[0])
        gone = asyncio.get_running_loop().create_task(_until_gone(receive, reader))
        try:
            content = [(b"content-type", b"text/event-stream"), (b"x-request-id", request_id.encode())]
            await send({"type": "http.response.start", "status": 200, "headers": [*FIXED_HEADERS, *content]})
            await reader.send_all(send)
        finally:
            gone.cancel()
            for channel in channels:
                self._channels.fanout.leave(channel, reader)

    async def _opened(self, scope: Scope, identity: Identity | None) -> list[Channel]:
        given = dict(parse_qsl(scope["query_string"].decode("latin-1"), max_num_fields=10))
        names = [name for name in dict.fromkeys(given.pop("channels", "").split(",")) if name]
        if given:
            raise Refused("invalid_request", f"There is no parameter {next(iter(given))[:60]}", field="query")
        if not 0 < len(names) <= self._means.settings.stream_channels_max:
            raise Refused("invalid_request", "Name channels, separated by commas", field="channels")
        return [await self._channels.open(name, identity) for name in names]

    async def _missed(self, channel: Channel, headers: Mapping[bytes, bytes]) -> tuple[int, list[OwnChanged]] | None:
        """What an own channel is to say first, and up to where that is; None where it begins with a snapshot."""
        last = headers.get(b"last-event-id", b"")
        if not isinstance(channel, OwnChannel) or not last:
            return None
        if not last.isdigit() or int(last) > UNITS_MAX:
            raise Refused("invalid_request", "It is no id of an event", field="Last-Event-ID")
        return await self._channels.missed(channel, int(last))


def _check(scope: Scope) -> None:
    if scope["method"] != "GET":
        raise Refused("method_not_allowed")


async def _until_gone(receive: Receive, reader: EventStream) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
    reader.end()
