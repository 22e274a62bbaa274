"""Leads the witness through the two logs of a moment, and lays what it ends with into temporary tables."""

from heapq import merge
from operator import attrgetter
from typing import Any

import apsw

from borsa.commands.audit.moment import Moment, of
from borsa.commands.audit.witness import DECODE, Told, Witness, outcomes_of
from borsa.events import Event, MarketAssigned, OrderCreated

ROWS_AT_ONCE = 1_000

_ASKED = """
    SELECT sequence, type, data FROM orders.log
    WHERE type IN ('OrderCreated', 'OrderCancelRequested', 'OrderAmendRequested', 'CrossRequested', 'BlockTradeAgreed',
                   'MarketCreated', 'MarketUpdated', 'MarketAssigned')
    ORDER BY sequence
"""
_TOLD = "SELECT sequence, type, causation, data FROM $service.log ORDER BY sequence"

_TABLES = (
    """
    CREATE TEMP TABLE folded (
        order_id INTEGER PRIMARY KEY, user_id TEXT, wallet_id TEXT, symbol TEXT, side TEXT, price INTEGER,
        quantity INTEGER, filled INTEGER, prevented INTEGER, spent INTEGER, needs INTEGER, reason TEXT, source TEXT,
        last INTEGER)
    """,
    """
    CREATE TEMP TABLE executed (
        source TEXT, sequence INTEGER, trade_id INTEGER UNIQUE, symbol TEXT, buy_order_id INTEGER,
        sell_order_id INTEGER, buyer_id TEXT, seller_id TEXT, taker_side TEXT, price INTEGER, quantity INTEGER,
        buyer_fee INTEGER, seller_fee INTEGER, market_sequence INTEGER, block INTEGER,
        PRIMARY KEY (source, sequence))
    """,
    "CREATE TEMP TABLE applied (consumer TEXT, source TEXT, sequence INTEGER, PRIMARY KEY (consumer, source))",
)
_KEEP_CURSOR = "INSERT INTO temp.applied VALUES (?, ?, ?)"
_KEEP_ORDER = "INSERT OR REPLACE INTO temp.folded VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
_KEEP_TRADE = "INSERT OR IGNORE INTO temp.executed VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"


def follow(moment: Moment) -> Witness:
    """What the witness saw from the first event of all logs to this moment."""
    connection, witness = moment.connection, Witness()
    for table in _TABLES:
        connection.execute(table)
    connection.executemany(_KEEP_CURSOR, [(*pair, sequence) for pair, sequence in moment.cursors.items()])
    _Following(moment, witness).run()
    _flush(connection, witness, 1)
    return witness


class _Following:
    """What orders asked, and what the shards of trades said of it, side by side."""

    def __init__(self, moment: Moment, witness: Witness) -> None:
        self._connection = moment.connection
        self._witness = witness
        self._taken = {shard: moment.cursor(shard, "orders") for shard in moment.shards}
        # the shard of each market, as far as the orders log was read; the others are with the first
        self._shards: dict[str, str] = {}
        logs = [outcomes_of(shard, moment.rows(of(shard, _TOLD))) for shard in moment.shards]
        self._told = merge(*logs, key=attrgetter("cause"))
        self._ahead = next(self._told, None)

    def run(self) -> None:
        """Read all of it."""
        witness = self._witness
        for sequence, kind, data in self._connection.execute(_ASKED):
            event = DECODE[kind](data)
            if isinstance(event, MarketAssigned):
                self._shards[event.symbol] = event.shard
            if sequence <= self._taken.get(self._shard_of(event), 0):
                witness.asks(event)
                self._hear(sequence)
                witness.ends()
                witness.is_answered(sequence)
                _flush(self._connection, witness, ROWS_AT_ONCE)
            elif isinstance(event, OrderCreated):
                witness.waits(event)
        if self._ahead is not None:
            name, cause = _name(self._ahead), self._ahead.cause
            witness.note("I-35", f"{name} was caused by orders/{cause}, which can't have caused it there")
        witness.finish()

    def _shard_of(self, event: Event) -> str:
        return self._shards.get(getattr(event, "symbol", ""), "trades")

    def _hear(self, cause: int) -> None:
        while self._ahead is not None and self._ahead.cause <= cause:
            told = self._ahead
            if told.cause < cause:
                self._witness.note("I-35", f"{_name(told)} was caused by orders/{told.cause}, and stands after {cause}")
            if told.source != (shard := self._shard_of(told.event)):
                self._witness.note("I-35", f"{_name(told)} is about a market whose book is with {shard}")
            self._witness.hears(told.source, told.sequence, told.event)
            self._ahead = next(self._told, None)


def _name(told: Told) -> str:
    return f"{told.source}/{told.sequence}"


def _flush(connection: apsw.Connection, witness: Witness, at_least: int) -> None:
    for rows, statement in ((witness.folded, _KEEP_ORDER), (witness.executed, _KEEP_TRADE)):
        if len(rows) >= at_least:
            connection.executemany(statement, _taken(rows))


def _taken(rows: list[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
    taken = rows.copy()
    rows.clear()
    return taken
