"""The witness: reads what orders asked and what the engine said of it, side by side, and keeps count for itself.

It matches nothing. It knows which order rests where because the logs say so, and looks at each trade: was it the turn
of that maker, within both limits, at the maker's price, with the right fee? What it ends with is put into two temporary
tables that other checks compare with: `folded`, every order as it must be, and `executed`, every trade that was told.
Everything is in the smallest units: prices in 10**-8 quote per base, quantities in units of the base asset.
"""

from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import msgspec

from borsa import money
from borsa.commands.audit.shelf import Shelf
from borsa.events import (
    PUBLISHED,
    BlockTradeAgreed,
    CrossRequested,
    Event,
    MarketEvent,
    OrderAmended,
    OrderAmendRequested,
    OrderCancelRequested,
    OrderClosed,
    OrderCreated,
    OrderOpened,
    OrderTriggered,
    TradeBusted,
    TradeExecuted,
)

SCALE = 8
ONE = 10**SCALE
MILLION = 10**6
NOTES_MAX = 100
"""Breaches of one check that are kept; more are only counted."""

DECODE: dict[str, Callable[[bytes], Event]] = {kind.__name__: msgspec.json.Decoder(kind).decode for kind in PUBLISHED}


class Told(NamedTuple):
    """An event of a shard of trades, and the sequence in the orders log of what caused it."""

    source: str
    sequence: int
    cause: int
    event: Event


def units(text: str | None) -> int:
    """The units of a decimal of the wire; 0 where there is none."""
    return money.parse(text, SCALE) if text else 0


class Known:
    """An order as the logs tell of it. `resting`: it waits on the book; `armed`: it is a stop that waits."""

    __slots__ = (
        "armed", "charged", "filled", "held", "last", "numerator", "order_id", "placed", "prevented", "price",
        "quantity", "resting", "source", "spent", "stop_price", "worst_price",
    )  # fmt: skip

    def __init__(self, placed: OrderCreated) -> None:
        self.placed = placed
        self.order_id = int(placed.order_id)
        self.price = units(placed.price)
        self.stop_price = units(placed.stop_price)
        self.worst_price = units(placed.worst_price)
        self.quantity = units(placed.quantity)
        self.held = units(placed.held)
        self.armed = placed.order_type in ("stop", "stop_limit")
        self.resting = False
        self.source = "trades"
        self.filled = self.prevented = self.spent = self.numerator = self.charged = self.last = 0

    @property
    def remaining(self) -> int:
        """What is still to fill: quantity = filled + prevented + remaining (0 for a buy by budget)."""
        return max(0, self.quantity - self.filled - self.prevented)

    def bears(self, price: int) -> bool:
        """May it trade at this price, for all that its worst price says?"""
        if not self.worst_price:
            return True
        return price <= self.worst_price if self.placed.side == "buy" else price >= self.worst_price

    @property
    def needs(self) -> int:
        """What must stay on hold."""
        if self.placed.side == "sell":
            return self.remaining
        return self.price * self.remaining // ONE if self.price else self.held - self.spent


class Witness:
    """Follows the two logs. `notes` has what was wrong, by check."""

    def __init__(self) -> None:
        self.notes: dict[str, list[str]] = {}
        self.noted: Counter[str] = Counter()
        self.inputs = self.outcomes = 0
        self.live: dict[int, Known] = {}
        self.folded: list[tuple[Any, ...]] = []
        self.executed: list[tuple[Any, ...]] = []
        self._last_price: dict[str, int] = {}
        # lowest and highest price since the event that is being followed
        self._low = self._high = 0
        self._shelves: dict[tuple[str, str], Shelf] = {}
        self._rates: dict[str, tuple[int, int]] = {}
        self._incoming: Known | None = None
        self._asked: Event | None = None
        self._source = "trades"
        # whether an outcome of what was asked names the order that it was asked of
        self._answered = False

    def note(self, check_id: str, text: str) -> None:
        """Remember a breach."""
        self.noted[check_id] += 1
        kept = self.notes.setdefault(check_id, [])
        if len(kept) < NOTES_MAX:
            kept.append(text)

    def shelf(self, symbol: str, side: str) -> Shelf:
        """One side of a market's book."""
        found = self._shelves.get((symbol, side))
        if found is None:
            found = self._shelves[symbol, side] = Shelf(side)
        return found

    # what orders asked ---------------------------------------------------------------------------------------------

    def asks(self, event: Event) -> None:
        """The next event of the orders log that the engine takes."""
        self.inputs += 1
        self._asked, self._answered = event, False
        last = self._last_price.get(getattr(event, "symbol", ""), 0)
        self._low, self._high = last, last
        if isinstance(event, MarketEvent):
            self._rates[event.symbol] = (_rate(event.taker_fee), _rate(event.maker_fee))
        elif isinstance(event, OrderCreated):
            known = self.live[int(event.order_id)] = Known(event)
            if event.order_type != "block" and not known.armed:
                self._incoming = known

    def ends(self) -> None:
        """All that came of the event was told: what came in and is left waits on the book from now on."""
        known, self._incoming = self._incoming, None
        if known is None or known.order_id not in self.live or known.resting:
            return
        placed = known.placed
        if not known.price or placed.time_in_force != "gtc" or not known.remaining:
            self.note("I-24", f"order {known.order_id} ({placed.order_type} {placed.time_in_force}) was left to rest")
            return
        known.resting = True
        self.shelf(placed.symbol, placed.side).add(known.price, known.order_id)
        bid, ask = (self.shelf(placed.symbol, side).best() for side in ("buy", "sell"))
        if bid and ask and bid >= ask:
            self.note("I-20", f"{placed.symbol}: bid {_text(bid)} stands against ask {_text(ask)}")

    def is_answered(self, sequence: int) -> None:
        """All that came of the event was told: who asked to cancel, amend or trade got a word on it."""
        asked = self._asked
        if isinstance(asked, OrderCancelRequested):
            if int(asked.order_id) in self.live:
                self.note("I-43", f"orders/{sequence} asked to cancel order {asked.order_id}, and it is open still")
        elif isinstance(asked, OrderAmendRequested | CrossRequested | BlockTradeAgreed) and not self._answered:
            name = type(asked).__name__
            self.note("I-43", f"orders/{sequence} ({name} of order {asked.order_id}) was never answered")

    # what the engine said ------------------------------------------------------------------------------------------

    def hears(self, source: str, sequence: int, event: Event) -> None:
        """The next event of the log of trades, or of a shard of it (`source`)."""
        self.outcomes += 1
        self._source = source
        about = getattr(event, "order_id", None) or getattr(event, "buy_order_id", None)
        self._answered = self._answered or about == getattr(self._asked, "order_id", "")
        if isinstance(event, TradeExecuted):
            self._trade(sequence, event)
        elif isinstance(event, OrderClosed):
            self._closed(sequence, event)
        elif isinstance(event, OrderAmended):
            self._amended(sequence, event)
        elif isinstance(event, OrderTriggered):
            self._triggered(sequence, event)
        elif isinstance(event, OrderOpened):
            self._find(sequence, event.order_id)

    def _find(self, sequence: int, order_id: str) -> Known | None:
        known = self.live.get(int(order_id))
        if known is None:
            self.note("I-35", f"{self._source}/{sequence} speaks of order {order_id}, which is not open")
        else:
            known.source, known.last = self._source, sequence
        return known

    def _trade(self, sequence: int, event: TradeExecuted) -> None:
        price, quantity = units(event.price), units(event.quantity)
        fees = units(event.buyer_fee), units(event.seller_fee)
        self.executed.append((
            self._source, sequence, int(event.trade_id), event.symbol,
            int(event.buy_order_id), int(event.sell_order_id), event.buyer_id, event.seller_id,
            event.taker_side, price, quantity, *fees, event.sequence, int(event.block),
        ))  # fmt: skip
        buyer, seller = self._find(sequence, event.buy_order_id), self._find(sequence, event.sell_order_id)
        if buyer is None or seller is None:
            self.note("I-12", f"trade {event.trade_id}: an order of it was not open")
            return
        notional, rest = divmod(price * quantity, ONE)
        if rest or notional <= 0 or quantity <= 0:
            self.note("I-15", f"trade {event.trade_id}: {event.quantity} at {event.price} is no whole value above 0")
        taker, maker = (buyer, seller) if event.taker_side == "buy" else (seller, buyer)
        self._judge_legs(event, buyer, seller)
        self._judge_price(event, taker, maker, price)
        for known, rate in zip((taker, maker), self._rates[event.symbol], strict=True):
            self._fill(event, known, quantity, notional, rate)
        self._judge_holds(event, buyer, seller)

    def _judge_legs(self, event: TradeExecuted, buyer: Known, seller: Known) -> None:
        for known, side, user_id in ((buyer, "buy", event.buyer_id), (seller, "sell", event.seller_id)):
            placed = known.placed
            if (placed.side, placed.user_id, placed.symbol) != (side, user_id, event.symbol):
                self.note("I-12", f"trade {event.trade_id}: order {known.order_id} is not {user_id}'s {side}")
        taker = buyer if event.taker_side == "buy" else seller
        if event.buyer_id == event.seller_id and taker.placed.self_trade_prevention != "none":
            self.note("I-16", f"trade {event.trade_id}: user {event.buyer_id} traded with themselves")

    def _judge_price(self, event: TradeExecuted, taker: Known, maker: Known, price: int) -> None:
        buyer, seller = (taker, maker) if event.taker_side == "buy" else (maker, taker)
        if (buyer.price and price > buyer.price) or price < seller.price:
            limits = f"{_text(seller.price)} to {_text(buyer.price)}"
            self.note("I-13", f"trade {event.trade_id}: at {event.price}, outside the limits {limits}")
        if not taker.bears(price):
            worst = f"{_text(taker.worst_price)}, the worst price of order {taker.order_id}"
            self.note("I-13", f"trade {event.trade_id}: at {event.price}, beyond {worst}")
        if event.block or isinstance(self._asked, CrossRequested | BlockTradeAgreed):
            return
        if price != maker.price:
            self.note("I-13", f"trade {event.trade_id}: at {event.price}, the maker's price is {_text(maker.price)}")
        first = self.shelf(event.symbol, maker.placed.side).first()
        if first != maker.order_id:
            self.note("I-21", f"trade {event.trade_id}: order {maker.order_id} traded before order {first}")
        if taker is not self._incoming:
            self.note("I-21", f"trade {event.trade_id}: its taker {taker.order_id} was not coming in")
        if taker.placed.post_only:
            self.note("I-24", f"trade {event.trade_id}: the post-only order {taker.order_id} took")
        self._last_price[event.symbol] = price
        self._low, self._high = min(self._low or price, price), max(self._high, price)

    def _fill(self, event: TradeExecuted, known: Known, quantity: int, notional: int, rate: int) -> None:
        buys = known.placed.side == "buy"
        proceeds = quantity if buys else notional
        known.filled += quantity
        known.spent += notional
        known.numerator += proceeds * rate
        fee = money.ceil_divide(known.numerator, MILLION) - known.charged
        known.charged += fee
        told = units(event.buyer_fee if buys else event.seller_fee)
        if told != fee or told > proceeds:
            self.note("I-14", f"trade {event.trade_id}: order {known.order_id} paid {_text(told)}, due is {_text(fee)}")
        if known.quantity and known.filled + known.prevented > known.quantity:
            filled, total = _text(known.filled), _text(known.quantity)
            self.note("I-10", f"order {known.order_id}: {filled} of {total} filled by trade {event.trade_id}")
        if known.quantity and not known.remaining:
            self._off_the_book(known)

    def _judge_holds(self, event: TradeExecuted, buyer: Known, seller: Known) -> None:
        for known, told in ((buyer, units(event.buyer_hold)), (seller, units(event.seller_hold))):
            if told != known.needs:
                due = _text(known.needs)
                self.note("I-03", f"trade {event.trade_id}: order {known.order_id} needs {due}, told {_text(told)}")

    def _closed(self, sequence: int, event: OrderClosed) -> None:
        known = self._find(sequence, event.order_id)
        if known is None:
            return
        self._off_the_book(known)
        told = units(event.filled_quantity), units(event.remaining_quantity)
        if told != (known.filled, known.remaining):
            due = f"{_text(known.filled)} filled and {_text(known.remaining)} left"
            self.note("I-10", f"order {event.order_id} closed with {told}, its trades say {due}")
        if event.reason == "filled" and known.remaining:
            self.note("I-10", f"order {event.order_id} closed as filled with {_text(known.remaining)} left")
        if known.placed.time_in_force == "fok" and known.filled and known.remaining:
            self.note("I-24", f"fill-or-kill order {event.order_id} was filled in part")
        if event.reason == "price_band":
            self._judge_band(known)
        del self.live[known.order_id]
        self._keep(known, event.reason)

    def _judge_band(self, known: Known) -> None:
        """Whoever is cut off at the worst price has left nothing better on the book."""
        best = self.shelf(known.placed.symbol, "sell" if known.placed.side == "buy" else "buy").best()
        if not best or known.bears(best):
            worst = _text(known.worst_price)
            self.note("I-24", f"order {known.order_id} was cut off at {worst}, the best price was {_text(best)}")

    def _amended(self, sequence: int, event: OrderAmended) -> None:
        known = self._find(sequence, event.order_id)
        if known is None:
            return
        price, quantity, before = units(event.price), units(event.quantity), known.remaining
        if event.revision == 0:
            known.prevented = max(0, known.quantity - known.filled - units(event.remaining_quantity))
        else:
            moves = price != known.price or quantity - known.filled - known.prevented > before
            if moves or quantity <= known.filled + known.prevented:
                self._off_the_book(known)
            known.price, known.quantity = price, quantity
            if moves and not known.armed:
                self._incoming = known
        if known.quantity and not known.remaining:
            self._off_the_book(known)
        if (units(event.remaining_quantity), units(event.hold)) != (known.remaining, known.needs):
            told = f"{event.remaining_quantity} left and {event.hold} on hold"
            due = f"{_text(known.remaining)} and {_text(known.needs)}"
            self.note("I-10", f"order {event.order_id} amended: told {told}, due {due}")

    def _triggered(self, sequence: int, event: OrderTriggered) -> None:
        self.ends()
        known = self._find(sequence, event.order_id)
        if known is None:
            return
        if not (known.armed and _reaches(known, self._low, self._high)):
            seen = f"{_text(self._low)} to {_text(self._high)}"
            self.note("I-24", f"stop {event.order_id} at {_text(known.stop_price)} fired, prices were {seen}")
        known.armed = False
        self._incoming = known

    def _off_the_book(self, known: Known) -> None:
        if known.resting:
            known.resting = False
            self.shelf(known.placed.symbol, known.placed.side).remove(known.price, known.order_id)

    # at the end ----------------------------------------------------------------------------------------------------

    def _keep(self, known: Known, reason: str | None) -> None:
        placed = known.placed
        needs = 0 if reason else known.needs
        self.folded.append((
            known.order_id, placed.user_id, placed.wallet_id, placed.symbol, placed.side, known.price, known.quantity,
            known.filled, known.prevented, known.spent, needs, reason, known.source, known.last,
        ))  # fmt: skip

    def waits(self, event: OrderCreated) -> None:
        """An order that the engine has not taken yet."""
        self._keep(Known(event), None)

    def finish(self) -> None:
        """Both logs are read: look at what is left open, and keep it."""
        for known in self.live.values():
            if known.quantity and not known.remaining:
                self.note("I-23", f"order {known.order_id} is open with nothing left to fill")
            last = self._last_price.get(known.placed.symbol, 0)
            if known.armed and _reaches(known, last, last):
                self.note("I-24", f"stop {known.order_id} at {_text(known.stop_price)} did not fire at {_text(last)}")
            if not (known.resting or known.armed) and known.placed.order_type != "block":
                self.note("I-23", f"order {known.order_id} is open, and neither rests nor waits for its price")
            self._keep(known, None)


def _reaches(stop: Known, low: int, high: int) -> bool:
    """Is a price in this range at a stop's price, or through it? There is none before the first trade."""
    return high >= stop.stop_price if stop.placed.side == "buy" else 0 < low <= stop.stop_price


def _rate(text: str) -> int:
    return money.parse(text, money.RATE_SCALE)


def _text(amount: int) -> str:
    return money.write(amount, SCALE)


def outcomes_of(source: str, rows: Iterator[tuple[int, str, str | None, bytes]]) -> Iterator[Told]:
    """Rows of the log of trades, or of a shard of it, busts left out."""
    for sequence, kind, causation, data in rows:
        event = DECODE[kind](data)
        if not isinstance(event, TradeBusted):
            caused_in, _, cause = (causation or "").partition("/")
            yield Told(source, sequence, int(cause) if caused_in == "orders" and cause.isdigit() else 0, event)
