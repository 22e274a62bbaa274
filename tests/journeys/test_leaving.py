"""Leaving: a user goes only without money and open orders; what happened stays."""

from tests.api.stage import keyed, problem
from tests.journeys.floor import Floor
from tests.support.running import PASSWORD, Running, until


def test_who_has_money_or_orders_can_not_leave(floor: Floor) -> None:
    ann = floor.person(usd="100")
    order = floor.place(ann, "buy", "1", "100")
    for caller, path in ((ann, "/api/users/profile"), (floor.admin, f"/api/users/{ann.user_id}")):
        left = problem(caller.call("DELETE", path), 409)
        assert (left["code"], "100.00 USD" in left["detail"]) == ("user_not_empty", True)
    floor.cancel(ann, order)
    assert problem(ann.call("DELETE", "/api/users/profile"), 409)["code"] == "user_not_empty"
    assert ann.get("/api/users/profile")["userName"] == ann.name


def test_who_leaves_is_gone_and_the_history_stays(floor: Floor) -> None:
    ann, bea = floor.person(usd="100"), floor.person(base="1")
    floor.place(ann, "buy", "1", "100")
    floor.place(bea, "sell", "1", "100")
    floor.settled(ann, "0.00", "1")
    (trade,) = ann.get("/api/trades")["data"]
    wallet = ann.wallet_id
    body = {"asset": floor.base, "delta": "-1", "reason": "paid out"}
    assert floor.admin.call("PUT", f"/api/wallets/{wallet}", body, keyed()).status_code == 200
    assert ann.call("DELETE", "/api/users/profile").status_code == 204

    until(lambda: ann.call("GET", "/api/orders").status_code == 401, "the end of the token")
    signing_in = floor.running.http.post("/api/users/login", json={"userName": ann.name, "password": PASSWORD})
    assert problem(signing_in, 401)["code"] == "invalid_credentials"
    refreshing = floor.running.http.post("/api/users/refresh_token", json={"refreshToken": ann.tokens["refreshToken"]})
    assert refreshing.status_code == 401
    assert floor.admin.call("GET", f"/api/users/{ann.user_id}").status_code == 404
    assert floor.admin.call("DELETE", f"/api/users/{ann.user_id}").status_code == 404
    deposit = floor.admin.call("PUT", f"/api/wallets/{wallet}", body | {"delta": "+1"}, keyed())
    assert deposit.status_code == 404

    kept = floor.admin.get(f"/api/trades/{trade['tradeId']}")
    assert (kept["buyerId"], kept["status"]) == (ann.user_id, "executed")
    assert bea.get(f"/api/trades/{trade['tradeId']}")["status"] == "executed"
    told = [each["type"] for each in _events(floor, "users") if each["subject"] == ann.user_id]
    assert (told[0], told[-1]) == ("UserCreated", "UserDeleted") or set(told) == {
        "UserCreated",
        "AccessRevoked",
        "UserDeleted",
    }


def _events(floor: Floor, source: str) -> list[dict[str, str]]:
    found: list[dict[str, str]] = []
    while page := floor.admin.get(f"/api/events?source={source}&after={len(found)}&limit=1000")["data"]:
        found += page
    return found


def test_the_last_admin_stays(exchange: Running) -> None:
    admin = exchange.admin()
    assert problem(admin.call("DELETE", "/api/users/profile"), 409)["code"] == "last_admin"
    me = admin.get("/api/users/profile")["userId"]
    assert problem(admin.call("PUT", f"/api/users/{me}", {"role": "user"}), 409)["code"] == "last_admin"
    second = exchange.person()
    assert admin.call("PUT", f"/api/users/{second.user_id}", {"role": "admin"}).json()["role"] == "admin"
    assert admin.call("DELETE", "/api/users/profile").status_code == 204
