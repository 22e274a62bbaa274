"""The schema of portfolios: who owns what, at which cost, and the last price of each market.

Amounts are decimal texts of whole units: what a holding cost may exceed 64 bits (a hundred million BTC given away at
50,000 USD do), and a follower must not stop for that.
"""

import sqlalchemy as sa

from borsa.runtime.log import INTEGER, runtime_tables, strict_table

METADATA = sa.MetaData()
runtime_tables(METADATA)

OWNERS = strict_table(
    "owners",
    METADATA,
    sa.Column("user_id", sa.Text, primary_key=True),
    sa.Column("portfolio_id", sa.Text, nullable=False),
    sa.Column("state", sa.Text, nullable=False),
)

PORTFOLIOS = strict_table(
    "portfolios",
    METADATA,
    sa.Column("portfolio_id", sa.Text, primary_key=True),
    sa.Column("user_id", sa.Text, nullable=False),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("is_default", INTEGER, nullable=False),
    sa.Column("created_at", INTEGER, nullable=False),
    sa.Column("version", INTEGER, nullable=False),
    sa.Index("portfolios_of_user", "user_id", "is_default"),
    sa.Index("portfolios_of_all", "is_default", "portfolio_id"),
)

HOLDINGS = strict_table(
    "holdings",
    METADATA,
    sa.Column("portfolio_id", sa.Text, primary_key=True),
    sa.Column("product", sa.Text, primary_key=True),
    sa.Column("quantity", sa.Text, nullable=False),
    sa.Column("cost", sa.Text, nullable=False),
    sa.Column("realized", sa.Text, nullable=False),
    sa.Column("sold_quantity", sa.Text, nullable=False),
    sa.Column("sold_cost", sa.Text, nullable=False),
    sa.Column("version", INTEGER, nullable=False),
)

PRICES = strict_table(
    "prices",
    METADATA,
    sa.Column("symbol", sa.Text, primary_key=True),
    sa.Column("price", INTEGER, nullable=False),
)
