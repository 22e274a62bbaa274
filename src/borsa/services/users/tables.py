"""The schema of users: who they are, how they prove it, what they are signed in with.

Times are microseconds since 1970 UTC. No column holds a secret in plain: a password is an Argon2id hash; of an API key
there is the SHA-256 of its secret, the secret sealed with a key outside the database, or its public key (see
runtime/access/keys.py); and of a refresh token nothing is kept at all (see tokens.py).
"""

import sqlalchemy as sa

from borsa.runtime.log import INTEGER, runtime_tables, strict_table

METADATA = sa.MetaData()
runtime_tables(METADATA)

# of the few that are asked for among all
_CLOSING = sa.text("status = 'closing'")
_ADMIN = sa.text("role = 'admin'")
_RAISED = sa.text("token_version > 0")

USERS = strict_table(
    "users",
    METADATA,
    sa.Column("user_id", sa.Text, primary_key=True),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("name_key", sa.Text, unique=True),
    sa.Column("email", sa.Text),
    sa.Column("role", sa.Text, nullable=False),
    sa.Column("status", sa.Text, nullable=False),
    sa.Column("token_version", INTEGER, nullable=False),
    sa.Column("created_at", INTEGER, nullable=False),
    sa.Column("updated_at", INTEGER, nullable=False),
    sa.CheckConstraint("role IN ('user', 'admin')", name="users_role"),
    sa.CheckConstraint("status IN ('active', 'closing', 'deleted')", name="users_status"),
    sa.Index("users_closing", "user_id", sqlite_where=_CLOSING, postgresql_where=_CLOSING),
    sa.Index("users_admins", "status", sqlite_where=_ADMIN, postgresql_where=_ADMIN),
    sa.Index("users_raised", "updated_at", sqlite_where=_RAISED, postgresql_where=_RAISED),
)

PASSWORDS = strict_table(
    "passwords",
    METADATA,
    sa.Column("user_id", sa.Text, primary_key=True),
    sa.Column("hash", sa.Text, nullable=False),
)

SIGN_INS = strict_table(
    "sign_ins",
    METADATA,
    sa.Column("session_id", sa.Text, primary_key=True),
    sa.Column("user_id", sa.Text, nullable=False),
    sa.Column("token_version", INTEGER, nullable=False),
    sa.Column("generation", INTEGER, nullable=False),
    sa.Column("rotated_at", INTEGER, nullable=False),
    sa.Column("expires_at", INTEGER, nullable=False),
    sa.Column("revoked_at", INTEGER),
    sa.Index("sign_ins_by_user", "user_id"),
    sa.Index("sign_ins_by_expiry", "expires_at"),
    sa.Index("sign_ins_by_revocation", "revoked_at"),
)

API_KEYS = strict_table(
    "api_keys",
    METADATA,
    sa.Column("key_id", sa.Text, primary_key=True),
    sa.Column("user_id", sa.Text, nullable=False),
    sa.Column("label", sa.Text, nullable=False),
    sa.Column("scopes", sa.Text, nullable=False),
    sa.Column("addresses", sa.Text, nullable=False),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("verifier", sa.LargeBinary, nullable=False),
    sa.Column("created_at", INTEGER, nullable=False),
    sa.CheckConstraint("kind IN ('bearer', 'hmac', 'ed25519')", name="api_keys_kind"),
    sa.Index("api_keys_by_user", "user_id", "key_id"),
)
