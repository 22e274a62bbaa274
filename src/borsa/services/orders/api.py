"""The door of orders: place, read, amend and cancel."""

import asyncio
import hashlib
from collections.abc import Callable

from borsa.errors import Refused
from borsa.markets import Market, symbol_of
from borsa.runtime.codec import encode, number_text
from borsa.runtime.http.call import Call, first_of
from borsa.runtime.http.page import NEWEST_NUMBER, after_cursor, next_cursor
from borsa.runtime.http.problem import Problem, problem_of
from borsa.runtime.http.route import Answered, Route
from borsa.services.orders import markets_api, store
from borsa.services.orders.model import (
    CANCELLED,
    FILLED,
    PENDING,
    AmendOrder,
    CancelAll,
    CancelOrder,
    Order,
    OrderState,
    Placement,
    PlaceOrder,
    PlaceOrders,
)
from borsa.services.orders.wire import (
    Amendment,
    CancelledOrders,
    NewOrder,
    NewOrders,
    OrderPage,
    OrderQuery,
    OrderReply,
    OrderResults,
    SymbolQuery,
    order_reply,
)

# placing -----------------------------------------------------------------------------------------------------------


async def place_order(call: Call, body: NewOrder) -> Answered:
    """POST /api/orders"""
    _limit(call, 1)
    state = await call.ask(_asked(call, body))
    status = 200 if state.repeated else 201
    if call.prefer_wait and state.order.status == PENDING:
        order = await _wait_until(call, state.order.order_id, lambda order: order.status != PENDING, call.prefer_wait)
        state = OrderState(order, state.market)
    return Answered(order_reply(state), status)


async def place_orders(call: Call, body: NewOrders) -> OrderResults:
    """POST /api/orders/batch"""
    _limit(call, len(body.orders))
    asked = [_asked_or_problem(call, each) for each in body.orders]
    placed = await call.ask(PlaceOrders(orders=[each for each in asked if isinstance(each, PlaceOrder)]))
    results = iter(placed.placements)
    return OrderResults(
        results=[_result(next(results), placed.markets) if isinstance(each, PlaceOrder) else each for each in asked]
    )


def _asked_or_problem(call: Call, body: NewOrder) -> PlaceOrder | Problem:
    try:
        return _asked(call, body)
    except Refused as refused:
        return problem_of(refused)


def _result(placement: Placement, markets: dict[str, Market]) -> OrderReply | Problem:
    if placement.order is not None:
        return order_reply(OrderState(placement.order, markets[placement.order.symbol]))
    if placement.refusal is None:
        raise ValueError("a placement is an order or a refusal")
    return problem_of(placement.refusal.refused)


def _limit(call: Call, count: int) -> None:
    call.means.limits.orders_of_user.take(call.identity.user_id, count)


def _asked(call: Call, body: NewOrder) -> PlaceOrder:
    order_type = body.order_type
    return PlaceOrder(
        user_id=call.identity.user_id,
        symbol=_symbol(body),
        side=_side(body),
        order_type=order_type,
        time_in_force=body.time_in_force or ("ioc" if order_type in ("market", "stop") else "gtc"),
        post_only=body.post_only,
        self_trade_prevention=body.self_trade_prevention,
        quantity=number_text(body.quantity, "quantity"),
        price=number_text(body.price, "price"),
        stop_price=number_text(body.stop_price, "stopPrice"),
        quote_quantity=number_text(body.quote_quantity, "quoteQuantity"),
        client_order_id=body.client_order_id,
        wallet_id=body.wallet_id,
        digest=hashlib.sha256(encode(body)).digest() if body.client_order_id else None,
    )


def _symbol(body: NewOrder) -> str:
    name = body.symbol or body.product
    if name is None:
        raise Refused("invalid_request", "symbol is missing", field="symbol")
    if body.product and body.symbol and symbol_of(body.product) != symbol_of(body.symbol):
        raise Refused("invalid_request", "product and symbol name different markets", field="product")
    return symbol_of(name)


def _side(body: NewOrder) -> str:
    side = body.type or body.side
    if side is None:
        raise Refused("invalid_request", "type must be buy or sell", field="type")
    if body.type and body.side and body.type != body.side:
        raise Refused("invalid_request", "type and side contradict each other", field="side")
    return side


# reading -----------------------------------------------------------------------------------------------------------


async def list_orders(call: Call) -> OrderPage:
    """GET /api/orders"""
    query: OrderQuery = call.query
    symbol = symbol_of(query.symbol) if query.symbol else None
    (before,) = after_cursor(query.cursor, NEWEST_NUMBER)
    found = await call.read(
        store.orders_page, call.listed, symbol, query.status, query.client_order_id, before, query.limit
    )
    markets = {market.symbol: market for market in await call.read(store.all_markets)}
    data = [order_reply(OrderState(order, markets[order.symbol])) for order in found]
    return OrderPage(data=data, next_cursor=next_cursor(found, query.limit, lambda order: (order.order_id,)))


async def get_order(call: Call) -> OrderReply:
    """GET /api/orders/{id}"""
    return order_reply(await _state(call, await _visible(call)))


async def _visible(call: Call) -> Order:
    order = await call.read(store.order_by_id, call.number("id"))
    if order is None or not call.identity.may_see(order.user_id):
        raise Refused("not_found")
    return order


async def _state(call: Call, order: Order) -> OrderState:
    market = await call.read(store.market_by_symbol, order.symbol)
    if market is None:
        raise LookupError(order.symbol)
    return OrderState(order, market)


# amending and cancelling -------------------------------------------------------------------------------------------


async def amend_order(call: Call, body: Amendment) -> Answered:
    """PUT /api/orders/{id}"""
    order = await _visible(call)
    if order.user_id != call.identity.user_id:
        raise Refused("forbidden", "An admin may cancel a user's order, not amend it")
    asked = AmendOrder(
        order_id=order.order_id,
        user_id=order.user_id,
        quantity=number_text(body.quantity, "quantity"),
        price=number_text(body.price, "price"),
        version=body.version,
    )
    requested = (await call.ask(asked)).order
    order = await _wait_until(call, order.order_id, lambda order: order.amending != requested.revision, _patience(call))
    if order.amending == requested.revision:
        return Answered(order_reply(await _state(call, order)), 202)
    if order.reason and order.reason.startswith("amendment refused"):
        raise Refused(_AMENDMENT_REFUSED.get(order.reason.rpartition(" ")[2], "order_closed"))
    state = await _state(call, order)
    if order.is_closed and not _has_terms(state, asked):
        # it ended before the engine came to the amendment
        raise Refused("order_filled" if order.status == FILLED else "order_closed")
    return Answered(order_reply(state), 200)


_AMENDMENT_REFUSED = {"would_cross": "would_cross", "not_amendable": "market_halted"}


def _has_terms(state: OrderState, asked: AmendOrder) -> bool:
    order, market = state.order, state.market
    return order.reason == "amended_down" or (
        (asked.quantity is None or market.lots(asked.quantity) == order.quantity)
        and (asked.price is None or market.ticks(asked.price) == order.price)
    )


async def cancel_order(call: Call) -> Answered:
    """DELETE /api/orders/{id}"""
    state = await call.ask(CancelOrder(order_id=call.number("id"), user_id=call.owner))
    order = state.order
    if not order.is_closed:
        order = await _wait_until(call, order.order_id, lambda order: order.is_closed, _patience(call))
    if order.status == FILLED:
        raise Refused("order_filled")
    if order.is_closed and order.status != CANCELLED:
        raise Refused("order_closed", f"The order is {order.status}")
    return Answered(order_reply(OrderState(order, state.market)), 200 if order.is_closed else 202)


async def cancel_all(call: Call) -> CancelledOrders:
    """DELETE /api/orders"""
    query: SymbolQuery = call.query
    symbol = symbol_of(query.symbol) if query.symbol else None
    asked, loop = await _cancel_parts(call, symbol), asyncio.get_running_loop()
    end = loop.time() + _patience(call)
    data = []
    for order_id in asked:
        # the engine takes them in this order: when the last is closed nobody waits any more
        order = await _wait_until(call, order_id, lambda order: order.is_closed, end - loop.time())
        data.append(order_reply(await _state(call, order)))
        await asyncio.sleep(0)  # others have their turn between any two
    return CancelledOrders(data=data)


async def _cancel_parts(call: Call, symbol: str | None) -> list[int]:
    """The ids of the orders that were open, each asked to be cancelled, part by part."""
    found: list[int] = []
    asked: CancelAll | None = CancelAll(user_id=call.identity.user_id, symbol=symbol)
    while asked is not None:
        part = await call.ask(asked)
        found += [state.order.order_id for state in part.orders]
        asked = part.rest
    return found


def _patience(call: Call) -> float:
    return call.prefer_wait or call.settings.verdict_wait_ms / 1000


async def _wait_until(call: Call, order_id: int, so: Callable[[Order], bool], seconds: float) -> Order:
    """The order as soon as it is so, or as it is when the time is over."""
    loop = asyncio.get_running_loop()
    end = loop.time() + seconds
    while True:
        told = call.watch("orders", str(order_id))
        try:
            order = await call.read(store.order_by_id, order_id)
            if order is None:
                raise LookupError(order_id)
            if so(order) or await first_of(told, end - loop.time()) is None:
                return order
        finally:
            told.cancel()


_ONE = "/api/orders/{id}"
_ADMISSION = (
    "unknown_symbol",
    "off_tick",
    "off_lot",
    "below_min_notional",
    "price_band",
    "insufficient_funds",
    "market_halted",
    "duplicate_client_order_id",
    "order_in_progress",
    "too_many_open_orders",
    "wallet_closed",
    "too_many_requests",
)

ROUTES = (
    Route(
        "POST",
        "/api/orders",
        place_order,
        "trade",
        "Place an order; `Prefer: wait=N` waits for the engine's verdict",
        body=NewOrder,
        reply=OrderReply,
        status=201,
        also=(200,),
        errors=_ADMISSION,
    ),
    Route(
        "POST",
        "/api/orders/batch",
        place_orders,
        "trade",
        "Place up to 500 orders, each accepted or refused for itself",
        body=NewOrders,
        reply=OrderResults,
        errors=("too_many_requests",),
        body_bytes_max="batch_body_bytes_max",
    ),
    Route(
        "GET",
        "/api/orders",
        list_orders,
        "user",
        "Own orders, newest first; all of them for admins",
        query=OrderQuery,
        reply=OrderPage,
    ),
    Route(
        "DELETE",
        "/api/orders",
        cancel_all,
        "trade",
        "Cancel all own open orders, or those in one market",
        query=SymbolQuery,
        reply=CancelledOrders,
        errors=("unknown_symbol",),
    ),
    Route("GET", _ONE, get_order, "user", "An order", reply=OrderReply),
    Route(
        "PUT",
        _ONE,
        amend_order,
        "trade",
        "Amend price or total quantity; 202 when the engine has not answered yet",
        body=Amendment,
        reply=OrderReply,
        also=(202,),
        errors=(
            "order_filled",
            "order_closed",
            "order_not_ready",
            "stale_version",
            "would_cross",
            "market_halted",
            "insufficient_funds",
            "off_tick",
            "off_lot",
            "below_min_notional",
            "price_band",
        ),
    ),
    Route(
        "DELETE",
        _ONE,
        cancel_order,
        "trade",
        "Cancel an order; 202 when the engine has not answered yet",
        reply=OrderReply,
        also=(202,),
        errors=("order_filled", "order_closed"),
    ),
    *markets_api.ROUTES,
)
