"""The feeds of orders: the markets for everybody, and each user's own orders."""

import asyncio
from collections.abc import Sequence

from borsa.errors import Refused
from borsa.markets import Market
from borsa.runtime.clock import Clock
from borsa.runtime.edge import Edge
from borsa.runtime.feeds import OWN, Feeds, Messages, Own, no_such_channel, owner
from borsa.runtime.log import Recorded
from borsa.runtime.store import Reader, Unreadable
from borsa.services.orders import store
from borsa.services.orders.model import OrderState
from borsa.services.orders.wire import MarketsChanged, MarketsSnapshot, OrderReply, market_reply, order_reply

CHANNELS: Messages = {"markets": (MarketsSnapshot, MarketsChanged), "orders": OWN}

AGAIN_SECONDS = 1
"""When markets that could not be read are read again."""

_MARKET_EVENTS = ("MarketCreated", "MarketUpdated")


class MarketsChannel:
    """markets: a `Channel` (its docstrings say what the methods promise) of all markets, with their states and fees."""

    name = "markets"
    is_paced = False
    may_begin_again = True

    def __init__(self, edge: Edge) -> None:
        self._edge = edge
        self._loop = asyncio.get_running_loop()
        self._markets: list[Market] = []
        self._new: set[str] = set()
        self._changed: dict[str, int] = {}
        self._reading: asyncio.Task[None] | None = None
        self.has_begun = False
        self.position = 0

    async def begin(self) -> None:
        """Read what there is; Unreadable."""
        self._markets = await self._edge.read("orders", store.all_markets)
        self.has_begun = True

    def is_listening(self) -> bool:
        """From the moment on that somebody asked for it."""
        return True

    def observe(self, events: Sequence[Recorded]) -> None:
        """Take committed events of orders, on their writer's thread."""
        found = [recorded.subject for recorded in events if recorded.type in _MARKET_EVENTS]
        if found:
            self._loop.call_soon_threadsafe(self._change, found)

    def _change(self, symbols: Sequence[str]) -> None:
        self._new.update(symbols)
        if self._reading is None:
            self._reading = self._loop.create_task(self._read())

    async def _read(self) -> None:
        try:
            while self._new:
                found, self._new = self._new, set()
                try:
                    await self.begin()
                except Unreadable:
                    self._new |= found
                    await asyncio.sleep(AGAIN_SECONDS)
                    continue
                self.position += 1
                self._changed.update(dict.fromkeys(found, self.position))
        finally:
            self._reading = None

    def snapshot(self) -> MarketsSnapshot:
        return MarketsSnapshot(channel=self.name, markets=[market_reply(market) for market in self._markets])

    def since(self, after: int) -> Sequence[MarketsChanged]:
        found = [market_reply(market) for market in self._markets if self._changed.get(market.symbol, 0) > after]
        return [MarketsChanged(channel=self.name, markets=found)]


class Markets:
    """The feed of the markets; the log of orders is followed for it once somebody asked."""

    def __init__(self, edge: Edge, _: Clock) -> None:
        self._edge = edge
        self._channel: MarketsChannel | None = None
        self._alone = asyncio.Lock()

    async def open(self, words: Sequence[str]) -> MarketsChannel:
        """markets. Refused: overloaded."""
        if words:
            raise no_such_channel(":".join(["markets", *words]))
        async with self._alone:
            if self._channel is None:
                # listened to before it is read: what is committed in between comes, or is there already
                self._channel = MarketsChannel(self._edge)
                self._edge.listen("orders", self._channel)
            if not self._channel.has_begun:
                await self._begin(self._channel)
            return self._channel

    async def _begin(self, channel: MarketsChannel) -> None:
        try:
            await channel.begin()
        except Unreadable:
            raise Refused("overloaded") from None


def feeds(markets: Markets) -> Feeds:
    """What orders has to follow."""
    kinds = frozenset({"OrderCreated", "OrderUpdated", "OrderCancelled"})
    return Feeds(public={"markets": markets}, own={"orders": Own(kinds=kinds, owners=owner, data=_order)})


def _order(reader: Reader, order_id: str, _user_id: str) -> OrderReply | None:
    order = store.order_by_id(reader, int(order_id))
    market = store.market_by_symbol(reader, order.symbol) if order else None
    return order_reply(OrderState(order, market)) if order and market else None
