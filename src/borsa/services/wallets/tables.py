"""The schema of wallets: balances, holds, and the ledger that they are a fold of."""

import sqlalchemy as sa

from borsa.runtime.log import INTEGER, runtime_tables, strict_table
from borsa.runtime.records.chain import seals_table
from borsa.runtime.records.listing import Listing

METADATA = sa.MetaData()
runtime_tables(METADATA)

_OPEN = sa.text("status = 'open'")
_ADJUSTMENT = sa.text("kind = 'adjustment'")

WALLETS = strict_table(
    "wallets",
    METADATA,
    sa.Column("wallet_id", sa.Text, primary_key=True),
    sa.Column("user_id", sa.Text, nullable=False),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("is_default", INTEGER, nullable=False),
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("assets", sa.Text, nullable=False),
    sa.Column("created_at", INTEGER, nullable=False),
    sa.Index("wallets_of_user", "user_id", "is_default"),
    sa.Index("wallets_of_all", "is_default", "wallet_id"),
)

BALANCES = strict_table(
    "balances",
    METADATA,
    sa.Column("wallet_id", sa.Text, primary_key=True),
    sa.Column("asset", sa.Text, primary_key=True),
    sa.Column("available", INTEGER, nullable=False),
    sa.Column("held", INTEGER, nullable=False),
    sa.Column("version", INTEGER, nullable=False),
    # the outside world owes what users own; nobody else may ever be below zero
    sa.CheckConstraint("(available >= 0 AND held >= 0) OR wallet_id = 'world'", name="balances_not_negative"),
    by_key=True,
)

ENTRIES = strict_table(
    "entries",
    METADATA,
    sa.Column("entry_id", INTEGER, primary_key=True, autoincrement=False),
    sa.Column("time", INTEGER, nullable=False),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("reference", sa.Text, nullable=False),
    sa.Column("reason", sa.Text),
    sa.Column("author", sa.Text),
    sa.Index("entries_adjusted", "time", sqlite_where=_ADJUSTMENT, postgresql_where=_ADJUSTMENT),
)

POSTINGS = strict_table(
    "postings",
    METADATA,
    sa.Column("entry_id", INTEGER, primary_key=True, autoincrement=False),
    sa.Column("line", INTEGER, primary_key=True, autoincrement=False),
    sa.Column("wallet_id", sa.Text, nullable=False),
    sa.Column("asset", sa.Text, nullable=False),
    sa.Column("bucket", sa.Text, nullable=False),
    sa.Column("amount", INTEGER, nullable=False),
    by_key=True,
)

# over entries and postings, in this order
SEALS = seals_table("seals", METADATA)

ENTRIES_OF_WALLET = Listing("entries_of_wallet", METADATA, owner="wallet_id", item="entry_id", kind=INTEGER)

HOLDS = strict_table(
    "holds",
    METADATA,
    sa.Column("hold_id", sa.Text, primary_key=True),
    sa.Column("order_id", INTEGER, nullable=False),
    sa.Column("user_id", sa.Text, nullable=False),
    sa.Column("wallet_id", sa.Text, nullable=False),
    sa.Column("asset", sa.Text, nullable=False),
    sa.Column("placed", INTEGER, nullable=False),
    sa.Column("spent", INTEGER, nullable=False),
    sa.Column("released", INTEGER, nullable=False),
    sa.Column("status", sa.Text, nullable=False),
    sa.Column("placed_at", INTEGER, nullable=False),
    sa.CheckConstraint("spent >= 0 AND released >= 0 AND spent + released <= placed", name="holds_add_up"),
    sa.Index("holds_of_order", "order_id"),
    sa.Index("holds_open", "status", sqlite_where=_OPEN, postgresql_where=_OPEN),
    by_key=True,
)

_PENDING = sa.text("status = 'pending'")
_APPROVED = sa.text("status = 'approved'")

APPROVALS = strict_table(
    "approvals",
    METADATA,
    sa.Column("approval_id", sa.Text, primary_key=True),
    sa.Column("wallet_id", sa.Text, nullable=False),
    sa.Column("asset", sa.Text, nullable=False),
    sa.Column("delta", INTEGER, nullable=False),
    sa.Column("reason", sa.Text, nullable=False),
    sa.Column("author", sa.Text, nullable=False),
    sa.Column("status", sa.Text, nullable=False),
    sa.Column("asked_at", INTEGER, nullable=False),
    sa.Column("expires_at", INTEGER, nullable=False),
    sa.Column("decided_by", sa.Text),
    sa.Column("decided_at", INTEGER),
    sa.Column("verdict", sa.Text),
    sa.Column("entry_id", INTEGER),
    sa.CheckConstraint(
        "status != 'approved' OR (decided_by IS NOT NULL AND decided_by != author AND entry_id IS NOT NULL)",
        name="approvals_of_two",
    ),
    sa.Index("approvals_pending", "expires_at", sqlite_where=_PENDING, postgresql_where=_PENDING),
    sa.Index("approvals_given", "decided_at", sqlite_where=_APPROVED, postgresql_where=_APPROVED),
)

REVERSALS = strict_table(
    "reversals",
    METADATA,
    sa.Column("trade_id", INTEGER, primary_key=True, autoincrement=False),
    sa.Column("entry_id", INTEGER, nullable=False),
)

ASSETS = strict_table("assets", METADATA, sa.Column("asset", sa.Text, primary_key=True))
