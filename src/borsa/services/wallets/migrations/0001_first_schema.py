"""The first schema of wallets."""

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
        "assets",
        sa.Column("asset", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("asset"),
        sqlite_strict=True,
    )
    op.create_table(
        "balances",
        sa.Column("wallet_id", sa.Text(), nullable=False),
        sa.Column("asset", sa.Text(), nullable=False),
        sa.Column("available", INTEGER, nullable=False),
        sa.Column("held", INTEGER, nullable=False),
        sa.Column("version", INTEGER, nullable=False),
        sa.CheckConstraint("(available >= 0 AND held >= 0) OR wallet_id = 'world'", name="balances_not_negative"),
        sa.PrimaryKeyConstraint("wallet_id", "asset"),
        sqlite_strict=True,
        sqlite_with_rowid=False,
    )
    op.create_table(
        "entries",
        sa.Column("entry_id", INTEGER, autoincrement=False, nullable=False),
        sa.Column("time", INTEGER, nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("reference", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("author", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("entry_id"),
        sqlite_strict=True,
    )
    op.create_table(
        "holds",
        sa.Column("hold_id", sa.Text(), nullable=False),
        sa.Column("order_id", INTEGER, nullable=False),
        sa.Column("user_id", sa.Text(), nullable=False),
        sa.Column("wallet_id", sa.Text(), nullable=False),
        sa.Column("asset", sa.Text(), nullable=False),
        sa.Column("placed", INTEGER, nullable=False),
        sa.Column("spent", INTEGER, nullable=False),
        sa.Column("released", INTEGER, nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("placed_at", INTEGER, nullable=False),
        sa.CheckConstraint("spent >= 0 AND released >= 0 AND spent + released <= placed", name="holds_add_up"),
        sa.PrimaryKeyConstraint("hold_id"),
        sqlite_strict=True,
        sqlite_with_rowid=False,
    )
    op.create_index(
        "holds_open",
        "holds",
        ["status"],
        unique=False,
        sqlite_where=sa.text("status = 'open'"),
        postgresql_where=sa.text("status = 'open'"),
    )
    op.create_table(
        "postings",
        sa.Column("entry_id", INTEGER, autoincrement=False, nullable=False),
        sa.Column("line", INTEGER, autoincrement=False, nullable=False),
        sa.Column("wallet_id", sa.Text(), nullable=False),
        sa.Column("asset", sa.Text(), nullable=False),
        sa.Column("bucket", sa.Text(), nullable=False),
        sa.Column("amount", INTEGER, nullable=False),
        sa.PrimaryKeyConstraint("entry_id", "line"),
        sqlite_strict=True,
        sqlite_with_rowid=False,
    )
    op.create_index("postings_of_wallet", "postings", ["wallet_id", "entry_id"], unique=False)
    op.create_table(
        "reversals",
        sa.Column("trade_id", INTEGER, autoincrement=False, nullable=False),
        sa.Column("entry_id", INTEGER, nullable=False),
        sa.PrimaryKeyConstraint("trade_id"),
        sqlite_strict=True,
    )
    op.create_table(
        "wallets",
        sa.Column("wallet_id", sa.Text(), nullable=False),
        sa.Column("user_id", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("is_default", INTEGER, nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("assets", sa.Text(), nullable=False),
        sa.Column("created_at", INTEGER, nullable=False),
        sa.PrimaryKeyConstraint("wallet_id"),
        sqlite_strict=True,
    )
    op.create_index("wallets_of_user", "wallets", ["user_id", "is_default"], unique=False)
