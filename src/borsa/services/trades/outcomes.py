"""What comes of an event, in the engine's own units: the handlers make rows and published events of it."""

from typing import NamedTuple

from borsa.events import CrossRequested, OrderAmendRequested
from borsa.markets import Market
from borsa.services.trades.books import Live


class Fill(NamedTuple):
    """A trade: ticks, lots, and units for everything else."""

    trade_id: int
    market: Market
    buyer: Live
    seller: Live
    taker_side: str
    price: int
    quantity: int
    notional: int
    buyer_fee: int
    seller_fee: int
    buyer_hold: int
    seller_hold: int
    sequence: int
    block: bool


class Opened(NamedTuple):
    """An order rests on the book, or waits for its stop price."""

    live: Live
    market: Market
    remaining: int


class Triggered(NamedTuple):
    """A stop's price was reached."""

    live: Live


class Closed(NamedTuple):
    """An order ended."""

    live: Live
    market: Market
    reason: str


class Amended(NamedTuple):
    """An order has new terms; revision 0 when self-trade prevention lowered it."""

    live: Live
    revision: int
    market: Market
    price: int
    quantity: int
    remaining: int
    needs: int


class AmendRejected(NamedTuple):
    """An amendment came too late, or is not possible."""

    event: OrderAmendRequested
    reason: str


class CrossFailed(NamedTuple):
    """Two orders could not be crossed."""

    event: CrossRequested
    reason: str


Outcome = Fill | Opened | Triggered | Closed | Amended | AmendRejected | CrossFailed


def amended(live: Live, revision: int, market: Market) -> Amended:
    """An order's terms as they are at this moment."""
    return Amended(live, revision, market, live.price, live.quantity, live.remaining, live.needs(market))
