"""The ledger: every entry balanced, every balance the fold of its postings, no money from nowhere."""

from collections.abc import Iterator
from itertools import groupby
from operator import itemgetter

from borsa.commands.audit.check import Check, Look, whole

BUCKETS = ("available", "held")


def sums_are_zero(look: Look) -> Iterator[str]:
    """Over all wallets, fees and the world."""
    balances = """
        SELECT asset, sum(available >> 32), sum(available & 4294967295), sum(held >> 32), sum(held & 4294967295)
        FROM wallets.balances GROUP BY asset
    """
    for asset, *halves in look.wrong(balances):
        total = whole(*halves[:2]) + whole(*halves[2:])
        if total:
            yield f"balances of {asset} sum to {total}"
    postings = "SELECT asset, sum(amount >> 32), sum(amount & 4294967295) FROM wallets.postings GROUP BY asset"
    for asset, high, low in look.wrong(postings):
        if whole(high, low):
            yield f"postings of {asset} sum to {whole(high, low)}"
    look.among("SELECT count(*) FROM wallets.balances")
    look.among("SELECT count(*) FROM wallets.postings")


def nothing_is_negative(look: Look) -> Iterator[str]:
    """Only the world owes."""
    for wallet_id, asset, available, held in look.each(
        "SELECT wallet_id, asset, available, held FROM wallets.balances"
    ):
        if held < 0 or (available < 0 and wallet_id != "world"):
            yield f"{wallet_id} has {available} {asset} available and {held} held"
        if held and wallet_id in ("world", "fees"):
            yield f"{wallet_id} has {held} {asset} held"


def entries_balance(look: Look) -> Iterator[str]:
    """Ids from 1 without a gap; at least two lines each; debits equal credits for each asset."""
    lines = look.each("SELECT entry_id, line, asset, bucket, amount FROM wallets.postings ORDER BY entry_id, line")
    grouped = ((entry_id, list(rows)) for entry_id, rows in groupby(lines, key=itemgetter(0)))
    ahead = next(grouped, None)
    expected = 0
    for (entry_id,) in look.each("SELECT entry_id FROM wallets.entries ORDER BY entry_id"):
        expected += 1
        if entry_id != expected:
            yield f"entry {entry_id} follows entry {expected - 1}"
            expected = entry_id
        while ahead is not None and ahead[0] < entry_id:
            yield f"postings of entry {ahead[0]}, which does not exist"
            ahead = next(grouped, None)
        if ahead is None or ahead[0] > entry_id:
            yield f"entry {entry_id} has no postings"
            continue
        yield from _unbalanced(entry_id, ahead[1])
        ahead = next(grouped, None)
    while ahead is not None:
        yield f"postings of entry {ahead[0]}, which does not exist"
        ahead = next(grouped, None)


def _unbalanced(entry_id: int, lines: list[tuple[int, int, str, str, int]]) -> Iterator[str]:
    sums: dict[str, int] = {}
    for at, (_, line, asset, bucket, amount) in enumerate(lines):
        sums[asset] = sums.get(asset, 0) + amount
        if line != at or bucket not in BUCKETS:
            yield f"entry {entry_id} has line {line} ({bucket}) in place {at}"
    if len(lines) < 2:
        yield f"entry {entry_id} has {len(lines)} line"
    for asset, total in sums.items():
        if total:
            yield f"entry {entry_id} sums to {total} {asset}"


_FOLDED = """
    SELECT wallet_id, asset, max(entry_id) AS last,
        sum(CASE bucket WHEN 'available' THEN amount >> 32 END) AS available_high,
        sum(CASE bucket WHEN 'available' THEN amount & 4294967295 END) AS available_low,
        sum(CASE bucket WHEN 'held' THEN amount >> 32 END) AS held_high,
        sum(CASE bucket WHEN 'held' THEN amount & 4294967295 END) AS held_low
    FROM wallets.postings GROUP BY wallet_id, asset ORDER BY wallet_id, asset
"""


def balances_are_folds(look: Look) -> Iterator[str]:
    """Recomputed from the first posting on; the version is the last entry that touched it."""
    kept = look.each(
        "SELECT wallet_id, asset, available, held, version FROM wallets.balances ORDER BY wallet_id, asset"
    )
    ahead = next(kept, None)
    for wallet_id, asset, last, *halves in look.wrong(_FOLDED):
        while ahead is not None and ahead[:2] < (wallet_id, asset):
            yield f"{ahead[0]} has {ahead[2]} + {ahead[3]} {ahead[1]} without a posting"
            ahead = next(kept, None)
        folded = (whole(*halves[:2]), whole(*halves[2:]), last)
        if ahead is None or ahead[:2] != (wallet_id, asset):
            yield f"{wallet_id} has no balance of {asset}, its postings fold to {folded[0]} + {folded[1]}"
            continue
        if ahead[2:] != folded:
            yield f"{wallet_id} has {_told(ahead[2:])} {asset}, its postings fold to {_told(folded)}"
        ahead = next(kept, None)
    while ahead is not None:
        yield f"{ahead[0]} has {ahead[2]} + {ahead[3]} {ahead[1]} without a posting"
        ahead = next(kept, None)
    look.among("SELECT count(*) FROM wallets.postings")


def _told(balance: tuple[int, int, int]) -> str:
    available, held, version = balance
    return f"{available} + {held} at entry {version}"


def liabilities_are_covered(look: Look) -> Iterator[str]:
    """What users own came in from the outside world, in entries that say so."""
    owed = """
        SELECT asset, sum(available >> 32), sum(available & 4294967295), sum(held >> 32), sum(held & 4294967295)
        FROM wallets.balances WHERE wallet_id NOT IN ('world', 'fees') GROUP BY asset
    """
    deposited = """
        SELECT asset, sum(amount >> 32), sum(amount & 4294967295) FROM wallets.postings
        WHERE wallet_id = 'world' GROUP BY asset
    """
    came_in = {asset: -whole(high, low) for asset, high, low in look.wrong(deposited)}
    for asset, *halves in look.each(owed):
        liabilities = whole(*halves[:2]) + whole(*halves[2:])
        if liabilities > came_in.get(asset, 0):
            yield f"users own {liabilities} {asset}, {came_in.get(asset, 0)} came in"
    strange = """
        SELECT e.entry_id, e.kind FROM wallets.postings p JOIN wallets.entries e ON e.entry_id = p.entry_id
        WHERE p.wallet_id = 'world' AND e.kind NOT IN ('adjustment', 'faucet')
    """
    for entry_id, kind in look.wrong(strange):
        yield f"entry {entry_id} ({kind}) moves money across the border"
    look.among("SELECT count(*) FROM wallets.balances WHERE wallet_id NOT IN ('world', 'fees')")


CHECKS = (
    Check("I-01", "each asset sums to zero over all wallets, fees and the world", sums_are_zero),
    Check("I-02", "nothing is below zero", nothing_is_negative),
    Check("I-05", "every entry balances for each asset, and none is missing", entries_balance),
    Check("I-06", "every balance is the fold of its postings", balances_are_folds),
    Check("I-07", "users own no more than came in", liabilities_are_covered),
)
