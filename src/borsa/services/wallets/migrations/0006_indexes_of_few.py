"""Indexes, so that a question about few rows looks at few."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    """Make them; rows stay as they are."""
    op.create_index(
        "approvals_given",
        "approvals",
        ["decided_at"],
        unique=False,
        sqlite_where=sa.text("status = 'approved'"),
        postgresql_where=sa.text("status = 'approved'"),
    )
    op.create_index(
        "entries_adjusted",
        "entries",
        ["time"],
        unique=False,
        sqlite_where=sa.text("kind = 'adjustment'"),
        postgresql_where=sa.text("kind = 'adjustment'"),
    )
    op.create_index("wallets_of_all", "wallets", ["is_default", "wallet_id"], unique=False)
