"""The schema of orders: the orders, the markets that admit them, amendments, and reserved ids."""

import sqlalchemy as sa

from borsa.runtime.log import INTEGER, runtime_tables, strict_table
from borsa.runtime.records.listing import Listing

METADATA = sa.MetaData()
runtime_tables(METADATA)

IS_OPEN = sa.text("status IN ('pending', 'open', 'partially_filled')")
"""Said as text, as in the index: bound values would not find it."""

_client_id_given = sa.text("client_order_id IS NOT NULL")

ORDERS = strict_table(
    "orders",
    METADATA,
    sa.Column("order_id", INTEGER, primary_key=True, autoincrement=False),
    sa.Column("user_id", sa.Text, nullable=False),
    sa.Column("wallet_id", sa.Text, nullable=False),
    sa.Column("symbol", sa.Text, nullable=False),
    sa.Column("side", sa.Text, nullable=False),
    sa.Column("order_type", sa.Text, nullable=False),
    sa.Column("time_in_force", sa.Text, nullable=False),
    sa.Column("post_only", INTEGER, nullable=False),
    sa.Column("self_trade_prevention", sa.Text, nullable=False),
    sa.Column("quantity", INTEGER, nullable=False),
    sa.Column("price", INTEGER, nullable=False),
    sa.Column("stop_price", INTEGER, nullable=False),
    sa.Column("quote_quantity", INTEGER, nullable=False),
    sa.Column("held", INTEGER, nullable=False),
    sa.Column("filled", INTEGER, nullable=False),
    sa.Column("prevented", INTEGER, nullable=False),
    sa.Column("spent", INTEGER, nullable=False),
    sa.Column("status", sa.Text, nullable=False),
    sa.Column("reason", sa.Text),
    sa.Column("cancel_requested", INTEGER, nullable=False),
    sa.Column("revision", INTEGER, nullable=False),
    sa.Column("amending", INTEGER, nullable=False),
    sa.Column("version", INTEGER, nullable=False),
    sa.Column("client_order_id", sa.Text),
    sa.Column("digest", sa.LargeBinary),
    sa.Column("created_at", INTEGER, nullable=False),
    sa.Column("updated_at", INTEGER, nullable=False),
    # the default is for orders from before there was one
    sa.Column("worst_price", INTEGER, nullable=False, server_default=sa.text("0")),
    sa.CheckConstraint("filled >= 0 AND (filled <= quantity OR quantity = 0)", name="orders_not_overfilled"),
    sa.Index("orders_open", "order_id", "user_id", "symbol", sqlite_where=IS_OPEN, postgresql_where=IS_OPEN),
    sa.Index(
        "orders_client_id",
        "user_id",
        "client_order_id",
        unique=True,
        sqlite_where=_client_id_given,
        postgresql_where=_client_id_given,
    ),
)

ORDERS_OF_USER = Listing("orders_of_user", METADATA, owner="user_id", item="order_id", kind=INTEGER)

MARKETS = strict_table(
    "markets",
    METADATA,
    sa.Column("symbol", sa.Text, primary_key=True),
    sa.Column("base", sa.Text, nullable=False),
    sa.Column("quote", sa.Text, nullable=False),
    sa.Column("number", INTEGER, nullable=False),
    sa.Column("tick", INTEGER, nullable=False),
    sa.Column("lot", INTEGER, nullable=False),
    sa.Column("min_notional", INTEGER, nullable=False),
    sa.Column("maker_fee", INTEGER, nullable=False),
    sa.Column("taker_fee", INTEGER, nullable=False),
    sa.Column("price_band_ppm", INTEGER, nullable=False),
    sa.Column("state", sa.Text, nullable=False),
)

LAST_PRICES = strict_table(
    "last_prices",
    METADATA,
    sa.Column("symbol", sa.Text, primary_key=True),
    sa.Column("price", INTEGER, nullable=False),
)

SHARD_OF_MARKETS = strict_table(
    "shard_of_markets",
    METADATA,
    sa.Column("symbol", sa.Text, primary_key=True),
    sa.Column("shard", sa.Text, nullable=False),
)

AMENDMENTS = strict_table(
    "amendments",
    METADATA,
    sa.Column("order_id", INTEGER, primary_key=True, autoincrement=False),
    sa.Column("revision", INTEGER, primary_key=True, autoincrement=False),
    sa.Column("quantity", INTEGER, nullable=False),
    sa.Column("price", INTEGER, nullable=False),
    sa.Column("requested_at", INTEGER, nullable=False),
)

COUNTERS = strict_table(
    "counters",
    METADATA,
    sa.Column("name", sa.Text, primary_key=True),
    sa.Column("value", INTEGER, nullable=False),
)
