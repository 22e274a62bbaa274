"""The law of admission: which orders and amendments a market takes, and what they need on hold. Pure."""

from functools import cache

import msgspec

from borsa.errors import Refused
from borsa.markets import ASSET_SCALE, OPEN, Market, amount_text, units_above_zero
from borsa.money import UNITS_MAX
from borsa.services.orders.model import FILLED, LIMITED, PENDING, STOPS, AmendOrder, Order, PlaceOrder

# admission ---------------------------------------------------------------------------------------------------------


class Terms(msgspec.Struct, frozen=True, gc=False):
    """An admitted order's numbers on its market's grid, and what it needs on hold.

    `worst_price`: the furthest at which an order without a limit may trade (0: none).
    `at_most`: as much of `amount` as is available will do, because it bounds what the order may spend. `at_least`: less
    than this would buy nothing, at no price.
    """

    quantity: int
    price: int
    stop_price: int
    worst_price: int
    quote_quantity: int
    asset: str
    amount: int
    at_most: bool
    at_least: int = 1


def admit(asked: PlaceOrder, market: Market, last_price: int) -> Terms:
    """The order's terms, or a refusal that names the field at fault."""
    if market.state != OPEN:
        raise Refused("market_halted", f"{market.symbol} is {market.state}")
    _check_fields(asked)
    price = market.ticks(asked.price) if asked.price is not None else 0
    stop_price = market.ticks(asked.stop_price, "stopPrice") if asked.stop_price is not None else 0
    quantity = market.lots(asked.quantity) if asked.quantity is not None else 0
    budget = 0
    if asked.quote_quantity is not None:
        budget = units_above_zero(asked.quote_quantity, ASSET_SCALE, "quoteQuantity")
    for ticks, field in ((price, "price"), (stop_price, "stopPrice")):
        check_band(market, ticks, last_price, field)
    reference = price or stop_price or last_price
    if quantity and reference:
        check_notional(market, reference, quantity)
    elif budget and budget < max(market.min_notional, market.unit):
        raise _below(market, "quoteQuantity")
    # fixed here, in the log: who waits for a stop price knows it from the start, and the hold is enough for it
    worst_price = 0 if price else market.furthest(asked.side, stop_price or last_price)
    asset, amount, at_most = _need(asked, market, price, quantity, budget, worst_price)
    at_least = market.unit if at_most else 1
    return Terms(quantity, price, stop_price, worst_price, budget, asset, amount, at_most, at_least)


def _check_fields(asked: PlaceOrder) -> None:
    fault = _fault(
        asked.order_type,
        asked.side,
        asked.time_in_force,
        asked.post_only,
        asked.price is not None,
        asked.stop_price is not None,
        asked.quantity is not None,
        asked.quote_quantity is not None,
    )
    if fault is not None:
        field, detail = fault
        raise Refused("invalid_request", detail, field=field)


@cache
def _fault(
    order_type: str,
    side: str,
    time_in_force: str,
    post_only: bool,
    priced: bool,
    stopped: bool,
    sized: bool,
    budgeted: bool,
) -> tuple[str, str] | None:
    """What does not fit together in an order of this shape, if anything: the field, and what is wrong with it."""
    limited, stop = order_type in LIMITED, order_type in STOPS
    for wrong, field, detail in (
        (limited and not priced, "price", "price is missing"),
        (not limited and priced, "price", f"a {order_type} order has no price"),
        (stop and not stopped, "stopPrice", "stopPrice is missing"),
        (not stop and stopped, "stopPrice", "only stop orders have it"),
        (budgeted and (limited or side == "sell"), "quoteQuantity", "only market and stop buys have it"),
        (budgeted and sized, "quoteQuantity", "either quantity or quoteQuantity"),
        (not budgeted and not sized, "quantity", "quantity is missing"),
        (post_only and not limited, "postOnly", "only limit orders can be post-only"),
        (post_only and time_in_force != "gtc", "postOnly", "a post-only order is gtc"),
    ):
        if wrong:
            return field, detail
    return None


def check_band(market: Market, price: int, last_price: int, field: str = "price") -> None:
    """A price too far from the last trade is refused; there is no band before the first trade."""
    if not price:
        return
    low, high = market.furthest("sell", last_price), market.furthest("buy", last_price)
    if high and not low <= price <= high:
        detail = f"{field} must be between {market.price_text(low)} and {market.price_text(high)}"
        raise Refused("price_band", detail, field=field)


def check_notional(market: Market, price: int, quantity: int) -> None:
    """Price times quantity must be worth the while, and small enough to be kept."""
    notional = market.notional(price, quantity)
    if notional < market.min_notional:
        raise _below(market, "quantity")
    if notional > UNITS_MAX:
        raise Refused("invalid_request", "price times quantity is too large", field="quantity")


def _below(market: Market, field: str) -> Refused:
    least = amount_text(market.quote, max(market.min_notional, market.unit))
    return Refused("below_min_notional", f"must be worth at least {least} {market.quote}", field=field)


def _need(
    asked: PlaceOrder, market: Market, price: int, quantity: int, budget: int, worst_price: int
) -> tuple[str, int, bool]:
    """Which asset to hold, how much, and whether less will do. The asset follows from market and side alone."""
    if asked.side == "sell":
        return market.base, quantity * market.lot, False
    if price:
        return market.quote, market.notional(price, quantity), False
    if budget:
        return market.quote, budget, False
    # without a worst price nothing bounds what it may cost: everything that is available is its budget
    most = market.notional(worst_price, quantity) if worst_price else UNITS_MAX
    return market.quote, min(UNITS_MAX, most), True


def new_order(
    asked: PlaceOrder, terms: Terms, order_id: int, wallet_id: str, held: int, now: int, order_type: str = ""
) -> Order:
    """The order as it begins."""
    return Order(
        order_id=order_id,
        user_id=asked.user_id,
        wallet_id=wallet_id,
        symbol=asked.symbol,
        side=asked.side,
        order_type=order_type or asked.order_type,
        time_in_force=asked.time_in_force,
        post_only=int(asked.post_only),
        self_trade_prevention=asked.self_trade_prevention,
        quantity=terms.quantity,
        price=terms.price,
        stop_price=terms.stop_price,
        quote_quantity=terms.quote_quantity,
        held=held,
        filled=0,
        prevented=0,
        spent=0,
        status=PENDING,
        reason=None,
        cancel_requested=0,
        revision=0,
        amending=0,
        version=1,
        client_order_id=asked.client_order_id,
        digest=asked.digest,
        created_at=now,
        updated_at=now,
        worst_price=terms.worst_price,
    )


# amending ----------------------------------------------------------------------------------------------------------


def amended_terms(asked: AmendOrder, order: Order, market: Market, last_price: int) -> tuple[int, int]:
    """(quantity, price) that an amendment asks for, checked; refused when the order is not one to amend."""
    if order.is_closed:
        raise Refused("order_filled" if order.status == FILLED else "order_closed")
    if asked.version is not None and asked.version != order.version:
        raise Refused("stale_version", f"The order is at version {order.version}", field="version")
    if order.status == PENDING or order.amending or order.cancel_requested:
        raise Refused("order_not_ready")
    if not order.price:
        raise Refused("invalid_request", f"a {order.order_type} order has no price to amend", field="price")
    if market.state != OPEN:
        raise Refused("market_halted", f"{market.symbol} is {market.state}")
    if asked.quantity is None and asked.price is None:
        raise Refused("invalid_request", "quantity or price is missing", field="quantity")
    quantity = order.quantity if asked.quantity is None else market.lots(asked.quantity)
    price = order.price if asked.price is None else market.ticks(asked.price)
    check_notional(market, price, quantity)
    if price != order.price:
        check_band(market, price, last_price)
    return quantity, price


def extra_need(order: Order, market: Market, quantity: int, price: int) -> int:
    """Units to hold beyond what the order holds already, for its new terms; 0 when it needs no more.

    Fills at the old price may come before the amendment: they use up what is held for them, and what is asked for
    beyond the old total is still to be paid for. What turns out too much is released when the engine answers.
    """
    remaining = max(0, quantity - order.filled - order.prevented)
    if order.side == "sell":
        return max(0, remaining - order.remaining) * market.lot
    unfilled = market.notional(price, remaining) - market.notional(order.price, order.remaining)
    all_filled = market.notional(price, max(0, quantity - order.quantity))
    return max(0, unfilled, all_filled)
