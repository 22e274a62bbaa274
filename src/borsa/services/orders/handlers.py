"""The deeds of orders: placing behind a hold, asking the engine to amend or cancel, and following its word."""

import msgspec

from borsa import markets
from borsa.errors import Refused
from borsa.events import (
    OrderAmended,
    OrderAmendRejected,
    OrderAmendRequested,
    OrderCancelRequested,
    OrderClosed,
    OrderOpened,
    TradeExecuted,
)
from borsa.markets import Market, notional_units
from borsa.requests import ConfirmHolds, HoldFunds, HoldsKnown, hold_id_of, order_of_hold
from borsa.runtime.log import Fetch
from borsa.runtime.service import Asking
from borsa.runtime.writing.transaction import Transaction
from borsa.services.orders import admission, model, publishing
from borsa.services.orders.model import (
    CANCELLED,
    CANCELS_AT_ONCE,
    FILLED,
    PENDING,
    RESTING,
    Amendment,
    AmendOrder,
    CancelAll,
    Cancelling,
    CancelOrder,
    ChangeMarket,
    CreateMarket,
    Order,
    OrderState,
)
from borsa.services.orders.store import Memory

# holds -------------------------------------------------------------------------------------------------------------


def confirm_holds(_: Transaction, memory: Memory, request: ConfirmHolds) -> HoldsKnown:
    """Say which holds have an order or amendment; the others get a tombstone, so that a late one loses."""
    exist = [hold_id for hold_id in request.hold_ids if _exists(memory, hold_id)]
    memory.tombstones.update(set(request.hold_ids).difference(exist))
    return HoldsKnown(exist)


def _exists(memory: Memory, hold_id: str) -> bool:
    order_id, revision = order_of_hold(hold_id)
    if revision:
        return memory.amendments.get((order_id, revision)) is not None
    return memory.orders.get(order_id) is not None


# amending and cancelling -------------------------------------------------------------------------------------------


def amend_order(tx: Transaction, memory: Memory, asked: AmendOrder) -> Asking:
    """Hold what the new terms need more, then ask the engine. Refused: the old order stands untouched."""
    order, market = _own(memory, asked.order_id, asked.user_id)
    quantity, price = admission.amended_terms(asked, order, market, memory.last_price(order.symbol))
    extra = admission.extra_need(order, market, quantity, price)
    # the revision is used up before the hold is asked for: no two attempts share a hold
    order = msgspec.structs.replace(order, revision=order.revision + 1, amending=order.revision + 1)
    memory.orders.put(order)
    if extra:
        hold = HoldFunds(
            hold_id=hold_id_of(order.order_id, order.revision),
            order_id=order.order_id,
            user_id=order.user_id,
            wallet_id=order.wallet_id,
            asset=market.base if order.side == "sell" else market.quote,
            amount=extra,
        )
        try:
            yield hold
        except Refused as refused:
            _end_amending(memory, order.order_id)
            return refused
    return _request_amendment(tx, memory, order, market, quantity, price)


def _request_amendment(
    tx: Transaction, memory: Memory, asked: Order, market: Market, quantity: int, price: int
) -> OrderState | Refused:
    order = _order(memory, asked.order_id)
    if order.is_closed or hold_id_of(order.order_id, asked.revision) in memory.tombstones:
        # the extra hold, if any, is voided by the sweep of wallets: no amendment will ever name it
        _end_amending(memory, order.order_id)
        return Refused("order_filled" if order.status == FILLED else "order_closed")
    memory.amendments.add(Amendment(order.order_id, asked.revision, quantity, price, tx.now))
    event = OrderAmendRequested(
        order_id=str(order.order_id),
        user_id=order.user_id,
        symbol=order.symbol,
        quantity=market.quantity_text(quantity),
        price=market.price_text(price),
        revision=asked.revision,
    )
    tx.publish(event)
    return OrderState(order, market)


def _end_amending(memory: Memory, order_id: int) -> None:
    order = _order(memory, order_id)
    memory.orders.put(msgspec.structs.replace(order, amending=0))


def cancel_order(tx: Transaction, memory: Memory, asked: CancelOrder) -> OrderState:
    """Ask the engine to end an order. Already cancelled: the same answer again; filled: refused, the fill wins."""
    order, market = _own(memory, asked.order_id, asked.user_id)
    if order.status == FILLED:
        raise Refused("order_filled")
    if order.is_closed and order.status != CANCELLED:
        raise Refused("order_closed", f"The order is {order.status}")
    if tx.admin not in (None, order.user_id):
        tx.act("order.cancel_requested", str(order.order_id), userId=order.user_id, symbol=order.symbol)
    return OrderState(_request_cancel(tx, memory, order), market)


def cancel_all(tx: Transaction, memory: Memory, asked: CancelAll) -> Cancelling:
    """Ask the engine to end open orders of a user: a part of them, and what asks for the next part."""
    symbols = None if asked.symbol is None else [memory.market(asked.symbol).symbol]
    until = asked.until or memory.last_order_id
    found = memory.oldest_open_of(asked.user_id, symbols, range(asked.after + 1, until + 1), CANCELS_AT_ONCE + 1)
    part = found[:CANCELS_AT_ONCE]
    states = [OrderState(_request_cancel(tx, memory, order), memory.market(order.symbol)) for order in part]
    if len(found) == len(part):
        return Cancelling(states)
    return Cancelling(states, msgspec.structs.replace(asked, after=part[-1].order_id, until=until))


def _request_cancel(tx: Transaction, memory: Memory, order: Order) -> Order:
    if order.is_closed or order.cancel_requested:
        return order
    order = msgspec.structs.replace(order, cancel_requested=1)
    memory.orders.put(order)
    tx.publish(OrderCancelRequested(order_id=str(order.order_id), user_id=order.user_id, symbol=order.symbol))
    return order


def _order(memory: Memory, order_id: int) -> Order:
    order = memory.orders.get(order_id)
    if order is None:
        raise Refused("not_found")
    return order


def _own(memory: Memory, order_id: int, user_id: str | None) -> tuple[Order, Market]:
    order = _order(memory, order_id)
    if user_id not in (None, order.user_id):
        raise Refused("not_found")
    return order, memory.market(order.symbol)


# the engine's word -------------------------------------------------------------------------------------------------


def on_opened(tx: Transaction, memory: Memory, event: OrderOpened) -> None:
    """The order rests on the book."""
    order = _order(memory, int(event.order_id))
    if order.status == PENDING:
        _follow(tx, memory, order, status=RESTING)


def on_trade(tx: Transaction, memory: Memory, event: TradeExecuted) -> None:
    """Both orders of a trade are filled so far."""
    market = memory.market(event.symbol)
    quantity = market.lots(event.quantity)
    cost = notional_units(event.price, quantity * market.lot)
    for order_id in (event.buy_order_id, event.sell_order_id):
        order = model.filled(_order(memory, int(order_id)), quantity, cost, tx.now)
        memory.orders.put(order)
        tx.publish(publishing.updated(order, market))
    if not event.block:
        memory.put_last_price(event.symbol, market.ticks(event.price))


def on_closed(tx: Transaction, memory: Memory, event: OrderClosed) -> None:
    """The engine's last word on an order."""
    before = _order(memory, int(event.order_id))
    memory.end_order(before)
    after = model.closed(before, event.reason, tx.now)
    if before.status == after.status:
        # the last fill has said it already
        memory.orders.put(msgspec.structs.replace(before, reason=event.reason, amending=0))
        return
    memory.orders.put(after)
    market = memory.market(after.symbol)
    tx.publish(publishing.updated(after, market))
    if after.status == CANCELLED:
        tx.publish(publishing.cancelled(after, market))


def on_amended(tx: Transaction, memory: Memory, event: OrderAmended) -> None:
    """New terms hold, or (revision 0) self-trade prevention took something off."""
    order = _order(memory, int(event.order_id))
    market = memory.market(event.symbol)
    quantity, remaining = _lots(market, event.quantity), _lots(market, event.remaining_quantity)
    _follow(
        tx,
        memory,
        order,
        quantity=quantity,
        # prevention changes no price, and may lower an order that has none
        price=market.ticks(event.price) if event.revision else order.price,
        prevented=max(0, quantity - order.filled - remaining) if event.revision == 0 else order.prevented,
        amending=order.amending if event.revision == 0 else 0,
        reason=order.reason if event.revision == 0 else None,
    )


def _lots(market: Market, text: str) -> int:
    return markets.amount_units(text) // market.lot


def on_amend_rejected(tx: Transaction, memory: Memory, event: OrderAmendRejected) -> None:
    """The old terms stand."""
    order = _order(memory, int(event.order_id))
    if not order.is_closed:
        _follow(tx, memory, order, amending=0, reason=f"amendment refused: {event.reason}")


def _follow(tx: Transaction, memory: Memory, order: Order, **changes: object) -> None:
    order = msgspec.structs.replace(order, version=order.version + 1, updated_at=tx.now, **changes)
    memory.orders.put(order)
    tx.publish(publishing.updated(order, memory.market(order.symbol)))


# markets -----------------------------------------------------------------------------------------------------------


def first_start(tx: Transaction, memory: Memory, _fetch: Fetch) -> None:
    """Admit the shipped markets."""
    for market in markets.SHIPPED:
        if memory.find_market(market.symbol) is None:
            market = msgspec.structs.replace(market, price_band_ppm=memory.settings.price_band_ppm)
            memory.put_market(market)
            tx.publish(publishing.market_created(market))


def forget_lost_amendments(_: Transaction, memory: Memory, _fetch: Fetch) -> None:
    """Let go of amendments that a crash cut off before they were put to the engine: they never were."""
    for order in memory.amending():
        if memory.amendments.get((order.order_id, order.amending)) is None:
            _end_amending(memory, order.order_id)


def create_market(tx: Transaction, memory: Memory, request: CreateMarket) -> Market:
    """Admit a market, if every price times quantity on its grid is exact."""
    if memory.find_market(request.market.symbol) is not None:
        raise Refused("market_exists", field="symbol")
    number = max((each.number for each in memory.markets()), default=0) + 1
    market = markets.admit(msgspec.structs.replace(request.market, number=number))
    memory.put_market(market)
    event = publishing.market_created(market)
    tx.publish(event)
    tx.act("market.created", market.symbol, market=event)
    return market


def change_market(tx: Transaction, memory: Memory, request: ChangeMarket) -> Market:
    """Change what may change of a market, in the sequence of its orders."""
    given = {
        "maker_fee": request.maker_fee,
        "taker_fee": request.taker_fee,
        "price_band_ppm": request.price_band_ppm,
        "state": request.state,
    }
    changes = {name: value for name, value in given.items() if value is not None}
    before = memory.market(request.symbol)
    market = markets.admit(msgspec.structs.replace(before, **changes))
    memory.put_market(market)
    tx.publish(publishing.market_updated(market))
    tx.act("market.changed", market.symbol, **publishing.market_changes(before, market))
    return market
