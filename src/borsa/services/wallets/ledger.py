"""Posting: the one place where money moves. An entry, its lines, the balances and the news of it, all at once."""

from collections.abc import Sequence

import msgspec

from borsa.events import BalanceChange, Cause, WalletUpdated
from borsa.markets import amount_text
from borsa.runtime.writing.transaction import Transaction
from borsa.services.wallets.model import FEES, WORLD, Balance, Entry, Move, Posting, Wallet, check_balanced, moved
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
    changed = _apply(memory, moves, entry_id)
    memory.entries.append(Entry(entry_id, tx.now, cause.kind, cause.reference, cause.reason, author))
    memory.postings.extend(
        [
            Posting(entry_id, line, move.wallet_id, move.asset, move.bucket, move.amount)
            for line, move in enumerate(moves)
        ]
    )
    for wallet_id, changes in changed.items():
        if wallet_id in (WORLD, FEES):
            continue
        memory.entries_of.add(entry_id, wallet_id)
        own_cause = cause if of_wallet is None else of_wallet.get(wallet_id, cause)
        tx.publish(_news(memory, wallet_id, changes, own_cause, entry_id))
    return entry_id


Changes = list[tuple[Balance, Balance]]
"""Balances of one wallet before and after an entry."""


def _apply(memory: Memory, moves: Sequence[Move], entry_id: int) -> dict[str, Changes]:
    """Change the balances; gives what changed in each wallet. Nothing is staged when one of them may not change so."""
    before: dict[tuple[str, str], Balance] = {}
    after: dict[tuple[str, str], Balance] = {}
    for move in moves:
        key = (move.wallet_id, move.asset)
        balance = after.get(key)
        if balance is None:
            balance = before[key] = memory.balance(*key)
        after[key] = moved(balance, move.bucket, move.amount, entry_id)
    changed: dict[str, Changes] = {}
    for key, balance in after.items():
        memory.balances.put(balance)
        changed.setdefault(key[0], []).append((before[key], balance))
    return changed


def _news(memory: Memory, wallet_id: str, changes: Changes, cause: Cause, entry_id: int) -> WalletUpdated:
    wallet = memory.wallets.get(wallet_id)
    if wallet is None:
        raise LookupError(f"entry {entry_id} touches an unknown wallet {wallet_id}")
    for _, after in changes:
        if after.asset not in wallet.assets:
            wallet = _with_asset(memory, wallet, after.asset)
    return WalletUpdated(
        wallet_id=wallet_id,
        user_id=wallet.user_id,
        balance={each.asset: amount_text(each.asset, each.total) for each in memory.balances_of(wallet)},
        changes=[_change(before, after) for before, after in changes],
        cause=cause,
        version=entry_id,
    )


def _with_asset(memory: Memory, wallet: Wallet, asset: str) -> Wallet:
    known = wallet.assets.split()
    if asset in known:
        return wallet  # as part of another asset's name it was not meant
    wallet = msgspec.structs.replace(wallet, assets=" ".join([*known, asset]))
    memory.wallets.put(wallet)
    return wallet


def _change(before: Balance, after: Balance) -> BalanceChange:
    asset, total = after.asset, after.total
    return BalanceChange(
        asset,
        amount_text(asset, total - before.total),
        amount_text(asset, total),
        amount_text(asset, after.available),
        amount_text(asset, after.held),
    )
