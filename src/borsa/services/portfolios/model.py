"""The law of portfolios: what a user's wallets hold, what it cost, and what was earned with it. Pure.

A holding is the fold of what moved in its user's wallets. Everything is an integer: quantities in units of the product,
cost and realized P&L in units (10**-8) of the default quote, USD. Costing is by weighted average (IAS 2, paragraph 27):

| what moved | quantity | cost | realized P&L |
|---|---|---|---|
| bought | + | + what was paid, so that a fee taken from the quantity raises the average | |
| sold | - | - its share at average cost | + proceeds (what arrived, after the fee) - share |
| came in (deposit, faucet, adjustment) | + | + its worth at the market's last price; 0 without one | |
| went out (adjustment) | - | - its share at average cost | nothing is realized |
| bust of a buy | - | - what had been paid | what exceeds the remaining cost |
| bust of a sale | + | + its share at average cost, so that the average stays | - (proceeds - share) |

Both legs of a trade stand in one WalletUpdated. In a market against another quote (ETH-BTC) the quote leg is a holding
too: both legs are worth the quote leg's amount at the last price of that quote (BTC-USD); without such a price what
comes in comes in at cost 0, and what goes out realizes nothing.

A share, and a worth at a price, are rounded down to whole units: what remains is never understated. Nothing is lost
by it: cost - realized P&L is always, exactly, what went in less what came out.
"""

from collections.abc import Callable, Sequence
from typing import ClassVar

import msgspec

from borsa import money
from borsa.events import BalanceChange, Cause
from borsa.markets import ASSET_SCALE, PRICE_SCALE, QUOTE_DEFAULT
from borsa.requests import Done, Request

OPEN, GONE = "open", "gone"
CREATED, RENAMED, DELETED, HELD = "created", "renamed", "deleted", "holding"
TRADE, BUST = "trade", "bust"


class Owner(msgspec.Struct, frozen=True):
    """A user's default portfolio; the state tells a user who left from one who is new."""

    user_id: str
    portfolio_id: str
    state: str


class Portfolio(msgspec.Struct, frozen=True):
    """A named set of holdings; `version` is the sequence of the event that told of its creation or its name."""

    portfolio_id: str
    user_id: str
    name: str
    is_default: int
    created_at: int
    version: int


class Holding(msgspec.Struct, frozen=True, gc=False):
    """A product in a portfolio, as it is stored; `version` is the sequence of the event that told of it."""

    portfolio_id: str
    product: str
    quantity: str
    cost: str
    realized: str
    sold_quantity: str
    sold_cost: str
    version: int


class Price(msgspec.Struct, frozen=True, gc=False):
    """A market's last price on the tape, in 10**-8 quote per base."""

    symbol: str
    price: int


class Position(msgspec.Struct, frozen=True, gc=False):
    """What is held of a product, its total cost, and the realized P&L.

    `sold_quantity` and `sold_cost` are what the position was when it was last sold out: the average cost that the bust
    of that sale goes back to.
    """

    quantity: int = 0
    cost: int = 0
    realized: int = 0
    sold_quantity: int = 0
    sold_cost: int = 0


class Move(msgspec.Struct, frozen=True, gc=False):
    """A product came in (quantity above zero) or went out. `worth` is what was paid or received for it, in units of
    the default quote; None where nobody can say."""

    product: str
    quantity: int
    kind: str
    worth: int | None


PriceOf = Callable[[str], int | None]
"""The last price of an asset in the default quote, in 10**-8; None where it has none."""


# what the door asks ------------------------------------------------------------------------------------------------


class PortfolioState(msgspec.Struct, frozen=True):
    """A portfolio with its holdings, and the last price of each where there is one."""

    portfolio: Portfolio
    holdings: list[tuple[Holding, int | None]]


class CreatePortfolio(Request[PortfolioState], frozen=True, kw_only=True):
    """A further portfolio for a user, with an opening position where a product is named.

    Refused: invalid_request (no such user), portfolio_exists, above_cap.
    """

    answered_by: ClassVar[str] = "portfolios"
    user_id: str
    name: str
    product: str | None
    quantity: int
    cost: int


class RenamePortfolio(Request[PortfolioState], frozen=True, kw_only=True):
    """Another name. Refused: not_found, portfolio_exists."""

    answered_by: ClassVar[str] = "portfolios"
    portfolio_id: str
    name: str


class DeletePortfolio(Request[Done], frozen=True, kw_only=True):
    """Remove a portfolio and its holdings. Refused: not_found, default_portfolio."""

    answered_by: ClassVar[str] = "portfolios"
    portfolio_id: str


# what moved --------------------------------------------------------------------------------------------------------


def moves(changes: Sequence[BalanceChange], cause: Cause, price_of: PriceOf) -> list[Move]:
    """What a wallet's changes mean to holdings; nothing for holds, releases and the default quote."""
    moved = [each for each in changes if each.moves_total and each.asset != QUOTE_DEFAULT]
    if not moved:
        return []
    traded = cause.kind in (TRADE, BUST) and cause.symbol is not None
    found = []
    for each in moved:
        delta = _units(each.delta)
        worth = (
            _traded_worth(each.asset, delta, changes, cause, price_of)
            if traded
            else _worth(each.asset, abs(delta), price_of)
        )
        found.append(Move(each.asset, delta, cause.kind, worth))
    return found


def _units(delta: str) -> int:
    return money.parse_signed(delta, ASSET_SCALE)


def _worth(asset: str, quantity: int, price_of: PriceOf) -> int | None:
    price = price_of(asset)
    return None if price is None else worth_at(price, quantity)


def _traded_worth(
    asset: str, delta: int, changes: Sequence[BalanceChange], cause: Cause, price_of: PriceOf
) -> int | None:
    """What the other side of the trade was worth: its quote leg, in the default quote."""
    quote = (cause.symbol or "").partition("-")[2]
    if asset == quote:
        return _worth(asset, abs(delta), price_of)
    paid = next((_units(each.delta) for each in changes if each.asset == quote), 0)
    if delta > 0:
        paid = -paid
    return paid if quote == QUOTE_DEFAULT else _worth(quote, paid, price_of)


def worth_at(price: int, quantity: int) -> int:
    """Units of the default quote in `quantity` units of a product at a price, rounded down."""
    return price * quantity // 10**PRICE_SCALE


# the fold ----------------------------------------------------------------------------------------------------------


def moved(position: Position, move: Move) -> Position:
    """The position after a move; a fault when more went out than there was."""
    if move.quantity > 0:
        if move.kind == BUST:
            return _unsell(position, move.quantity, move.worth)
        return _acquire(position, move.quantity, max(move.worth or 0, 0))
    quantity = -move.quantity
    if quantity > position.quantity:
        raise ValueError(f"{quantity} {move.product} went out of {position.quantity}")
    if move.kind == BUST and move.worth is not None:
        return _unbuy(position, quantity, move.worth)
    share = _share(position.cost, quantity, position.quantity)
    realized = move.worth - share if move.kind == TRADE and move.worth is not None else 0
    return _dispose(position, quantity, share, realized)


def _share(cost: int, quantity: int, total: int) -> int:
    """What `quantity` of `total` cost, rounded down."""
    return cost * quantity // total if total else 0


def _acquire(position: Position, quantity: int, cost: int) -> Position:
    return msgspec.structs.replace(position, quantity=position.quantity + quantity, cost=position.cost + cost)


def _dispose(position: Position, quantity: int, cost: int, realized: int) -> Position:
    left = position.quantity - quantity
    sold = (position.sold_quantity, position.sold_cost) if left else (position.quantity, position.cost)
    return Position(left, position.cost - cost, position.realized + realized, *sold)


def _unbuy(position: Position, quantity: int, paid: int) -> Position:
    """Give back what was bought, for what was paid: the cost that the purchase added goes, as far as it is there."""
    cost = position.cost if quantity == position.quantity else min(max(paid, 0), position.cost)
    return _dispose(position, quantity, cost, paid - cost)


def _unsell(position: Position, quantity: int, proceeds: int | None) -> Position:
    """Take back what was sold, for what it brought: at the average cost, which the sale had left as it was."""
    if position.quantity:
        share = _share(position.cost, quantity, position.quantity)
    else:
        share = _share(position.sold_cost, quantity, position.sold_quantity)
    realized = position.realized - (proceeds - share if proceeds is not None else 0)
    return msgspec.structs.replace(
        position, quantity=position.quantity + quantity, cost=position.cost + share, realized=realized
    )


# for people --------------------------------------------------------------------------------------------------------


def average_cost(position: Position) -> int:
    """Units of the default quote for one whole product, rounded down; 0 where nothing is held. Only to be shown."""
    return position.cost * 10**ASSET_SCALE // position.quantity if position.quantity else 0


def unrealized(position: Position, price: int) -> int:
    """What selling all at a price would earn, in units of the default quote."""
    return worth_at(price, position.quantity) - position.cost


# storing -----------------------------------------------------------------------------------------------------------


def position_of(holding: Holding) -> Position:
    """The numbers of a stored holding."""
    return Position(
        int(holding.quantity),
        int(holding.cost),
        int(holding.realized),
        int(holding.sold_quantity),
        int(holding.sold_cost),
    )


def holding_of(portfolio_id: str, product: str, position: Position, version: int) -> Holding:
    """A position as it is stored."""
    return Holding(
        portfolio_id,
        product,
        str(position.quantity),
        str(position.cost),
        str(position.realized),
        str(position.sold_quantity),
        str(position.sold_cost),
        version,
    )
