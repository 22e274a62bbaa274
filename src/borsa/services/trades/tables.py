"""The schema of trades: the trades, their candles, and snapshots of the books."""

import sqlalchemy as sa

from borsa.runtime.log import INTEGER, runtime_tables, strict_table
from borsa.runtime.records.listing import Listing

METADATA = sa.MetaData()
runtime_tables(METADATA)

_BUSTING = sa.text("status = 'busting'")

TRADES = strict_table(
    "trades",
    METADATA,
    sa.Column("trade_id", INTEGER, primary_key=True, autoincrement=False),
    sa.Column("symbol", sa.Text, nullable=False),
    sa.Column("buy_order_id", INTEGER, nullable=False),
    sa.Column("sell_order_id", INTEGER, nullable=False),
    sa.Column("buyer_id", sa.Text, nullable=False),
    sa.Column("seller_id", sa.Text, nullable=False),
    sa.Column("taker_side", sa.Text, nullable=False),
    sa.Column("price", INTEGER, nullable=False),
    sa.Column("quantity", INTEGER, nullable=False),
    sa.Column("notional", INTEGER, nullable=False),
    sa.Column("buyer_fee", INTEGER, nullable=False),
    sa.Column("seller_fee", INTEGER, nullable=False),
    sa.Column("sequence", INTEGER, nullable=False),
    sa.Column("block", INTEGER, nullable=False),
    sa.Column("status", sa.Text, nullable=False),
    sa.Column("note", sa.Text),
    sa.Column("tags", sa.Text, nullable=False),
    sa.Column("bust_reason", sa.Text),
    sa.Column("executed_at", INTEGER, nullable=False),
    sa.Column("bust_attempts", INTEGER, nullable=False, server_default=sa.text("0")),
    sa.CheckConstraint("price > 0 AND quantity > 0 AND notional > 0", name="trades_have_value"),
    sa.CheckConstraint("buyer_fee BETWEEN 0 AND quantity", name="trades_buyer_fee"),
    sa.CheckConstraint("seller_fee BETWEEN 0 AND notional", name="trades_seller_fee"),
    sa.Index("trades_of_market", "symbol", "trade_id"),
    sa.Index("trades_busting", "trade_id", sqlite_where=_BUSTING, postgresql_where=_BUSTING),
)

TRADES_OF_USER = Listing("trades_of_user", METADATA, owner="user_id", item="trade_id", kind=INTEGER)

CANDLES = strict_table(
    "candles",
    METADATA,
    sa.Column("symbol", sa.Text, primary_key=True),
    sa.Column("interval", INTEGER, primary_key=True, autoincrement=False),
    sa.Column("start", INTEGER, primary_key=True, autoincrement=False),
    sa.Column("open", INTEGER, nullable=False),
    sa.Column("high", INTEGER, nullable=False),
    sa.Column("low", INTEGER, nullable=False),
    sa.Column("close", INTEGER, nullable=False),
    sa.Column("volume", INTEGER, nullable=False),
    sa.Column("quote_volume", INTEGER, nullable=False),
    sa.Column("trades", INTEGER, nullable=False),
    by_key=True,
)

SNAPSHOTS = strict_table(
    "snapshots",
    METADATA,
    sa.Column("sequence", INTEGER, primary_key=True, autoincrement=False),
    sa.Column("taken_at", INTEGER, nullable=False),
    sa.Column("orders", INTEGER, nullable=False),
    sa.Column("digest", sa.LargeBinary, nullable=False),
)

SNAPSHOT_PIECES = strict_table(
    "snapshot_pieces",
    METADATA,
    sa.Column("sequence", INTEGER, primary_key=True, autoincrement=False),
    sa.Column("number", INTEGER, primary_key=True, autoincrement=False),
    sa.Column("body", sa.LargeBinary, nullable=False),
)
