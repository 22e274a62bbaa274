"""The first schema of portfolios."""

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
