"""Candles of every market and interval."""

from collections.abc import Iterator
from typing import Any

import sqlalchemy as sa
from alembic import op

from borsa.runtime.log import INTEGER

revision = "0008"
down_revision = "0007"

INTERVALS = (1, 60, 300, 900, 3_600, 14_400, 86_400)
MOST = 2**63 - 1
ROWS_AT_ONCE = 10_000

COLUMNS = ("symbol", "interval", "start", "open", "high", "low", "close", "volume", "quote_volume", "trades")
OF_TRADES = ("trade_id", "symbol", "price", "quantity", "notional", "executed_at", "block")


def upgrade() -> None:
    """Make the table, and the candles of all trades that there are."""
    candles = op.create_table(
        "candles",
        sa.Column("symbol", sa.Text(), nullable=False),
        *(sa.Column(name, INTEGER, autoincrement=False, nullable=False) for name in COLUMNS[1:]),
        sa.PrimaryKeyConstraint("symbol", "interval", "start"),
        sqlite_strict=True,
        sqlite_with_rowid=False,
    )
    rows: list[dict[str, Any]] = []
    for candle in _candles(op.get_bind()):
        rows.append(candle)
        if len(rows) == ROWS_AT_ONCE:
            op.bulk_insert(candles, rows)
            rows = []
    if rows:
        op.bulk_insert(candles, rows)


def _candles(connection: sa.Connection) -> Iterator[dict[str, Any]]:
    running: dict[tuple[str, int], dict[str, Any]] = {}
    for _, symbol, price, quantity, notional, at, block in _trades(connection):
        for interval in () if block else INTERVALS:
            start = at - at % (interval * 1_000_000)
            candle = running.get((symbol, interval))
            if candle is None or candle["start"] != start:
                if candle is not None:
                    yield candle
                values = (symbol, interval, start, price, price, price, price, 0, 0, 0)
                candle = running[symbol, interval] = dict(zip(COLUMNS, values, strict=True))
            candle["high"], candle["low"] = max(candle["high"], price), min(candle["low"], price)
            candle["close"] = price
            candle["volume"] = min(MOST, candle["volume"] + quantity)
            candle["quote_volume"] = min(MOST, candle["quote_volume"] + notional)
            candle["trades"] += 1
    yield from running.values()


def _trades(connection: sa.Connection) -> Iterator[Any]:
    columns: list[sa.ColumnClause[Any]] = [sa.column(name) for name in OF_TRADES]
    following = sa.select(*columns).select_from(sa.table("trades")).order_by(columns[0]).limit(ROWS_AT_ONCE)
    after = -1
    while True:
        page = following.where(columns[0] > after)
        rows = connection.execute(page).fetchall()
        if not rows:
            return
        yield from rows
        after = rows[-1][0]
