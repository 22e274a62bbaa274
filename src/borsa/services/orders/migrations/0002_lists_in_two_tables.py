"""Lists of a user's orders in two tables instead of an index, so that a leaf is written once for many rows."""

import sqlalchemy as sa
from alembic import op

from borsa.runtime.log import INTEGER

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Make the lists, with what is there already."""
    op.drop_index("orders_of_user", table_name="orders")
    op.create_table(
        "orders_of_user",
        sa.Column("user_id", sa.Text(), nullable=False),
        sa.Column("order_id", INTEGER, autoincrement=False, nullable=False),
        sa.PrimaryKeyConstraint("user_id", "order_id"),
        sqlite_strict=True,
        sqlite_with_rowid=False,
    )
    op.create_table(
        "orders_of_user_recent",
        sa.Column("order_id", INTEGER, autoincrement=False, nullable=False),
        sa.Column("user_id", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("order_id", "user_id"),
        sqlite_strict=True,
        sqlite_with_rowid=False,
    )
    op.execute("INSERT INTO orders_of_user SELECT user_id, order_id FROM orders ORDER BY user_id, order_id")
    is_open = sa.text("status IN ('pending', 'open', 'partially_filled')")
    op.create_index(
        "orders_open",
        "orders",
        ["order_id", "user_id", "symbol"],
        unique=False,
        sqlite_where=is_open,
        postgresql_where=is_open,
    )
