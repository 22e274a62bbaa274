"""The first schema of portfolios."""

import sqlalchemy as sa
from alembic import op

from borsa.runtime.log import INTEGER

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "answers",
        sa.Column("owner", sa.Text(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("fingerprint", sa.LargeBinary(), nullable=False),
        sa.Column("code", sa.Text(), nullable=True),
        sa.Column("reply", sa.LargeBinary(), nullable=False),
        sa.Column("time", INTEGER, nullable=False),
        sa.PrimaryKeyConstraint("owner", "key"),
        sqlite_strict=True,
    )
    op.create_table(
        "cursors",
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("sequence", INTEGER, nullable=False),
        sa.PrimaryKeyConstraint("source"),
        sqlite_strict=True,
    )
    op.create_table(
        "dead_letters",
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("sequence", INTEGER, nullable=False),
        sa.Column("error", sa.Text(), nullable=False),
        sa.Column("time", INTEGER, nullable=False),
        sa.PrimaryKeyConstraint("source", "sequence"),
        sqlite_strict=True,
    )
    op.create_table(
        "holdings",
        sa.Column("portfolio_id", sa.Text(), nullable=False),
        sa.Column("product", sa.Text(), nullable=False),
        sa.Column("quantity", sa.Text(), nullable=False),
        sa.Column("cost", sa.Text(), nullable=False),
        sa.Column("realized", sa.Text(), nullable=False),
        sa.Column("sold_quantity", sa.Text(), nullable=False),
        sa.Column("sold_cost", sa.Text(), nullable=False),
        sa.Column("version", INTEGER, nullable=False),
        sa.PrimaryKeyConstraint("portfolio_id", "product"),
        sqlite_strict=True,
    )
    op.create_table(
        "log",
        sa.Column("sequence", INTEGER, autoincrement=False, nullable=False),
        sa.Column("time", INTEGER, nullable=False),
        sa.Column("type", sa.Text(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("correlation", sa.Text(), nullable=False),
        sa.Column("causation", sa.Text(), nullable=True),
        sa.Column("data", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("sequence"),
        sqlite_strict=True,
    )
    op.create_table(
        "owners",
        sa.Column("user_id", sa.Text(), nullable=False),
        sa.Column("portfolio_id", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("user_id"),
        sqlite_strict=True,
    )
    op.create_table(
        "portfolios",
        sa.Column("portfolio_id", sa.Text(), nullable=False),
        sa.Column("user_id", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("is_default", INTEGER, nullable=False),
        sa.Column("created_at", INTEGER, nullable=False),
        sa.Column("version", INTEGER, nullable=False),
        sa.PrimaryKeyConstraint("portfolio_id"),
        sqlite_strict=True,
    )
    op.create_index("portfolios_of_user", "portfolios", ["user_id", "is_default"], unique=False)
    op.create_table(
        "prices",
        sa.Column("symbol", sa.Text(), nullable=False),
        sa.Column("price", INTEGER, nullable=False),
        sa.PrimaryKeyConstraint("symbol"),
        sqlite_strict=True,
    )
