"""The engine's outcomes as rows and as published events: units become decimal texts here."""

from collections.abc import Callable, Mapping
from typing import Any

from borsa.events import (
    CrossRejected,
    Event,
    OrderAmended,
    OrderAmendRejected,
    OrderClosed,
    OrderOpened,
    OrderTriggered,
    TradeExecuted,
)
from borsa.markets import Market, amount_text
from borsa.services.trades.books import Live
from borsa.services.trades.model import EXECUTED, OnTape, Trade
from borsa.services.trades.outcomes import (
    Amended,
    AmendRejected,
    Closed,
    CrossFailed,
    Fill,
    Opened,
    Outcome,
    Triggered,
)


def row_of(fill: Fill, now: int) -> Trade:
    """A fill as it is kept."""
    market = fill.market
    return Trade(
        trade_id=fill.trade_id,
        symbol=market.symbol,
        buy_order_id=fill.buyer.order_id,
        sell_order_id=fill.seller.order_id,
        buyer_id=fill.buyer.user_id,
        seller_id=fill.seller.user_id,
        taker_side=fill.taker_side,
        price=fill.price * market.tick,
        quantity=fill.quantity * market.lot,
        notional=fill.notional,
        buyer_fee=fill.buyer_fee,
        seller_fee=fill.seller_fee,
        sequence=fill.sequence,
        block=int(fill.block),
        status=EXECUTED,
        note=None,
        tags="",
        bust_reason=None,
        executed_at=now,
    )


def on_tape(trade: Trade) -> OnTape:
    """A trade as anybody may see it."""
    return OnTape(
        trade.trade_id,
        trade.price,
        trade.quantity,
        trade.notional,
        trade.taker_side,
        trade.executed_at,
        trade.status,
    )


def event_of(outcome: Outcome) -> Event:
    """An outcome as the event that is published of it."""
    return _EVENT_OF[type(outcome)](outcome)


def _executed(fill: Fill) -> Event:
    market = fill.market
    return TradeExecuted(
        trade_id=str(fill.trade_id),
        buy_order_id=str(fill.buyer.order_id),
        sell_order_id=str(fill.seller.order_id),
        product=market.base,
        symbol=market.symbol,
        quantity=market.quantity_text(fill.quantity),
        price=market.price_text(fill.price),
        buyer_id=fill.buyer.user_id,
        seller_id=fill.seller.user_id,
        taker_side=fill.taker_side,
        buyer_fee=amount_text(market.base, fill.buyer_fee),
        buyer_fee_asset=market.base,
        seller_fee=amount_text(market.quote, fill.seller_fee),
        seller_fee_asset=market.quote,
        buyer_hold=amount_text(market.quote, fill.buyer_hold),
        seller_hold=amount_text(market.base, fill.seller_hold),
        sequence=fill.sequence,
        block=fill.block,
    )


def _opened(opened: Opened) -> Event:
    live = opened.live
    return OrderOpened(
        order_id=str(live.order_id),
        user_id=live.user_id,
        symbol=live.symbol,
        remaining_quantity=opened.market.quantity_text(opened.remaining),
    )


def _triggered(triggered: Triggered) -> Event:
    live = triggered.live
    return OrderTriggered(order_id=str(live.order_id), user_id=live.user_id, symbol=live.symbol)


def _closed(closed: Closed) -> Event:
    live = closed.live
    return OrderClosed(
        order_id=str(live.order_id),
        user_id=live.user_id,
        symbol=live.symbol,
        reason=closed.reason,
        filled_quantity=closed.market.quantity_text(live.filled),
        remaining_quantity=closed.market.quantity_text(live.remaining),
    )


def _amended(amended: Amended) -> Event:
    live, market = amended.live, amended.market
    return OrderAmended(
        order_id=str(live.order_id),
        user_id=live.user_id,
        symbol=live.symbol,
        revision=amended.revision,
        quantity=market.quantity_text(amended.quantity),
        price=market.price_text(amended.price),
        remaining_quantity=market.quantity_text(amended.remaining),
        hold=amount_text(_spent_asset(market, live), amended.needs),
    )


def _spent_asset(market: Market, live: Live) -> str:
    return market.quote if live.side == "buy" else market.base


def _amend_rejected(rejected: AmendRejected) -> Event:
    asked = rejected.event
    return OrderAmendRejected(
        order_id=asked.order_id,
        user_id=asked.user_id,
        symbol=asked.symbol,
        revision=asked.revision,
        reason=rejected.reason,
    )


def _cross_rejected(failed: CrossFailed) -> Event:
    asked = failed.event
    return CrossRejected(
        order_id=asked.order_id,
        user_id=asked.user_id,
        symbol=asked.symbol,
        sell_order_id=asked.sell_order_id,
        reason=failed.reason,
    )


_EVENT_OF: Mapping[type[Outcome], Callable[[Any], Event]] = {
    Fill: _executed,
    Opened: _opened,
    Triggered: _triggered,
    Closed: _closed,
    Amended: _amended,
    AmendRejected: _amend_rejected,
    CrossFailed: _cross_rejected,
}
