"""The first schema of users."""

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
        "api_keys",
        sa.Column("key_id", sa.Text(), nullable=False),
        sa.Column("user_id", sa.Text(), nullable=False),
        sa.Column("label", sa.Text(), nullable=False),
        sa.Column("scopes", sa.Text(), nullable=False),
        sa.Column("addresses", sa.Text(), nullable=False),
        sa.Column("secret_hash", sa.LargeBinary(), nullable=False),
        sa.Column("created_at", INTEGER, nullable=False),
        sa.PrimaryKeyConstraint("key_id"),
        sqlite_strict=True,
    )
    op.create_index("api_keys_by_user", "api_keys", ["user_id", "key_id"], unique=False)
    op.create_table(
        "passwords",
        sa.Column("user_id", sa.Text(), nullable=False),
        sa.Column("hash", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("user_id"),
        sqlite_strict=True,
    )
    op.create_table(
        "sign_ins",
        sa.Column("session_id", sa.Text(), nullable=False),
        sa.Column("user_id", sa.Text(), nullable=False),
        sa.Column("token_version", INTEGER, nullable=False),
        sa.Column("generation", INTEGER, nullable=False),
        sa.Column("rotated_at", INTEGER, nullable=False),
        sa.Column("expires_at", INTEGER, nullable=False),
        sa.Column("revoked_at", INTEGER, nullable=True),
        sa.PrimaryKeyConstraint("session_id"),
        sqlite_strict=True,
    )
    op.create_index("sign_ins_by_expiry", "sign_ins", ["expires_at"], unique=False)
    op.create_index("sign_ins_by_revocation", "sign_ins", ["revoked_at"], unique=False)
    op.create_index("sign_ins_by_user", "sign_ins", ["user_id"], unique=False)
    op.create_table(
        "users",
        sa.Column("user_id", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("name_key", sa.Text(), nullable=True),
        sa.Column("email", sa.Text(), nullable=True),
        sa.Column("role", sa.Text(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("token_version", INTEGER, nullable=False),
        sa.Column("created_at", INTEGER, nullable=False),
        sa.Column("updated_at", INTEGER, nullable=False),
        sa.CheckConstraint("role IN ('user', 'admin')", name="users_role"),
        sa.CheckConstraint("status IN ('active', 'closing', 'deleted')", name="users_status"),
        sa.PrimaryKeyConstraint("user_id"),
        sa.UniqueConstraint("name_key"),
        sqlite_strict=True,
    )
