"""Leads the witness through the two logs of a moment, and lays what it ends with into temporary tables."""

from collections.abc import Iterator
from typing import Any

import apsw

from borsa.commands.audit.moment import Moment
from borsa.commands.audit.witness import DECODE, Witness, outcomes_of
from borsa.events import Event, OrderCreated

ROWS_AT_ONCE = 1_000

_ASKED = """
    SELECT sequence, type, data FROM orders.log
    WHERE type IN ('OrderCreated', 'OrderCancelRequested', 'OrderAmendRequested', 'CrossRequested', 'BlockTradeAgreed',
                   'MarketCreated', 'MarketUpdated')
    ORDER BY sequence
"""
_TOLD = "SELECT sequence, type, causation, data FROM trades.log ORDER BY sequence"

_TABLES = (
    """
    CREATE TEMP TABLE folded (
        order_id INTEGER PRIMARY KEY, user_id TEXT, wallet_id TEXT, symbol TEXT, side TEXT, price INTEGER,
        quantity INTEGER, filled INTEGER, prevented INTEGER, spent INTEGER, needs INTEGER, reason TEXT, last INTEGER)
    """,
    """
    CREATE TEMP TABLE executed (
        sequence INTEGER PRIMARY KEY, trade_id INTEGER UNIQUE, symbol TEXT, buy_order_id INTEGER,
        sell_order_id INTEGER, buyer_id TEXT, seller_id TEXT, taker_side TEXT, price INTEGER, quantity INTEGER,
        buyer_fee INTEGER, seller_fee INTEGER, market_sequence INTEGER, block INTEGER)
    """,
)
_KEEP_ORDER = "INSERT OR REPLACE INTO temp.folded VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
_KEEP_TRADE = "INSERT OR IGNORE INTO temp.executed VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"

Told = tuple[int, int, Event]


def follow(moment: Moment) -> Witness:
    """What the witness saw from the first event of both logs to this moment."""
    connection, witness = moment.connection, Witness()
    for table in _TABLES:
        connection.execute(table)
    taken = moment.cursor("trades", "orders")
    told = outcomes_of(connection.execute(_TOLD))
    ahead = next(told, None)
    for sequence, kind, data in connection.execute(_ASKED):
        event = DECODE[kind](data)
        if sequence > taken:
            if isinstance(event, OrderCreated):
                witness.waits(event)
            continue
        witness.asks(event)
        ahead = _hear(witness, told, ahead, sequence)
        witness.ends()
        witness.is_answered(sequence)
        _flush(connection, witness, ROWS_AT_ONCE)
    if ahead is not None:
        witness.note("I-35", f"trades/{ahead[0]} was caused by orders/{ahead[1]}, which can't have caused it there")
    witness.finish()
    _flush(connection, witness, 1)
    return witness


def _hear(witness: Witness, told: Iterator[Told], ahead: Told | None, cause: int) -> Told | None:
    while ahead is not None and ahead[1] <= cause:
        if ahead[1] < cause:
            witness.note("I-35", f"trades/{ahead[0]} was caused by orders/{ahead[1]}, and stands after {cause}")
        witness.hears(ahead[0], ahead[2])
        ahead = next(told, None)
    return ahead


def _flush(connection: apsw.Connection, witness: Witness, at_least: int) -> None:
    for rows, statement in ((witness.folded, _KEEP_ORDER), (witness.executed, _KEEP_TRADE)):
        if len(rows) >= at_least:
            connection.executemany(statement, _taken(rows))


def _taken(rows: list[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
    taken = rows.copy()
    rows.clear()
    return taken
