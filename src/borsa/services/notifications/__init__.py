"""notifications: tells users what concerns them, in an inbox, by webhook and by e-mail."""

from borsa.events import (
    OrderClosed,
    OrderCreated,
    PortfolioUpdated,
    TradeExecuted,
    UserCreated,
    UserDeleted,
    WalletUpdated,
)
from borsa.runtime.service import Service
from borsa.services.notifications import api, feeds, handlers, model, tables
from borsa.services.notifications.deliver import Sender
from borsa.services.notifications.store import Memory

NOTIFICATIONS: Service[Memory] = Service(
    name="notifications",
    tables=tables.METADATA,
    memory=Memory,
    routes=api.ROUTES,
    feeds=feeds.feeds,
    channels=feeds.CHANNELS,
    answers={
        model.SendMessage: handlers.send_message,
        model.MarkRead: handlers.mark_read,
        model.SetPreferences: handlers.set_preferences,
        model.MarkDelivered: handlers.mark_delivered,
    },
    consumes={
        "users": {UserCreated: handlers.on_user_created, UserDeleted: handlers.on_user_deleted},
        "orders": {OrderCreated: handlers.on_order_created},
        "trades": {TradeExecuted: handlers.on_trade, OrderClosed: handlers.on_closed},
        "wallets": {WalletUpdated: handlers.on_wallet_updated},
        "portfolios": {PortfolioUpdated: handlers.on_portfolio_updated},
    },
    acts=("notification.sent",),
    skips_poison=True,
    background=Sender,
)
