"""The first schema of trades."""

import sqlalchemy as sa
from alembic import op

from borsa.runtime.databases.first_schema import make_runtime_tables
from borsa.runtime.log import INTEGER

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Make the tables."""
    make_runtime_tables()
    op.create_table(
        "snapshots",
        sa.Column("sequence", INTEGER, autoincrement=False, nullable=False),
        sa.Column("taken_at", INTEGER, nullable=False),
        sa.Column("orders", INTEGER, nullable=False),
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("sequence"),
        sqlite_strict=True,
    )
    op.create_table(
        "trades",
        sa.Column("trade_id", INTEGER, autoincrement=False, nullable=False),
        sa.Column("symbol", sa.Text(), nullable=False),
        sa.Column("buy_order_id", INTEGER, nullable=False),
        sa.Column("sell_order_id", INTEGER, nullable=False),
        sa.Column("buyer_id", sa.Text(), nullable=False),
        sa.Column("seller_id", sa.Text(), nullable=False),
        sa.Column("taker_side", sa.Text(), nullable=False),
        sa.Column("price", INTEGER, nullable=False),
        sa.Column("quantity", INTEGER, nullable=False),
        sa.Column("notional", INTEGER, nullable=False),
        sa.Column("buyer_fee", INTEGER, nullable=False),
        sa.Column("seller_fee", INTEGER, nullable=False),
        sa.Column("sequence", INTEGER, nullable=False),
        sa.Column("block", INTEGER, nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("note", sa.Text(), nullable=True),
        sa.Column("tags", sa.Text(), nullable=False),
        sa.Column("bust_reason", sa.Text(), nullable=True),
        sa.Column("executed_at", INTEGER, nullable=False),
        sa.CheckConstraint("buyer_fee BETWEEN 0 AND quantity", name="trades_buyer_fee"),
        sa.CheckConstraint("price > 0 AND quantity > 0 AND notional > 0", name="trades_have_value"),
        sa.CheckConstraint("seller_fee BETWEEN 0 AND notional", name="trades_seller_fee"),
        sa.PrimaryKeyConstraint("trade_id"),
        sqlite_strict=True,
    )
    op.create_index("trades_of_buyer", "trades", ["buyer_id", "trade_id"], unique=False)
    op.create_index("trades_of_market", "trades", ["symbol", "trade_id"], unique=False)
    op.create_index("trades_of_seller", "trades", ["seller_id", "trade_id"], unique=False)
