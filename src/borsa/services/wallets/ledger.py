"""Posting: the one place where money moves. An entry, its lines, the balances and the news of it, all at once."""

from collections.abc import Sequence

import msgspec

from borsa.events import BalanceChange, Cause, WalletUpdated
from borsa.markets import amount_text
from borsa.runtime.transaction import Transaction
from borsa.services.wallets.model import (
    Balance,
    Entry,
    Move,
    Posting,
    Wallet,
    check_balanced,
    moved,
    wallets_in,
)
from borsa.services.wallets.store import Memory


def post(
    tx: Transaction,
    memory: Memory,
    moves: Sequence[Move],
    cause: Cause,
    *,
    of_wallet: dict[str, Cause] | None = None,
    author: str | None = None,
) -> int:
    """Write one balanced entry and publish a WalletUpdated for each wallet in it; returns the entry's id.

    `of_wallet` gives a wallet a cause of its own, where the two sides of a trade see it differently.
    """
    check_balanced(moves)
    entry_id = memory.next_entry_id()
    before = _apply(memory, moves, entry_id)
    memory.entries.append(Entry(entry_id, tx.now, cause.kind, cause.reference, cause.reason, author))
    for line, move in enumerate(moves):
        memory.postings.append(Posting(entry_id, line, move.wallet_id, move.asset, move.bucket, move.amount))
    for wallet_id in wallets_in(moves):
        memory.entries_of.add(entry_id, wallet_id)
        _tell(tx, memory, wallet_id, before, (of_wallet or {}).get(wallet_id, cause), entry_id)
    return entry_id


def _apply(memory: Memory, moves: Sequence[Move], entry_id: int) -> dict[tuple[str, str], Balance]:
    """Change the balances; gives them as they were before. Nothing is staged when one of them may not change so."""
    before: dict[tuple[str, str], Balance] = {}
    after: dict[tuple[str, str], Balance] = {}
    for move in moves:
        key = (move.wallet_id, move.asset)
        balance = after.get(key)
        if balance is None:
            balance = before[key] = memory.balance(*key)
        after[key] = moved(balance, move.bucket, move.amount)
    for balance in after.values():
        memory.balances.put(msgspec.structs.replace(balance, version=entry_id))
    return before


def _tell(
    tx: Transaction,
    memory: Memory,
    wallet_id: str,
    before: dict[tuple[str, str], Balance],
    cause: Cause,
    entry_id: int,
) -> None:
    wallet = memory.wallets.get(wallet_id)
    if wallet is None:
        raise LookupError(f"entry {entry_id} touches an unknown wallet {wallet_id}")
    wallet = _with_assets(memory, wallet, before)
    changes = [
        _change(memory.balance(wallet_id, asset), balance)
        for (owner, asset), balance in before.items()
        if owner == wallet_id
    ]
    totals = {
        balance.asset: amount_text(balance.asset, balance.available + balance.held)
        for balance in memory.balances_of(wallet)
    }
    tx.publish(
        WalletUpdated(
            wallet_id=wallet_id,
            user_id=wallet.user_id,
            balance=totals,
            changes=changes,
            cause=cause,
            version=entry_id,
        )
    )


def _with_assets(memory: Memory, wallet: Wallet, before: dict[tuple[str, str], Balance]) -> Wallet:
    known = wallet.assets.split()
    fresh = [asset for owner, asset in before if owner == wallet.wallet_id and asset not in known]
    if fresh:
        wallet = msgspec.structs.replace(wallet, assets=" ".join(known + fresh))
        memory.wallets.put(wallet)
    return wallet


def _change(after: Balance, before: Balance) -> BalanceChange:
    asset = after.asset
    total = after.available + after.held
    return BalanceChange(
        asset=asset,
        delta=amount_text(asset, total - before.available - before.held),
        balance=amount_text(asset, total),
        available=amount_text(asset, after.available),
        held=amount_text(asset, after.held),
    )
