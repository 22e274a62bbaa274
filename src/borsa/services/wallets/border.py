"""The border: money that comes in from the outside world and goes out to it, and who must say yes to that.

Play money is the users' own doing. An adjustment is an admin's; what admins post of an asset in a day is capped, and
what goes beyond it waits until a second one approves.
"""

import msgspec

from borsa.errors import Refused
from borsa.events import Cause
from borsa.markets import amount_text, amount_units
from borsa.runtime.writing.transaction import Transaction
from borsa.services.wallets import model
from borsa.services.wallets.ledger import post
from borsa.services.wallets.model import (
    APPROVED,
    EXPIRED,
    PENDING,
    WORLD,
    Adjust,
    Adjusted,
    Approval,
    Decide,
    Deposit,
    Wallet,
    WalletState,
)
from borsa.services.wallets.store import Memory

HOUR = 3600 * 1_000_000
DAY = 24 * HOUR


def deposit(tx: Transaction, memory: Memory, request: Deposit) -> WalletState:
    """Play money: one balanced posting against the outside world."""
    wallet = memory.wallet_of(request.wallet_id, request.user_id)
    cause = Cause(kind="faucet", reference=tx.correlation)
    _cross(tx, memory, wallet, request.asset, request.amount, cause, request.user_id)
    return _state(memory, wallet)


def adjust(tx: Transaction, memory: Memory, request: Adjust) -> Adjusted:
    """An admin's adjustment: posted, or kept until a second admin approves it."""
    wallet = memory.wallet_of(request.wallet_id, None)
    if _is_above_cap(tx, memory, request):
        _check(memory, wallet, request.asset, request.delta)
        return Adjusted(_state(memory, wallet), _propose(tx, memory, request))
    cause = Cause(kind="adjustment", reference=tx.correlation, reason=request.reason)
    entry_id = _cross(tx, memory, wallet, request.asset, request.delta, cause, request.author)
    memory.note_adjusted(entry_id, request.asset, abs(request.delta))
    tx.act("wallet.adjusted", wallet.wallet_id, entryId=str(entry_id), **_said(request))
    return Adjusted(_state(memory, wallet))


def _is_above_cap(tx: Transaction, memory: Memory, request: Adjust) -> bool:
    cap = amount_units(memory.settings.adjustment_daily_max)
    return memory.adjusted_alone_since(request.asset, tx.now - DAY) + abs(request.delta) > cap


def _propose(tx: Transaction, memory: Memory, request: Adjust) -> Approval:
    approval = Approval(
        approval_id=tx.new_id(),
        wallet_id=request.wallet_id,
        asset=request.asset,
        delta=request.delta,
        reason=request.reason,
        author=request.author,
        status=PENDING,
        asked_at=tx.now,
        expires_at=tx.now + memory.settings.approval_hours * HOUR,
    )
    memory.approvals.add(approval)
    tx.act("adjustment.proposed", approval.approval_id, walletId=approval.wallet_id, **_said(approval))
    return approval


def decide(tx: Transaction, memory: Memory, request: Decide) -> Approval:
    """A second admin approves an adjustment, which is posted then and there; or any admin rejects it."""
    before = memory.approvals.get(request.approval_id)
    if before is None:
        raise Refused("not_found")
    approval = model.decided(before, request, tx.now)
    if approval is before:
        return before
    acted = "adjustment.rejected"
    about = {"walletId": approval.wallet_id, "proposedBy": approval.author, "verdict": request.verdict}
    if approval.status == APPROVED:
        wallet = memory.wallet_of(approval.wallet_id, None)
        cause = Cause(kind="adjustment", reference=approval.approval_id, reason=approval.reason)
        entry_id = _cross(tx, memory, wallet, approval.asset, approval.delta, cause, request.admin)
        approval = msgspec.structs.replace(approval, entry_id=entry_id)
        acted, about = "adjustment.approved", about | {"entryId": str(entry_id)}
    memory.approvals.put(approval)
    tx.act(acted, approval.approval_id, **about, **_said(approval))
    return approval


def expire_approvals(tx: Transaction, memory: Memory) -> None:
    """End what no second admin approved in time."""
    for approval in memory.expired(tx.now):
        memory.approvals.put(msgspec.structs.replace(approval, status=EXPIRED))
        tx.act("adjustment.expired", approval.approval_id, walletId=approval.wallet_id, **_said(approval))


def _said(about: Adjust | Approval) -> dict[str, str]:
    return {"asset": about.asset, "delta": amount_text(about.asset, about.delta), "reason": about.reason}


def _cross(tx: Transaction, memory: Memory, wallet: Wallet, asset: str, delta: int, cause: Cause, author: str) -> int:
    """Post what comes in or goes out; returns the entry's id."""
    _check(memory, wallet, asset, delta)
    return post(tx, memory, model.deposit_moves(wallet.wallet_id, asset, delta), cause, author=author)


def _check(memory: Memory, wallet: Wallet, asset: str, delta: int) -> None:
    """Refuse what could not be posted now, or would make users own more than is held for them."""
    if memory.assets.get(asset) is None:
        raise Refused("invalid_request", "must be an asset that some market trades", field="asset")
    for move in model.deposit_moves(wallet.wallet_id, asset, delta):
        model.moved(memory.balance(move.wallet_id, asset), move.bucket, move.amount, 0)
    owed, most = delta - memory.balance(WORLD, asset).available, memory.custody.get(asset)
    if delta > 0 and most is not None and owed > most:
        raise Refused("above_custody", f"At most {amount_text(asset, most)} {asset} are held in custody")


def _state(memory: Memory, wallet: Wallet) -> WalletState:
    # as it is now: it may have a new asset
    wallet = memory.wallet_of(wallet.wallet_id, None)
    return WalletState(wallet, memory.balances_of(wallet))
