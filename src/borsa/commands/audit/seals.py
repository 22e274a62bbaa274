"""Seals: the ledger is what was sealed, row for row, and nothing was taken from its end."""

import hashlib
from collections.abc import Iterator

import msgspec

from borsa.commands.audit.check import Check, Look, Row
from borsa.commands.audit.moment import Moment

_SEALS = "SELECT first_id, last_id, row_count, digest FROM wallets.seals ORDER BY last_id"
_ENTRIES = """
    SELECT entry_id, time, kind, reference, reason, author FROM wallets.entries
    WHERE entry_id BETWEEN ? AND ? ORDER BY entry_id LIMIT ?
"""
_POSTINGS = """
    SELECT entry_id, line, wallet_id, asset, bucket, amount FROM wallets.postings
    WHERE entry_id BETWEEN ? AND ? ORDER BY entry_id, line LIMIT ?
"""
_LAST_ENTRY = "SELECT max(entry_id) FROM (SELECT entry_id FROM wallets.entries UNION ALL SELECT ?)"
_NEWEST = "SELECT last_id, lower(hex(digest)) FROM wallets.seals ORDER BY last_id DESC LIMIT 1"


def entries_are_sealed(look: Look) -> Iterator[str]:
    """Every entry under one seal, and every digest that of the seal before with the rows that are there now."""
    last, before = 0, bytes(32)
    for first_id, last_id, count, digest in look.each(_SEALS):
        if first_id != last + 1:
            yield f"the seal on {_named(first_id, last_id)} follows that on entry {last}"
        rows = _rows(look, first_id, last_id, count)
        found = sum(map(len, rows))
        if found != count:
            yield f"{_named(first_id, last_id)}: {count} rows were sealed, and there are {_counted(found, count)}"
        elif hashlib.sha256(before + msgspec.msgpack.encode(rows)).digest() != digest:
            yield f"{_named(first_id, last_id)}: not what was sealed, or not after what was sealed before"
        last, before = last_id, digest
    (newest,) = next(look.wrong(_LAST_ENTRY, last))
    if newest != last:
        yield f"{_named(last + 1, newest)}: no seal"


def _rows(look: Look, first_id: int, last_id: int, count: int) -> list[list[Row]]:
    """Entries and postings under a seal; one row too many at most, whatever the seal says."""
    return [list(look.each(table, first_id, last_id, count + 1)) for table in (_ENTRIES, _POSTINGS)]


def _counted(found: int, sealed: int) -> str:
    return f"{found} of them" if found < sealed else "more"


def _named(first_id: int, last_id: int) -> str:
    return f"entry {first_id}" if first_id == last_id else f"entries {first_id} to {last_id}"


def is_in_the_chain(digest: bytes) -> Check:
    """The check that a digest, which was noted earlier and elsewhere, is still that of a seal."""

    def breaches(look: Look) -> Iterator[str]:
        look.among("SELECT count(*) FROM wallets.seals")
        if next(look.wrong("SELECT last_id FROM wallets.seals WHERE digest = ?", digest), None) is None:
            yield f"no seal has the digest {digest.hex()}: the ledger is older, or another one"

    return Check("I-05", "the digest that was noted is in the chain of seals", breaches)


def newest(moment: Moment) -> str:
    """The newest seal, in words to be noted elsewhere."""
    row = moment.connection.execute(_NEWEST).fetchone()
    return f"sealed up to entry {row[0]}, digest {row[1]}" if row else "nothing is sealed yet"


CHECKS = (Check("I-05", "every entry is as it was sealed", entries_are_sealed),)
