"""The engine: a deterministic fold of the orders log into books, fills and closings.

Events go in many at a time, become one packed batch for the matching kernel, and come out as outcomes in the order of
their causes. No clock, no I/O, no randomness: the same log gives the same outcomes and the same state.
"""

from collections.abc import Sequence
from contextlib import suppress

import msgspec

from borsa.events import (
    BlockTradeAgreed,
    CrossRequested,
    Event,
    MarketAssigned,
    MarketEvent,
    OrderAmendRequested,
    OrderCancelRequested,
    OrderCreated,
)
from borsa.matching import Result, iter_results, layout, open_kernel, pack_command, with_last_price
from borsa.runtime.log import Recorded
from borsa.services.trades.books import Books, Live, market_of
from borsa.services.trades.model import BookChange, next_fee, trade_id_of
from borsa.services.trades.outcomes import AmendRejected, Closed, CrossFailed, Fill, Opened, Outcome, Triggered, amended

_SIDES = {"buy": layout.BUY, "sell": layout.SELL}
_TYPES = {
    "limit": layout.TYPE_LIMIT,
    "market": layout.TYPE_MARKET,
    "stop": layout.TYPE_STOP,
    "stop_limit": layout.TYPE_STOP_LIMIT,
}
_TIMES = {"gtc": layout.TIF_GTC, "ioc": layout.TIF_IOC, "fok": layout.TIF_FOK}
_PREVENTIONS = {
    "cancel_newest": layout.STP_CANCEL_NEWEST,
    "cancel_oldest": layout.STP_CANCEL_OLDEST,
    "cancel_both": layout.STP_CANCEL_BOTH,
    "decrement": layout.STP_DECREMENT,
    "none": layout.STP_NONE,
}
_STATES = {"open": layout.STATE_OPEN, "cancel_only": layout.STATE_CANCEL_ONLY, "halted": layout.STATE_HALTED}
_REASONS = {reason.value: reason.name.lower() for reason in layout.Reason}

_ENCODER = msgspec.msgpack.Encoder()

_PAIR = b"\x92\xc6"
"""MessagePack: an array of two, the first of which is bytes; their number, in four bytes, follows."""

FIRST = "trades"
"""The shard that has every market which was not assigned to another."""

Input = tuple[int, Event]
"""An event of the orders log with its sequence."""


class _Moves(Exception):
    """The book of a market comes or goes: what is before it, and what follows, are batches of their own."""


class Engine:
    """All books of this process, and what the kernel does not know of the orders in them. `kernel` says which one, as
    the setting does. A `shard` has the markets that were assigned to it; the first one, `trades`, all others."""

    def __init__(self, kernel: str = "", shard: str = FIRST) -> None:
        self.shard = shard
        self.kernel = open_kernel(kernel)
        self.books = Books()
        self._saved = bytearray()
        self._first: dict[str, int] = {}
        self._touched: dict[tuple[str, str, int], None] = {}

    def apply(self, inputs: Sequence[Input]) -> list[list[Outcome]]:
        """Apply events in their order; for each of them, what came of it."""
        self._first.clear()
        self._touched.clear()
        told = self._apply(inputs)
        while len(told) < len(inputs):
            self._move(*inputs[len(told)])
            told += [[], *self._apply(inputs[len(told) + 1 :])]
        return told

    def _apply(self, inputs: Sequence[Input]) -> list[list[Outcome]]:
        """As many of them as make one batch."""
        commands: list[bytes] = []
        asked: list[int | None] = []
        is_whole = self.shard == FIRST and not self.books.elsewhere
        command_of = self._command if is_whole else self._command_of_part
        with suppress(_Moves):
            for _, event in inputs:
                command = command_of(event)
                asked.append(None if command is None else len(commands))
                if command is not None:
                    commands.append(command)
        found: list[list[Result]] = [[] for _ in commands]
        for result in iter_results(self.kernel.process(b"".join(commands))):
            found[result.command_index].append(result)
        return [
            _Telling(self, sequence, event).of(found[index] if index is not None else [])
            for (sequence, event), index in zip(inputs, asked, strict=False)
        ]

    def _command_of_part(self, event: Event) -> bytes | None:
        """As `_command`, where other shards have books, too: what concerns these is passed over."""
        is_elsewhere = getattr(event, "symbol", None) in self.books.elsewhere
        return None if is_elsewhere and not isinstance(event, MarketEvent) else self._command(event)

    def _move(self, sequence: int, event: Event) -> None:
        """A market's book, which is empty, is with the shard that the event names from now on."""
        if not isinstance(event, MarketAssigned):
            raise TypeError(f"event {sequence} moves no market")
        books, market = self.books, market_of(event)
        books.markets.pop(market.symbol, None)
        books.elsewhere.pop(market.symbol, None)
        if event.shard != self.shard:
            books.elsewhere[market.symbol] = market
            return
        books.markets[market.symbol] = market
        # beyond whatever it was elsewhere, where no event changed a book more than once
        books.sequences[market.symbol] = sequence
        if event.last_price != "0":
            with_last_price(self.kernel, market.number, market.ticks(event.last_price))
        self.kernel.process(pack_command(layout.OP_SET_STATE, market.number, quantity=_STATES[market.state]))

    def _command(self, event: Event) -> bytes | None:
        match event:
            case OrderCreated():
                return self._place(event)
            case OrderCancelRequested():
                return self._about(layout.OP_CANCEL, event.symbol, event.order_id)
            case OrderAmendRequested():
                return self._amend(event)
            case CrossRequested():
                market = self.books.market(event.symbol)
                return self._about(
                    layout.OP_CROSS,
                    event.symbol,
                    event.order_id,
                    other_id=int(event.sell_order_id),
                    price=market.ticks(event.price),
                    quantity=market.lots(event.quantity),
                )
            case MarketEvent():
                return self._market(event)
        return None

    def _market(self, event: MarketEvent) -> bytes | None:
        if isinstance(event, MarketAssigned):
            raise _Moves
        if self.shard != FIRST and event.symbol not in self.books.markets:
            # where every new market begins
            self.books.elsewhere.setdefault(event.symbol, market_of(event))
        if event.symbol in self.books.elsewhere:
            return None
        # known to the orders that follow in this batch; what they cost changes when it is this event's turn
        market = self.books.markets.setdefault(event.symbol, market_of(event))
        return pack_command(layout.OP_SET_STATE, market.number, quantity=_STATES[event.state])

    def _about(self, op: int, symbol: str, order_id: str, **fields: int) -> bytes:
        return pack_command(op, self.books.market(symbol).number, int(order_id), **fields)

    def _place(self, event: OrderCreated) -> bytes | None:
        market = self.books.market(event.symbol)
        live = self.books.add(event, market)
        if event.order_type == "block":
            return None
        budget = live.held // market.unit if live.capped else 0
        return pack_command(
            layout.OP_PLACE,
            market.number,
            live.order_id,
            side=_SIDES[event.side],
            order_type=_TYPES[event.order_type],
            time_in_force=_TIMES[event.time_in_force],
            post_only=event.post_only,
            self_trade_prevention=_PREVENTIONS[event.self_trade_prevention],
            owner=live.owner,
            price=live.price or (market.ticks(event.worst_price) if event.worst_price else 0),
            quantity=live.quantity,
            budget=budget,
            stop_price=market.ticks(event.stop_price) if event.stop_price else 0,
        )

    def _amend(self, event: OrderAmendRequested) -> bytes:
        market = self.books.market(event.symbol)
        return self._about(
            layout.OP_AMEND,
            event.symbol,
            event.order_id,
            price=market.ticks(event.price),
            quantity=market.lots(event.quantity),
        )

    def count_change(self, event: Event) -> None:
        """An event changes a book."""
        self.books.count_change(event)
        symbol: str | None = getattr(event, "symbol", None)
        if symbol is not None and symbol not in self._first:
            self._first[symbol] = self.books.sequences[symbol]

    def touch(self, live: Live) -> None:
        """The total at an order's price may be another now. Asked for once, however many orders touch it."""
        if live.price:
            self._touched[live.symbol, live.side, live.price] = None

    def changes(self) -> list[BookChange]:
        """What the last events that were applied changed of the books, market by market."""
        found = {
            symbol: BookChange(symbol, first, self.books.sequences[symbol], [], [])
            for symbol, first in self._first.items()
        }
        quantity_at, markets = self.kernel.quantity_at, self.books.markets
        for symbol, side, price in self._touched:
            change = found.get(symbol)
            if change is not None:
                levels = change.bids if side == "buy" else change.asks
                levels.append((price, quantity_at(markets[symbol].number, _SIDES[side], price)))
        return list(found.values())

    def book(self, symbol: str, levels: int) -> tuple[int, list[tuple[int, int]], list[tuple[int, int]]]:
        """A market's sequence, and its best bids and asks as (price in ticks, quantity in lots)."""
        bids, asks = self.kernel.depth(self.books.market(symbol).number, levels)
        return self.books.sequences.get(symbol, 0), bids, asks

    def save(self, kernel: bytes | None = None) -> tuple[bytes | bytearray, ...]:
        """The whole state: together these are what `load` takes, until the next call overwrites them. They are apart,
        and in the same memory again, as new memory for them takes longer than writing them. `kernel`: the kernel's own
        half, where that was taken before."""
        kernel = self.kernel.snapshot() if kernel is None else kernel
        _ENCODER.encode_into(self.books, self._saved)
        return _PAIR + len(kernel).to_bytes(4, "big"), kernel, self._saved

    def load(self, saved: bytes) -> None:
        """Take over a saved state; ValueError when it is damaged."""
        try:
            kernel, books = msgspec.msgpack.decode(saved, type=tuple[bytes, Books])
        except msgspec.MsgspecError as error:
            raise ValueError(f"not a state of the engine: {error}") from None
        self.kernel.restore(kernel)
        self.books = books


class _Telling:
    """Turns what the kernel says of one event into outcomes, and keeps the books' own account of it."""

    def __init__(self, engine: Engine, sequence: int, event: Event) -> None:
        self._engine = engine
        self._books = engine.books
        self._sequence = sequence
        self._event = event
        self._fills = 0
        self._told: list[Outcome] = []

    def of(self, results: list[Result]) -> list[Outcome]:
        """The outcomes, in the order of the results."""
        event = self._event
        if isinstance(event, MarketEvent):
            self._books.put_market(market_of(event))
        elif results:
            self._engine.count_change(event)
        for result in results:
            self._tell(result)
        if isinstance(event, BlockTradeAgreed) and event.symbol not in self._books.elsewhere:
            self._block(event)
        elif isinstance(event, OrderCreated):
            live = self._books.live.get(int(event.order_id))
            if live is not None:
                self._engine.touch(live)
            if live is not None and not live.filled and event.order_type != "block":
                self._told.append(Opened(live, self._books.markets[live.symbol], live.remaining))
        return self._told

    def _tell(self, result: Result) -> None:
        kind = result.kind
        if kind == layout.KIND_FILLED:
            self._fill(result)
        elif kind == layout.KIND_CLOSED:
            live = self._books.live.pop(result.order_id)
            self._engine.touch(live)
            self._told.append(Closed(live, self._books.markets[live.symbol], _REASONS[result.reason]))
        elif kind == layout.KIND_AMENDED:
            self._amended(result)
        elif kind == layout.KIND_PREVENTED:
            self._prevented(result)
        elif kind == layout.KIND_TRIGGERED:
            live = self._books.live[result.order_id]
            self._engine.touch(live)
            self._told.append(Triggered(live))
        elif kind == layout.KIND_REFUSED:
            self._refused(_REASONS[result.reason])

    def _fill(self, result: Result) -> None:
        taker, maker = self._books.live[result.order_id], self._books.live[result.other_id]
        self._engine.touch(maker)
        if isinstance(self._event, CrossRequested):
            self._engine.touch(taker)
        self._execute(taker, maker, result.price, result.quantity, block=False)

    def _execute(self, taker: Live, maker: Live, price: int, quantity: int, *, block: bool) -> None:
        market = self._books.markets[taker.symbol]
        notional = market.notional(price, quantity)
        fees: dict[str, int] = {}
        for live, rate in ((taker, market.taker_fee), (maker, market.maker_fee)):
            live.filled += quantity
            live.spent += notional
            proceeds = quantity * market.lot if live.side == "buy" else notional
            live.fee_numerator += proceeds * rate
            fees[live.side] = next_fee(live.fee_numerator, live.fee_charged)
            live.fee_charged += fees[live.side]
        buyer, seller = (taker, maker) if taker.side == "buy" else (maker, taker)
        self._told.append(
            Fill(
                trade_id=trade_id_of(self._sequence, self._fills),
                market=market,
                buyer=buyer,
                seller=seller,
                taker_side=taker.side,
                price=price,
                quantity=quantity,
                notional=notional,
                buyer_fee=fees["buy"],
                seller_fee=fees["sell"],
                buyer_hold=buyer.needs(market),
                seller_hold=seller.needs(market),
                sequence=self._books.sequences.get(market.symbol, 0),
                block=block,
            )
        )
        self._fills += 1

    def _amended(self, result: Result) -> None:
        event, live = self._event, self._books.live[result.order_id]
        if not isinstance(event, OrderAmendRequested):
            raise TypeError(f"event {self._sequence} amended order {result.order_id}")
        market = self._books.markets[live.symbol]
        self._engine.touch(live)
        live.price = result.price
        self._engine.touch(live)
        live.quantity = result.quantity
        self._told.append(amended(live, event.revision, market))

    def _prevented(self, result: Result) -> None:
        """Under `decrement` both orders lose what would have traded; otherwise a closing follows."""
        taker, maker = self._books.live[result.order_id], self._books.live[result.other_id]
        if taker.prevention != "decrement":
            return
        market = self._books.markets[taker.symbol]
        self._engine.touch(maker)
        for live in (taker, maker):
            if live.quantity:
                live.prevented += result.quantity
                self._told.append(amended(live, 0, market))

    def _refused(self, reason: str) -> None:
        event = self._event
        if isinstance(event, OrderAmendRequested):
            self._told.append(AmendRejected(event, reason))
        elif isinstance(event, CrossRequested):
            self._told.append(CrossFailed(event, reason))
        elif not isinstance(event, OrderCancelRequested):
            # a cancel may come too late; anything else was checked before it was logged
            raise ValueError(f"the kernel refused event {self._sequence}: {reason}")

    def _block(self, event: BlockTradeAgreed) -> None:
        buyer, seller = (self._books.live[int(each)] for each in (event.order_id, event.sell_order_id))
        market = self._books.market(event.symbol)
        self._execute(buyer, seller, market.ticks(event.price), market.lots(event.quantity), block=True)
        for live in (buyer, seller):
            del self._books.live[live.order_id]
            self._told.append(Closed(live, market, "filled"))


def inputs_of(events: Sequence[Recorded]) -> list[Input]:
    """Recorded events as the engine takes them."""
    return [(recorded.sequence, recorded.event) for recorded in events]
