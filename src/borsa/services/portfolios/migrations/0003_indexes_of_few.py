"""Indexes, so that a question about few rows looks at few."""

from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Make them; rows stay as they are."""
    op.create_index("portfolios_of_all", "portfolios", ["is_default", "portfolio_id"], unique=False)
