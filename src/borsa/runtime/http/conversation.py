"""What is said over one WebSocket: what a client asks, and what it is answered."""

from typing import Annotated, Any

import msgspec
from msgspec import UNSET, Meta, UnsetType

from borsa.errors import Refused
from borsa.money import UNITS_MAX
from borsa.runtime.access.identity import Identity
from borsa.runtime.clock import time_text
from borsa.runtime.codec import encode
from borsa.runtime.feeds import Channel, OwnChanged
from borsa.runtime.http.admission import Seat
from borsa.runtime.http.call import Means, address_of
from borsa.runtime.http.channels import Channels
from borsa.runtime.http.endpoint import Receive, Scope
from borsa.runtime.http.own import OwnChannel
from borsa.runtime.http.problem import decode_body
from borsa.runtime.http.socket import SOCKET, SocketProtocol, framed

EXPIRED, TOO_SLOW, POLICY = 4001, 4008, 1008

FAULTS_MAX = 20
"""So many messages that can't be taken end a stream."""

Id = Annotated[int, Meta(ge=0, le=2**53)] | Annotated[str, Meta(max_length=64)] | None
Name = Annotated[str, Meta(min_length=1, max_length=100)]
Names = Annotated[list[Name], Meta(min_length=1, max_length=200)]
Position = Annotated[int, Meta(ge=0, le=UNITS_MAX)]


class Asked(msgspec.Struct, frozen=True, tag_field="op", forbid_unknown_fields=True, kw_only=True):
    """What a client asks; `id` is repeated in the answer."""

    id: Id = None


class Subscribe(Asked, frozen=True, tag="subscribe"):
    """Follow channels; of own ones, what happened after a sequence first."""

    channels: Names
    after: dict[str, Position] = {}


class Unsubscribe(Asked, frozen=True, tag="unsubscribe"):
    """Follow channels no more."""

    channels: Names


class Authenticate(Asked, frozen=True, tag="authenticate"):
    """Say who one is: an access token or an API key."""

    token: Annotated[str, Meta(min_length=1, max_length=8_000)]


class Checksum(Asked, frozen=True, tag="checksum"):
    """What is the checksum of a book?"""

    channel: Name


class Ping(Asked, frozen=True, tag="ping"):
    """Is somebody there?"""


class Answer(msgspec.Struct, frozen=True, tag_field="type", kw_only=True, rename="camel", omit_defaults=True):
    """What a client is answered."""

    id: int | str | UnsetType = UNSET


class Subscribed(Answer, frozen=True, tag="subscribed"):
    """These channels follow."""

    channels: list[str]


class Unsubscribed(Answer, frozen=True, tag="unsubscribed"):
    """These channels follow no more."""

    channels: list[str]


class Authenticated(Answer, frozen=True, tag="authenticated"):
    """Who it is, and until when that is known; null for an API key."""

    user_id: str
    expires_at: str | None


class Checked(Answer, frozen=True, tag="checksum"):
    """The checksum of a book at a sequence."""

    channel: str
    sequence: int
    checksum: int


class Pong(Answer, frozen=True, tag="pong"):
    """Somebody is there."""


class Fault(Answer, frozen=True, tag="error"):
    """Why something was not done, in the codes of the REST API."""

    code: str
    detail: str
    field: str | UnsetType = UNSET
    channel: str | UnsetType = UNSET


_decoder = msgspec.json.Decoder(Subscribe | Unsubscribe | Authenticate | Checksum | Ping)


class Conversation:
    """One client. It is a `Reader` of channels."""

    def __init__(self, means: Means, channels: Channels, scope: Scope, seat: Seat) -> None:
        self._means = means
        self._offered = channels
        self._socket: SocketProtocol = scope["extensions"][SOCKET]
        self._seat = seat
        self._address = address_of(scope)
        self._key = str(id(self))
        self._identity: Identity | None = None
        self._credential: bytes | None = None
        self._channels: dict[str, Channel] = {}
        self._faults = 0
        self._ending: tuple[int, str] | None = None
        self.push = self._socket.push
        self.flush = self._socket.flush
        self._unread_max = self._means.settings.stream_unread_bytes

    # as a reader -----------------------------------------------------------------------------------------------------

    @property
    def is_slow(self) -> bool:
        # nothing is unread where the system took all that was written
        return self._socket.is_full and self._socket.unread_bytes > self._unread_max

    def framed(self, channel: str, position: int, message: bytes) -> bytes:
        return framed(message)

    def fall_behind(self) -> None:
        self._close(TOO_SLOW, "too slow: come back, and go on after the last sequence")

    def look(self) -> None:
        identity = self._identity
        if identity is not None and not self._means.authenticator.holds(identity):
            self._close(EXPIRED, "the access has ended")

    def _close(self, code: int, reason: str) -> None:
        if self._ending is None:
            self._ending = code, reason
            self._socket.end(code, reason)

    # as a client -----------------------------------------------------------------------------------------------------

    async def run(self, identity: Identity | None, credential: bytes | None, receive: Receive) -> None:
        """Answer until it ends."""
        self._identity, self._credential = identity, credential
        while (await self._next(receive)) and self._ending is None:
            pass

    async def _next(self, receive: Receive) -> bool:
        message = await receive()
        if message["type"] == "websocket.connect":
            return True
        if message["type"] != "websocket.receive":
            return False
        asked: Any = None
        try:
            asked = decode_body(_decoder, (message.get("text") or "").encode())
            self._means.limits.messages_of_stream.take(self._key)
            self._say(await self._answer(asked), asked)
        except Refused as refused:
            self._refuse(refused, asked)
        return True

    def _refuse(self, refused: Refused, asked: Any) -> None:
        channel = refused.extra.get("channel", UNSET)
        self._say(Fault(code=refused.code, detail=refused.detail, field=refused.field or UNSET, channel=channel), asked)
        self._faults += 1
        if self._faults >= FAULTS_MAX:
            self._close(POLICY, "too many messages that can't be taken")

    def _say(self, answer: Answer | None, asked: Any) -> None:
        if answer is not None:
            number = getattr(asked, "id", None)
            told = answer if number is None else msgspec.structs.replace(answer, id=number)
            self._socket.put(framed(encode(told)))

    async def _answer(self, asked: Any) -> Answer | None:
        if isinstance(asked, Subscribe):
            await self._subscribe(asked)
            return None
        if isinstance(asked, Unsubscribe):
            return self._unsubscribe(asked)
        if isinstance(asked, Authenticate):
            return await self._authenticate(asked)
        if isinstance(asked, Checksum):
            return self._checksum(asked)
        return Pong()

    async def _subscribe(self, asked: Subscribe) -> None:
        """All of them or none; the answer comes before the first message."""
        await self._prove()
        names = [name for name in dict.fromkeys(asked.channels) if name not in self._channels]
        if len(self._channels) + len(names) > self._means.settings.stream_channels_max:
            raise Refused("too_many_requests", "A stream follows no more channels than that", field="channels")
        opened = [await self._offered.open(name, self._identity) for name in names]
        missed = {}
        for channel in opened:
            if channel.name in asked.after:
                missed[channel.name] = await self._missed(channel, asked.after[channel.name])
        self._say(Subscribed(channels=names), asked)
        for channel in opened:
            if channel.name not in missed:
                self._follow(channel, None)
                continue
            until, messages = missed[channel.name]
            for message in messages:
                self.push(framed(encode(message)))
            self._follow(channel, until)

    async def _prove(self) -> None:
        """Who follows nothing yet is not looked at now and then: has the access ended meanwhile?"""
        if self._credential is None:
            return
        try:
            await self._means.authenticator.identify(self._credential, self._address)
        except Refused as refused:
            if refused.code == "unauthorized":
                self._close(EXPIRED, "the access has ended")
            raise

    async def _missed(self, channel: Channel, after: int) -> tuple[int, list[OwnChanged]]:
        if not isinstance(channel, OwnChannel):
            raise Refused("invalid_request", "Only own channels go on after a sequence", field="after")
        return await self._offered.missed(channel, after)

    def _follow(self, channel: Channel, after: int | None) -> None:
        self._channels[channel.name] = channel
        self._choose_how_to_push()
        self._offered.fanout.follow(channel, self, after)

    def _choose_how_to_push(self) -> None:
        """Where there is one channel, nothing is to be waited for."""
        self.push = self._socket.push if len(self._channels) <= 1 else self._socket.put

    def _unsubscribe(self, asked: Unsubscribe) -> Answer:
        for name in asked.channels:
            channel = self._channels.pop(name, None)
            if channel is not None:
                self._offered.fanout.leave(channel, self)
        self._choose_how_to_push()
        return Unsubscribed(channels=asked.channels)

    async def _authenticate(self, asked: Authenticate) -> Answer:
        credential = b"Bearer " + asked.token.encode("utf-8")
        identity = await self._means.authenticator.identify(credential, self._address)
        known = self._identity
        if known is not None and known.user_id != identity.user_id:
            raise Refused("forbidden", "A stream belongs to one user: open another one", field="token")
        try:
            self._seat.belong_to(identity)
        except Refused as refused:
            raise Refused(refused.code, refused.detail, field="token") from None
        self._identity, self._credential = identity, credential
        expires_at = None if identity.by_api_key else time_text(identity.expires_at * 1_000_000)
        return Authenticated(user_id=identity.user_id, expires_at=expires_at)

    def _checksum(self, asked: Checksum) -> Answer:
        channel: Any = self._channels.get(asked.channel)
        if channel is None or not hasattr(channel, "checksum"):
            raise Refused("invalid_request", "It is no book that this stream follows", field="channel")
        self._offered.fanout.tell(channel, self)
        sequence, checksum = channel.checksum()
        return Checked(channel=channel.name, sequence=sequence, checksum=checksum)

    def end(self) -> None:
        """Nobody is there any more."""
        for channel in self._channels.values():
            self._offered.fanout.leave(channel, self)
        self._channels.clear()
