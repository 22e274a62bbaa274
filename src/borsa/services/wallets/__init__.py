"""wallets: owns the money. Holds it before an order, settles it after a trade, and can prove every balance."""

from borsa.events import (
    MarketCreated,
    OrderAmended,
    OrderAmendRejected,
    OrderAmendRequested,
    OrderClosed,
    OrderCreated,
    TradeExecuted,
    UserCreated,
    WalletUpdated,
)
from borsa.requests import CloseWallets, HoldAll, HoldFunds, ReverseTrade
from borsa.runtime.service import Many, Service, Sweep
from borsa.services.wallets import api, border, feeds, handlers, model, tables
from borsa.services.wallets.store import Memory

WALLETS: Service[Memory] = Service(
    name="wallets",
    tables=tables.METADATA,
    memory=Memory,
    routes=api.ROUTES,
    feeds=feeds.feeds,
    channels=feeds.CHANNELS,
    answers={
        HoldFunds: Many(handlers.hold_funds),
        HoldAll: handlers.hold_all,
        CloseWallets: handlers.close_wallets,
        ReverseTrade: handlers.reverse_trade,
        model.OpenWallet: handlers.open_wallet,
        model.CloseWallet: handlers.close_wallet,
        model.Deposit: border.deposit,
        model.Adjust: border.adjust,
        model.Decide: border.decide,
    },
    consumes={
        "users": {UserCreated: handlers.on_user_created},
        "orders": {
            MarketCreated: handlers.on_market_created,
            OrderCreated: handlers.on_order_created,
            OrderAmendRequested: handlers.on_amend_requested,
        },
        "trades": {
            TradeExecuted: handlers.on_trade,
            OrderClosed: handlers.on_closed,
            OrderAmended: handlers.on_amended,
            OrderAmendRejected: handlers.on_amend_rejected,
        },
    },
    publishes=(WalletUpdated,),
    acts=(
        "wallet.adjusted",
        "wallet.closed",
        "adjustment.proposed",
        "adjustment.approved",
        "adjustment.rejected",
        "adjustment.expired",
    ),
    starts=(handlers.first_start,),
    sweeps=(Sweep(2, handlers.confirm_holds), Sweep(60, border.expire_approvals)),
)
