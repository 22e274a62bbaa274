"""Kinds of API keys: those that are there are bearer keys."""

import sqlalchemy as sa
from alembic import op

from borsa.runtime.log import INTEGER

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Make the table anew, since SQLite adds no CHECK to one that is there, and move the keys over."""
    op.rename_table("api_keys", "api_keys_before")
    op.drop_index("api_keys_by_user", "api_keys_before")
    op.create_table(
        "api_keys",
        sa.Column("key_id", sa.Text(), nullable=False),
        sa.Column("user_id", sa.Text(), nullable=False),
        sa.Column("label", sa.Text(), nullable=False),
        sa.Column("scopes", sa.Text(), nullable=False),
        sa.Column("addresses", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("verifier", sa.LargeBinary(), nullable=False),
        sa.Column("created_at", INTEGER, nullable=False),
        sa.CheckConstraint("kind IN ('bearer', 'hmac', 'ed25519')", name="api_keys_kind"),
        sa.PrimaryKeyConstraint("key_id"),
        sqlite_strict=True,
    )
    op.execute(
        "INSERT INTO api_keys (key_id, user_id, label, scopes, addresses, kind, verifier, created_at) "
        "SELECT key_id, user_id, label, scopes, addresses, 'bearer', secret_hash, created_at FROM api_keys_before"
    )
    op.drop_table("api_keys_before")
    op.create_index("api_keys_by_user", "api_keys", ["user_id", "key_id"], unique=False)
