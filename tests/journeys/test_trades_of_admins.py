"""What admins do with trades: negotiated block trades, crosses of two open orders, notes, and busts."""

from typing import Any

import httpx

from tests.api.stage import fields, keyed, problem
from tests.journeys.floor import Floor
from tests.support.running import Person


def block(floor: Floor, buyer: Person, seller: Person, quantity: str, price: str, **more: str) -> httpx.Response:
    body = {
        "symbol": floor.symbol,
        "quantity": quantity,
        "price": price,
        "buyerId": buyer.user_id,
        "sellerId": seller.user_id,
    }
    return floor.admin.call("POST", "/api/trades", body | more, keyed())


def tape(floor: Floor) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = floor.running.http.get(f"/api/markets/{floor.symbol}/trades").json()["data"]
    return found


def test_a_block_trade_is_held_executed_and_settled_off_the_book(floor: Floor) -> None:
    ann, bea, cat = floor.person(usd="1000"), floor.person(base="10"), floor.person(usd="1000")
    floor.place(cat, "buy", "1", "90")
    answer = block(floor, ann, bea, "5", "120")
    assert answer.status_code == 201, answer.text
    trade = answer.json()
    assert (trade["quantity"], trade["price"], trade["block"], trade["buyerId"]) == ("5", "120.00", True, ann.user_id)
    floor.settled(ann, "400.00", "5")
    floor.settled(bea, "600.00", "5")
    assert floor.book() == ([["90.00", "1"]], [])
    bought = ann.get(f"/api/orders/{trade['buyOrderId']}")
    assert (bought["orderType"], bought["status"], bought["filledQuantity"]) == ("block", "filled", "5")
    assert [each["tradeId"] for each in bea.get("/api/trades")["data"]] == [trade["tradeId"]]


def test_a_block_trade_never_sets_the_price(floor: Floor) -> None:
    banded = Floor(floor.running, priceBand="0.1")
    ann, bea = banded.person(usd="10000"), banded.person(base="10")
    banded.place(ann, "buy", "1", "100")
    banded.place(bea, "sell", "1", "100")
    assert block(banded, ann, bea, "1", "500").status_code == 201
    assert banded.refused(ann, "buy", "1", "101").status_code == 201
    assert problem(banded.refused(ann, "buy", "1", "500"), 422)["code"] == "price_band"


def test_a_block_trade_without_the_money_leaves_nothing_behind(floor: Floor) -> None:
    ann, bea, poor = floor.person(usd="1000"), floor.person(base="10"), floor.person()
    assert problem(block(floor, poor, bea, "1", "100"), 422)["code"] == "insufficient_funds"
    assert problem(block(floor, ann, poor, "1", "100"), 422)["code"] == "insufficient_funds"
    floor.settled(bea, "0.00", "10")
    floor.settled(ann, "1000.00", "0")  # the buyer's hold is let go when no order confirms it
    assert tape(floor) == []


def test_a_block_trade_names_two_users_a_market_and_its_grid(floor: Floor) -> None:
    ann, bea = floor.person(usd="1000"), floor.person(base="10")
    assert fields(block(floor, ann, ann, "1", "100")) == ["sellerId"]
    assert fields(block(floor, ann, bea, "1", "100", sellerId="nobody")) == ["sellerId"]
    assert problem(block(floor, ann, bea, "1", "100.001"), 422)["code"] == "off_tick"
    assert problem(block(floor, ann, bea, "1", "100", symbol="NO-SUCH"), 404)["code"] == "unknown_symbol"
    assert problem(block(floor, ann, bea, "1", "100", buyOrderId="1"), 422)["code"] == "invalid_request"


def test_two_open_orders_are_crossed_within_both_limits(floor: Floor) -> None:
    ann, bea = floor.person(usd="1000"), floor.person(base="10")
    bid, ask = floor.place(ann, "buy", "2", "100"), floor.place(bea, "sell", "3", "101")
    body = {"buyOrderId": bid["orderId"], "sellOrderId": ask["orderId"], "quantity": "1", "price": "100"}
    refused = floor.admin.call("POST", "/api/trades", body, keyed())
    assert problem(refused, 409)["code"] == "not_crossable"
    assert floor.amend(bea, ask, price="100.50").status_code == 200
    assert floor.amend(ann, bid, price="100.40").status_code == 200
    for price in ("100.40", "100.50"):
        assert problem(floor.admin.call("POST", "/api/trades", body | {"price": price}, keyed()), 409)


def test_a_trade_is_busted_by_a_reversing_entry_and_stays(floor: Floor) -> None:
    ann, bea = floor.person(usd="1000"), floor.person(base="10")
    floor.admin.call("PUT", f"/api/markets/{floor.symbol}", {"makerFee": "0.01", "takerFee": "0.01"})
    floor.place(bea, "sell", "2", "100")
    floor.place(ann, "buy", "2", "100")
    floor.settled(ann, "800.00", "1.98")
    floor.settled(bea, "198.00", "8")
    (trade,) = ann.get(f"/api/trades?symbol={floor.symbol}")["data"]
    path = f"/api/trades/{trade['tradeId']}"
    busted = floor.admin.call("DELETE", path, {"reason": "a mistake"})
    assert (busted.status_code, busted.json()["status"]) == (200, "busted")
    floor.settled(ann, "1000.00", "0")
    floor.settled(bea, "0.00", "10")
    assert ann.get(path)["status"] == "busted"
    assert [each["status"] for each in tape(floor)] == ["busted"]
    assert problem(floor.admin.call("DELETE", path, {"reason": "again"}), 409)["code"] == "already_busted"
    kinds = [each["kind"] for each in ann.get(f"/api/wallets/{ann.wallet_id}/entries")["data"]]
    assert kinds[:2] == ["bust", "trade"]


def test_a_trade_whose_money_is_gone_is_not_busted(floor: Floor) -> None:
    ann, bea = floor.person(usd="1000"), floor.person(base="10")
    floor.place(bea, "sell", "2", "100")
    floor.place(ann, "buy", "2", "100")
    floor.settled(bea, "200.00", "8")
    held = floor.place(bea, "buy", "2", "50")
    (trade,) = ann.get(f"/api/trades?symbol={floor.symbol}")["data"]
    path = f"/api/trades/{trade['tradeId']}"
    assert problem(floor.admin.call("DELETE", path, {"reason": "a mistake"}), 409)["code"] == "funds_gone"
    assert ann.get(path)["status"] == "executed"
    floor.settled(ann, "800.00", "2")
    floor.cancel(bea, held)
    floor.settled(bea, "200.00", "8")
    assert floor.admin.call("DELETE", path, {"reason": "a mistake"}).status_code == 200
    floor.settled(bea, "0.00", "10")


def test_an_admin_notes_and_tags_a_trade(floor: Floor) -> None:
    ann, bea = floor.person(usd="1000"), floor.person(base="10")
    trade = block(floor, ann, bea, "1", "100").json()["tradeId"]
    noted = floor.admin.call("PUT", f"/api/trades/{trade}", {"note": "seen", "tags": ["odd", "late"]}).json()
    assert (noted["note"], noted["tags"]) == ("seen", ["odd", "late"])
    assert floor.admin.call("PUT", f"/api/trades/{trade}", {"tags": []}).json()["note"] == "seen"
    assert floor.admin.get(f"/api/trades/{trade}")["tags"] == []
