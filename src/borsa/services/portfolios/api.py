"""The door of portfolios."""

from typing import Annotated, Any

from msgspec import UNSET, Meta, Raw, UnsetType

from borsa import money
from borsa.errors import Refused
from borsa.markets import ASSET_SCALE, PRICE_SCALE, QUOTE_DEFAULT, amount_text
from borsa.runtime.codec import Body, Number, Reply, number_text
from borsa.runtime.http.call import Call
from borsa.runtime.http.page import PageQuery, after_cursor, encode_cursor
from borsa.runtime.http.route import Route
from borsa.services.portfolios import model, store
from borsa.services.portfolios.model import (
    CreatePortfolio,
    DeletePortfolio,
    Holding,
    PortfolioState,
    RenamePortfolio,
)

Product = Annotated[str, Meta(pattern=r"^[A-Z0-9]{1,12}\Z", examples=["BTC"])]
PortfolioName = Annotated[str, Meta(min_length=1, max_length=64, pattern=r"^[^\x00-\x1f\x7f]+\Z")]
UserId = Annotated[str, Meta(min_length=1, max_length=64, pattern=r"^[A-Za-z0-9-]+\Z")]


class NewPortfolio(Body, frozen=True):
    """A portfolio for a user; with a product, its opening position."""

    user_id: UserId
    name: PortfolioName
    product: Product | None = None
    quantity: Number | UnsetType = UNSET
    average_cost: Number | UnsetType = UNSET


class PortfolioChange(Body, frozen=True):
    """What can be changed of a portfolio: quantities follow from what happens, and are no one's to set."""

    name: PortfolioName


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


async def list_portfolios(call: Call) -> PortfolioPage:
    """GET /api/portfolios"""
    return _page(call, None if call.identity.is_admin else call.identity.user_id)


async def list_of_user(call: Call) -> PortfolioPage:
    """GET /api/portfolios/user/{userId}"""
    user_id = call.path["userId"]
    if call.identity.is_admin:
        owner = store.owner_by_id(call.reader, user_id)
        if owner is None or owner.state == model.GONE:
            raise Refused("not_found")
    elif user_id != call.identity.user_id:
        raise Refused("not_found")
    return _page(call, user_id)


def _page(call: Call, user_id: str | None) -> PortfolioPage:
    query: PageQuery = call.query
    found = store.portfolios_page(call.reader, user_id, after_cursor(query.cursor, store.FIRST), query.limit)
    last = found[-1].portfolio if len(found) == query.limit else None
    cursor = encode_cursor(last.is_default, last.portfolio_id) if last else None
    return PortfolioPage(data=[_reply(each) for each in found], next_cursor=cursor)


async def get_portfolio(call: Call) -> PortfolioReply:
    """GET /api/portfolios/{id}"""
    found = store.portfolio_by_id(call.reader, call.path["id"])
    if found is None or not (call.identity.is_admin or found.portfolio.user_id == call.identity.user_id):
        raise Refused("not_found")
    return _reply(found)


async def create_portfolio(call: Call, body: NewPortfolio) -> PortfolioReply:
    """POST /api/portfolios"""
    quantity, cost = _opening(body)
    state = await call.ask(
        CreatePortfolio(user_id=body.user_id, name=body.name, product=body.product, quantity=quantity, cost=cost)
    )
    return _reply(state)


def _opening(body: NewPortfolio) -> tuple[int, int]:
    """The quantity and total cost of the opening position, in units; exact, or refused."""
    quantity = _units(body.quantity, "quantity", ASSET_SCALE)
    average = _units(body.average_cost, "averageCost", PRICE_SCALE)
    if body.product is None:
        if quantity is not None or average is not None:
            raise Refused("invalid_request", "is needed for an opening position", field="product")
        return 0, 0
    if body.product == QUOTE_DEFAULT:
        raise Refused("invalid_request", f"must be another asset than {QUOTE_DEFAULT}", field="product")
    if not quantity:
        raise Refused("invalid_request", "must be above zero for an opening position", field="quantity")
    cost, rest = divmod((average or 0) * quantity, 10**PRICE_SCALE)
    if rest:
        detail = f"times quantity must have {ASSET_SCALE} decimal places at most"
        raise Refused("invalid_request", detail, field="averageCost")
    if cost > money.UNITS_MAX:
        raise Refused("amount_too_large", field="averageCost")
    return quantity, cost


def _units(value: Raw | UnsetType, field: str, scale: int) -> int | None:
    text = number_text(value, field)
    if text is None:
        return None
    try:
        return money.parse(text, scale)
    except money.NotExact as error:
        raise Refused("invalid_request", f"{field} {error}", field=field) from None


async def rename_portfolio(call: Call, body: PortfolioChange) -> PortfolioReply:
    """PUT /api/portfolios/{id}"""
    return _reply(await call.ask(RenamePortfolio(portfolio_id=call.path["id"], name=body.name)))


async def delete_portfolio(call: Call) -> None:
    """DELETE /api/portfolios/{id}"""
    await call.ask(DeletePortfolio(portfolio_id=call.path["id"]))


def _reply(state: PortfolioState) -> PortfolioReply:
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


def _routes(path: str) -> tuple[Route, ...]:
    """The rows of one spelling of the path: the specification has both."""
    one = path + "/{id}"

    def row(method: Any, where: str, handle: Any, access: Any, summary: str, **more: Any) -> Route:
        return Route(method=method, path=where, handle=handle, access=access, summary=summary, **more)

    page: dict[str, Any] = {"query": PageQuery, "reply": PortfolioPage}
    new: dict[str, Any] = {"body": NewPortfolio, "reply": PortfolioReply, "status": 201}
    changed: dict[str, Any] = {"body": PortfolioChange, "reply": PortfolioReply}
    return (
        row(
            "GET",
            path,
            list_portfolios,
            "user",
            "Own portfolios, the default one first; all of them for admins",
            **page,
        ),
        row("GET", path + "/user/{userId}", list_of_user, "user", "A user's portfolios", **page),
        row("GET", one, get_portfolio, "user", "A portfolio", reply=PortfolioReply),
        row(
            "POST",
            path,
            create_portfolio,
            "admin",
            "Make a portfolio for a user, with an opening position where a product is named",
            errors=("portfolio_exists", "above_cap", "amount_too_large"),
            **new,
        ),
        row("PUT", one, rename_portfolio, "admin", "Rename a portfolio", errors=("portfolio_exists",), **changed),
        row(
            "DELETE",
            one,
            delete_portfolio,
            "admin",
            "Delete a portfolio; not the default one",
            status=204,
            errors=("default_portfolio",),
        ),
    )


ROUTES = (*_routes("/api/portfolios"), *_routes("/api/Portfolios"))
