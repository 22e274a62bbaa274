"""Indexes, so that a question about few rows looks at few."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Make them; rows stay as they are."""
    op.create_index(
        "users_admins",
        "users",
        ["status"],
        unique=False,
        sqlite_where=sa.text("role = 'admin'"),
        postgresql_where=sa.text("role = 'admin'"),
    )
    op.create_index(
        "users_closing",
        "users",
        ["user_id"],
        unique=False,
        sqlite_where=sa.text("status = 'closing'"),
        postgresql_where=sa.text("status = 'closing'"),
    )
    op.create_index(
        "users_raised",
        "users",
        ["updated_at"],
        unique=False,
        sqlite_where=sa.text("token_version > 0"),
        postgresql_where=sa.text("token_version > 0"),
    )
