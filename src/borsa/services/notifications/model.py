"""The law of notifications: which facts become one, what it says to a person, and when a delivery is tried again. Pure.

One notification for each user that a fact concerns, of one kind:

| fact | who | kind |
|---|---|---|
| orders.OrderCreated | its user | order_accepted |
| trades.TradeExecuted | buyer and seller | fill |
| trades.OrderClosed (the engine's word that an order ended: one for each order) | its user | order_closed |
| wallets.WalletUpdated, where a total moved (holds and releases move none) | its user | wallet_changed |
| portfolios.PortfolioUpdated | its user | portfolio_changed |
| an admin's message | its user | message |
"""

from collections.abc import Iterable
from typing import Any, ClassVar, Final, Literal, get_args

import msgspec

from borsa.requests import Done, Request

Kind = Literal["order_accepted", "fill", "order_closed", "wallet_changed", "portfolio_changed", "message"]
KINDS: Final[tuple[Kind, ...]] = get_args(Kind)

BITS: Final = {kind: 1 << at for at, kind in enumerate(KINDS)}
"""A set of kinds is kept as the sum of their bits."""

ALL: Final = (1 << len(KINDS)) - 1

ORDER_ACCEPTED: Final = "order_accepted"
FILL: Final = "fill"
ORDER_CLOSED: Final = "order_closed"
WALLET_CHANGED: Final = "wallet_changed"
PORTFOLIO_CHANGED: Final = "portfolio_changed"
MESSAGE: Final = "message"

OPEN, GONE = "open", "gone"
WEBHOOK, EMAIL = "webhook", "email"
PENDING, DELIVERED, FAILED, DROPPED = "pending", "delivered", "failed", "dropped"

BACKOFF_SECONDS, BACKOFF_FACTOR = 5, 4
"""A delivery is tried again after 5 s, 20 s, 80 s, 320 s ..."""

PROBLEM_CHARACTERS_MAX = 200


class Notification(msgspec.Struct, frozen=True, gc=False):
    """What a user was told: the kind's facts as JSON, the event that it tells of, when, and the how-manieth it is."""

    notification_id: str
    user_id: str
    kind: Kind
    data: bytes
    origin: str | None
    created_at: int
    sequence: int


class Reading(msgspec.Struct, frozen=True, gc=False):
    """A notification was read."""

    notification_id: str
    read_at: int


class Preferences(msgspec.Struct, frozen=True):
    """Which kinds a user is told, and through which channels beside the inbox; the secret is sealed."""

    user_id: str
    state: str = OPEN
    kinds: int = ALL
    webhook_url: str | None = None
    webhook_secret: bytes | None = None
    webhook_kinds: int = 0
    email_address: str | None = None
    email_kinds: int = 0


class Delivery(msgspec.Struct, frozen=True, gc=False):
    """A notification on its way out; where to stands in the preferences, so that it is erased with them."""

    notification_id: str
    channel: str
    user_id: str
    attempts: int
    next_at: int
    status: str
    problem: str | None


# what the door and the sender ask ----------------------------------------------------------------------------------


class Told(msgspec.Struct, frozen=True):
    """A notification, and when it was read."""

    notification: Notification
    read_at: int | None


class SendMessage(Request[Told], frozen=True, kw_only=True):
    """A message from an admin. Refused: invalid_request (no such user)."""

    answered_by: ClassVar[str] = "notifications"
    user_id: str
    title: str
    body: str


class MarkRead(Request[Told], frozen=True, kw_only=True):
    """The user read it; again changes nothing. Refused: not_found."""

    answered_by: ClassVar[str] = "notifications"
    notification_id: str
    user_id: str


class PreferencesKept(msgspec.Struct, frozen=True):
    """The preferences as they are now; `fresh` when the webhook has a new secret."""

    preferences: Preferences
    fresh: bool


class SetPreferences(Request[PreferencesKept], frozen=True, kw_only=True):
    """All preferences of a user; a webhook keeps its secret for as long as it keeps its URL. Refused: not_found."""

    answered_by: ClassVar[str] = "notifications"
    preferences: Preferences


class MarkDelivered(Request[Done], frozen=True, kw_only=True):
    """What became of a try: `outcome` is delivered, failed (worth another try), or dropped (never again)."""

    answered_by: ClassVar[str] = "notifications"
    notification_id: str
    channel: str
    outcome: str
    problem: str | None = None


# deciding ----------------------------------------------------------------------------------------------------------


def bits(kinds: Iterable[Kind]) -> int:
    """A set of kinds as a sum of bits."""
    return sum(BITS[kind] for kind in set(kinds))


def kinds_in(mask: int) -> list[Kind]:
    """The kinds of a sum of bits, in their order."""
    return [kind for kind in KINDS if mask & BITS[kind]]


def channels(preferences: Preferences, kind: Kind, smtp: bool) -> list[str]:
    """Where else than to the inbox a notification goes; e-mail only where there is a server for it."""
    bit = BITS[kind]
    found = [WEBHOOK] if preferences.webhook_kinds & bit else []
    if smtp and preferences.email_kinds & bit:
        found.append(EMAIL)
    return found


def keep(before: Preferences | None, wanted: Preferences) -> PreferencesKept:
    """What is wished, with the secret that the webhook has already; messages from admins can't be turned off."""
    known = before is not None and before.webhook_url == wanted.webhook_url and before.webhook_secret is not None
    secret = before.webhook_secret if known and before is not None else wanted.webhook_secret
    after = msgspec.structs.replace(wanted, kinds=wanted.kinds | BITS[MESSAGE], webhook_secret=secret)
    return PreferencesKept(after, fresh=secret is not None and not known)


def erased(user_id: str) -> Preferences:
    """What is left of somebody who left: that nothing is to be told any more."""
    return Preferences(user_id, state=GONE, kinds=0)


def after_try(delivery: Delivery, outcome: str, problem: str | None, now: int, attempts_max: int) -> Delivery:
    """The delivery after a try: done, given up, or due again after a growing while."""
    attempts = delivery.attempts + 1
    problem = problem[:PROBLEM_CHARACTERS_MAX] if problem else None
    status = outcome
    if outcome == FAILED and attempts < attempts_max:
        status = PENDING
    next_at = now + backoff_seconds(attempts) * 1_000_000
    return msgspec.structs.replace(delivery, attempts=attempts, next_at=next_at, status=status, problem=problem)


def backoff_seconds(attempts: int) -> int:
    """How long to wait after so many tries."""
    return int(BACKOFF_SECONDS * BACKOFF_FACTOR ** (attempts - 1))


# what it says ------------------------------------------------------------------------------------------------------


class Facts(msgspec.Struct, frozen=True, kw_only=True, rename="camel", gc=False):
    """The `data` of a notification: what its event says that concerns its user, and nothing about anybody else."""

    def words(self) -> tuple[str, str]:
        """Title and body for a person."""
        raise NotImplementedError


class Accepted(Facts, frozen=True, kw_only=True, gc=False):
    """An order was accepted."""

    order_id: str
    symbol: str
    type: str
    order_type: str
    quantity: str | None
    price: str | None

    def words(self) -> tuple[str, str]:
        amount = f"{self.quantity} " if self.quantity is not None else ""
        limit = f" at {self.price}" if self.price is not None else ""
        return f"Order {self.order_id} accepted", f"{self.order_type} order to {self.type} {amount}{self.symbol}{limit}"


class Filled(Facts, frozen=True, kw_only=True, gc=False):
    """One fill of an order of the user's."""

    trade_id: str
    order_id: str
    symbol: str
    product: str
    type: str
    quantity: str
    price: str
    fee: str
    fee_asset: str

    def words(self) -> tuple[str, str]:
        verb = "Bought" if self.type == "buy" else "Sold"
        title = f"{verb} {self.quantity} {self.product} at {self.price}"
        return title, f"Order {self.order_id} in {self.symbol}, trade {self.trade_id}, fee {self.fee} {self.fee_asset}"


class Closed(Facts, frozen=True, kw_only=True, gc=False):
    """An order ended; `reason` says how."""

    order_id: str
    symbol: str
    reason: str
    filled_quantity: str
    remaining_quantity: str

    def words(self) -> tuple[str, str]:
        amounts = f"{self.filled_quantity} filled, {self.remaining_quantity} not"
        return f"Order {self.order_id} closed: {self.reason.replace('_', ' ')}", f"{self.symbol}: {amounts}"


class Change(msgspec.Struct, frozen=True, rename="camel", gc=False):
    """One asset of a wallet: by how much its total moved, and what it is now."""

    asset: str
    delta: str
    balance: str


class WalletChanged(Facts, frozen=True, kw_only=True, gc=False):
    """Totals of a wallet moved; `cause` and `reference` say why."""

    wallet_id: str
    cause: str
    reference: str
    changes: tuple[Change, ...]

    def words(self) -> tuple[str, str]:
        moved = ", ".join(f"{'' if each.delta[0] == '-' else '+'}{each.delta} {each.asset}" for each in self.changes)
        totals = ", ".join(f"{each.balance} {each.asset}" for each in self.changes)
        return f"Wallet changed: {moved}", f"{self.cause} {self.reference}; now {totals}"


class PortfolioChanged(Facts, frozen=True, kw_only=True, gc=False):
    """A portfolio was created, renamed or deleted, or a holding changed."""

    portfolio_id: str
    change: str
    product: str | None
    quantity: str
    average_cost: str
    realized_pnl: str

    def words(self) -> tuple[str, str]:
        if self.product is None:
            return f"Portfolio {self.change}", f"Portfolio {self.portfolio_id} was {self.change}"
        title = f"Holding changed: {self.quantity} {self.product}"
        return title, f"average cost {self.average_cost} USD, realized P&L {self.realized_pnl} USD"


class Message(Facts, frozen=True, kw_only=True, gc=False):
    """An admin's own words."""

    title: str
    body: str

    def words(self) -> tuple[str, str]:
        return self.title, self.body


_FACTS: Final[dict[str, type[Facts]]] = {
    ORDER_ACCEPTED: Accepted,
    FILL: Filled,
    ORDER_CLOSED: Closed,
    WALLET_CHANGED: WalletChanged,
    PORTFOLIO_CHANGED: PortfolioChanged,
    MESSAGE: Message,
}
_DECODERS: Final[dict[str, Any]] = {kind: msgspec.json.Decoder(facts).decode for kind, facts in _FACTS.items()}


def words_of(notification: Notification) -> tuple[str, str]:
    """Title and body of a stored notification."""
    facts: Facts = _DECODERS[notification.kind](notification.data)
    return facts.words()
