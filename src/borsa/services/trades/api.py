"""The door of trades: what was executed, the public tape and book, and what only admins may do."""

from msgspec import UNSET

from borsa.errors import Refused
from borsa.events import CrossRejected
from borsa.markets import symbol_of
from borsa.requests import AgreeBlockTrade, CrossOrders, Requested
from borsa.runtime.codec import id_number, required_number
from borsa.runtime.http.call import Call, first_of_any
from borsa.runtime.http.page import NEWEST_NUMBER, after_cursor, next_cursor
from borsa.runtime.http.route import Route
from borsa.services.trades import store, tape
from borsa.services.trades.model import Annotate, BustTrade, Trade, newest_of
from borsa.services.trades.wire import Bust, NewTrade, TradeNote, TradePage, TradeQuery, TradeReply, trade_reply

ENGINE_SECONDS = 10
"""How long an admin's trade waits for the engine."""


async def list_trades(call: Call) -> TradePage:
    """GET /api/trades"""
    query: TradeQuery = call.query
    symbol = symbol_of(query.symbol) if query.symbol else None
    (before,) = after_cursor(query.cursor, NEWEST_NUMBER)
    pages = await call.read_each(store.trades_page, call.listed, symbol, query.order_id, before, query.limit)
    found = newest_of(pages, query.limit)
    data = [trade_reply(trade, call.listed) for trade in found]
    return TradePage(data=data, next_cursor=next_cursor(found, query.limit, lambda trade: (trade.trade_id,)))


async def get_trade(call: Call) -> TradeReply:
    """GET /api/trades/{id}"""
    trade, _ = await _found(call)
    if trade is None or not call.identity.may_see(trade.buyer_id, trade.seller_id):
        raise Refused("not_found")
    return trade_reply(trade, call.owner)


async def _found(call: Call) -> tuple[Trade | None, str]:
    """The trade of the path, and the shard that made it."""
    trades = await call.read_each(store.trade_by_id, call.number("id"))
    return next(((trade, shard) for trade, shard in zip(trades, call.shards, strict=True) if trade), (None, ""))


async def _shard_of(call: Call) -> str:
    """Whom to ask about the trade of the path; where there is but one, it is not looked for."""
    return "" if len(call.shards) == 1 else (await _found(call))[1]


async def execute_trade(call: Call, body: NewTrade) -> TradeReply:
    """POST /api/trades"""
    quantity, price = required_number(body.quantity, "quantity"), required_number(body.price, "price")
    requested = await _request(call, body, quantity, price)
    told = [call.watch(shard, requested.event_id) for shard in call.shards]
    try:
        trade = await _made_by(call, requested)
        event = None if trade else await first_of_any(told, ENGINE_SECONDS)
    finally:
        for each in told:
            each.cancel()
    if isinstance(event, CrossRejected):
        raise Refused("not_crossable", f"The engine refused: {event.reason}")
    trade = trade or await _made_by(call, requested)
    if trade is None:
        raise Refused("overloaded", "The engine has not answered yet")
    return trade_reply(trade, call.owner)


async def _request(call: Call, body: NewTrade, quantity: str, price: str) -> Requested:
    block = (body.symbol, body.buyer_id, body.seller_id)
    cross = (body.buy_order_id, body.sell_order_id)
    if all(cross) and not any(block):
        return await call.ask(
            CrossOrders(
                buy_order_id=_order_id(cross[0], "buyOrderId"),
                sell_order_id=_order_id(cross[1], "sellOrderId"),
                quantity=quantity,
                price=price,
            )
        )
    if body.symbol and body.buyer_id and body.seller_id and not any(cross):
        return await call.ask(
            AgreeBlockTrade(
                symbol=symbol_of(body.symbol),
                buyer_id=body.buyer_id,
                seller_id=body.seller_id,
                quantity=quantity,
                price=price,
            )
        )
    raise Refused(
        "invalid_request",
        "needs symbol, buyerId and sellerId, or buyOrderId and sellOrderId",
        field="buyerId" if not all(block) else "buyOrderId",
    )


async def _made_by(call: Call, requested: Requested) -> Trade | None:
    made = await call.read_each(store.trade_caused_by, int(requested.event_id.partition("/")[2]))
    return next(filter(None, made), None)


async def annotate(call: Call, body: TradeNote) -> TradeReply:
    """PUT /api/trades/{id}"""
    for name in ("quantity", "price", "buyer_id", "seller_id"):
        if getattr(body, name) is not UNSET:
            raise Refused("immutable_trade")
    asked = Annotate(trade_id=call.number("id"), note=body.note, tags=body.tags)
    trade = await call.ask(asked, of=await _shard_of(call))
    return trade_reply(trade, call.owner)


async def bust(call: Call, body: Bust) -> TradeReply:
    """DELETE /api/trades/{id}"""
    trade = await call.ask(BustTrade(trade_id=call.number("id"), reason=body.reason), of=await _shard_of(call))
    return trade_reply(trade, call.owner)


def _order_id(text: str | None, field: str) -> int:
    number = id_number(text or "")
    if number is None:
        raise Refused("invalid_request", f"{field} must be the id of an order", field=field)
    return number


_ONE = "/api/trades/{id}"

ROUTES = (
    Route(
        "GET",
        "/api/trades",
        list_trades,
        "user",
        "Own trades, newest first; all of them for admins",
        query=TradeQuery,
        reply=TradePage,
    ),
    Route("GET", _ONE, get_trade, "user", "A trade, for its parties", reply=TradeReply),
    Route(
        "POST",
        "/api/trades",
        execute_trade,
        "admin",
        "Execute a negotiated block trade, or cross two open orders",
        body=NewTrade,
        reply=TradeReply,
        status=201,
        errors=("not_crossable", "insufficient_funds", "unknown_symbol", "not_found", "off_tick", "off_lot"),
    ),
    Route(
        "PUT",
        _ONE,
        annotate,
        "admin",
        "Change a trade's note and tags; the rest is a fact",
        body=TradeNote,
        reply=TradeReply,
        errors=("immutable_trade",),
    ),
    Route(
        "DELETE",
        _ONE,
        bust,
        "admin",
        "Declare a trade void: its money is moved back, its row stays",
        body=Bust,
        reply=TradeReply,
        errors=("already_busted", "funds_gone"),
    ),
    *tape.ROUTES,
)
