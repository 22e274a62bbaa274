"""A database and a log of an earlier version are taken as they are."""

from pathlib import Path

import msgspec
import sqlalchemy as sa
from alembic.runtime.environment import EnvironmentContext
from alembic.script import ScriptDirectory

from borsa.events import OrderCreated
from borsa.markets import SHIPPED
from borsa.runtime import migrations
from borsa.runtime.answers import reply_type
from borsa.runtime.codec import encode
from borsa.runtime.sqlite import SqliteDatabase
from borsa.services.orders import ORDERS, store
from borsa.services.orders.model import OrderState, admit, new_order
from tests.services.trades.test_engine import created
from tests.support.stepped import limit

TEXTS = ("user_id", "wallet_id", "symbol", "time_in_force", "self_trade_prevention")


def migrate_to(revision: str, path: Path) -> None:
    """Bring an orders database to an earlier revision."""
    config = migrations.configuration("orders")
    script = ScriptDirectory.from_config(config)
    engine = sa.create_engine(f"sqlite:///{path}")
    with (
        engine.begin() as connection,
        EnvironmentContext(config, script, fn=lambda at, _: script._upgrade_revs(revision, at)) as environment,  # type: ignore[arg-type]
    ):
        environment.configure(connection=connection, target_metadata=ORDERS.tables)
        environment.run_migrations()
    engine.dispose()


def test_an_order_from_before_has_no_worst_price(tmp_path: Path) -> None:
    database = SqliteDatabase("orders", tmp_path, ORDERS.tables)
    migrate_to("0001", database.path)
    engine = sa.create_engine(f"sqlite:///{database.path}")
    with engine.begin() as connection:
        known = [each["name"] for each in sa.inspect(connection).get_columns("orders")]
        texts = {"side": "sell", "order_type": "market", "status": "open", "reason": None, "client_order_id": None}
        row = {name: texts.get(name, "x" if name in TEXTS else 7) for name in known} | {"digest": None}
        connection.execute(sa.table("orders", *map(sa.column, known)).insert().values(row))
    engine.dispose()
    database.migrate()
    order = store.order_by_id(database.reader(), 7)
    assert order is not None
    assert (order.side, order.stop_price, order.worst_price, order.quote_quantity) == ("sell", 7, 0, 7)


def test_an_event_from_before_has_no_worst_price() -> None:
    event = msgspec.json.encode(created(1, "sell", None, 5, worst_price="90"))
    assert msgspec.json.decode(event, type=OrderCreated).worst_price == "90"
    before = {name: value for name, value in msgspec.json.decode(event).items() if name != "worstPrice"}
    assert msgspec.json.decode(msgspec.json.encode(before), type=OrderCreated).worst_price is None


def test_an_answer_that_was_kept_from_before_is_given_again() -> None:
    asked = limit("ann", "sell", "1", None, order_type="market")
    order = new_order(asked, admit(asked, SHIPPED[0], 0), 7, "w", 5, 1)
    kept = msgspec.json.decode(encode(OrderState(order, SHIPPED[0])))
    del kept["order"]["worst_price"]
    state = msgspec.json.decode(encode(kept), type=reply_type(type(asked)))
    assert state == OrderState(order, SHIPPED[0])
