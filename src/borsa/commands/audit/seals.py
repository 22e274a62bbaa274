"""Seals: what was sealed is still so, row for row, and nothing was taken from its end."""

import hashlib
from collections.abc import Iterator

import msgspec

from borsa.commands.audit.check import Check, Look, Row
from borsa.commands.audit.moment import Moment


class Chained(msgspec.Struct, frozen=True):
    """Tables that are sealed together. `one` and `many` are what the first of them has; `seals` selects first id, last
    id, number of rows and digest of each seal, `tables` select rows from an id to an id, so many at most, and `last`
    the last id that there is, or the one that it is given."""

    one: str
    many: str
    seals: str
    tables: tuple[str, ...]
    last: str

    def named(self, first_id: int, last_id: int) -> str:
        """What is from an id to an id."""
        return f"{self.one} {first_id}" if first_id == last_id else f"{self.many} {first_id} to {last_id}"


LEDGER = Chained(
    one="entry",
    many="entries",
    seals="SELECT first_id, last_id, row_count, digest FROM wallets.seals ORDER BY last_id",
    tables=(
        """
        SELECT entry_id, time, kind, reference, reason, author FROM wallets.entries
        WHERE entry_id BETWEEN ? AND ? ORDER BY entry_id LIMIT ?
        """,
        """
        SELECT entry_id, line, wallet_id, asset, bucket, amount FROM wallets.postings
        WHERE entry_id BETWEEN ? AND ? ORDER BY entry_id, line LIMIT ?
        """,
    ),
    last="SELECT max(entry_id) FROM (SELECT entry_id FROM wallets.entries UNION ALL SELECT ?)",
)


def unlike_seals(look: Look, chained: Chained) -> Iterator[str]:
    """Every row is under one seal, and every digest is that of the seal before with the rows that are there now."""
    last, before = 0, bytes(32)
    for first_id, last_id, count, digest in look.each(chained.seals):
        name = chained.named(first_id, last_id)
        if first_id != last + 1:
            yield f"the seal on {name} follows that on {chained.one} {last}"
        # one row too many at most, whatever the seal says
        rows: list[list[Row]] = [list(look.each(table, first_id, last_id, count + 1)) for table in chained.tables]
        found = sum(map(len, rows))
        if found != count:
            yield f"{name}: {count} rows were sealed, and there are {f'{found} of them' if found < count else 'more'}"
        elif hashlib.sha256(before + msgspec.msgpack.encode(rows)).digest() != digest:
            yield f"{name}: not what was sealed, or not after what was sealed before"
        last, before = last_id, digest
    (newest_id,) = next(look.wrong(chained.last, last))
    if newest_id != last:
        yield f"{chained.named(last + 1, newest_id)}: no seal"


def entries_are_sealed(look: Look) -> Iterator[str]:
    """The ledger: entries with their postings."""
    yield from unlike_seals(look, LEDGER)


def is_in_the_chain(digest: bytes) -> Check:
    """The check that a digest, which was noted earlier and elsewhere, is still that of a seal."""

    def breaches(look: Look) -> Iterator[str]:
        look.among("SELECT count(*) FROM wallets.seals")
        if next(look.wrong("SELECT last_id FROM wallets.seals WHERE digest = ?", digest), None) is None:
            yield f"no seal has the digest {digest.hex()}: the ledger is older, or another one"

    return Check("I-05", "the digest that was noted is in the chain of seals", breaches)


_NEWEST = "SELECT last_id, lower(hex(digest)) FROM wallets.seals ORDER BY last_id DESC LIMIT 1"


def newest(moment: Moment) -> str:
    """The newest seal, in words to be noted elsewhere."""
    row = moment.one(_NEWEST)
    return f"sealed up to entry {row[0]}, digest {row[1]}" if row else "nothing is sealed yet"


CHECKS = (Check("I-05", "every entry is as it was sealed", entries_are_sealed),)
