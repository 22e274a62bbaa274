"""The feeds of orders: each user's own orders."""

from borsa.runtime.feeds import Feeds, Own, owner
from borsa.runtime.store import Reader
from borsa.services.orders import store
from borsa.services.orders.model import OrderState
from borsa.services.orders.wire import OrderReply, order_reply


def feeds(_: None) -> Feeds:
    """What orders has to follow."""
    kinds = frozenset({"OrderCreated", "OrderUpdated", "OrderCancelled"})
    return Feeds(own={"orders": Own(kinds=kinds, owners=owner, data=_order)})


def _order(reader: Reader, order_id: str, _user_id: str) -> OrderReply | None:
    order = store.order_by_id(reader, int(order_id))
    market = store.market_by_symbol(reader, order.symbol) if order else None
    return order_reply(OrderState(order, market)) if order and market else None
