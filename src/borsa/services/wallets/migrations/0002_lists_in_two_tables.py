"""Lists of a wallet's entries in two tables instead of an index, so that a leaf is written once for many rows."""

import sqlalchemy as sa
from alembic import op

from borsa.runtime.log import INTEGER

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Make the lists, with what is there already."""
    op.create_table(
        "entries_of_wallet",
        sa.Column("wallet_id", sa.Text(), nullable=False),
        sa.Column("entry_id", INTEGER, autoincrement=False, nullable=False),
        sa.PrimaryKeyConstraint("wallet_id", "entry_id"),
        sqlite_strict=True,
        sqlite_with_rowid=False,
    )
    op.create_table(
        "entries_of_wallet_recent",
        sa.Column("entry_id", INTEGER, autoincrement=False, nullable=False),
        sa.Column("wallet_id", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("entry_id", "wallet_id"),
        sqlite_strict=True,
        sqlite_with_rowid=False,
    )
    op.execute(
        "INSERT INTO entries_of_wallet SELECT DISTINCT wallet_id, entry_id FROM postings"
        " WHERE wallet_id NOT IN ('world', 'fees') ORDER BY wallet_id, entry_id"
    )
    op.create_index("holds_of_order", "holds", ["order_id"], unique=False)
    op.drop_index("postings_of_wallet", table_name="postings")
