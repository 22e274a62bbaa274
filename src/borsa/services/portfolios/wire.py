"""Portfolios on the wire: what the door takes, and what it answers."""

from typing import Annotated

from msgspec import UNSET, UnsetType

from borsa.markets import QUOTE_DEFAULT, amount_text
from borsa.runtime.codec import AssetCode, Body, Number, Reply, UserId, line
from borsa.services.portfolios import model
from borsa.services.portfolios.model import Holding, PortfolioState


class NewPortfolio(Body, frozen=True):
    """A portfolio for a user; with a product, its opening position."""

    user_id: UserId
    name: Annotated[str, line(64)]
    product: AssetCode | None = None
    quantity: Number | UnsetType = UNSET
    average_cost: Number | UnsetType = UNSET


class PortfolioChange(Body, frozen=True):
    """What can be changed of a portfolio: quantities follow from what happens, and are no one's to set."""

    name: Annotated[str, line(64)]


class HoldingReply(Reply, frozen=True):
    """A product in a portfolio. Costs, prices and P&L are in USD; the average cost is rounded down to 8 places.

    `marketPrice` and `unrealizedPnl` are null until the market has traded.
    """

    product: str
    quantity: str
    average_cost: str
    realized_pnl: str
    market_price: str | None
    unrealized_pnl: str | None


class PortfolioReply(Reply, frozen=True):
    """A portfolio with everything it holds or held. `version` grows with each change."""

    portfolio_id: str
    user_id: str
    name: str
    holdings: list[HoldingReply]
    version: int


class PortfolioPage(Reply, frozen=True):
    """Portfolios, the default one first."""

    data: list[PortfolioReply]
    next_cursor: str | None


def portfolio_reply(state: PortfolioState) -> PortfolioReply:
    """A portfolio as it is answered."""
    portfolio = state.portfolio
    versions = [holding.version for holding, _ in state.holdings]
    return PortfolioReply(
        portfolio_id=portfolio.portfolio_id,
        user_id=portfolio.user_id,
        name=portfolio.name,
        holdings=[_holding(holding, price) for holding, price in state.holdings],
        version=max(portfolio.version, *versions) if versions else portfolio.version,
    )


def _holding(holding: Holding, price: int | None) -> HoldingReply:
    position = model.position_of(holding)
    return HoldingReply(
        product=holding.product,
        quantity=amount_text(holding.product, position.quantity),
        average_cost=_dollars(model.average_cost(position)),
        realized_pnl=_dollars(position.realized),
        market_price=None if price is None else _dollars(price),
        unrealized_pnl=None if price is None else _dollars(model.unrealized(position, price)),
    )


def _dollars(units: int) -> str:
    return amount_text(QUOTE_DEFAULT, units)
