"""The law of trades: what an execution is, and what it costs. Pure."""

from typing import ClassVar

import msgspec

from borsa.money import RATE_SCALE, ceil_divide
from borsa.requests import Request

EXECUTED, BUSTING, BUSTED = "executed", "busting", "busted"

FILLS_PER_INPUT_MAX = 1_000_000
"""A trade's id is the sequence of the order event that caused it times this, plus the fill's number: it follows from
the input alone, so a replay can only make the same trade again, and it ascends."""


def trade_id_of(sequence: int, number: int) -> int:
    """The id of the `number`-th fill (from 0) that the event `sequence` of the orders log caused."""
    if number >= FILLS_PER_INPUT_MAX:
        raise ValueError(f"event {sequence} caused more than {FILLS_PER_INPUT_MAX} trades")
    return sequence * FILLS_PER_INPUT_MAX + number


class Trade(msgspec.Struct, frozen=True, gc=False):
    """One match of two orders, as it is kept: a fact that only notes, tags and the status may follow.

    `price` in 10**-8 quote per base, `quantity` and `buyer_fee` in base units, `notional` and `seller_fee` in quote
    units; `sequence` is the market's, `tags` are separated by newlines.
    """

    trade_id: int
    symbol: str
    buy_order_id: int
    sell_order_id: int
    buyer_id: str
    seller_id: str
    taker_side: str
    price: int
    quantity: int
    notional: int
    buyer_fee: int
    seller_fee: int
    sequence: int
    block: int
    status: str
    note: str | None
    tags: str
    bust_reason: str | None
    executed_at: int
    bust_attempts: int = 0  # last, and with a default: answers that were kept before there was one are read again


class Snapshot(msgspec.Struct, frozen=True):
    """The head of the engine's whole state after an event of the orders log; `digest` is over it and its pieces."""

    sequence: int
    taken_at: int
    orders: int
    digest: bytes


class Piece(msgspec.Struct, frozen=True):
    """A part of a snapshot; the numbers ascend from 0."""

    sequence: int
    number: int
    body: bytes


def next_fee(numerator: int, charged: int) -> int:
    """What an order pays for its newest fill.

    `numerator` is the sum over its fills of proceeds times rate in millionths, `charged` what it paid before. Rounded
    up over the sum and not over each fill: a thousand small fills pay what one large fill pays, and dust is not free.
    """
    return ceil_divide(numerator, 10**RATE_SCALE) - charged


# what the door asks ------------------------------------------------------------------------------------------------


class Depth(msgspec.Struct, frozen=True):
    """The best levels of a book as (price, quantity) texts, and the market's sequence at that moment."""

    sequence: int
    bids: list[tuple[str, str]]
    asks: list[tuple[str, str]]


class ReadDepth(Request[Depth], frozen=True, kw_only=True):
    """The book of a market. Refused: unknown_symbol."""

    answered_by: ClassVar[str] = "trades"
    symbol: str
    levels: int


class Annotate(Request[Trade], frozen=True, kw_only=True):
    """Change a trade's note or tags (None leaves as it is). Refused: not_found."""

    answered_by: ClassVar[str] = "trades"
    trade_id: int
    note: str | None
    tags: list[str] | None


class BustTrade(Request[Trade], frozen=True, kw_only=True):
    """Declare a trade void. Refused: not_found, already_busted, funds_gone."""

    answered_by: ClassVar[str] = "trades"
    trade_id: int
    reason: str
