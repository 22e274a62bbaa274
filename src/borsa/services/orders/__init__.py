"""orders: owns orders and the rules that admit them. Its log is the engine's input."""

from borsa.events import (
    BlockTradeAgreed,
    CrossRequested,
    MarketAssigned,
    MarketCreated,
    MarketUpdated,
    OrderAmended,
    OrderAmendRejected,
    OrderAmendRequested,
    OrderCancelled,
    OrderCancelRequested,
    OrderClosed,
    OrderCreated,
    OrderOpened,
    OrderUpdated,
    TradeExecuted,
)
from borsa.requests import AgreeBlockTrade, AssignMarkets, ConfirmHolds, CrossOrders, FindShards
from borsa.runtime.service import Service
from borsa.services.orders import api, assigning, crossing, feeds, handlers, model, placing, tables
from borsa.services.orders.store import Memory

ORDERS: Service[Memory] = Service(
    name="orders",
    tables=tables.METADATA,
    memory=Memory,
    routes=api.ROUTES,
    door=feeds.Markets,
    feeds=feeds.feeds,
    channels=feeds.CHANNELS,
    answers={
        model.PlaceOrder: placing.place_order,
        model.PlaceOrders: placing.place_orders,
        model.AmendOrder: handlers.amend_order,
        model.CancelOrder: handlers.cancel_order,
        model.CancelAll: handlers.cancel_all,
        model.CreateMarket: handlers.create_market,
        model.ChangeMarket: handlers.change_market,
        ConfirmHolds: handlers.confirm_holds,
        CrossOrders: crossing.cross_orders,
        AgreeBlockTrade: crossing.agree_block_trade,
        AssignMarkets: assigning.assign_markets,
        FindShards: assigning.find_shards,
    },
    consumes={
        "trades": {
            OrderOpened: handlers.on_opened,
            TradeExecuted: handlers.on_trade,
            OrderClosed: handlers.on_closed,
            OrderAmended: handlers.on_amended,
            OrderAmendRejected: handlers.on_amend_rejected,
        },
    },
    publishes=(
        OrderCreated,
        OrderUpdated,
        OrderCancelled,
        OrderCancelRequested,
        OrderAmendRequested,
        CrossRequested,
        BlockTradeAgreed,
        MarketCreated,
        MarketUpdated,
        MarketAssigned,
    ),
    acts=(
        "market.created",
        "market.changed",
        "market.assigned",
        "order.cancel_requested",
        "cross.requested",
        "block_trade.agreed",
    ),
    starts=(handlers.first_start, handlers.forget_lost_amendments),
)
