"""The worst price at which an order without a limit may trade."""

import sqlalchemy as sa
from alembic import op

from borsa.runtime.log import INTEGER

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Add it: the orders that are there have none, and trade as they were told."""
    op.add_column("orders", sa.Column("worst_price", INTEGER, server_default=sa.text("0"), nullable=False))
