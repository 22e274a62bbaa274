"""The memory of portfolios: owners, holdings and prices by key, and what the door reads."""

import sqlalchemy as sa

from borsa.markets import QUOTE_DEFAULT
from borsa.runtime.records.session import Session
from borsa.runtime.store import Reader, Statement
from borsa.services.portfolios import tables
from borsa.services.portfolios.model import (
    Holding,
    Owner,
    Portfolio,
    PortfolioState,
    Position,
    Price,
    position_of,
)
from borsa.settings import Settings

_o, _p, _h, _q = tables.OWNERS, tables.PORTFOLIOS, tables.HOLDINGS, tables.PRICES

_OF_USER = Statement(
    sa.select(_p)
    .where(_p.c.user_id == sa.bindparam("user_id"))
    .order_by(_p.c.is_default.desc(), _p.c.portfolio_id.desc())
)
_PRODUCTS = Statement(
    sa.select(_h.c.product).where(_h.c.portfolio_id == sa.bindparam("portfolio_id")).order_by(_h.c.product)
)

_NONE_HELD = Position()


class Memory:
    """What the handlers work on."""

    def __init__(self, session: Session, settings: Settings) -> None:
        self.settings = settings
        self._session = session
        self.owners = session.records(_o, Owner)
        self.portfolios = session.records(_p, Portfolio)
        self.holdings = session.records(_h, Holding)
        self.prices = session.records(_q, Price)

    def of_user(self, user_id: str) -> list[Portfolio]:
        """All portfolios of a user, the default one first."""
        return [self.portfolios.load(row) for row in self._session.read(_OF_USER, user_id=user_id)]

    def position(self, portfolio_id: str, product: str) -> Position:
        """What a portfolio has of a product."""
        holding = self.holdings.get((portfolio_id, product))
        return _NONE_HELD if holding is None else position_of(holding)

    def products(self, portfolio_id: str) -> list[str]:
        """Every product that a portfolio ever had."""
        return [product for (product,) in self._session.read(_PRODUCTS, portfolio_id=portfolio_id)]

    def price_of(self, asset: str) -> int | None:
        """The last price of an asset in the default quote, in 10**-8; None where it has none."""
        found = self.prices.get(f"{asset}-{QUOTE_DEFAULT}")
        return None if found is None else found.price

    def state(self, portfolio: Portfolio) -> PortfolioState:
        """A portfolio with its holdings and their prices."""
        found = [
            self.holdings.get((portfolio.portfolio_id, product)) for product in self.products(portfolio.portfolio_id)
        ]
        return PortfolioState(portfolio, [(each, self.price_of(each.product)) for each in found if each is not None])


# what the door reads -----------------------------------------------------------------------------------------------

_PAGE = (
    sa.select(_p)
    .where(
        sa.tuple_(_p.c.is_default, _p.c.portfolio_id)
        < sa.tuple_(sa.bindparam("is_default"), sa.bindparam("portfolio_id"))
    )
    .order_by(_p.c.is_default.desc(), _p.c.portfolio_id.desc())
    .limit(sa.bindparam("limit"))
)
_ALL_PAGE = Statement(_PAGE)
_OWN_PAGE = Statement(_PAGE.where(_p.c.user_id == sa.bindparam("user_id")))
_ONE = Statement(sa.select(_p).where(_p.c.portfolio_id == sa.bindparam("portfolio_id")))
_OWNER = Statement(sa.select(_o).where(_o.c.user_id == sa.bindparam("user_id")))
_HOLDINGS = Statement(
    sa.select(_h, _q.c.price)
    .join_from(_h, _q, _q.c.symbol == _h.c.product + f"-{QUOTE_DEFAULT}", isouter=True)
    .where(_h.c.portfolio_id == sa.bindparam("portfolio_id"))
    .order_by(_h.c.product)
)


def portfolios_page(reader: Reader, user_id: str | None, after: tuple[int, str], limit: int) -> list[PortfolioState]:
    """Portfolios, default ones first and then the newest; of one user, or of all (None)."""
    given = {"is_default": after[0], "portfolio_id": after[1], "limit": limit}
    rows = reader.read(_ALL_PAGE, **given) if user_id is None else reader.read(_OWN_PAGE, user_id=user_id, **given)
    return [_state(reader, Portfolio(*row)) for row in rows]


def portfolio_by_id(reader: Reader, portfolio_id: str) -> PortfolioState | None:
    """One portfolio."""
    rows = reader.read(_ONE, portfolio_id=portfolio_id)
    return _state(reader, Portfolio(*rows[0])) if rows else None


def owner_by_id(reader: Reader, user_id: str) -> Owner | None:
    """What is known of a user."""
    rows = reader.read(_OWNER, user_id=user_id)
    return Owner(*rows[0]) if rows else None


def _state(reader: Reader, portfolio: Portfolio) -> PortfolioState:
    rows = reader.read(_HOLDINGS, portfolio_id=portfolio.portfolio_id)
    return PortfolioState(portfolio, [(Holding(*row[:-1]), row[-1]) for row in rows])
