"""Everything that can be followed here, by name, and how it is told."""

from collections.abc import Mapping
from contextlib import suppress

from borsa.errors import Refused
from borsa.runtime.access.identity import Identity
from borsa.runtime.feeds import Channel, Feed, OwnChanged, no_such_channel
from borsa.runtime.http.fanout import Fanout
from borsa.runtime.http.own import OwnChannel, OwnStream


class Channels:
    """The public channels, and each user's own."""

    def __init__(self, public: Mapping[str, Feed], own: Mapping[str, OwnStream]) -> None:
        self.own = own
        self._public = public
        self.fanout = Fanout(self._flush)

    async def _flush(self) -> None:
        for stream in self.own.values():
            with suppress(Refused):  # what can't be read now is told later
                await stream.flush()

    async def open(self, name: str, identity: Identity | None) -> Channel:
        """A channel by its name. Refused: invalid_request, unknown_symbol, unauthorized, forbidden; all of them name
        the channel."""
        try:
            return await self._open(name, identity)
        except Refused as refused:
            raise Refused(refused.code, refused.detail, field="channels", channel=name[:60]) from None

    async def missed(self, channel: OwnChannel, after: int) -> tuple[int, list[OwnChanged]]:
        """Where an own channel is, and what happened on it after a sequence. Refused: as `OwnStream.missed`."""
        return await self.own[channel.name].missed(channel, after)

    async def _open(self, name: str, identity: Identity | None) -> Channel:
        kind, *words = name.split(":")
        if kind in self._public:
            return await self._public[kind].open(words)
        if kind not in self.own or words:
            raise no_such_channel(name)
        if identity is None:
            raise Refused("unauthorized")
        if "read" not in identity.scopes:
            raise Refused("forbidden", "This API key has no scope read")
        return await self.own[kind].open(identity.user_id)
