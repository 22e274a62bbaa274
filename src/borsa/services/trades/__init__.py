"""trades: owns the books. Matches what the orders log brings, and keeps every trade as a fact."""

from borsa.events import (
    CrossRejected,
    OrderAmended,
    OrderAmendRejected,
    OrderClosed,
    OrderOpened,
    OrderTriggered,
    TradeBusted,
    TradeExecuted,
)
from borsa.matching import kernel_name
from borsa.runtime.service import Batch, Service, Sweep
from borsa.services.trades import api, feeds, handlers, model, tables
from borsa.services.trades.store import Memory

TRADES: Service[Memory] = Service(
    name="trades",
    tables=tables.METADATA,
    memory=Memory,
    routes=api.ROUTES,
    answers={
        model.LookAtMarket: handlers.look_at_market,
        model.ListMarkets: handlers.list_markets,
        model.Annotate: handlers.annotate,
        model.BustTrade: handlers.bust_trade,
    },
    consumes={"orders": Batch(handlers.match)},
    publishes=(
        TradeExecuted,
        OrderOpened,
        OrderTriggered,
        OrderClosed,
        OrderAmended,
        OrderAmendRejected,
        CrossRejected,
        TradeBusted,
    ),
    acts=("trade.annotated", "trade.bust_asked", "trade.busted", "trade.bust_refused"),
    starts=(handlers.recover,),
    door=feeds.Markets,
    feeds=feeds.feeds,
    channels=feeds.CHANNELS,
    facts=lambda settings: {"kernel": kernel_name(settings.kernel)},
    sweeps=(
        Sweep(5, handlers.finish_busts),
        Sweep(1, handlers.keep_snapshots),
        Sweep(1, handlers.tell_where_markets_are),
        Sweep(60, handlers.forget_candles),
    ),
)
