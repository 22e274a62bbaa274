"""The feeds of trades: book, trades, ticker and candles of a market, from replicas that follow what is broadcast."""

import asyncio
from collections.abc import Callable, Mapping, Sequence

import msgspec

from borsa.errors import Refused
from borsa.runtime.bus import Origin
from borsa.runtime.clock import Clock
from borsa.runtime.edge import Edge
from borsa.runtime.feeds import OWN, Feeds, Messages, Own, no_such_channel
from borsa.runtime.log import Recorded
from borsa.runtime.store import Reader
from borsa.services.trades import store
from borsa.services.trades.candles import INTERVALS
from borsa.services.trades.channels import (
    BookChannel,
    CandleChannel,
    MarketChannel,
    TickerChannel,
    TradeChannel,
)
from borsa.services.trades.model import ListMarkets, MarketMade, MarketMoved, MarketsAt, TradeVoid
from borsa.services.trades.places import Places
from borsa.services.trades.replica import Replica
from borsa.services.trades.wire import (
    BookChanged,
    BookSnapshot,
    CandlesChanged,
    CandlesSnapshot,
    TapeChanged,
    TapeSnapshot,
    TickerChanged,
    TickerSnapshot,
    TradeReply,
    trade_reply,
)

CHANNELS: Messages = {
    "book:{symbol}": (BookSnapshot, BookChanged),
    "trades:{symbol}": (TapeSnapshot, TapeChanged),
    "ticker:{symbol}": (TickerSnapshot, TickerChanged),
    "candles:{symbol}:{interval}": (CandlesSnapshot, CandlesChanged),
    "fills": OWN,
}

MISSED_MAX = 10_000
"""Messages of a market that are kept while it is looked at."""

LOOK_SECONDS_MAX = 10
"""How long a reader waits for a market to be looked at."""

AGAIN_SECONDS = 0.25
"""After how long a look that was refused is tried again."""

_decode = msgspec.msgpack.Decoder(MarketMoved | TradeVoid).decode


class _Change(msgspec.Struct, frozen=True, array_like=True):
    symbol: str


class _Moved(msgspec.Struct, frozen=True, array_like=True, tag=MarketMoved.__name__):
    change: _Change


class _Void(msgspec.Struct, frozen=True, array_like=True, tag=TradeVoid.__name__):
    symbol: str


_decode_head = msgspec.msgpack.Decoder(_Moved | MarketMade | MarketsAt | _Void).decode
"""Of which market it is: all the rest is passed over without making anything of it."""


class Followed:
    """A market that somebody asked for, and its channels. From then on it is followed."""

    def __init__(self, places: Places, symbol: str, clock: Clock) -> None:
        self._places = places
        self._symbol = symbol
        self._clock = clock
        self._replica: Replica | None = None
        self._looking: asyncio.Task[Replica] | None = None
        self._missed: list[MarketMoved] = []
        self._least = 0
        self._again = False
        self._channels: dict[str, MarketChannel] = {}

    async def replica(self) -> Replica:
        """The market as it is; waits while it is looked at. Refused: unknown_symbol, overloaded, no_answer."""
        if self._replica is not None:
            return self._replica
        try:
            return await asyncio.wait_for(asyncio.shield(self._look_now()), LOOK_SECONDS_MAX)
        except TimeoutError:
            raise Refused("overloaded") from None

    def _look_now(self) -> asyncio.Task[Replica]:
        if self._looking is None or self._looking.done():
            self._looking = asyncio.get_running_loop().create_task(self._look())
            # whoever waits hears of a fault; nobody need wait
            self._looking.add_done_callback(lambda task: task.cancelled() or task.exception())
        return self._looking

    async def _look(self) -> Replica:
        while True:
            self._again, self._least = False, 0
            self._missed.clear()
            try:
                replica = Replica(await self._places.look(self._symbol))
            except Refused:
                if not self._channels:
                    raise
                # somebody follows it, and asks no more
                await asyncio.sleep(AGAIN_SECONDS)
                continue
            if not self._again and self._is_followed_by(replica):
                self._missed.clear()
                self._replica = replica
                for channel in self._channels.values():
                    channel.take(replica)
                return replica
            self._places.forget()

    def _is_followed_by(self, replica: Replica) -> bool:
        """Does it follow all that was broadcast since somebody looked?"""
        return all(replica.apply(moved) for moved in self._missed) and replica.book.sequence >= self._least

    def receive(self, moved: MarketMoved) -> None:
        """A commit moved it."""
        if self._replica is None:
            if len(self._missed) < MISSED_MAX:
                self._missed.append(moved)
        elif not self._replica.apply(moved):
            self.look_anew()

    def be_at(self, sequence: int) -> None:
        """It is at least so far."""
        self._least = max(self._least, sequence)
        if self._replica is not None and self._replica.book.sequence < sequence:
            self.look_anew()

    def void(self, message: TradeVoid) -> None:
        """A trade was busted."""
        if self._replica is not None:
            self._replica.tape.add(message.trade)

    def look_anew(self) -> None:
        """Something was missed, perhaps that it is with another shard now."""
        self._places.forget()
        self._replica = None
        self._again = True
        self._look_now()

    async def channel(self, kind: str, make: Callable[[str, Replica, Clock], MarketChannel]) -> MarketChannel:
        """One of its channels."""
        replica = await self.replica()
        found = self._channels.get(kind)
        if found is None:
            found = self._channels[kind] = make(kind, replica, self._clock)
        return found


class Markets:
    """Every market that somebody asked for. What is broadcast of others is passed over."""

    def __init__(self, edge: Edge, clock: Clock) -> None:
        self._edge = edge
        self._clock = clock
        self._followed: dict[str, Followed] = {}
        self._symbols: list[str] | None = None
        self._made = 0
        self._places = Places(edge, clock)
        for shard in edge.shards("trades"):
            edge.tune(shard, self._receive, self._miss)

    async def replica(self, symbol: str) -> Replica:
        """A market as it is. Refused: unknown_symbol."""
        return await (await self._of(symbol)).replica()

    async def _of(self, symbol: str) -> Followed:
        found = self._followed.get(symbol)
        if found is None:
            # known before it is looked at: what is broadcast meanwhile is for it
            found = self._followed[symbol] = Followed(self._places, symbol, self._clock)
            try:
                await found.replica()
            except Refused:
                self._followed.pop(symbol, None)
                raise
        return found

    async def symbols(self) -> Sequence[str]:
        """All markets."""
        if self._symbols is not None:
            return self._symbols
        made = self._made
        found = (await self._edge.ask(ListMarkets(), Origin("replica"))).symbols
        if made == self._made:
            self._symbols = found
        return found

    async def channel(
        self, symbol: str, kind: str, make: Callable[[str, Replica, Clock], MarketChannel]
    ) -> MarketChannel:
        """A channel of a market, which is always the same."""
        return await (await self._of(symbol)).channel(kind, make)

    def _receive(self, message: bytes) -> None:
        head = _decode_head(message)
        if isinstance(head, MarketMade):
            self._made_or_assigned(head.symbol)
            return
        if isinstance(head, MarketsAt):
            self._compare(head.sequences)
            return
        followed = self._followed.get(head.change.symbol if isinstance(head, _Moved) else head.symbol)
        if followed is None:
            return
        said = _decode(message)
        if isinstance(said, MarketMoved):
            followed.receive(said)
        elif isinstance(said, TradeVoid):
            followed.void(said)

    def _made_or_assigned(self, symbol: str) -> None:
        """It is new, or with another shard now."""
        self._forget()
        if symbol in self._followed:
            self._followed[symbol].look_anew()

    def _compare(self, sequences: Mapping[str, int]) -> None:
        """So far are some markets: was something of them lost?"""
        if self._symbols is not None and not sequences.keys() <= set(self._symbols):
            self._forget()
        for symbol, sequence in sequences.items():
            if symbol in self._followed:
                self._followed[symbol].be_at(sequence)

    def _forget(self) -> None:
        self._made += 1
        self._symbols = None
        self._places.forget()

    def _miss(self) -> None:
        """Something may have been lost."""
        self._forget()
        for followed in self._followed.values():
            followed.look_anew()


class _OfMarket:
    """A feed whose channels are named by a market, and by nothing else."""

    def __init__(self, markets: Markets, name: str, make: Callable[[str, Replica, Clock], MarketChannel]) -> None:
        self._markets = markets
        self._name = name
        self._make = make

    async def open(self, words: Sequence[str]) -> MarketChannel:
        if len(words) != 1:
            raise no_such_channel(":".join([self._name, *words]))
        return await self._markets.channel(words[0], f"{self._name}:{words[0]}", self._make)


class _CandleFeed:
    """candles:SYMBOL:INTERVAL"""

    def __init__(self, markets: Markets) -> None:
        self._markets = markets

    async def open(self, words: Sequence[str]) -> MarketChannel:
        name = ":".join(["candles", *words])
        if len(words) != 2 or words[1] not in INTERVALS:
            raise no_such_channel(name)
        return await self._markets.channel(words[0], name, CandleChannel)


def feeds(markets: Markets) -> Feeds:
    """What trades has to follow."""
    return Feeds(
        public={
            "book": _OfMarket(markets, "book", BookChannel),
            "trades": _OfMarket(markets, "trades", TradeChannel),
            "ticker": _OfMarket(markets, "ticker", TickerChannel),
            "candles": _CandleFeed(markets),
        },
        own={
            "fills": Own(kinds=frozenset({"TradeExecuted", "TradeBusted"}), owners=_parties, data=_fill),
        },
    )


class _Parties(msgspec.Struct):
    buyer_id: str = msgspec.field(name="buyerId")
    seller_id: str = msgspec.field(name="sellerId")


_decode_parties = msgspec.json.Decoder(_Parties).decode


def _parties(recorded: Recorded) -> Sequence[str]:
    parties = _decode_parties(recorded.data)
    return tuple({parties.buyer_id: None, parties.seller_id: None})


def _fill(reader: Reader, trade_id: str, user_id: str) -> TradeReply | None:
    trade = store.trade_by_id(reader, int(trade_id))
    return trade_reply(trade, user_id) if trade else None
