"""An exchange in which everything happened, and how to damage a copy of its databases."""

import shutil
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

from tests.support.running import Person, Running, until


def put(person: Person, path: str, body: dict[str, Any]) -> Any:
    answer = person.call("PUT", path, body, {"prefer": "wait=10"})
    assert answer.status_code in (200, 202), answer.text
    return answer.json()


def everything_happens(running: Running) -> None:
    """Fills in part and whole, an improvement, amendments up and down, cancels, expiries, fees, a block trade, a
    bust, a stop, a self-trade and a withdrawal; a message, another name, another role, and somebody who leaves."""
    admin = running.admin()
    put(admin, "/api/markets/BTC-USD", {"makerFee": "0.001", "takerFee": "0.002"})
    ann, bob, eve = (running.person(USD="100000", BTC="20") for _ in range(3))
    resting = ann.order("sell", "2", "100")
    ann.order("sell", "1", "101")
    bob.order("buy", "0.5", "105")
    trade = bob.get("/api/trades")["data"][0]
    put(ann, f"/api/orders/{resting['orderId']}", {"quantity": "4", "price": "100"})
    put(ann, f"/api/orders/{resting['orderId']}", {"quantity": "3"})
    bid = bob.order("buy", "3", "90")
    put(bob, f"/api/orders/{bid['orderId']}", {"price": "95", "quantity": "2"})
    eve.order("sell", "1", "95")
    eve.order("buy", "1", orderType="stop", stopPrice="99")
    eve.order("buy", None, orderType="market", quoteQuantity="150")  # type: ignore[arg-type]
    eve.order("sell", "1", "110", timeInForce="ioc")
    bob.order("sell", "0.5", "95", selfTradePrevention="none")
    gone = bob.order("buy", "1", "80")
    assert bob.call("DELETE", f"/api/orders/{gone['orderId']}").status_code in (200, 202)
    block = {"symbol": "BTC-USD", "quantity": "1", "price": "97", "buyerId": ann.user_id, "sellerId": bob.user_id}
    admin.post("/api/trades", block, headers={"idempotency-key": "block"})
    busted = admin.call("DELETE", f"/api/trades/{trade['tradeId']}", {"reason": "a slip"}, {"idempotency-key": "bust"})
    assert busted.status_code == 200, busted.text
    taken = {"asset": "USD", "delta": "-5", "reason": "back"}
    assert admin.call("PUT", f"/api/wallets/{eve.wallet_id}", taken, {"idempotency-key": "x"}).status_code == 200
    eve.order("buy", "0.1", "50")
    until(lambda: eve.get("/api/orders?status=open")["data"], "the last order")
    people_change(running, admin, eve)


def people_change(running: Running, admin: Person, eve: Person) -> None:
    """Somebody is written to, and reads it; takes another name; becomes an admin; and somebody leaves."""
    note = {"userId": eve.user_id, "title": "Hello", "body": "Once"}
    said = admin.post("/api/notifications", note)
    eve.post(f"/api/notifications/{said['notificationId']}/read", None, 200)
    put(eve, "/api/users/profile", {"userName": "Eve-Of-Old"})
    put(admin, f"/api/users/{eve.user_id}", {"role": "admin"})
    gone = running.person("leaver")
    gone.post("/api/users/api-keys", {"label": "bot", "scopes": ["read"]})
    left = gone.call("DELETE", "/api/users/profile")
    assert left.status_code == 204, left.text


def copied(folder: Path, to: Path) -> Path:
    """The databases with what is still in their write-ahead logs."""
    to.mkdir()
    for path in [*folder.glob("*.db"), *folder.glob("*.db-wal")]:
        shutil.copy(path, to / path.name)
    return to


def damage(folder: Path, service: str, *statements: str) -> None:
    with closing(sqlite3.connect(folder / f"{service}.db", isolation_level=None)) as connection:
        connection.execute("PRAGMA ignore_check_constraints = ON")
        for statement in statements:
            cursor = connection.execute(statement)
            assert cursor.rowcount, f"changed nothing: {statement}"


def text_in_log(which: str, old: str, new: str) -> str:
    return f"UPDATE log SET data = CAST(replace(CAST(data AS TEXT), '{old}', '{new}') AS BLOB) WHERE sequence = {which}"
