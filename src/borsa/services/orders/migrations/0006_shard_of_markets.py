"""Which shard of trades has the book of a market; without a row it is the first one."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    """Add the table; there were no shards."""
    op.create_table(
        "shard_of_markets",
        sa.Column("symbol", sa.Text(), nullable=False),
        sa.Column("shard", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("symbol"),
        sqlite_strict=True,
        sqlite_with_rowid=True,
    )
