"""The first schema of notifications."""

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
        "deliveries",
        sa.Column("notification_id", sa.Text(), nullable=False),
        sa.Column("channel", sa.Text(), nullable=False),
        sa.Column("user_id", sa.Text(), nullable=False),
        sa.Column("attempts", INTEGER, nullable=False),
        sa.Column("next_at", INTEGER, nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("problem", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("notification_id", "channel"),
        sqlite_strict=True,
    )
    op.create_index(
        "deliveries_pending",
        "deliveries",
        ["user_id", "channel", "next_at"],
        unique=False,
        sqlite_where=sa.text("status = 'pending'"),
        postgresql_where=sa.text("status = 'pending'"),
    )
    op.create_table(
        "notifications",
        sa.Column("notification_id", sa.Text(), nullable=False),
        sa.Column("user_id", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("data", sa.LargeBinary(), nullable=False),
        sa.Column("origin", sa.Text(), nullable=True),
        sa.Column("created_at", INTEGER, nullable=False),
        sa.PrimaryKeyConstraint("notification_id"),
        sqlite_strict=True,
    )
    op.create_index("notifications_of_user", "notifications", ["user_id", "notification_id"], unique=False)
    op.create_table(
        "preferences",
        sa.Column("user_id", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("kinds", INTEGER, nullable=False),
        sa.Column("webhook_url", sa.Text(), nullable=True),
        sa.Column("webhook_secret", sa.LargeBinary(), nullable=True),
        sa.Column("webhook_kinds", INTEGER, nullable=False),
        sa.Column("email_address", sa.Text(), nullable=True),
        sa.Column("email_kinds", INTEGER, nullable=False),
        sa.PrimaryKeyConstraint("user_id"),
        sqlite_strict=True,
    )
    op.create_table(
        "readings",
        sa.Column("notification_id", sa.Text(), nullable=False),
        sa.Column("read_at", INTEGER, nullable=False),
        sa.PrimaryKeyConstraint("notification_id"),
        sqlite_strict=True,
    )
