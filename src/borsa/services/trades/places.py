"""Where a market is to be looked at: at the shard that has its book, and, for what was traded before, at the first."""

from itertools import groupby
from operator import attrgetter

import msgspec

from borsa.errors import Refused
from borsa.requests import FindShards
from borsa.runtime.bus import Origin
from borsa.runtime.clock import Clock
from borsa.runtime.edge import Edge
from borsa.runtime.store import Unreadable
from borsa.services.trades import store
from borsa.services.trades.candles import in_turn
from borsa.services.trades.model import TAPE_TRADES_MAX, Candle, LookAtMarket, MarketSeen

ORIGIN = Origin("replica")


class Places:
    """Knows the shard of each market, once somebody asked, until something is said to be another way."""

    def __init__(self, edge: Edge, clock: Clock) -> None:
        self._edge = edge
        self._clock = clock
        self._shards: dict[str, str] | None = None
        self.first, *self._others = edge.shards("trades")

    def forget(self) -> None:
        """A market may have moved."""
        self._shards = None

    async def look(self, symbol: str) -> MarketSeen:
        """What is to be seen of a market. Refused: unknown_symbol, overloaded, no_answer."""
        if not self._others:
            return await self._edge.ask(LookAtMarket(symbol=symbol), ORIGIN)
        shard = await self._shard_of(symbol)
        try:
            seen = await self._edge.ask(LookAtMarket(symbol=symbol), ORIGIN, of=shard)
        except Refused:
            self.forget()
            raise
        return seen if shard == self.first else await self._with_past(symbol, seen)

    async def _shard_of(self, symbol: str) -> str:
        if self._shards is None:
            self._shards = (await self._edge.ask(FindShards(), ORIGIN)).of_market
        return self._shards.get(symbol, self.first)

    async def _with_past(self, symbol: str, seen: MarketSeen) -> MarketSeen:
        """With what was traded before the market moved: the first shard makes no more of it."""
        try:
            tape, minutes, candles = await self._edge.read(self.first, store.traded, symbol, self._clock.now())
        except Unreadable:
            raise Refused("overloaded") from None
        return msgspec.structs.replace(
            seen,
            tape=[*tape, *seen.tape][-TAPE_TRADES_MAX:],
            minutes=in_turn([minutes, seen.minutes]),
            candles=_newest([*candles, *seen.candles]),
        )


def _newest(candles: list[Candle]) -> list[Candle]:
    """Of each interval the last two."""
    by_interval = groupby(sorted(candles, key=attrgetter("interval", "start")), key=attrgetter("interval"))
    return [candle for _, found in by_interval for candle in in_turn([list(found)])[-2:]]
