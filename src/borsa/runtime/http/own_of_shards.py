"""Channels of one user whose source is in several shards: no log has a sequence for all of them.

So its positions are times, in microseconds, at which this door heard of what happened. They are of this door alone: who
comes back reads anew.
"""

import time
from collections.abc import Sequence

from borsa.errors import Refused
from borsa.runtime.feeds import OwnChanged, Row
from borsa.runtime.http.own import Changed, OwnChannel, OwnStream
from borsa.runtime.store import Unreadable


class OwnStreamOfShards(OwnStream):
    """As `OwnStream`, for all shards of its source."""

    def _take(self, _: int, found: Sequence[Row]) -> None:
        for _sequence, user_id, subject in found:
            self._seen = max(self._seen + 1, _now())
            channel = self._channels.get(user_id)
            if channel is not None:
                channel.change(self._seen, subject)

    async def _newest(self) -> int:
        return _now()

    async def _told(self, changed: Sequence[Changed]) -> dict[OwnChannel, list[OwnChanged]]:
        """What is to be said of each subject, by the shard that has it."""
        found: dict[OwnChannel, list[OwnChanged]] = {}
        for shard in self._edge.shards(self._source):
            try:
                of_shard = await self._edge.read(shard, self._messages, changed)
            except Unreadable:
                raise Refused("overloaded") from None
            for channel, messages in of_shard.items():
                known = found.setdefault(channel, messages)
                found[channel] = [
                    one if one.data is not None else other for one, other in zip(known, messages, strict=True)
                ]
        return found

    async def missed(self, channel: OwnChannel, after: int) -> tuple[int, list[OwnChanged]]:
        if after == channel.position:
            return after, []
        raise Refused("too_far_back", f"{self.name}: read it anew, and follow from there")


def _now() -> int:
    return time.time_ns() // 1_000
