"""Everything that Borsa refuses, in one table: code, HTTP status, sentence for a person."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import msgspec


class Error(NamedTuple):
    """One row of the table: the HTTP status, and what it means to a person."""

    status: int
    title: str


ERRORS: Mapping[str, Error] = {
    # the request itself
    "malformed_request": Error(400, "The request could not be read"),
    "malformed_json": Error(400, "The body is not valid JSON"),
    "unauthorized": Error(401, "A valid access token is needed"),
    "invalid_credentials": Error(401, "The user name or the password is wrong"),
    "invalid_refresh_token": Error(401, "The refresh token is not valid"),
    "forbidden": Error(403, "You may not do this"),
    "not_found": Error(404, "There is no such thing here"),
    "method_not_allowed": Error(405, "This address does not know this method"),
    "request_timeout": Error(408, "The request took too long to arrive"),
    "request_replayed": Error(409, "This signed request was taken before: sign it anew"),
    "body_too_large": Error(413, "The body is too large"),
    "unsupported_media_type": Error(415, "The body must be application/json"),
    "invalid_request": Error(422, "The request is not valid"),
    "idempotency_key_required": Error(422, "An Idempotency-Key header is needed"),
    "idempotency_key_reused": Error(422, "This Idempotency-Key was used with another request"),
    "idempotency_key_in_progress": Error(409, "The first request with this Idempotency-Key is still running"),
    "too_many_requests": Error(429, "Too many requests: try again later"),
    "headers_too_large": Error(431, "A header is too large"),
    "internal_error": Error(500, "Something went wrong here, not with you"),
    "overloaded": Error(503, "Too much to do right now: try again later"),
    "no_answer": Error(504, "No answer came in time, and nobody knows whether it was done: look before you try again"),
    "storage_full": Error(503, "The disk is full, and nothing was changed: try again later"),
    # streams
    "too_far_back": Error(410, "What followed is not kept in reach: read what is there, and follow from now on"),
    # users
    "user_name_taken": Error(409, "This user name is taken"),
    "weak_password": Error(422, "The password is too easy to guess"),
    "user_not_empty": Error(409, "The user still has money or open orders"),
    "last_admin": Error(409, "The last admin can neither leave nor step down"),
    "too_many_api_keys": Error(409, "The user has as many API keys as are allowed"),
    # markets
    "unknown_symbol": Error(404, "There is no such market"),
    "market_exists": Error(409, "There is a market with this symbol"),
    "invalid_market": Error(422, "The market could not trade exactly"),
    "market_assigned": Error(409, "The market's book is with another shard"),
    "market_not_empty": Error(409, "A market moves only while it is halted and no order is open in it"),
    "market_halted": Error(409, "The market takes no orders now"),
    # orders
    "off_tick": Error(422, "The price is not a multiple of the market's tick size"),
    "off_lot": Error(422, "The quantity is not a multiple of the market's lot size"),
    "below_min_notional": Error(422, "Price times quantity is below the market's minimum"),
    "price_band": Error(422, "The price is too far from the last trade"),
    "insufficient_funds": Error(422, "There is not enough available"),
    "duplicate_client_order_id": Error(409, "This clientOrderId was used for another order"),
    "order_in_progress": Error(409, "The first order with this clientOrderId is still being placed: ask again"),
    "too_many_open_orders": Error(422, "The user has as many open orders in this market as are allowed"),
    "order_filled": Error(409, "The order is filled"),
    "order_closed": Error(409, "The order is closed"),
    "order_not_ready": Error(409, "The order is waiting for the engine"),
    "stale_version": Error(409, "The order has changed since this version"),
    "would_cross": Error(409, "The post-only order would trade at once"),
    # trades
    "not_crossable": Error(409, "These two orders can't be crossed so"),
    "already_busted": Error(409, "The trade is already busted"),
    "funds_gone": Error(409, "A party of the trade no longer has what it received"),
    "immutable_trade": Error(409, "A trade is a fact: only its note and tags change"),
    # wallets
    "wallet_not_empty": Error(409, "The wallet still holds something"),
    "default_wallet": Error(409, "The default wallet goes with its user"),
    "too_many_wallets": Error(422, "The user has as many wallets as are allowed"),
    "wallet_closed": Error(409, "The wallet is closed"),
    "above_cap": Error(422, "The amount is above the cap"),
    "above_custody": Error(422, "More would be owed to users than is in custody"),
    "own_approval": Error(403, "Another admin must approve what one asked for"),
    "approval_closed": Error(409, "The adjustment is approved, rejected or expired"),
    "amount_too_large": Error(422, "The amount is too large to be kept exactly"),
    "sandbox_off": Error(403, "The sandbox is off: there is no play money here"),
    # portfolios
    "default_portfolio": Error(409, "The default portfolio goes with its user"),
    "portfolio_exists": Error(409, "The user has a portfolio of this name"),
}
"""Every code that a problem document can carry."""


class Refused(Exception):
    """A business refusal: decided before anything is written, and told to the caller as it is.

    `code` is a key of `ERRORS`; `field` names the field of the request that is at fault, where one is;
    `extra` is merged into the problem document (for example the order that holds a clientOrderId).
    """

    def __init__(self, code: str, detail: str = "", *, field: str = "", **extra: Any) -> None:
        super().__init__(code, detail)
        self.code = code
        self.detail = detail or ERRORS[code].title
        self.field = field
        self.extra = extra

    @property
    def status(self) -> int:
        """The HTTP status that goes with the code."""
        return ERRORS[self.code].status


class Refusal(msgspec.Struct, frozen=True, tag=True):
    """A refusal as a value: what travels, and what stands among the outcomes of many."""

    code: str
    detail: str
    field: str
    extra: dict[str, Any]

    @classmethod
    def of(cls, refused: Refused) -> "Refusal":
        """The value of a refusal."""
        return cls(refused.code, refused.detail, refused.field, refused.extra)

    @property
    def refused(self) -> Refused:
        """The refusal itself, to be raised."""
        return Refused(self.code, self.detail, field=self.field, **self.extra)


class CantStart(RuntimeError):
    """Why this process can't serve, in a sentence for the operator."""
