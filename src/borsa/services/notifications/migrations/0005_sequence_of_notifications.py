"""Notifications have a sequence, in the order of their commits."""

import sqlalchemy as sa
from alembic import op

from borsa.runtime.log import INTEGER

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    """Add it. Until now a stream went on after the time of a notification: those that are there get theirs, or the next
    number that is free, so that whoever has such a time goes on after it."""
    op.add_column("notifications", sa.Column("sequence", INTEGER, server_default=sa.text("0"), nullable=False))
    op.execute(
        "UPDATE notifications SET sequence = numbered.sequence FROM ("
        "SELECT notification_id, place + MAX(created_at - place) OVER (ORDER BY place) AS sequence FROM ("
        "SELECT notification_id, created_at, ROW_NUMBER() OVER (ORDER BY notification_id) AS place FROM notifications"
        ") AS placed) AS numbered WHERE numbered.notification_id = notifications.notification_id"
    )
    op.create_index("notifications_in_sequence", "notifications", ["sequence"], unique=True)
