"""Lists of a user's notifications in two tables instead of an index, so that a leaf is written once for many rows."""

import sqlalchemy as sa
from alembic import op

from borsa.runtime.log import INTEGER

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Make the lists, with what is there already."""
    op.drop_index("notifications_of_user", table_name="notifications")
    op.create_table(
        "notifications_of_user",
        sa.Column("user_id", sa.Text(), nullable=False),
        sa.Column("notification_id", sa.Text(), autoincrement=False, nullable=False),
        sa.PrimaryKeyConstraint("user_id", "notification_id"),
        sqlite_strict=True,
        sqlite_with_rowid=False,
    )
    op.create_table(
        "notifications_of_user_recent",
        sa.Column("notification_id", sa.Text(), autoincrement=False, nullable=False),
        sa.Column("user_id", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("notification_id", "user_id"),
        sqlite_strict=True,
        sqlite_with_rowid=False,
    )
    op.execute(
        "INSERT INTO notifications_of_user SELECT user_id, notification_id FROM notifications"
        " ORDER BY user_id, notification_id"
    )
    # and the notifications themselves without a number of their own: one tree instead of two
    op.rename_table("notifications", "notifications_before")
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
        sqlite_with_rowid=False,
    )
    op.execute("INSERT INTO notifications SELECT * FROM notifications_before ORDER BY notification_id")
    op.drop_table("notifications_before")
