"""The first schema of orders."""

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
        "amendments",
        sa.Column("order_id", INTEGER, autoincrement=False, nullable=False),
        sa.Column("revision", INTEGER, autoincrement=False, nullable=False),
        sa.Column("quantity", INTEGER, nullable=False),
        sa.Column("price", INTEGER, nullable=False),
        sa.Column("requested_at", INTEGER, nullable=False),
        sa.PrimaryKeyConstraint("order_id", "revision"),
        sqlite_strict=True,
    )
    op.create_table(
        "counters",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("value", INTEGER, nullable=False),
        sa.PrimaryKeyConstraint("name"),
        sqlite_strict=True,
    )
    op.create_table(
        "last_prices",
        sa.Column("symbol", sa.Text(), nullable=False),
        sa.Column("price", INTEGER, nullable=False),
        sa.PrimaryKeyConstraint("symbol"),
        sqlite_strict=True,
    )
    op.create_table(
        "markets",
        sa.Column("symbol", sa.Text(), nullable=False),
        sa.Column("base", sa.Text(), nullable=False),
        sa.Column("quote", sa.Text(), nullable=False),
        sa.Column("number", INTEGER, nullable=False),
        sa.Column("tick", INTEGER, nullable=False),
        sa.Column("lot", INTEGER, nullable=False),
        sa.Column("min_notional", INTEGER, nullable=False),
        sa.Column("maker_fee", INTEGER, nullable=False),
        sa.Column("taker_fee", INTEGER, nullable=False),
        sa.Column("price_band_ppm", INTEGER, nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("symbol"),
        sqlite_strict=True,
    )
    op.create_table(
        "orders",
        sa.Column("order_id", INTEGER, autoincrement=False, nullable=False),
        sa.Column("user_id", sa.Text(), nullable=False),
        sa.Column("wallet_id", sa.Text(), nullable=False),
        sa.Column("symbol", sa.Text(), nullable=False),
        sa.Column("side", sa.Text(), nullable=False),
        sa.Column("order_type", sa.Text(), nullable=False),
        sa.Column("time_in_force", sa.Text(), nullable=False),
        sa.Column("post_only", INTEGER, nullable=False),
        sa.Column("self_trade_prevention", sa.Text(), nullable=False),
        sa.Column("quantity", INTEGER, nullable=False),
        sa.Column("price", INTEGER, nullable=False),
        sa.Column("stop_price", INTEGER, nullable=False),
        sa.Column("quote_quantity", INTEGER, nullable=False),
        sa.Column("held", INTEGER, nullable=False),
        sa.Column("filled", INTEGER, nullable=False),
        sa.Column("prevented", INTEGER, nullable=False),
        sa.Column("spent", INTEGER, nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("cancel_requested", INTEGER, nullable=False),
        sa.Column("revision", INTEGER, nullable=False),
        sa.Column("amending", INTEGER, nullable=False),
        sa.Column("version", INTEGER, nullable=False),
        sa.Column("client_order_id", sa.Text(), nullable=True),
        sa.Column("digest", sa.LargeBinary(), nullable=True),
        sa.Column("created_at", INTEGER, nullable=False),
        sa.Column("updated_at", INTEGER, nullable=False),
        sa.CheckConstraint("filled >= 0 AND (filled <= quantity OR quantity = 0)", name="orders_not_overfilled"),
        sa.PrimaryKeyConstraint("order_id"),
        sqlite_strict=True,
    )
    op.create_index(
        "orders_client_id",
        "orders",
        ["user_id", "client_order_id"],
        unique=True,
        sqlite_where=sa.text("client_order_id IS NOT NULL"),
        postgresql_where=sa.text("client_order_id IS NOT NULL"),
    )
    op.create_index("orders_of_user", "orders", ["user_id", "order_id"], unique=False)
