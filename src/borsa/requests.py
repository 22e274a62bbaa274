"""What one service may ask another: questions and their replies, one page.

A request is answered once, by the service named in `answered_by`; its reply is a struct, or a `Refused`. Every request
is idempotent by an id in it: asked again, it has the same answer and no second effect. Amounts are integers in the
asset's smallest unit: requests never leave Borsa.
"""

from collections.abc import Generator
from typing import ClassVar, Generic, TypeVar

import msgspec

from borsa.errors import Refusal, Refused

ReplyT = TypeVar("ReplyT")


class Request(msgspec.Struct, Generic[ReplyT], frozen=True, kw_only=True, gc=False, array_like=True, tag=True):
    """A question for one service; the type parameter is the reply's type."""

    answered_by: ClassVar[str]
    passes: ClassVar[bool] = False
    """Is there room for it where there is none for others? For what makes things fewer, such as a cancel."""

    @property
    def weight(self) -> int:
        """How many of the small requests it is worth, where a commit takes no more than so many."""
        return 1

    @property
    def user(self) -> str:
        """The id of the user whose it is: where many wait, users take turns, and those of nobody share one."""
        return getattr(self, "user_id", None) or ""

    @property
    def key(self) -> str:
        """For what has no id that the service would keep by itself: under the same key it keeps the same answer."""
        return ""


def reply_type(request: type[Request[ReplyT]]) -> type[ReplyT]:
    """The type of a request's reply: the parameter of its base class."""
    for base in getattr(request, "__orig_bases__", ()):
        if getattr(base, "__origin__", None) is Request:
            kind: type[ReplyT] = base.__args__[0]
            return kind
    raise TypeError(f"{request.__name__} must be a Request[Reply]")


class Done(msgspec.Struct, frozen=True):
    """The reply that says nothing more than that it is done."""


# wallets -----------------------------------------------------------------------------------------------------------


def hold_id_of(order_id: int | str, revision: int = 0) -> str:
    """The id of an order's hold, or of the hold for what its amendment `revision` needs more."""
    return f"{order_id}:r{revision}" if revision else str(order_id)


def order_of_hold(hold_id: str) -> tuple[int, int]:
    """The order and the revision (0: none) that a hold is for."""
    order_id, _, revision = hold_id.partition(":r")
    return int(order_id), int(revision or 0)


class HoldPlaced(msgspec.Struct, frozen=True, tag=True):
    """The hold stands: in which wallet, and for how much."""

    wallet_id: str
    amount: int


class HoldFunds(Request[HoldPlaced], frozen=True, kw_only=True):
    """Reserve `amount` of an asset for an order, or, with `at_most`, as much of it as is available, if that is
    `at_least` something.

    `hold_id` is from `hold_id_of`. Refused: insufficient_funds (and
    then the same id can never succeed), not_found (no such wallet of this user), wallet_closed.
    """

    answered_by: ClassVar[str] = "wallets"
    hold_id: str
    order_id: int
    user_id: str
    wallet_id: str | None
    asset: str
    amount: int
    at_most: bool = False
    at_least: int = 1


class HoldsAnswered(msgspec.Struct, frozen=True):
    """What became of each of many holds, in order."""

    outcomes: list[HoldPlaced | Refusal]


class HoldAll(Request[HoldsAnswered], frozen=True, kw_only=True):
    """Reserve funds for many orders of one user at a time; each hold stands or is refused for itself."""

    answered_by: ClassVar[str] = "wallets"
    holds: list[HoldFunds]

    @property
    def weight(self) -> int:
        return len(self.holds)

    @property
    def user(self) -> str:
        return self.holds[0].user_id if self.holds else ""


class CloseWallets(Request[Done], frozen=True, kw_only=True):
    """Close every wallet of a user for good; refused with user_not_empty while anything is left or held.

    An `attempt` that was refused stays refused: one that comes late must not close the wallets of a user who stayed.
    """

    answered_by: ClassVar[str] = "wallets"
    user_id: str
    attempt: int

    @property
    def key(self) -> str:
        return f"close {self.user_id} {self.attempt}"


class ReverseTrade(Request[Done], frozen=True, kw_only=True):
    """Move a trade's money back; refused with insufficient_funds when a party no longer has it.

    An `attempt` that was refused stays refused: one that comes late must not void a trade that was said to stand.
    `quantity` in base units, `notional` in quote units, the fees in the asset that each side received.
    """

    answered_by: ClassVar[str] = "wallets"
    trade_id: int
    symbol: str
    base: str
    quote: str
    buyer_id: str
    seller_id: str
    buyer_order_id: int
    seller_order_id: int
    price: str
    quantity: int
    notional: int
    buyer_fee: int
    seller_fee: int
    reason: str
    attempt: int

    @property
    def key(self) -> str:
        return f"reverse {self.trade_id} {self.attempt}"


# orders ------------------------------------------------------------------------------------------------------------


class HoldsKnown(msgspec.Struct, frozen=True):
    """The holds that belong to an order or an amendment that exists; every other one never will."""

    exist: list[str]


class ConfirmHolds(Request[HoldsKnown], frozen=True, kw_only=True):
    """Which of these holds belong to something that exists? The others get a tombstone, so that a late order or
    amendment can't come into being without its hold."""

    answered_by: ClassVar[str] = "orders"
    hold_ids: list[str]


class Requested(msgspec.Struct, frozen=True):
    """A command for the engine is in the orders log, as the event `event_id` ("orders/1042")."""

    event_id: str


class CrossOrders(Request[Requested], frozen=True, kw_only=True):
    """Execute two open orders against each other within both limits. Refused: not_found, not_crossable."""

    answered_by: ClassVar[str] = "orders"
    buy_order_id: int
    sell_order_id: int
    quantity: str
    price: str


class AgreeBlockTrade(Request[Requested], frozen=True, kw_only=True):
    """Hold both sides' funds, and execute a negotiated trade off the book."""

    answered_by: ClassVar[str] = "orders"
    symbol: str
    buyer_id: str
    seller_id: str
    quantity: str
    price: str


class Assigned(msgspec.Struct, frozen=True):
    """The shard of `trades` that has these markets from now on, or had them already."""

    shard: str


class AssignMarkets(Request[Assigned], frozen=True, kw_only=True):
    """Have a shard of `trades` match all of these markets, and no others. Refused: unknown_symbol, market_assigned,
    market_not_empty, invalid_request."""

    answered_by: ClassVar[str] = "orders"
    markets: list[str]


class Shards(msgspec.Struct, frozen=True):
    """The shard of each market whose book is not with the first one."""

    of_market: dict[str, str]


class FindShards(Request[Shards], frozen=True, kw_only=True):
    """Which shard of `trades` has which market?"""

    answered_by: ClassVar[str] = "orders"


# users -------------------------------------------------------------------------------------------------------------


class UserFound(msgspec.Struct, frozen=True):
    """A user that exists."""

    user_id: str
    user_name: str


class FindUser(Request[UserFound], frozen=True, kw_only=True):
    """Does this user exist? Refused with not_found."""

    answered_by: ClassVar[str] = "users"
    user_id: str


def must_exist(user: FindUser, otherwise: Refused) -> Generator[FindUser, UserFound, None]:
    """Ask whether a user exists, on the way of a deed (`yield from`); refused with `otherwise` when not."""
    try:
        yield user
    except Refused as refused:
        if refused.code != "not_found":
            raise
        raise otherwise from None


class AccessState(msgspec.Struct, frozen=True):
    """What the edge needs to judge tokens: public keys by key id (raw Ed25519), sessions and API keys that were
    revoked while their tokens may still live, and the lowest valid token version of users that changed."""

    keys: dict[str, bytes]
    revoked: list[str]
    versions: dict[str, int]


class DescribeAccess(Request[AccessState], frozen=True, kw_only=True):
    """Asked once when the edge starts; afterwards it follows AccessRevoked."""

    answered_by: ClassVar[str] = "users"


class KeyHolder(msgspec.Struct, frozen=True):
    """Whom an API key belongs to, what it may do, and what proves that somebody has it.

    `verifier` is, by `kind`, the SHA-256 of the secret (bearer), the sealed secret (hmac) or the public key (ed25519).
    """

    key_id: str
    kind: str
    verifier: bytes
    user_id: str
    user_name: str
    role: str
    scopes: list[str]
    addresses: list[str]
    token_version: int


class IdentifyKey(Request[KeyHolder], frozen=True, kw_only=True):
    """Whose API key is this? Refused with unauthorized. Whether the caller has it, the edge finds out."""

    answered_by: ClassVar[str] = "users"
    key_id: str


ASKED: tuple[type[Request], ...] = (  # type: ignore[type-arg]
    HoldFunds,
    HoldAll,
    CloseWallets,
    ReverseTrade,
    ConfirmHolds,
    CrossOrders,
    AgreeBlockTrade,
    AssignMarkets,
    FindShards,
    FindUser,
    DescribeAccess,
    IdentifyKey,
)
"""Every request, for the drivers of a bus that runs apart."""
