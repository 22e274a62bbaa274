"""Orders and markets as published events: ticks, lots and units become decimal texts here."""

from typing import Any

import msgspec

from borsa import money
from borsa.events import MarketAssigned, MarketCreated, MarketUpdated, OrderCancelled, OrderCreated, OrderUpdated
from borsa.markets import ASSET_SCALE, PRICE_SCALE, Market, amount_text
from borsa.services.orders.model import Order


def created(order: Order, market: Market) -> OrderCreated:
    """An order that was accepted."""
    return OrderCreated(**_facts(order, market))


def updated(order: Order, market: Market) -> OrderUpdated:
    """An order that changed."""
    return OrderUpdated(**_facts(order, market))


def cancelled(order: Order, market: Market) -> OrderCancelled:
    """An order that ended before it was filled."""
    return OrderCancelled(
        order_id=str(order.order_id),
        user_id=order.user_id,
        symbol=order.symbol,
        product=market.base,
        filled_quantity=market.quantity_text(order.filled),
        remaining_quantity=market.quantity_text(order.remaining),
        reason=order.reason or "",
    )


def _facts(order: Order, market: Market) -> dict[str, Any]:
    facts = order_texts(order, market)
    facts["side"] = order.side
    facts["held"] = amount_text(market.base if order.side == "sell" else market.quote, order.held)
    return facts


def order_texts(order: Order, market: Market) -> dict[str, Any]:
    """An order as it stands on the wire: what its events and the door say alike."""
    return {
        "order_id": str(order.order_id),
        "user_id": order.user_id,
        "symbol": order.symbol,
        "wallet_id": order.wallet_id,
        "product": market.base,
        "order_type": order.order_type,
        "time_in_force": order.time_in_force,
        "post_only": bool(order.post_only),
        "self_trade_prevention": order.self_trade_prevention,
        "quantity": market.quantity_text(order.quantity) if order.quantity else None,
        "price": market.price_text(order.price) if order.price else None,
        "stop_price": market.price_text(order.stop_price) if order.stop_price else None,
        "worst_price": market.price_text(order.worst_price) if order.worst_price else None,
        "quote_quantity": amount_text(market.quote, order.quote_quantity) if order.quote_quantity else None,
        "filled_quantity": market.quantity_text(order.filled),
        "remaining_quantity": market.quantity_text(order.remaining),
        "average_price": _average_price(order, market),
        "status": order.status,
        "client_order_id": order.client_order_id,
        "version": order.version,
    }


def _average_price(order: Order, market: Market) -> str | None:
    """What the fills cost on average, rounded down to eight places; None before the first."""
    if not order.filled:
        return None
    units = order.spent * 10**ASSET_SCALE // (order.filled * market.lot)
    return amount_text(market.quote, units)


def market_created(market: Market) -> MarketCreated:
    """A market that was admitted."""
    return MarketCreated(**market_texts(market))


def market_updated(market: Market) -> MarketUpdated:
    """A market that changed."""
    return MarketUpdated(**market_texts(market))


def market_assigned(market: Market, shard: str, last_price: int) -> MarketAssigned:
    """A market whose book is with a shard from now on."""
    told = market.price_text(last_price) if last_price else "0"
    return MarketAssigned(shard=shard, last_price=told, **market_texts(market))


def market_changes(before: Market, after: Market) -> dict[str, Any]:
    """What of a market is another than before."""
    old, new = (msgspec.to_builtins(market_updated(market)) for market in (before, after))
    return {name: {"before": old[name], "after": new[name]} for name in new if new[name] != old[name]}


def market_texts(market: Market) -> dict[str, Any]:
    """A market as it stands on the wire."""
    return {
        "symbol": market.symbol,
        "base": market.base,
        "quote": market.quote,
        "number": market.number,
        "tick_size": money.write(market.tick, PRICE_SCALE),
        "lot_size": money.write(market.lot, ASSET_SCALE),
        "min_notional": amount_text(market.quote, market.min_notional),
        "maker_fee": money.write(market.maker_fee, money.RATE_SCALE),
        "taker_fee": money.write(market.taker_fee, money.RATE_SCALE),
        "price_band": money.write(market.price_band_ppm, money.RATE_SCALE),
        "state": market.state,
    }
