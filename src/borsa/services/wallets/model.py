"""The law of money: double entry, holds, and what each cause moves. Pure.

Every entry sums to zero per asset over users' available and held, fees, and the outside world. A balance is the fold
of its postings; a hold is a reservation for one order and never spends more than was placed.
"""

from collections.abc import Sequence
from typing import ClassVar

import msgspec

from borsa.errors import Refused
from borsa.markets import amount_units
from borsa.money import UNITS_MAX
from borsa.requests import Done, HoldFunds, Request, ReverseTrade

WORLD = "world"
"""The wallet of everything outside: what users were given was taken from it, so its balance is below zero."""

FEES = "fees"
"""The wallet that fees go to."""

AVAILABLE, HELD = "available", "held"
OPEN, CLOSED, VOID, REFUSED = "open", "closed", "void", "refused"
PENDING, APPROVED, REJECTED, EXPIRED = "pending", "approved", "rejected", "expired"


class Wallet(msgspec.Struct, frozen=True):
    """A user's wallet; `assets` names those it ever had, separated by spaces."""

    wallet_id: str
    user_id: str
    name: str
    is_default: int
    state: str
    assets: str
    created_at: int


class Balance(msgspec.Struct, frozen=True, gc=False):
    """One asset of one wallet, in units; `version` is the entry that changed it last."""

    wallet_id: str
    asset: str
    available: int
    held: int
    version: int

    @property
    def total(self) -> int:
        """Units owned."""
        return self.available + self.held


class Entry(msgspec.Struct, frozen=True, gc=False):
    """One balanced fact of the ledger: `kind` and `reference` say why (hold 1042, trade 1042000000 ...).

    An entry may hold for several orders of a wallet: `reference` names them all, with two postings for each.
    """

    entry_id: int
    time: int
    kind: str
    reference: str
    reason: str | None
    author: str | None


class Posting(msgspec.Struct, frozen=True, gc=False):
    """One line of an entry: units added to (or, negative, taken from) a bucket of a wallet."""

    entry_id: int
    line: int
    wallet_id: str
    asset: str
    bucket: str
    amount: int


class Move(msgspec.Struct, frozen=True, gc=False):
    """A posting before it has its place in the ledger."""

    wallet_id: str
    asset: str
    bucket: str
    amount: int


class Hold(msgspec.Struct, frozen=True, gc=False):
    """Funds reserved for an order, or for what one of its amendments needs more. placed = spent + released + rest."""

    hold_id: str
    order_id: int
    user_id: str
    wallet_id: str
    asset: str
    placed: int
    spent: int
    released: int
    status: str
    placed_at: int

    @property
    def remaining(self) -> int:
        """Units still reserved."""
        return self.placed - self.spent - self.released


class Reversal(msgspec.Struct, frozen=True):
    """A trade whose money was moved back, and the entry that did it."""

    trade_id: int
    entry_id: int


class Asset(msgspec.Struct, frozen=True):
    """An asset that some market trades."""

    asset: str


# what the door asks ------------------------------------------------------------------------------------------------


class OpenWallet(Request[Wallet], frozen=True, kw_only=True):
    """A further wallet for a user."""

    answered_by: ClassVar[str] = "wallets"
    user_id: str
    name: str


class CloseWallet(Request[Done], frozen=True, kw_only=True):
    """Close one wallet; `user_id` is None when an admin asks. Refused: not_found, default_wallet, wallet_not_empty."""

    answered_by: ClassVar[str] = "wallets"
    wallet_id: str
    user_id: str | None


class WalletState(msgspec.Struct, frozen=True):
    """A wallet with its balances."""

    wallet: Wallet
    balances: list[Balance]


class Deposit(Request[WalletState], frozen=True, kw_only=True):
    """Play money for a user's wallet, out of nothing."""

    answered_by: ClassVar[str] = "wallets"
    wallet_id: str
    user_id: str
    asset: str
    amount: int


class Approval(msgspec.Struct, frozen=True):
    """An adjustment above the cap, that waits for a second admin, or what became of it."""

    approval_id: str
    wallet_id: str
    asset: str
    delta: int
    reason: str
    author: str
    status: str
    asked_at: int
    expires_at: int
    decided_by: str | None = None
    decided_at: int | None = None
    verdict: str | None = None
    entry_id: int | None = None


class Adjusted(msgspec.Struct, frozen=True):
    """The wallet after an adjustment; as it was, where the adjustment waits for an approval."""

    state: WalletState
    approval: Approval | None = None


class Adjust(Request[Adjusted], frozen=True, kw_only=True):
    """An admin moves units between the outside world and a wallet; `delta` may be negative."""

    answered_by: ClassVar[str] = "wallets"
    wallet_id: str
    asset: str
    delta: int
    reason: str
    author: str


class Decide(Request[Approval], frozen=True, kw_only=True):
    """An admin approves or rejects an adjustment, and why. Refused: not_found, own_approval, approval_closed, and
    what an adjustment can be refused with."""

    answered_by: ClassVar[str] = "wallets"
    approval_id: str
    admin: str
    approve: bool
    verdict: str


# deciding ----------------------------------------------------------------------------------------------------------


def place(hold: HoldFunds, wallet_id: str, available: int, now: int) -> Hold:
    """The hold that a request gets, or a refusal when there is not enough available."""
    amount = min(hold.amount, available) if hold.at_most else hold.amount
    if amount < max(1, hold.at_least) or amount > available:
        raise Refused("insufficient_funds", f"There is not enough {hold.asset} available")
    return Hold(hold.hold_id, hold.order_id, hold.user_id, wallet_id, hold.asset, amount, 0, 0, OPEN, now)


def refused(hold: HoldFunds, now: int) -> Hold:
    """The tombstone of a hold that was refused: the same id can never succeed later."""
    return Hold(hold.hold_id, hold.order_id, hold.user_id, "", hold.asset, 0, 0, 0, REFUSED, now)


def hold_moves(hold: Hold) -> list[Move]:
    """Placing: from available to held."""
    return [
        Move(hold.wallet_id, hold.asset, AVAILABLE, -hold.placed),
        Move(hold.wallet_id, hold.asset, HELD, hold.placed),
    ]


def release_moves(hold: Hold, amount: int) -> list[Move]:
    """Releasing: from held to available."""
    if amount == 0:
        return []
    return [
        Move(hold.wallet_id, hold.asset, HELD, -amount),
        Move(hold.wallet_id, hold.asset, AVAILABLE, amount),
    ]


def spend(hold: Hold, amount: int, needed: int) -> tuple[Hold, int]:
    """The hold after it paid `amount` and keeps `needed`, and what it released beyond (price improvement)."""
    released = hold.remaining - amount - needed
    if amount < 0 or needed < 0 or released < 0:
        raise ValueError(f"hold {hold.hold_id} has {hold.remaining}, can't pay {amount} and keep {needed}")
    status = OPEN if needed else CLOSED
    after = msgspec.structs.replace(hold, spent=hold.spent + amount, released=hold.released + released, status=status)
    return after, released


def release(hold: Hold, needed: int = 0, status: str = CLOSED) -> tuple[Hold, int]:
    """The hold when it needs only `needed` from now on, and what it released."""
    after, released = spend(hold, 0, needed)
    return (after if needed else msgspec.structs.replace(after, status=status)), released


def merge(hold: Hold, extra: Hold) -> tuple[Hold, Hold]:
    """An amendment's extra hold becomes part of the order's hold; nothing moves in the ledger."""
    amount = extra.remaining
    return (
        msgspec.structs.replace(hold, placed=hold.placed + amount, status=OPEN),
        msgspec.structs.replace(extra, released=extra.released + amount, status=CLOSED),
    )


def settle_moves(
    buyer: Hold, seller: Hold, cost: int, quantity: int, buyer_fee: int, seller_fee: int, improvement: int
) -> list[Move]:
    """A trade: the buyer's held quote pays, the seller's held base delivers, fees come out of what each receives."""
    quote, base = buyer.asset, seller.asset
    moves = [
        Move(buyer.wallet_id, quote, HELD, -cost - improvement),
        Move(seller.wallet_id, quote, AVAILABLE, cost - seller_fee),
        Move(seller.wallet_id, base, HELD, -quantity),
        Move(buyer.wallet_id, base, AVAILABLE, quantity - buyer_fee),
    ]
    if improvement:
        moves.append(Move(buyer.wallet_id, quote, AVAILABLE, improvement))
    if seller_fee:
        moves.append(Move(FEES, quote, AVAILABLE, seller_fee))
    if buyer_fee:
        moves.append(Move(FEES, base, AVAILABLE, buyer_fee))
    return moves


def reverse_moves(trade: ReverseTrade, buyer_wallet: str, seller_wallet: str) -> list[Move]:
    """A bust: everything that a trade moved, moved back; each side needs what it received available."""
    moves = [
        Move(buyer_wallet, trade.base, AVAILABLE, trade.buyer_fee - trade.quantity),
        Move(seller_wallet, trade.base, AVAILABLE, trade.quantity),
        Move(seller_wallet, trade.quote, AVAILABLE, trade.seller_fee - trade.notional),
        Move(buyer_wallet, trade.quote, AVAILABLE, trade.notional),
    ]
    if trade.buyer_fee:
        moves.append(Move(FEES, trade.base, AVAILABLE, -trade.buyer_fee))
    if trade.seller_fee:
        moves.append(Move(FEES, trade.quote, AVAILABLE, -trade.seller_fee))
    return moves


def deposit_moves(wallet_id: str, asset: str, delta: int) -> list[Move]:
    """Money comes in from the outside world, or goes out to it."""
    return [Move(WORLD, asset, AVAILABLE, -delta), Move(wallet_id, asset, AVAILABLE, delta)]


def decided(approval: Approval, asked: Decide, now: int) -> Approval:
    """The approval with an admin's word; nobody approves what they asked for themselves."""
    status = APPROVED if asked.approve else REJECTED
    if (approval.status, approval.decided_by) == (status, asked.admin):
        return approval
    if approval.status != PENDING or approval.expires_at <= now:
        raise Refused("approval_closed")
    if asked.approve and asked.admin == approval.author:
        raise Refused("own_approval")
    return msgspec.structs.replace(
        approval, status=status, decided_by=asked.admin, decided_at=now, verdict=asked.verdict
    )


def custody_of(text: str) -> dict[str, int]:
    """The units in custody of each asset of which a bound is declared ("BTC=1000,USD=5000000")."""
    pairs = (each.partition("=") for each in text.split(",") if each)
    return {asset: amount_units(amount) for asset, _, amount in pairs}


def check_balanced(moves: Sequence[Move]) -> None:
    """Every entry sums to zero per asset: a fault, never a refusal, when it does not."""
    sums: dict[str, int] = {}
    for move in moves:
        sums[move.asset] = sums.get(move.asset, 0) + move.amount
    if any(sums.values()) or len(moves) < 2:
        raise ValueError(f"unbalanced entry: {moves}")


def moved(balance: Balance, bucket: str, amount: int, entry_id: int) -> Balance:
    """The balance after a posting; a refusal when a user would be left below zero, or the sum is too large."""
    available, held = balance.available, balance.held
    if bucket == AVAILABLE:
        available += amount
    else:
        held += amount
    if balance.wallet_id != WORLD and (available < 0 or held < 0):
        raise Refused("insufficient_funds", f"There is not enough {balance.asset} available")
    if abs(available) > UNITS_MAX or available + held > UNITS_MAX:
        raise Refused("amount_too_large")
    return Balance(balance.wallet_id, balance.asset, available, held, entry_id)
