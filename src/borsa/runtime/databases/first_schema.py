"""The runtime's own tables as they were in the first schema: what every service's first migration makes.

Frozen: a later change of these tables is a migration of its own, in each service.
"""

import sqlalchemy as sa
from alembic import op

from borsa.runtime.log import INTEGER


def make_runtime_tables() -> None:
    """Make log, cursors, answers and dead_letters."""
    op.create_table(
        "log",
        sa.Column("sequence", INTEGER, autoincrement=False, nullable=False),
        sa.Column("time", INTEGER, nullable=False),
        sa.Column("type", sa.Text(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("correlation", sa.Text(), nullable=False),
        sa.Column("causation", sa.Text(), nullable=True),
        sa.Column("data", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("sequence"),
        sqlite_strict=True,
    )
    op.create_table(
        "cursors",
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("sequence", INTEGER, nullable=False),
        sa.PrimaryKeyConstraint("source"),
        sqlite_strict=True,
    )
    op.create_table(
        "answers",
        sa.Column("owner", sa.Text(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("fingerprint", sa.LargeBinary(), nullable=False),
        sa.Column("code", sa.Text(), nullable=True),
        sa.Column("reply", sa.LargeBinary(), nullable=False),
        sa.Column("time", INTEGER, nullable=False),
        sa.PrimaryKeyConstraint("owner", "key"),
        sqlite_strict=True,
    )
    op.create_table(
        "dead_letters",
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("sequence", INTEGER, nullable=False),
        sa.Column("error", sa.Text(), nullable=False),
        sa.Column("time", INTEGER, nullable=False),
        sa.PrimaryKeyConstraint("source", "sequence"),
        sqlite_strict=True,
    )
