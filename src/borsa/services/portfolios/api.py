"""The door of portfolios."""

from borsa import money
from borsa.errors import Refused
from borsa.markets import ASSET_SCALE, PRICE_SCALE, QUOTE_DEFAULT
from borsa.runtime.codec import number_units
from borsa.runtime.http.call import Call
from borsa.runtime.http.page import DEFAULT_FIRST, PageQuery, after_cursor, next_cursor
from borsa.runtime.http.route import Route
from borsa.services.portfolios import model, store
from borsa.services.portfolios.model import CreatePortfolio, DeletePortfolio, RenamePortfolio
from borsa.services.portfolios.wire import (
    NewPortfolio,
    PortfolioChange,
    PortfolioPage,
    PortfolioReply,
    portfolio_reply,
)


async def list_portfolios(call: Call) -> PortfolioPage:
    """GET /api/portfolios"""
    return await _page(call, call.owner)


async def list_of_user(call: Call) -> PortfolioPage:
    """GET /api/portfolios/user/{userId}"""
    user_id = call.path["userId"]
    if not call.identity.may_see(user_id):
        raise Refused("not_found")
    if call.identity.is_admin:
        owner = await call.read(store.owner_by_id, user_id)
        if owner is None or owner.state == model.GONE:
            raise Refused("not_found")
    return await _page(call, user_id)


async def _page(call: Call, user_id: str | None) -> PortfolioPage:
    query: PageQuery = call.query
    found = await call.read(store.portfolios_page, user_id, after_cursor(query.cursor, DEFAULT_FIRST), query.limit)
    cursor = next_cursor(found, query.limit, lambda each: (each.portfolio.is_default, each.portfolio.portfolio_id))
    return PortfolioPage(data=[portfolio_reply(each) for each in found], next_cursor=cursor)


async def get_portfolio(call: Call) -> PortfolioReply:
    """GET /api/portfolios/{id}"""
    found = await call.read(store.portfolio_by_id, call.path["id"])
    if found is None or not call.identity.may_see(found.portfolio.user_id):
        raise Refused("not_found")
    return portfolio_reply(found)


async def create_portfolio(call: Call, body: NewPortfolio) -> PortfolioReply:
    """POST /api/portfolios"""
    quantity, cost = _opening(body)
    state = await call.ask(
        CreatePortfolio(user_id=body.user_id, name=body.name, product=body.product, quantity=quantity, cost=cost)
    )
    return portfolio_reply(state)


def _opening(body: NewPortfolio) -> tuple[int, int]:
    """The quantity and total cost of the opening position, in units; exact, or refused."""
    quantity = number_units(body.quantity, ASSET_SCALE, "quantity")
    average = number_units(body.average_cost, PRICE_SCALE, "averageCost")
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


async def rename_portfolio(call: Call, body: PortfolioChange) -> PortfolioReply:
    """PUT /api/portfolios/{id}"""
    return portfolio_reply(await call.ask(RenamePortfolio(portfolio_id=call.path["id"], name=body.name)))


async def delete_portfolio(call: Call) -> None:
    """DELETE /api/portfolios/{id}"""
    await call.ask(DeletePortfolio(portfolio_id=call.path["id"]))


def _routes(path: str) -> tuple[Route, ...]:
    """The rows of one spelling of the path: the specification has both."""
    one = path + "/{id}"
    return (
        Route(
            "GET",
            path,
            list_portfolios,
            "user",
            "Own portfolios, the default one first; all of them for admins",
            query=PageQuery,
            reply=PortfolioPage,
        ),
        Route(
            "GET",
            path + "/user/{userId}",
            list_of_user,
            "user",
            "A user's portfolios",
            query=PageQuery,
            reply=PortfolioPage,
        ),
        Route("GET", one, get_portfolio, "user", "A portfolio", reply=PortfolioReply),
        Route(
            "POST",
            path,
            create_portfolio,
            "admin",
            "Make a portfolio for a user, with an opening position where a product is named",
            body=NewPortfolio,
            reply=PortfolioReply,
            status=201,
            errors=("portfolio_exists", "above_cap", "amount_too_large"),
        ),
        Route(
            "PUT",
            one,
            rename_portfolio,
            "admin",
            "Rename a portfolio",
            body=PortfolioChange,
            reply=PortfolioReply,
            errors=("portfolio_exists",),
        ),
        Route(
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
