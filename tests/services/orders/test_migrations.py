"""A database and a log of an earlier version are taken as they are."""

from pathlib import Path

import msgspec

from borsa.events import OrderCreated
from borsa.markets import SHIPPED
from borsa.runtime.codec import encode
from borsa.runtime.databases.sqlite import SqliteDatabase
from borsa.runtime.writing.answers import reply_type
from borsa.services.orders import ORDERS, store
from borsa.services.orders.admission import admit, new_order
from borsa.services.orders.model import OrderState
from tests.services.trades.test_engine import created
from tests.support.earlier import insert, migrate_to
from tests.support.stepped import limit


def test_an_order_from_before_has_no_worst_price(tmp_path: Path) -> None:
    database = SqliteDatabase("orders", tmp_path, ORDERS.tables)
    migrate_to("0001", ORDERS, database.path)
    text = {"side": "sell", "order_type": "market", "status": "open"}
    insert(database.path, "orders", {"order_id": 7} | text | dict.fromkeys(("reason", "client_order_id", "digest")))
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
