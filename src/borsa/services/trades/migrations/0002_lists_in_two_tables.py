"""Lists of a user's trades in two tables instead of an index, so that a leaf is written once for many rows."""

import sqlalchemy as sa
from alembic import op

from borsa.runtime.log import INTEGER

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Make the lists, with what is there already."""
    op.create_table(
        "trades_of_user",
        sa.Column("user_id", sa.Text(), nullable=False),
        sa.Column("trade_id", INTEGER, autoincrement=False, nullable=False),
        sa.PrimaryKeyConstraint("user_id", "trade_id"),
        sqlite_strict=True,
        sqlite_with_rowid=False,
    )
    op.create_table(
        "trades_of_user_recent",
        sa.Column("trade_id", INTEGER, autoincrement=False, nullable=False),
        sa.Column("user_id", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("trade_id", "user_id"),
        sqlite_strict=True,
        sqlite_with_rowid=False,
    )
    op.execute(
        "INSERT INTO trades_of_user SELECT buyer_id, trade_id FROM trades UNION SELECT seller_id, trade_id FROM trades"
    )
    op.drop_index("trades_of_buyer", table_name="trades")
    op.drop_index("trades_of_seller", table_name="trades")
