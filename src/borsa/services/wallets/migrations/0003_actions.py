"""What admins did, each act sealing all before it."""

from borsa.runtime.databases.actions_schema import make_actions

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Make the table; what was done before is not in it."""
    make_actions()
