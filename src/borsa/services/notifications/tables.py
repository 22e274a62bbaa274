"""The schema of notifications: what users were told, what they read, how they want to be told, and what is to be sent.

A notification is kept as its facts; title and body are written when it is read or sent. What was read stands in a
table of its own, so that the many rows of the first are only ever appended.
"""

import sqlalchemy as sa

from borsa.runtime.log import INTEGER, runtime_tables, strict_table
from borsa.runtime.records.listing import Listing

METADATA = sa.MetaData()
runtime_tables(METADATA)

NOTIFICATIONS = strict_table(
    "notifications",
    METADATA,
    sa.Column("notification_id", sa.Text, primary_key=True),
    sa.Column("user_id", sa.Text, nullable=False),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("data", sa.LargeBinary, nullable=False),
    # the event that it tells of ("trades/1042"); the cursor sees to it that there is one for each user and kind
    sa.Column("origin", sa.Text),
    sa.Column("created_at", INTEGER, nullable=False),
    # in the order of the commits, whatever the clock says meanwhile: what a stream goes on after
    sa.Column("sequence", INTEGER, nullable=False, server_default=sa.text("0")),
    sa.Index("notifications_in_sequence", "sequence", unique=True),
    by_key=True,
)

NOTIFICATIONS_OF_USER = Listing(
    "notifications_of_user", METADATA, owner="user_id", item="notification_id", kind=sa.Text
)

READINGS = strict_table(
    "readings",
    METADATA,
    sa.Column("notification_id", sa.Text, primary_key=True),
    sa.Column("read_at", INTEGER, nullable=False),
)

PREFERENCES = strict_table(
    "preferences",
    METADATA,
    sa.Column("user_id", sa.Text, primary_key=True),
    sa.Column("state", sa.Text, nullable=False),
    # kinds are sets of bits, see model.BITS
    sa.Column("kinds", INTEGER, nullable=False),
    sa.Column("webhook_url", sa.Text),
    sa.Column("webhook_secret", sa.LargeBinary),
    sa.Column("webhook_kinds", INTEGER, nullable=False),
    sa.Column("email_address", sa.Text),
    sa.Column("email_kinds", INTEGER, nullable=False),
)

DELIVERIES = strict_table(
    "deliveries",
    METADATA,
    sa.Column("notification_id", sa.Text, primary_key=True),
    sa.Column("channel", sa.Text, primary_key=True),
    sa.Column("user_id", sa.Text, nullable=False),
    sa.Column("attempts", INTEGER, nullable=False),
    sa.Column("next_at", INTEGER, nullable=False),
    sa.Column("status", sa.Text, nullable=False),
    sa.Column("problem", sa.Text),
    sa.Index(
        "deliveries_pending",
        "user_id",
        "channel",
        "next_at",
        sqlite_where=sa.text("status = 'pending'"),
        postgresql_where=sa.text("status = 'pending'"),
    ),
)
