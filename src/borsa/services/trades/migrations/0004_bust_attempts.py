"""How often somebody tried to bust a trade."""

import sqlalchemy as sa
from alembic import op

from borsa.runtime.log import INTEGER

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Add it: whatever was tried before is decided, or goes on as the attempt 0."""
    op.add_column("trades", sa.Column("bust_attempts", INTEGER, server_default=sa.text("0"), nullable=False))
