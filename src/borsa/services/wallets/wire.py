"""Wallets on the wire: what the door takes, and what it answers."""

from collections.abc import Sequence
from typing import Annotated, Literal

import msgspec

from borsa.markets import amount_text
from borsa.runtime.clock import time_text
from borsa.runtime.codec import AssetCode, Body, Number, Reply, SignedNumber, line
from borsa.runtime.http.page import PageQuery
from borsa.services.wallets.model import Approval, Balance, Posting, Wallet
from borsa.services.wallets.store import EntryLines

Bucket = Literal["available", "held"]
ApprovalStatus = Literal["pending", "approved", "rejected", "expired"]


class NewWallet(Body, frozen=True):
    """A further wallet."""

    name: Annotated[str, line(64)]


class Adjustment(Body, frozen=True):
    """What an admin posts, and why."""

    asset: AssetCode
    delta: SignedNumber
    reason: Annotated[str, line(200)]


class Verdict(Body, frozen=True):
    """Why an admin approves or rejects."""

    reason: Annotated[str, line(200)]


class ApprovalQuery(PageQuery, frozen=True):
    """Which approvals."""

    status: ApprovalStatus | None = None


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


class ApprovalReply(Reply, frozen=True):
    """An adjustment that needs a second admin: who asked for it, and what another one said to it, and why."""

    approval_id: str
    wallet_id: str
    asset: str
    delta: str
    reason: str
    author: str
    status: ApprovalStatus
    asked_at: str
    expires_at: str
    decided_by: str | None
    decided_at: str | None
    verdict: str | None
    entry_id: str | None


class ApprovalPage(Reply, frozen=True):
    """Approvals, newest first."""

    data: list[ApprovalReply]
    next_cursor: str | None


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


def approval_reply(approval: Approval) -> ApprovalReply:
    """An approval as it is answered."""
    return ApprovalReply(
        approval_id=approval.approval_id,
        wallet_id=approval.wallet_id,
        asset=approval.asset,
        delta=amount_text(approval.asset, approval.delta),
        reason=approval.reason,
        author=approval.author,
        status=msgspec.convert(approval.status, ApprovalStatus),
        asked_at=time_text(approval.asked_at),
        expires_at=time_text(approval.expires_at),
        decided_by=approval.decided_by,
        decided_at=None if approval.decided_at is None else time_text(approval.decided_at),
        verdict=approval.verdict,
        entry_id=None if approval.entry_id is None else str(approval.entry_id),
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
