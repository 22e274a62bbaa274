"""Adjustments above the cap, which wait for a second admin."""

import sqlalchemy as sa
from alembic import op

from borsa.runtime.log import INTEGER

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Make the table; such adjustments were refused before."""
    op.create_table(
        "approvals",
        sa.Column("approval_id", sa.Text(), nullable=False),
        sa.Column("wallet_id", sa.Text(), nullable=False),
        sa.Column("asset", sa.Text(), nullable=False),
        sa.Column("delta", INTEGER, nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("author", sa.Text(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("asked_at", INTEGER, nullable=False),
        sa.Column("expires_at", INTEGER, nullable=False),
        sa.Column("decided_by", sa.Text(), nullable=True),
        sa.Column("decided_at", INTEGER, nullable=True),
        sa.Column("verdict", sa.Text(), nullable=True),
        sa.Column("entry_id", INTEGER, nullable=True),
        sa.CheckConstraint(
            "status != 'approved' OR (decided_by IS NOT NULL AND decided_by != author AND entry_id IS NOT NULL)",
            name="approvals_of_two",
        ),
        sa.PrimaryKeyConstraint("approval_id"),
        sqlite_strict=True,
    )
    op.create_index(
        "approvals_pending",
        "approvals",
        ["expires_at"],
        unique=False,
        sqlite_where=sa.text("status = 'pending'"),
        postgresql_where=sa.text("status = 'pending'"),
    )
