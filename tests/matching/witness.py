"""Watches a kernel from outside: knows only commands and results, and checks what must hold of every one of them.

The names I-10 to I-24 are the invariants that the project promises: sums, limits, maker's price, no self-trade, an
uncrossed book, exact levels, nothing resting that may not.
"""

from collections import Counter
from dataclasses import dataclass

from borsa.matching import Kernel, Result
from borsa.matching.layout import FLAG_BUDGET, Kind, Op, OrderType, Reason, SelfTradePrevention, Side, TimeInForce

from .reference import Command

LIMITED = (OrderType.LIMIT, OrderType.STOP_LIMIT)


@dataclass
class Seen:
    """One accepted order, as its results tell it."""

    asked: Command
    price: int
    remaining: int
    filled: int = 0
    prevented: int = 0
    waits: bool = False

    def lower(self, price: int, quantity: int) -> None:
        self.remaining -= quantity * price if not self.asked.quantity else quantity


class Witness:
    """Hears every command with its results; `look` compares what it believes with the kernel."""

    def __init__(self) -> None:
        self.open: dict[int, Seen] = {}

    def hear(self, command: Command, results: list[Result]) -> None:
        if any(result.kind == Kind.REFUSED for result in results):
            assert len(results) == 1, "a refused command does nothing else"
        if command.op == Op.PLACE and results[0].kind != Kind.REFUSED:
            assert results[0].kind == Kind.ACCEPTED
            assert command.order_id not in self.open, "a duplicate id"
            quantity = 0 if results[0].flags & FLAG_BUDGET else results[0].remaining
            assert quantity == results[0].quantity == command.quantity
            self.open[command.order_id] = Seen(
                command, command.price, results[0].remaining, waits=command.stop_price > 0
            )
        for result in results:
            assert result.market == command.market
            if result.kind == Kind.FILLED:
                self.hear_fill(result, crossed=command.op == Op.CROSS)
            elif result.kind == Kind.PREVENTED:
                self.hear_prevented(result)
            elif result.kind == Kind.CLOSED:
                self.hear_close(result)
            elif result.kind == Kind.AMENDED:
                self.hear_amendment(result)
            elif result.kind == Kind.TRIGGERED:
                assert self.open[result.order_id].waits, "a stop fires once"
                self.open[result.order_id].waits = False

    def hear_fill(self, result: Result, crossed: bool) -> None:
        taker, maker = self.open[result.order_id], self.open[result.other_id]  # I-12: both accepted, not closed
        assert taker is not maker
        assert (result.side, 1 - result.side) == (taker.asked.side, maker.asked.side)
        assert result.quantity > 0
        assert result.price > 0  # I-15: so price times quantity is above zero
        assert not taker.waits
        assert not maker.waits
        if not crossed:
            assert result.price == maker.price, "I-13: trades are at the maker's price"
            assert not taker.asked.post_only, "I-24: post_only never takes"
        if taker.price:  # I-13: of a market order it is the worst price
            assert result.price <= taker.price if result.side == Side.BUY else result.price >= taker.price
        if taker.asked.owner == maker.asked.owner:
            assert taker.asked.mode == SelfTradePrevention.NONE, "I-16: no self-trade"
        for order in (taker, maker):
            order.filled += result.quantity
            order.lower(result.price, result.quantity)
        self.check_both(result, taker, maker)

    def hear_prevented(self, result: Result) -> None:
        taker, maker = self.open[result.order_id], self.open[result.other_id]
        assert taker.asked.owner == maker.asked.owner
        assert result.quantity > 0
        if taker.asked.mode == SelfTradePrevention.DECREMENT:
            for order in (taker, maker):
                order.prevented += result.quantity
                order.lower(result.price, result.quantity)
        self.check_both(result, taker, maker)

    def check_both(self, result: Result, taker: Seen, maker: Seen) -> None:
        assert (result.remaining, result.other_remaining) == (taker.remaining, maker.remaining)
        assert taker.remaining >= 0, "I-10"
        assert maker.remaining >= 0, "I-10"

    def hear_close(self, result: Result) -> None:
        order = self.open.pop(result.order_id)  # KeyError: closed twice, or never accepted
        assert (result.quantity, result.remaining) == (order.filled, order.remaining)
        assert result.price == order.price
        if result.reason == Reason.FILLED and order.asked.quantity:
            assert order.remaining == 0
        if result.reason in (Reason.PRICE_BAND, Reason.NO_LIQUIDITY):
            assert order.asked.order_type not in LIMITED
            assert order.price or result.reason == Reason.NO_LIQUIDITY, "no band without a worst price"
        if order.asked.time_in_force == TimeInForce.FOK and result.reason != Reason.CANCELLED:
            whole = result.reason in (Reason.FILLED, Reason.AMENDED_DOWN)
            assert (order.filled > 0) == whole, "I-24: a fok fills whole or not at all"
        if order.asked.budget and not order.asked.quantity:
            assert result.flags & FLAG_BUDGET

    def hear_amendment(self, result: Result) -> None:
        order = self.open[result.order_id]
        order.price = result.price
        order.remaining = result.remaining
        assert result.quantity == order.filled + order.prevented + order.remaining, "I-10"

    def look(self, kernel: Kernel, markets: range) -> None:
        """What is in the kernel is what its results said, and the books are sound."""
        there = list(kernel.open_orders())
        assert {order.order_id: (order.remaining, order.filled, order.price, order.armed) for order in there} == {
            order_id: (seen.remaining, seen.filled, seen.price, seen.waits) for order_id, seen in self.open.items()
        }
        resting = [order for order in there if not order.armed]
        for order in resting:
            asked = self.open[order.order_id].asked
            assert asked.order_type in LIMITED, "I-24: a market order never rests"
            assert asked.time_in_force == TimeInForce.GTC, "I-24: ioc and fok never rest"
            assert order.remaining > 0, "I-23: no order of nothing"
        for market in markets:
            totals: tuple[Counter[int], Counter[int]] = (Counter(), Counter())
            for order in resting:
                if order.market == market:
                    totals[order.side][order.price] += order.remaining
            bids, asks = kernel.depth(market, len(there) + 1)
            assert bids == sorted(totals[Side.BUY].items(), reverse=True), "I-23: levels are exact"
            assert asks == sorted(totals[Side.SELL].items()), "I-23: levels are exact"
            for side, levels in ((Side.BUY, bids), (Side.SELL, asks)):
                for price in [near for level, _ in levels for near in range(level - 1, level + 2)]:
                    assert kernel.quantity_at(market, side, price) == totals[side][price], "I-23: levels are exact"
            if bids and asks:
                assert bids[0][0] < asks[0][0], "I-20: an uncrossed book"
