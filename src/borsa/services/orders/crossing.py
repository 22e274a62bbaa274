"""Trades that admins ask for: the cross of two open orders, and negotiated block trades. The engine executes both."""

import msgspec

from borsa.errors import Refused
from borsa.events import BlockTradeAgreed, CrossRequested
from borsa.markets import Market
from borsa.requests import (
    AgreeBlockTrade,
    CrossOrders,
    FindUser,
    HoldFunds,
    HoldPlaced,
    Requested,
    hold_id_of,
    must_exist,
)
from borsa.runtime.service import Asking
from borsa.runtime.writing.transaction import Transaction
from borsa.services.orders import admission, publishing
from borsa.services.orders.admission import Terms
from borsa.services.orders.model import BLOCK, Order, PlaceOrder
from borsa.services.orders.store import Memory


def cross_orders(tx: Transaction, memory: Memory, request: CrossOrders) -> Requested:
    """Put the cross of two open orders to the engine; what is plainly impossible is refused at once."""
    buy, sell = (memory.orders.get(each) for each in (request.buy_order_id, request.sell_order_id))
    if buy is None or sell is None:
        raise Refused("not_found")
    market = memory.market(buy.symbol)
    quantity, price = market.lots(request.quantity), market.ticks(request.price)
    _check_crossable(buy, sell, quantity, price)
    event = CrossRequested(
        order_id=str(buy.order_id),
        user_id=buy.user_id,
        symbol=buy.symbol,
        sell_order_id=str(sell.order_id),
        quantity=market.quantity_text(quantity),
        price=market.price_text(price),
    )
    _act(tx, "cross.requested", event)
    return Requested(tx.publish(event).id)


def _act(tx: Transaction, action: str, event: CrossRequested | BlockTradeAgreed) -> None:
    said = {"sellOrderId": event.sell_order_id, "quantity": event.quantity, "price": event.price}
    tx.act(action, event.order_id, symbol=event.symbol, **said)


def _check_crossable(buy: Order, sell: Order, quantity: int, price: int) -> None:
    for wrong, detail in (
        (buy.side != "buy" or sell.side != "sell", "not a buy and a sell order"),
        (buy.symbol != sell.symbol, "the orders are in different markets"),
        (buy.user_id == sell.user_id, "both orders are of one user"),
        (buy.is_closed or sell.is_closed, "an order is closed"),
        (not buy.price or not sell.price, "an order has no limit price"),
        (not sell.price <= price <= buy.price, "the price is outside a limit"),
        (quantity > min(buy.remaining, sell.remaining), "the quantity is more than remains"),
    ):
        if wrong:
            raise Refused("not_crossable", f"These two orders can't be crossed so: {detail}")


def agree_block_trade(tx: Transaction, memory: Memory, request: AgreeBlockTrade) -> Asking:
    """Hold both sides' funds, make an order of type `block` for each, and have them executed against each other.

    A crash between the holds leaves them without orders: wallets asks about them, and voids them.
    """
    market = memory.market(request.symbol)
    if request.buyer_id == request.seller_id:
        raise Refused("invalid_request", "buyer and seller must differ", field="sellerId")
    quantity, price = market.lots(request.quantity), market.ticks(request.price)
    admission.check_notional(market, price, quantity)
    for field, user_id in (("buyerId", request.buyer_id), ("sellerId", request.seller_id)):
        missing = Refused("invalid_request", f"{field} is not a user", field=field)
        yield from must_exist(FindUser(user_id=user_id), missing)
    orders = []
    for side, user_id in (("buy", request.buyer_id), ("sell", request.seller_id)):
        orders.append((yield from _held_order(tx, memory, market, side, user_id, quantity, price)))
    buy, sell = orders
    for order in orders:
        order = msgspec.structs.replace(order, created_at=tx.now, updated_at=tx.now)
        if str(order.order_id) in memory.tombstones:
            raise Refused("overloaded", "The trade came too late to be made")
        memory.add_order(order)
        tx.publish(publishing.created(order, market))
    event = BlockTradeAgreed(
        order_id=str(buy.order_id),
        user_id=buy.user_id,
        symbol=market.symbol,
        sell_order_id=str(sell.order_id),
        quantity=market.quantity_text(quantity),
        price=market.price_text(price),
    )
    _act(tx, "block_trade.agreed", event)
    return Requested(tx.publish(event).id)


def _held_order(
    tx: Transaction, memory: Memory, market: Market, side: str, user_id: str, quantity: int, price: int
) -> Asking:
    asset, amount = (
        (market.quote, market.notional(price, quantity)) if side == "buy" else (market.base, quantity * market.lot)
    )
    order_id = memory.next_order_id()
    placed: HoldPlaced = yield HoldFunds(
        hold_id=hold_id_of(order_id), order_id=order_id, user_id=user_id, wallet_id=None, asset=asset, amount=amount
    )
    asked = PlaceOrder(
        user_id=user_id,
        symbol=market.symbol,
        side=side,
        order_type=BLOCK,
        time_in_force="gtc",
        post_only=False,
        self_trade_prevention="cancel_newest",
        quantity=None,
        price=None,
        stop_price=None,
        quote_quantity=None,
        client_order_id=None,
        wallet_id=placed.wallet_id,
        digest=None,
    )
    terms = Terms(quantity, price, 0, 0, 0, asset, amount, at_most=False)
    return admission.new_order(asked, terms, order_id, placed.wallet_id, placed.amount, tx.now)
