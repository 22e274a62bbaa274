"""The deeds of portfolios: follow the wallets and the tape, and keep what admins make."""

import msgspec

from borsa import money
from borsa.errors import Refused
from borsa.events import PortfolioUpdated, TradeExecuted, UserCreated, UserDeleted, WalletUpdated
from borsa.markets import PRICE_SCALE, QUOTE_DEFAULT, amount_text
from borsa.requests import Done, FindUser, must_exist
from borsa.runtime.service import Asking
from borsa.runtime.writing.transaction import Transaction
from borsa.services.portfolios import model
from borsa.services.portfolios.model import (
    GONE,
    OPEN,
    CreatePortfolio,
    DeletePortfolio,
    Owner,
    Portfolio,
    PortfolioState,
    Position,
    Price,
    RenamePortfolio,
)
from borsa.services.portfolios.store import Memory

PORTFOLIOS_MAX = 100
"""Portfolios of one user."""

DEFAULT_NAME = "default"

DONE = Done()


# following ---------------------------------------------------------------------------------------------------------


def on_user_created(tx: Transaction, memory: Memory, event: UserCreated) -> None:
    """Every user has a default portfolio."""
    _owner(tx, memory, event.user_id)


def _owner(tx: Transaction, memory: Memory, user_id: str) -> Owner:
    """Who a user is here; a wallet's event may come before that of its user, so both make the default portfolio."""
    owner = memory.owners.get(user_id)
    if owner is None:
        portfolio = Portfolio(tx.new_id(), user_id, DEFAULT_NAME, 1, tx.now, tx.last_sequence + 1)
        owner = Owner(user_id, portfolio.portfolio_id, OPEN)
        memory.owners.add(owner)
        memory.portfolios.add(portfolio)
        _tell(tx, portfolio, model.CREATED)
    return owner


def on_user_deleted(tx: Transaction, memory: Memory, event: UserDeleted) -> None:
    """A user who left has no portfolios; that there was one is kept, so that late events make no new ones."""
    for portfolio in memory.of_user(event.user_id):
        _remove(tx, memory, portfolio)
    memory.owners.put(Owner(event.user_id, "", GONE))


def on_trade(_: Transaction, memory: Memory, event: TradeExecuted) -> None:
    """Remember the last price of the tape; a block trade, agreed off the book, does not make one."""
    if not event.block:
        memory.prices.put(Price(event.symbol, money.parse(event.price, PRICE_SCALE)))


def on_wallet_updated(tx: Transaction, memory: Memory, event: WalletUpdated) -> None:
    """What moved in a user's wallets moves in the default portfolio."""
    moves = model.moves(event.changes, event.cause, memory.price_of)
    if not moves:
        return
    owner = _owner(tx, memory, event.user_id)
    if owner.state == GONE:
        return
    for move in moves:
        before = memory.position(owner.portfolio_id, move.product)
        after = model.moved(before, move)
        _hold(tx, memory, owner.portfolio_id, event.user_id, move.product, after)


def _hold(tx: Transaction, memory: Memory, portfolio_id: str, user_id: str, product: str, position: Position) -> None:
    """Keep a position and tell of it."""
    version = tx.last_sequence + 1
    memory.holdings.put(model.holding_of(portfolio_id, product, position, version))
    tx.publish(
        PortfolioUpdated(
            portfolio_id=portfolio_id,
            user_id=user_id,
            product=product,
            quantity=amount_text(product, position.quantity),
            average_cost=amount_text(QUOTE_DEFAULT, model.average_cost(position)),
            realized_pnl=amount_text(QUOTE_DEFAULT, position.realized),
            change=model.HELD,
            version=version,
        )
    )


def _tell(tx: Transaction, portfolio: Portfolio, change: str) -> None:
    """Tell of a portfolio as a whole. A version is the sequence of the event that carries it: it only grows."""
    tx.publish(
        PortfolioUpdated(
            portfolio_id=portfolio.portfolio_id,
            user_id=portfolio.user_id,
            product=None,
            quantity="0",
            average_cost="0.00",
            realized_pnl="0.00",
            change=change,
            version=tx.last_sequence + 1,
        )
    )


def _remove(tx: Transaction, memory: Memory, portfolio: Portfolio) -> None:
    for product in memory.products(portfolio.portfolio_id):
        memory.holdings.delete((portfolio.portfolio_id, product))
    memory.portfolios.delete(portfolio.portfolio_id)
    _tell(tx, portfolio, model.DELETED)


# what admins ask ---------------------------------------------------------------------------------------------------


def create_portfolio(tx: Transaction, memory: Memory, request: CreatePortfolio) -> Asking:
    """A further portfolio for a user who exists, with its opening position."""
    no_such_user = Refused("invalid_request", "There is no such user", field="userId")
    yield from must_exist(FindUser(user_id=request.user_id), no_such_user)
    owner = _owner(tx, memory, request.user_id)
    if owner.state == GONE:
        raise no_such_user
    _check_name(memory, request.user_id, request.name)
    portfolio = Portfolio(tx.new_id(), request.user_id, request.name, 0, tx.now, tx.last_sequence + 1)
    memory.portfolios.add(portfolio)
    _tell(tx, portfolio, model.CREATED)
    if request.product is not None:
        opening = Position(request.quantity, request.cost)
        _hold(tx, memory, portfolio.portfolio_id, portfolio.user_id, request.product, opening)
    _act(tx, "portfolio.created", portfolio, name=portfolio.name, product=request.product)
    return memory.state(portfolio)


def _check_name(memory: Memory, user_id: str, name: str) -> None:
    mine = memory.of_user(user_id)
    if any(each.name == name for each in mine):
        raise Refused("portfolio_exists", field="name")
    if len(mine) >= PORTFOLIOS_MAX:
        raise Refused("above_cap", f"A user may have {PORTFOLIOS_MAX} portfolios")


def rename_portfolio(tx: Transaction, memory: Memory, request: RenamePortfolio) -> PortfolioState:
    """Another name; the same one again changes nothing."""
    portfolio = _portfolio(memory, request.portfolio_id)
    if portfolio.name != request.name:
        if any(each.name == request.name for each in memory.of_user(portfolio.user_id)):
            raise Refused("portfolio_exists", field="name")
        portfolio = msgspec.structs.replace(portfolio, name=request.name, version=tx.last_sequence + 1)
        memory.portfolios.put(portfolio)
        _tell(tx, portfolio, model.RENAMED)
    _act(tx, "portfolio.renamed", portfolio, name=portfolio.name)
    return memory.state(portfolio)


def delete_portfolio(tx: Transaction, memory: Memory, request: DeletePortfolio) -> Done:
    """Remove a portfolio that is not the default one."""
    portfolio = _portfolio(memory, request.portfolio_id)
    if portfolio.is_default:
        raise Refused("default_portfolio")
    _remove(tx, memory, portfolio)
    _act(tx, "portfolio.deleted", portfolio, name=portfolio.name)
    return DONE


def _act(tx: Transaction, action: str, portfolio: Portfolio, **details: object) -> None:
    tx.act(action, portfolio.portfolio_id, userId=portfolio.user_id, **details)


def _portfolio(memory: Memory, portfolio_id: str) -> Portfolio:
    portfolio = memory.portfolios.get(portfolio_id)
    if portfolio is None:
        raise Refused("not_found")
    return portfolio
