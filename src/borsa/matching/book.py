"""One market's order book and its rules. The package's docstring says the rules; `layout` what is
reported."""

from heapq import heappop, heappush

from borsa.matching.ladder import Ladder, Order
from borsa.matching.layout import (
    BUY,
    FLAG_MAKER_DONE,
    FLAG_TAKER_DONE,
    REASON_AMENDED_DOWN,
    REASON_BUDGET_SPENT,
    REASON_CANCELLED,
    REASON_EXPIRED_FOK,
    REASON_EXPIRED_IOC,
    REASON_FILLED,
    REASON_HALTED,
    REASON_INVALID,
    REASON_NO_LIQUIDITY,
    REASON_NONE,
    REASON_NOT_AMENDABLE,
    REASON_NOT_CROSSABLE,
    REASON_PRICE_BAND,
    REASON_SELF_TRADE,
    REASON_WOULD_CROSS,
    SELL,
    STATE_OPEN,
    STP_CANCEL_BOTH,
    STP_CANCEL_NEWEST,
    STP_CANCEL_OLDEST,
    STP_DECREMENT,
    STP_NONE,
    TIF_FOK,
    TIF_GTC,
)
from borsa.matching.results import Results
from borsa.matching.stops import ArmedStops, is_through

# Outside every possible price: no trade has been seen since stops were last looked at.
NO_LOW = 1 << 63
NO_HIGH = 0


class Book:
    """Resting orders, armed stops, state and last price of one market.

    `orders` is the kernel's table of open orders by id, shared by all books: an order is in it exactly
    while it rests here or is armed. Amounts of an incoming order are only ever lowered here, and in
    `Ladder.reduce` once it rests."""

    __slots__ = ("_high", "_low", "_orders", "_results", "ladders", "last_price", "market", "state", "stops")

    def __init__(self, market: int, orders: dict[int, Order], results: Results) -> None:
        self.market = market
        self.state = STATE_OPEN
        self.last_price = 0
        self.ladders = (Ladder(BUY), Ladder(SELL))
        self.stops = ArmedStops()
        self._orders = orders
        self._results = results
        self._low = NO_LOW
        self._high = NO_HIGH

    # Commands

    def place(self, order: Order) -> None:
        """A new order, checked by the kernel."""
        self._results.accepted(order)
        if self.state != STATE_OPEN:
            self._results.closed(order, REASON_HALTED)
            return
        if order.stop_price:
            if not (self.last_price and is_through(order, self.last_price)):
                self.arm(order)
                return
            self._results.triggered(order)
        self._enter(order)
        self._fire_stops()

    def cancel(self, order: Order) -> None:
        """End an open order because its owner asks."""
        self._take_out(order)
        self._results.closed(order, REASON_CANCELLED)

    def cancel_all(self, owner: int) -> None:
        """End every open order of one owner, by ascending id: an order of events that needs no history."""
        mine = [order for order in self._orders.values() if order.owner == owner and order.market == self.market]
        for order in sorted(mine, key=lambda order: order.order_id):
            self.cancel(order)

    def amend(self, order: Order, price: int, quantity: int) -> int:
        """Change an open order's price and total. Returns why not, or REASON_NONE."""
        reason = self._why_not_amend(order, price, quantity)
        if reason:
            return reason
        remaining = max(0, quantity - order.filled - order.prevented)
        if not remaining or (price == order.price and remaining <= order.remaining):
            self._amend_in_place(order, price, remaining)
        else:
            self._amend_to_back(order, price, remaining)
        return REASON_NONE

    def cross(self, buy: Order, sell: Order, price: int, quantity: int) -> int:
        """Trade two named resting orders at an agreed price. Returns why not, or REASON_NONE.

        Sets no last price: a price that two parties agreed on must not fire other people's stops.
        """
        if not self._is_crossable(buy, sell, price, quantity):
            return REASON_NOT_CROSSABLE
        for order in (buy, sell):
            self.ladders[order.side].reduce(order, quantity)
            order.filled += quantity
        self._results.filled(buy, sell, price, quantity)
        for order in (sell, buy):
            if not order.remaining:
                del self._orders[order.order_id]
                self._results.closed(order, REASON_FILLED)
        return REASON_NONE

    # Where open orders are

    def rest(self, order: Order) -> None:
        """Put on the book, behind all others at its price."""
        self._orders[order.order_id] = order
        self.ladders[order.side].add(order)

    def arm(self, order: Order) -> None:
        """Let a stop wait for its price."""
        self._orders[order.order_id] = order
        self.stops.arm(order)

    def _take_out(self, order: Order) -> None:
        del self._orders[order.order_id]
        if order.sequence:
            self.stops.disarm(order)
        else:
            self.ladders[order.side].remove(order)

    # Incoming orders

    def _enter(self, taker: Order) -> None:
        """Match an incoming order, then close it or let its remainder rest."""
        reason = self._why_not_match(taker) or self._match(taker) or self._why_not_rest(taker)
        if reason:
            self._results.closed(taker, reason)
        else:
            self.rest(taker)

    def _why_not_match(self, taker: Order) -> int:
        if taker.post_only and self._would_take(taker, taker.price):
            return REASON_WOULD_CROSS
        if taker.time_in_force == TIF_FOK and not self._can_fill_whole(taker):
            return REASON_EXPIRED_FOK
        return REASON_NONE

    def _would_take(self, order: Order, price: int) -> bool:
        best = self.ladders[1 - order.side].best()
        if best is None:
            return False
        return best.price <= price if order.side == BUY else best.price >= price

    def _match(self, taker: Order) -> int:
        """Trade while there is something at an allowed price. Returns why the taker ended, or REASON_NONE."""
        makers = self.ladders[1 - taker.side]
        while taker.remaining:
            level = makers.best()
            if level is None or not taker.crosses(level.price):
                return REASON_NONE
            wanted = _lots_wanted(taker, taker.remaining, taker.budget_left, level.price)
            if not wanted:
                return REASON_FILLED if taker.by_budget and taker.filled else REASON_BUDGET_SPENT
            maker = next(iter(level.orders.values()))
            quantity = min(wanted, maker.remaining)
            if maker.owner == taker.owner and taker.prevention != STP_NONE:
                self._prevent(taker, maker, quantity)
                if taker.prevention in (STP_CANCEL_NEWEST, STP_CANCEL_BOTH) or not taker.remaining:
                    return REASON_SELF_TRADE
            else:
                self._trade(taker, maker, quantity)
        return REASON_FILLED

    def _trade(self, taker: Order, maker: Order, quantity: int) -> None:
        price = maker.price
        self.ladders[maker.side].reduce(maker, quantity)
        maker.filled += quantity
        taker.filled += quantity
        taker.remaining -= quantity * price if taker.by_budget else quantity
        if taker.capped:
            taker.budget_left -= quantity * price
        self.last_price = price
        self._low = min(self._low, price)
        self._high = max(self._high, price)
        self._results.filled(taker, maker, price, quantity)
        if not maker.remaining:
            del self._orders[maker.order_id]
            self._results.closed(maker, REASON_FILLED)

    def _prevent(self, taker: Order, maker: Order, quantity: int) -> None:
        """Apply the taker's mode to a self-trade of `quantity` lots; closing the taker is left to the
        caller."""
        mode = taker.prevention
        flags = 0
        if mode == STP_DECREMENT:
            lowered = quantity * maker.price if taker.by_budget else quantity
            taker.remaining -= lowered
            taker.prevented += lowered
            self.ladders[maker.side].reduce(maker, quantity)
            maker.prevented += quantity
        if mode in (STP_CANCEL_NEWEST, STP_CANCEL_BOTH) or not taker.remaining:
            flags |= FLAG_TAKER_DONE
        if mode in (STP_CANCEL_OLDEST, STP_CANCEL_BOTH) or not maker.remaining:
            flags |= FLAG_MAKER_DONE
        self._results.prevented(flags, taker, maker, quantity)
        if flags & FLAG_MAKER_DONE:
            if maker.remaining:
                self._take_out(maker)
            else:  # the ladder dropped it when it came to zero
                del self._orders[maker.order_id]
            self._results.closed(maker, REASON_SELF_TRADE)

    def _why_not_rest(self, taker: Order) -> int:
        """Why the remainder of an order that stopped matching ends, or REASON_NONE: it rests."""
        if not taker.limited:
            return REASON_PRICE_BAND if self.ladders[1 - taker.side].best() else REASON_NO_LIQUIDITY
        if taker.time_in_force != TIF_GTC:
            return REASON_EXPIRED_IOC
        return REASON_NONE

    def _can_fill_whole(self, taker: Order) -> bool:
        """Walk what `_match` would, changing nothing: would it end with REASON_FILLED and nothing
        prevented?"""
        remaining, budget_left = taker.remaining, taker.budget_left
        for maker in self.ladders[1 - taker.side]:
            price = maker.price
            if not taker.crosses(price):
                return False
            wanted = _lots_wanted(taker, remaining, budget_left, price)
            if not wanted:
                return taker.by_budget and remaining < taker.remaining
            if maker.owner == taker.owner and taker.prevention != STP_NONE:
                if taker.prevention == STP_CANCEL_OLDEST:
                    continue
                return False
            quantity = min(wanted, maker.remaining)
            remaining -= quantity * price if taker.by_budget else quantity
            budget_left -= quantity * price
            if not remaining or quantity < maker.remaining:  # the latter: the budget ends within this maker
                return not remaining or taker.by_budget
        return False

    # Stops

    def _fire_stops(self) -> None:
        """Let every stop enter that the trades of this command reached, and those that their trades reach.

        What counts is every trade's price, not only the last one's: a sweep of several levels is several
        trades, and a stop that one of them reached has triggered though the sweep went on."""
        triggered: list[tuple[int, Order]] = []
        while True:
            if self._high != NO_HIGH and len(self.stops):
                for sequence, order in self.stops.reached(self._low, self._high):
                    self.stops.disarm(order)
                    heappush(triggered, (sequence, order))
            self._low, self._high = NO_LOW, NO_HIGH
            if not triggered:
                return
            _, order = heappop(triggered)
            del self._orders[order.order_id]
            self._results.triggered(order)
            self._enter(order)

    # Amending and crossing

    def _why_not_amend(self, order: Order, price: int, quantity: int) -> int:
        if self.state != STATE_OPEN or order.by_budget or order.capped:
            return REASON_NOT_AMENDABLE
        # An order without a price stays one, an order with one keeps one.
        if quantity <= 0 or price < 0 or (price == 0) != (order.price == 0):
            return REASON_INVALID
        ends = quantity <= order.filled + order.prevented
        if order.post_only and not order.sequence and not ends and self._would_take(order, price):
            return REASON_WOULD_CROSS
        return REASON_NONE

    def _amend_in_place(self, order: Order, price: int, remaining: int) -> None:
        if not remaining:
            self._take_out(order)
            order.remaining = 0
        elif order.sequence:
            order.remaining = remaining
        elif remaining < order.remaining:
            self.ladders[order.side].reduce(order, order.remaining - remaining)
        order.price = price
        self._results.amended(order)
        if not remaining:
            self._results.closed(order, REASON_AMENDED_DOWN)

    def _amend_to_back(self, order: Order, price: int, remaining: int) -> None:
        armed = bool(order.sequence)
        self._take_out(order)
        order.price = price
        order.remaining = remaining
        self._results.amended(order)
        if armed:
            self.arm(order)
        else:
            self._enter(order)
            self._fire_stops()

    def _is_crossable(self, buy: Order, sell: Order, price: int, quantity: int) -> bool:
        return (
            self.state == STATE_OPEN
            and (buy.side, sell.side) == (BUY, SELL)
            and buy.owner != sell.owner
            and not (buy.sequence or sell.sequence)
            and buy.crosses(price)
            and sell.crosses(price)
            and quantity <= min(buy.remaining, sell.remaining)
        )


def _lots_wanted(taker: Order, remaining: int, budget_left: int, price: int) -> int:
    """How many lots at `price` an order takes that has this much left; 0: its budget can't buy one more."""
    if taker.by_budget:
        return remaining // price
    if taker.capped:
        return min(remaining, budget_left // price)
    return remaining
