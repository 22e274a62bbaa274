"""The logs: dense, readable, in causal order, followed by cursors that are never ahead."""

import hashlib
from collections.abc import Iterator
from itertools import groupby
from operator import itemgetter
from typing import Any

import msgspec

from borsa import events
from borsa.commands.audit.check import Check, Look
from borsa.commands.audit.moment import of
from borsa.commands.audit.witness import DECODE, SCALE, units
from borsa.events import BalanceChange, WalletUpdated
from borsa.money import parse_signed
from borsa.runtime.shards import service_of

SOURCES = {kind.__name__: kind.source for kind in events.PUBLISHED}


def files_are_whole(look: Look) -> Iterator[str]:
    """Pages and indexes, by the database's own check."""
    for service in look.moment.services:
        for (said,) in look.each(of(service, "PRAGMA $service.quick_check(5)")):
            if said != "ok":
                yield f"{service}.db: {said}"


def logs_are_dense(look: Look) -> Iterator[str]:
    """1, 2, 3 without a gap, times that never go back, every row readable and filed under its subject."""
    for service in look.moment.services:
        before, time = 0, 0
        log = of(service, "SELECT sequence, time, type, subject, data FROM $service.log ORDER BY sequence")
        for sequence, at, kind, subject, data in look.each(log):
            if sequence != before + 1:
                yield f"{service}/{sequence} follows {service}/{before}"
            if at < time:
                yield f"{service}/{sequence} is older than the one before it"
            yield from _unreadable(f"{service}/{sequence}", service, kind, subject, data)
            before, time = sequence, at


def _unreadable(name: str, service: str, kind: str, subject: str, data: bytes) -> Iterator[str]:
    if SOURCES.get(kind) != service_of(service):
        yield f"{name} is a {kind}, which {service} does not publish"
        return
    try:
        event = DECODE[kind](data)
    except msgspec.MsgspecError as error:
        yield f"{name} can't be read: {error}"
        return
    if event.subject != subject:
        yield f"{name} is filed under {subject}, and is about {event.subject}"


def cursors_are_behind(look: Look) -> Iterator[str]:
    """No consumer has applied what its source has not logged, and none has set an event aside."""
    for (consumer, source), cursor in look.moment.cursors.items():
        look.rows_seen += 1
        if not 0 <= cursor <= look.moment.last[source]:
            yield f"{consumer} has applied {source}/{cursor}, the log ends at {look.moment.last[source]}"
        elif not _is_the_one_applied(look, consumer, source):
            yield f"{consumer} has applied another {source}/{cursor} than that log has"
    for service in look.moment.services:
        for source, sequence, error in look.wrong(
            of(service, "SELECT source, sequence, error FROM $service.dead_letters")
        ):
            yield f"{service} gave up on {source}/{sequence}: {error}"


def _is_the_one_applied(look: Look, consumer: str, source: str) -> bool:
    """Has the event at a cursor the digest that the consumer kept, where it kept one?"""
    kept = look.moment.one(of(consumer, "SELECT sequence, digest FROM $service.cursors WHERE source = ?"), source)
    if kept is None or kept[1] is None:
        return True
    columns = "sequence, time, type, subject, correlation, causation, data"
    row = look.moment.one(of(source, "SELECT $columns FROM $service.log WHERE sequence = ?", columns=columns), kept[0])
    return row is not None and hashlib.sha256(msgspec.msgpack.encode(row)).digest() == kept[1]


def causes_come_first(look: Look) -> Iterator[str]:
    """No event before the one that caused it, and every cause was logged."""
    yield from look.witnessed("I-35")
    for service in look.moment.services:
        named = of(service, "SELECT DISTINCT causation FROM $service.log WHERE causation IS NOT NULL")
        for (causation,) in look.each(named):
            source, _, sequence = causation.partition("/")
            if not sequence.isdigit() or not 0 < int(sequence) <= look.moment.last.get(source, 0):
                yield f"{service} names the cause {causation}, which is not logged"


ONCE = {
    "users": "'UserCreated', 'UserDeleted'",
    "orders": "'OrderCreated', 'OrderCancelled', 'MarketCreated'",
    "trades": "'TradeExecuted', 'OrderTriggered', 'OrderClosed', 'TradeBusted'",
}
"""What can happen only once to a user, a market, an order or a trade."""

_LOGS = {"users": "users.log", "orders": "orders.log", "trades": "temp.every_word"}

_REPEATED = """
    SELECT type, subject, count(*), max(sequence) FROM $log WHERE type IN ($types)
    GROUP BY type, subject HAVING count(*) > 1
"""


def told_once(look: Look) -> Iterator[str]:
    """What can happen once to something with an id was told once: not again, with the same content or with another."""
    for service, types in ONCE.items():
        given = {"log": _LOGS[service], "types": types}
        look.among(of(service, "SELECT count(*) FROM $log WHERE type IN ($types)", **given))
        for kind, subject, times, last in look.wrong(of(service, _REPEATED, **given)):
            yield f"{service} told {kind} of {subject} {times} times, last as {service}/{last}"


class _Why(msgspec.Struct):
    kind: str
    reference: str


class _Moved(msgspec.Struct):
    cause: _Why


_decode_moved = msgspec.json.Decoder(_Moved).decode

_CAUSED = """
    SELECT w.sequence, w.data, w.causation, t.type, t.subject FROM wallets.log w
    LEFT JOIN temp.every_word t ON t.source = substr(w.causation, 1, instr(w.causation, '/') - 1)
        AND t.sequence = CAST(substr(w.causation, instr(w.causation, '/') + 1) AS INTEGER)
    WHERE w.type = 'WalletUpdated' ORDER BY w.sequence
"""
_VOID = "SELECT count(*) FROM wallets.holds WHERE order_id = ? AND status = 'void'"

WORDS = {"trade": ("TradeExecuted",), "release": ("OrderClosed", "OrderAmended", "OrderAmendRejected")}
"""What the engine must have said of a trade or an order, for its money to move."""


def money_waits_for_the_engine(look: Look) -> Iterator[str]:
    """No settlement without that trade, no release without a word about that order; but for holds that were voided."""
    for sequence, data, causation, said, subject in look.each(_CAUSED):
        cause = _decode_moved(data).cause
        if cause.kind not in WORDS or (said in WORDS[cause.kind] and subject == cause.reference):
            continue
        if causation is None and next(look.wrong(_VOID, int(cause.reference)))[0]:
            continue
        because = f"{causation} ({said} of {subject})" if said else causation
        yield f"wallets/{sequence} is a {cause.kind} of {cause.reference}, caused by {because}"


def versions_grow(look: Look) -> Iterator[str]:
    """For each wallet and each portfolio, from event to event."""
    for service, kind in (("wallets", "WalletUpdated"), ("portfolios", "PortfolioUpdated")):
        newest: dict[str, int] = {}
        for sequence, subject, data in look.each(
            of(service, "SELECT sequence, subject, data FROM $service.log WHERE type = ? ORDER BY sequence"), kind
        ):
            version = _version(data)
            if version <= newest.get(subject, -1):
                yield f"{service}/{sequence}: version {version} of {subject} after {newest[subject]}"
            newest[subject] = version


class _Versioned(msgspec.Struct):
    version: int


_decode_version = msgspec.json.Decoder(_Versioned).decode


def _version(data: bytes) -> int:
    return _decode_version(data).version


_MOVED = """
    SELECT entry_id, wallet_id, asset, bucket, amount FROM wallets.postings
    WHERE wallet_id NOT IN ('world', 'fees') ORDER BY entry_id, line
"""
_TOLD = "SELECT sequence, data FROM wallets.log WHERE type = 'WalletUpdated' ORDER BY sequence"

Balances = dict[tuple[str, str], list[int]]

Told = tuple[int, int, int, int]
"""How much a total moved, and the total, available and held after it."""


def wallets_are_told(look: Look) -> Iterator[str]:
    """One WalletUpdated for each wallet in an entry, saying what the entry moved and what the balance came to."""
    decode = msgspec.json.Decoder(WalletUpdated).decode
    told = ((sequence, decode(data)) for sequence, data in look.each(_TOLD))
    ahead = next(told, None)
    balances: Balances = {}
    for entry_id, rows in groupby(look.each(_MOVED), key=itemgetter(0)):
        due = _due(balances, rows)
        yield from _below_zero(entry_id, due)
        while ahead is not None and ahead[1].version <= entry_id:
            sequence, event = ahead
            found = {each.asset: _said(each) for each in event.changes}
            if event.version < entry_id or due.pop(event.wallet_id, None) != found:
                yield f"wallets/{sequence} of {event.wallet_id}: entry {event.version} did not move {found}"
            ahead = next(told, None)
        for wallet_id in due:
            yield f"entry {entry_id} moved {wallet_id}, and that was never told"
    if ahead is not None:
        yield f"wallets/{ahead[0]} tells of entry {ahead[1].version}, which does not exist"


def _due(balances: Balances, rows: Iterator[tuple[Any, ...]]) -> dict[str, dict[str, Told]]:
    """What is to be told of an entry: for each wallet, of each asset that moved."""
    moved: dict[tuple[str, str], int] = {}
    for _, wallet_id, asset, bucket, amount in rows:
        balance = balances.setdefault((wallet_id, asset), [0, 0])
        balance[bucket == "held"] += amount
        moved[wallet_id, asset] = moved.get((wallet_id, asset), 0) + amount
    due: dict[str, dict[str, Told]] = {}
    for (wallet_id, asset), delta in moved.items():
        available, held = balances[wallet_id, asset]
        due.setdefault(wallet_id, {})[asset] = (delta, available + held, available, held)
    return due


def _below_zero(entry_id: int, due: dict[str, dict[str, Told]]) -> Iterator[str]:
    for wallet_id, moved in due.items():
        for asset, (_, _, available, held) in moved.items():
            if available < 0 or held < 0:
                yield f"entry {entry_id} left {wallet_id} with {available} {asset} available and {held} held"


def _said(change: BalanceChange) -> Told:
    return parse_signed(change.delta, SCALE), units(change.balance), units(change.available), units(change.held)


CHECKS = (
    Check("F10", "the database files are whole", files_are_whole),
    Check("I-30", "every log runs 1, 2, 3 ... and can be read", logs_are_dense),
    Check("I-30", "no cursor is ahead of its log or of another history, no event was set aside", cursors_are_behind),
    Check(
        "I-31",
        "each entry was told once to each wallet, with its balance, and none left it below zero",
        wallets_are_told,
        ("I-02",),
    ),
    Check("I-32", "what can happen once was told once", told_once),
    Check("I-34", "versions of wallets and portfolios only grow", versions_grow),
    Check("I-35", "nothing is told before its cause", causes_come_first),
    Check("I-35", "money moves for a trade or a release on the engine's word only", money_waits_for_the_engine),
)
