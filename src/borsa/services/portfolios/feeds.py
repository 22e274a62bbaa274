"""The feeds of portfolios: each user's own portfolios."""

from borsa.runtime.feeds import OWN, Feeds, Own, owner
from borsa.runtime.store import Reader
from borsa.services.portfolios import store
from borsa.services.portfolios.wire import PortfolioReply, portfolio_reply

CHANNELS = {"portfolios": OWN}


def feeds(_: None) -> Feeds:
    """What portfolios has to follow."""
    return Feeds(own={"portfolios": Own(kinds=frozenset({"PortfolioUpdated"}), owners=owner, data=_portfolio)})


def _portfolio(reader: Reader, portfolio_id: str, _user_id: str) -> PortfolioReply | None:
    found = store.portfolio_by_id(reader, portfolio_id)
    return portfolio_reply(found) if found else None
