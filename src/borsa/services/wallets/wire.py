"""Wallets on the wire: what the door takes, and what it answers."""

from collections.abc import Sequence
from typing import Annotated, Literal

from borsa.markets import amount_text
from borsa.runtime.clock import time_text
from borsa.runtime.codec import AssetCode, Body, Number, Reply, SignedNumber, line
from borsa.services.wallets.model import Balance, Posting, Wallet
from borsa.services.wallets.store import EntryLines

Bucket = Literal["available", "held"]


class NewWallet(Body, frozen=True):
    """A further wallet."""

    name: Annotated[str, line(64)]


class Adjustment(Body, frozen=True):
    """What an admin posts, and why."""

    asset: AssetCode
    delta: SignedNumber
    reason: Annotated[str, line(200)]


class PlayMoney(Body, frozen=True):
    """What somebody takes from the faucet."""

    asset: AssetCode
    amount: Number


class WalletReply(Reply, frozen=True):
    """A wallet: for each asset the total, and what of it is free or held. `version` grows with each change."""

    wallet_id: str
    user_id: str
    name: str
    balance: dict[str, str]
    available: dict[str, str]
    held: dict[str, str]
    version: int


class WalletPage(Reply, frozen=True):
    """Wallets, the default one first."""

    data: list[WalletReply]
    next_cursor: str | None


class LineReply(Reply, frozen=True):
    """What an entry added to a bucket of the wallet."""

    asset: str
    bucket: Bucket
    amount: str


class EntryReply(Reply, frozen=True):
    """An entry of the ledger, with its cause, and the lines that concern the wallet."""

    entry_id: str
    time: str
    kind: str
    reference: str
    reason: str | None
    lines: list[LineReply]


class EntryPage(Reply, frozen=True):
    """Entries, newest first."""

    data: list[EntryReply]
    next_cursor: str | None


def wallet_reply(wallet: Wallet, balances: Sequence[Balance]) -> WalletReply:
    """A wallet as it is answered."""
    return WalletReply(
        wallet_id=wallet.wallet_id,
        user_id=wallet.user_id,
        name=wallet.name,
        balance={each.asset: amount_text(each.asset, each.available + each.held) for each in balances},
        available={each.asset: amount_text(each.asset, each.available) for each in balances},
        held={each.asset: amount_text(each.asset, each.held) for each in balances},
        version=max((each.version for each in balances), default=0),
    )


def entry_reply(found: EntryLines) -> EntryReply:
    """An entry as it is answered."""
    entry = found.entry
    return EntryReply(
        entry_id=str(entry.entry_id),
        time=time_text(entry.time),
        kind=entry.kind,
        reference=entry.reference,
        reason=entry.reason,
        lines=[_line(posting) for posting in found.lines],
    )


def _line(posting: Posting) -> LineReply:
    return LineReply(
        asset=posting.asset,
        bucket="held" if posting.bucket == "held" else "available",
        amount=amount_text(posting.asset, posting.amount),
    )
