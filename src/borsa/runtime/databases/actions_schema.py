"""The table of actions as it was made: what a migration of every service does.

Frozen: a later change of this table is a migration of its own, in each service.
"""

import sqlalchemy as sa
from alembic import op

from borsa.runtime.log import INTEGER


def make_actions() -> None:
    """Make actions: what admins did."""
    op.create_table(
        "actions",
        sa.Column("sequence", INTEGER, autoincrement=False, nullable=False),
        sa.Column("time", INTEGER, nullable=False),
        sa.Column("author", sa.Text(), nullable=False),
        sa.Column("action", sa.Text(), nullable=False),
        sa.Column("target", sa.Text(), nullable=False),
        sa.Column("correlation", sa.Text(), nullable=False),
        sa.Column("details", sa.LargeBinary(), nullable=False),
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("sequence"),
        sqlite_strict=True,
    )
    op.create_index("actions_by_time", "actions", ["time", "sequence"], unique=False)
    op.create_index("actions_of_author", "actions", ["author", "time", "sequence"], unique=False)
