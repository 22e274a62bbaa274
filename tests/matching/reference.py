"""A matcher that is slow and obvious: one flat list of open orders, sorted anew for every trade.

It shares the layout's numbers with the kernels and nothing else: no levels, no queues, no stop index. A fill-or-kill is
decided by trying it on a copy of everything, a stop by looking at all of them at each trade.
"""

from copy import deepcopy
from dataclasses import dataclass
from typing import NamedTuple

from borsa.matching.layout import (
    COMMAND,
    FLAG_BUDGET,
    FLAG_MAKER_DONE,
    FLAG_TAKER_DONE,
    Kind,
    Op,
    OpenOrder,
    OrderType,
    Reason,
    Result,
    SelfTradePrevention,
    Side,
    State,
    TimeInForce,
)


class Command(NamedTuple):
    """A decoded command."""

    op: int
    side: int
    order_type: int
    time_in_force: int
    post_only: int
    mode: int
    market: int
    order_id: int
    owner: int
    price: int
    quantity: int
    budget: int
    stop_price: int
    other_id: int


def decode(commands: bytes) -> list[Command]:
    """The commands of a batch."""
    return [Command._make(fields) for fields in COMMAND.iter_unpack(commands)]


@dataclass(eq=False)
class Known:
    """An accepted order: what was asked, and what became of it."""

    asked: Command
    price: int
    total: int
    filled: int = 0
    spent: int = 0
    prevented: int = 0
    time: int = 0
    armed: bool = False
    triggered: bool = False

    @property
    def by_budget(self) -> bool:
        return self.total == 0

    @property
    def remaining(self) -> int:
        if self.by_budget:
            return self.asked.budget - self.spent - self.prevented
        return self.total - self.filled - self.prevented

    def lots_at(self, price: int) -> int:
        """How many lots it may still trade at this price."""
        if self.by_budget:
            return self.remaining // price
        if self.asked.budget:
            return min(self.remaining, (self.asked.budget - self.spent) // price)
        return self.remaining

    @property
    def limited(self) -> bool:
        return self.asked.order_type in (OrderType.LIMIT, OrderType.STOP_LIMIT)

    def allows(self, price: int) -> bool:
        if self.price == 0:
            return True
        return self.price >= price if self.asked.side == Side.BUY else self.price <= price

    def is_reached_by(self, price: int) -> bool:
        if self.asked.side == Side.BUY:
            return price >= self.asked.stop_price
        return price <= self.asked.stop_price

    def as_open_order(self) -> OpenOrder:
        asked = self.asked
        quantity = asked.budget if self.by_budget else self.total
        return OpenOrder(
            asked.market,
            asked.order_id,
            asked.owner,
            asked.side,
            self.price,
            self.remaining,
            quantity,
            self.filled,
            asked.order_type,
            asked.stop_price,
            self.armed,
        )


class Reference:
    """The matcher. `process` takes commands and gives results, both decoded."""

    def __init__(self) -> None:
        self.open: list[Known] = []
        self.states: dict[int, State] = {}
        self.last: dict[int, int] = {}
        self.time = 0
        self.index = 0
        self.results: list[Result] = []

    def process(self, commands: list[Command]) -> list[Result]:
        self.results = []
        for self.index, command in enumerate(commands):
            reason = self.apply(command)
            if reason:
                self.results.append(
                    Result(
                        Kind.REFUSED,
                        command.side,
                        reason,
                        0,
                        command.market,
                        self.index,
                        command.order_id,
                        command.other_id,
                        command.price,
                        command.quantity,
                        0,
                        0,
                    )
                )
            while triggered := [known for known in self.open if known.triggered]:
                self.fire(min(triggered, key=lambda known: known.time))
        return self.results

    def open_orders(self) -> list[OpenOrder]:
        def place(known: Known) -> tuple[int, bool, int, int, int]:
            if known.armed:
                return (known.asked.market, True, 0, 0, known.time)
            better = -known.price if known.asked.side == Side.BUY else known.price
            return (known.asked.market, False, known.asked.side, better, known.time)

        return [known.as_open_order() for known in sorted(self.open, key=place)]

    # Commands

    def apply(self, command: Command) -> Reason:
        if command.op == Op.PLACE:
            return self.place(command)
        if command.op == Op.SET_STATE:
            return self.set_state(command)
        if command.op == Op.CANCEL_ALL:
            return self.cancel_all(command)
        if command.op not in list(Op):
            return Reason.INVALID
        known = self.find(command.market, command.order_id)
        if known is None:
            return Reason.UNKNOWN_ORDER
        if command.op == Op.AMEND:
            return self.amend(known, command)
        if command.op == Op.CROSS:
            return self.cross(known, self.find(command.market, command.other_id), command)
        self.close(known, Reason.CANCELLED)
        return Reason.NONE

    def set_state(self, command: Command) -> Reason:
        if command.quantity not in list(State):
            return Reason.INVALID
        self.states[command.market] = State(command.quantity)
        return Reason.NONE

    def cancel_all(self, command: Command) -> Reason:
        here = [known for known in self.open if known.asked.market == command.market]
        for known in sorted(here, key=lambda known: known.asked.order_id):
            if known.asked.owner == command.owner:
                self.close(known, Reason.CANCELLED)
        return Reason.NONE

    def place(self, command: Command) -> Reason:
        if not is_valid(command):
            return Reason.INVALID
        if any(known.asked.order_id == command.order_id for known in self.open):
            return Reason.DUPLICATE_ORDER
        known = Known(command, command.price, command.quantity)
        self.say(Kind.ACCEPTED, known, command.price, command.quantity)
        if self.states.get(command.market, State.OPEN) != State.OPEN:
            self.close(known, Reason.HALTED)
            return Reason.NONE
        if command.stop_price:
            self.let_wait(known, armed=True)
            last = self.last.get(command.market)
            if last is not None and known.is_reached_by(last):
                self.fire(known)
        else:
            self.enter(known)
        return Reason.NONE

    def amend(self, known: Known, command: Command) -> Reason:
        if self.states.get(command.market, State.OPEN) != State.OPEN or known.asked.budget:
            return Reason.NOT_AMENDABLE
        if command.quantity <= 0 or command.price < 0 or bool(command.price) != bool(known.price):
            return Reason.INVALID
        used = known.filled + known.prevented
        before = (known.price, known.total)
        known.price, known.total = command.price, max(command.quantity, used)
        would_take = not known.armed and known.total > used and self.makers(known)
        if known.asked.post_only and would_take:
            known.price, known.total = before
            return Reason.WOULD_CROSS
        self.say(Kind.AMENDED, known, known.price, known.total)
        if known.total == used:
            self.close(known, Reason.AMENDED_DOWN)
        elif known.price != before[0] or known.total > before[1]:
            if known.armed:
                self.let_wait(known, armed=True)
            else:
                self.open.remove(known)
                self.enter(known)
        return Reason.NONE

    def cross(self, buy: Known, sell: Known | None, command: Command) -> Reason:
        if sell is None:
            return Reason.UNKNOWN_ORDER
        price, quantity = command.price, command.quantity
        if price <= 0 or quantity <= 0:
            return Reason.INVALID
        if (
            self.states.get(command.market, State.OPEN) != State.OPEN
            or (buy.asked.side, sell.asked.side) != (Side.BUY, Side.SELL)
            or buy.asked.owner == sell.asked.owner
            or buy.armed
            or sell.armed
            or not buy.price >= price >= sell.price
            or quantity > buy.remaining
            or quantity > sell.remaining
        ):
            return Reason.NOT_CROSSABLE
        self.fill(buy, sell, price, quantity)
        if not buy.remaining:
            self.close(buy, Reason.FILLED)
        return Reason.NONE

    # Matching

    def enter(self, taker: Known) -> None:
        asked = taker.asked
        if asked.post_only and self.makers(taker):
            self.close(taker, Reason.WOULD_CROSS)
            return
        if asked.time_in_force == TimeInForce.FOK:
            trial, copied = deepcopy((self, taker))
            if trial.match(copied) != Reason.FILLED or copied.prevented:
                self.close(taker, Reason.EXPIRED_FOK)
                return
        reason = self.match(taker)
        if not reason and not taker.limited:
            reason = Reason.PRICE_BAND if self.facing(taker) else Reason.NO_LIQUIDITY
        if not reason and asked.time_in_force != TimeInForce.GTC:
            reason = Reason.EXPIRED_IOC
        if reason:
            self.close(taker, reason)
        else:
            self.let_wait(taker, armed=False)

    def match(self, taker: Known) -> Reason:
        mode = taker.asked.mode
        while taker.remaining:
            makers = self.makers(taker)
            if not makers:
                return Reason.NONE
            maker = makers[0]
            quantity = min(taker.lots_at(maker.price), maker.remaining)
            if quantity == 0:
                return Reason.FILLED if taker.by_budget and taker.filled else Reason.BUDGET_SPENT
            if maker.asked.owner != taker.asked.owner or mode == SelfTradePrevention.NONE:
                self.last[taker.asked.market] = maker.price
                for known in self.open:
                    same = known.asked.market == taker.asked.market
                    if same and known.armed and known.is_reached_by(maker.price):
                        known.triggered = True
                self.fill(taker, maker, maker.price, quantity)
            elif self.prevent(taker, maker, quantity):
                return Reason.SELF_TRADE
        return Reason.FILLED

    def prevent(self, taker: Known, maker: Known, quantity: int) -> bool:
        """Returns whether the taker ends."""
        mode = taker.asked.mode
        if mode == SelfTradePrevention.DECREMENT:
            taker.prevented += quantity * maker.price if taker.by_budget else quantity
            maker.prevented += quantity
            taker_ends, maker_ends = taker.remaining == 0, maker.remaining == 0
        else:
            taker_ends = mode != SelfTradePrevention.CANCEL_OLDEST
            maker_ends = mode != SelfTradePrevention.CANCEL_NEWEST
        self.say_both(Kind.PREVENTED, taker, maker, maker.price, quantity, maker_ends, taker_ends)
        if maker_ends:
            self.close(maker, Reason.SELF_TRADE)
        return taker_ends

    def fill(self, taker: Known, maker: Known, price: int, quantity: int) -> None:
        for known in (taker, maker):
            known.filled += quantity
            known.spent += quantity * price
        self.say_both(Kind.FILLED, taker, maker, price, quantity, maker.remaining == 0, taker.remaining == 0)
        if not maker.remaining:
            self.close(maker, Reason.FILLED)

    def fire(self, known: Known) -> None:
        self.open.remove(known)
        known.armed = known.triggered = False
        self.say(Kind.TRIGGERED, known, known.asked.stop_price, known.total)
        self.enter(known)

    # State

    def find(self, market: int, order_id: int) -> Known | None:
        for known in self.open:
            if (known.asked.market, known.asked.order_id) == (market, order_id):
                return known
        return None

    def makers(self, taker: Known) -> list[Known]:
        """Who it may trade with, the best first."""
        return [known for known in self.facing(taker) if taker.allows(known.price)]

    def facing(self, taker: Known) -> list[Known]:
        """Who rests on the other side, the best first."""
        sign = 1 if taker.asked.side == Side.BUY else -1
        found = [
            known
            for known in self.open
            if known.asked.market == taker.asked.market and known.asked.side != taker.asked.side and not known.armed
        ]
        return sorted(found, key=lambda known: (sign * known.price, known.time))

    def let_wait(self, known: Known, armed: bool) -> None:
        self.time += 1
        known.time = self.time
        known.armed = armed
        if known not in self.open:
            self.open.append(known)

    def close(self, known: Known, reason: Reason) -> None:
        if known in self.open:
            self.open.remove(known)
        self.say(Kind.CLOSED, known, known.price, known.filled, reason)

    # Results

    def say(self, kind: Kind, known: Known, price: int, quantity: int, reason: Reason = Reason.NONE) -> None:
        asked = known.asked
        flags = FLAG_BUDGET if known.by_budget else 0
        self.results.append(
            Result(
                kind,
                asked.side,
                reason,
                flags,
                asked.market,
                self.index,
                asked.order_id,
                0,
                price,
                quantity,
                known.remaining,
                0,
            )
        )

    def say_both(
        self, kind: Kind, taker: Known, maker: Known, price: int, quantity: int, maker_done: bool, taker_done: bool
    ) -> None:
        flags = FLAG_BUDGET * taker.by_budget + FLAG_MAKER_DONE * maker_done + FLAG_TAKER_DONE * taker_done
        asked = taker.asked
        self.results.append(
            Result(
                kind,
                asked.side,
                0,
                flags,
                asked.market,
                self.index,
                asked.order_id,
                maker.asked.order_id,
                price,
                quantity,
                taker.remaining,
                maker.remaining,
            )
        )


def is_valid(command: Command) -> bool:
    """The rules of `layout.Op.PLACE`, one a line."""
    has_price = command.order_type in (OrderType.LIMIT, OrderType.STOP_LIMIT)
    has_stop = command.order_type in (OrderType.STOP, OrderType.STOP_LIMIT)
    return all(
        (
            command.order_id > 0,
            command.side in list(Side),
            command.order_type in list(OrderType),
            command.time_in_force in list(TimeInForce),
            command.post_only in (0, 1),
            command.mode in list(SelfTradePrevention),
            command.price > 0 if has_price else command.price >= 0,
            command.stop_price > 0 if has_stop else command.stop_price == 0,
            command.quantity >= 0,
            command.budget >= 0,
            command.quantity > 0 or command.budget > 0,
            command.budget == 0 or (command.side == Side.BUY and not has_price),
            command.post_only == 0 or (has_price and command.time_in_force == TimeInForce.GTC),
        )
    )
