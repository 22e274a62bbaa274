"""The deeds of placing: admit orders, have their funds held, and put them into the log: then the engine takes them.

The hold comes before the order. A check followed by a create would let two orders spend the same dollar.
"""

from collections.abc import Generator, Sequence

import msgspec

from borsa.errors import Refusal, Refused
from borsa.markets import Market
from borsa.requests import HoldAll, HoldFunds, HoldPlaced, HoldsAnswered, hold_id_of
from borsa.runtime.service import Asking
from borsa.runtime.writing.transaction import Transaction
from borsa.services.orders import admission, publishing
from borsa.services.orders.admission import Terms
from borsa.services.orders.model import Order, OrderState, Placement, Placements, PlaceOrder, PlaceOrders
from borsa.services.orders.store import Memory


class Begun(msgspec.Struct, frozen=True, gc=False):
    """An order that was admitted, and waits for its hold."""

    asked: PlaceOrder
    terms: Terms
    hold: HoldFunds


def place_order(tx: Transaction, memory: Memory, asked: PlaceOrder) -> Asking:
    """Place one order."""
    begun = _begin(memory, asked)
    if isinstance(begun, OrderState):
        return begun
    try:
        placed: HoldPlaced = yield begun.hold
        order = _put_order(tx, memory, begun, placed)
        return OrderState(order, memory.market(order.symbol))
    finally:
        _end(memory, begun)


def place_orders(tx: Transaction, memory: Memory, asked: PlaceOrders) -> Asking:
    """Place many orders, with one request for all their holds; what is refused of one does not touch the others."""
    begun: list[Begun | Placement] = []
    try:
        begun += (_begin_one(memory, each) for each in asked.orders)
        answers = iter((yield from _held(begun)))
        placements = [_conclude(tx, memory, each, next(answers)) if isinstance(each, Begun) else each for each in begun]
    finally:
        for each in begun:
            if isinstance(each, Begun):
                _end(memory, each)
    symbols = {each.order.symbol for each in placements if each.order}
    return Placements(placements, {symbol: memory.market(symbol) for symbol in symbols})


def _held(begun: Sequence[Begun | Placement]) -> Generator[HoldAll, HoldsAnswered, Sequence[HoldPlaced | Refusal]]:
    holds = [each.hold for each in begun if isinstance(each, Begun)]
    if not holds:
        return ()
    answered = yield HoldAll(holds=holds)
    return answered.outcomes


def _begin_one(memory: Memory, asked: PlaceOrder) -> Begun | Placement:
    try:
        begun = _begin(memory, asked)
    except Refused as refused:
        return Placement(None, refusal=Refusal.of(refused))
    return Placement(begun.order) if isinstance(begun, OrderState) else begun


def _conclude(tx: Transaction, memory: Memory, begun: Begun, answer: HoldPlaced | Refusal) -> Placement:
    if isinstance(answer, Refusal):
        return Placement(None, refusal=answer)
    try:
        return Placement(_put_order(tx, memory, begun, answer))
    except Refused as refused:
        return Placement(None, refusal=Refusal.of(refused))


def _begin(memory: Memory, asked: PlaceOrder) -> Begun | OrderState:
    """Admit an order and say what it needs on hold; one that its client id names already is given back."""
    if asked.client_order_id is not None:
        earlier = memory.by_client_id(asked.user_id, asked.client_order_id)
        if earlier is not None:
            return _placed_before(earlier, memory.market(earlier.symbol), asked)
        if (asked.user_id, asked.client_order_id) in memory.placing:
            raise Refused("order_in_progress", field="clientOrderId")
    market = memory.market(asked.symbol)
    terms = admission.admit(asked, market, memory.last_price(asked.symbol))
    place = asked.user_id, asked.symbol
    if memory.open_count(*place) + memory.waiting[place] >= memory.settings.open_orders_max:
        raise Refused("too_many_open_orders", f"At most {memory.settings.open_orders_max} in one market")
    begun = Begun(asked, terms, _hold_for(memory.next_order_id(), asked, terms))
    memory.waiting[place] += 1
    if asked.client_order_id is not None:
        memory.placing.add((asked.user_id, asked.client_order_id))
    return begun


def _placed_before(earlier: Order, market: Market, asked: PlaceOrder) -> OrderState:
    if earlier.digest == asked.digest:
        return OrderState(earlier, market, repeated=True)
    raise Refused("duplicate_client_order_id", field="clientOrderId", orderId=str(earlier.order_id))


def _hold_for(order_id: int, asked: PlaceOrder, terms: Terms) -> HoldFunds:
    return HoldFunds(
        hold_id=hold_id_of(order_id),
        order_id=order_id,
        user_id=asked.user_id,
        wallet_id=asked.wallet_id,
        asset=terms.asset,
        amount=terms.amount,
        at_most=terms.at_most,
        at_least=terms.at_least,
    )


def _put_order(tx: Transaction, memory: Memory, begun: Begun, placed: HoldPlaced) -> Order:
    order_id = begun.hold.order_id
    if str(order_id) in memory.tombstones:
        # wallets asked about the hold before the order came into being, was told that it never will, and let go of it
        raise Refused("overloaded", "The order came too late to be placed")
    order = admission.new_order(begun.asked, begun.terms, order_id, placed.wallet_id, placed.amount, tx.now)
    memory.add_order(order)
    tx.publish(publishing.created(order, memory.market(order.symbol)))
    return order


def _end(memory: Memory, begun: Begun) -> None:
    """The order does not wait any more, whatever became of it."""
    place = begun.asked.user_id, begun.asked.symbol
    memory.waiting[place] -= 1
    if not memory.waiting[place]:
        del memory.waiting[place]
    if begun.asked.client_order_id is not None:
        memory.placing.discard((begun.asked.user_id, begun.asked.client_order_id))
