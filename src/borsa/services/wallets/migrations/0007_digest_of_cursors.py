"""Digest of cursors: by which the log of another history is known."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    """Add it; what was applied before has none, until the next event is."""
    op.add_column("cursors", sa.Column("digest", sa.LargeBinary(), nullable=True))
