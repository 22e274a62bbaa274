"""portfolios: follows the wallets, and knows what each user holds, what it cost and what was earned with it."""

from borsa.events import PortfolioUpdated, TradeExecuted, UserCreated, UserDeleted, WalletUpdated
from borsa.runtime.service import Service
from borsa.services.portfolios import api, feeds, handlers, model, tables
from borsa.services.portfolios.store import Memory

PORTFOLIOS: Service[Memory] = Service(
    name="portfolios",
    tables=tables.METADATA,
    memory=Memory,
    routes=api.ROUTES,
    feeds=feeds.feeds,
    channels=feeds.CHANNELS,
    answers={
        model.CreatePortfolio: handlers.create_portfolio,
        model.RenamePortfolio: handlers.rename_portfolio,
        model.DeletePortfolio: handlers.delete_portfolio,
    },
    consumes={
        "users": {UserCreated: handlers.on_user_created, UserDeleted: handlers.on_user_deleted},
        # prices before what is valued at them
        "trades": {TradeExecuted: handlers.on_trade},
        "wallets": {WalletUpdated: handlers.on_wallet_updated},
    },
    publishes=(PortfolioUpdated,),
    acts=("portfolio.created", "portfolio.renamed", "portfolio.deleted"),
    skips_poison=True,
)
