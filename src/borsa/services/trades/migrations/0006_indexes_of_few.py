"""Indexes, so that a question about few rows looks at few."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    """Make them; rows stay as they are."""
    op.create_index(
        "trades_busting",
        "trades",
        ["trade_id"],
        unique=False,
        sqlite_where=sa.text("status = 'busting'"),
        postgresql_where=sa.text("status = 'busting'"),
    )
