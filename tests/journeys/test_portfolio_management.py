"""Portfolio management: the default portfolio follows the wallets; admins make, rename and delete further ones."""

from typing import Any

from tests.journeys.floor import Floor
from tests.support.running import Person, Running, until


def holding(person: Person, product: str) -> dict[str, Any] | None:
    default = person.get("/api/portfolios")["data"][0]
    return next((each for each in default["holdings"] if each["product"] == product), None)


def quantity(person: Person, product: str) -> str | None:
    found = holding(person, product)
    return found["quantity"] if found else None


def test_the_default_portfolio_holds_what_the_wallets_hold(floor: Floor) -> None:
    ann, bea = floor.person(usd="1000"), floor.person(base="10")
    until(lambda: quantity(bea, floor.base) == "10", "the deposit")
    floor.place(bea, "sell", "4", "50")
    floor.place(ann, "buy", "4", "50")
    until(lambda: (quantity(ann, floor.base), quantity(bea, floor.base)) == ("4", "6"), "the trade")
    found = holding(ann, floor.base)
    assert found is not None
    assert (found["averageCost"], found["realizedPnl"], found["marketPrice"]) == ("50.00", "0.00", "50.00")

    floor.place(ann, "buy", "1", "60")
    floor.place(bea, "sell", "1", "60")
    until(lambda: quantity(ann, floor.base) == "5", "the second trade")
    found = holding(ann, floor.base)
    assert found is not None
    assert (found["averageCost"], found["marketPrice"], found["unrealizedPnl"]) == ("52.00", "60.00", "40.00")

    cat = floor.person(usd="1000")
    floor.place(cat, "buy", "2", "70")
    floor.place(ann, "sell", "2", "70")
    until(lambda: quantity(ann, floor.base) == "3", "the sale")
    found = holding(ann, floor.base)
    assert found is not None
    assert (found["averageCost"], found["realizedPnl"]) == ("52.00", "36.00")
    assert ann.wallet()["balance"][floor.base] == found["quantity"]


def test_all_wallets_of_a_user_count(shared_exchange: Running) -> None:
    person = shared_exchange.person(BTC="1")
    second = person.post("/api/wallets", {"name": "second"})["walletId"]
    person.post(f"/api/wallets/{second}/faucet", {"asset": "BTC", "amount": "2"}, 200)
    until(lambda: quantity(person, "BTC") == "3", "the faucet")


def test_an_admin_makes_renames_and_deletes_a_portfolio(shared_exchange: Running) -> None:
    admin, person = shared_exchange.admin(), shared_exchange.person()
    body = {"userId": person.user_id, "name": "ideas", "product": "ETH", "quantity": "2", "averageCost": "1500"}
    made = admin.post("/api/Portfolios", body)
    (held,) = made["holdings"]
    assert (held["product"], held["quantity"], held["averageCost"]) == ("ETH", "2", "1500.00")
    assert person.get(f"/api/portfolios/{made['portfolioId']}")["holdings"] == made["holdings"]
    again = admin.call("POST", "/api/portfolios", body)
    assert (again.status_code, again.json()["code"]) == (409, "portfolio_exists")

    renamed = admin.call("PUT", f"/api/portfolios/{made['portfolioId']}", {"name": "plans"})
    assert renamed.json()["name"] == "plans"
    names = [each["name"] for each in person.get(f"/api/portfolios/user/{person.user_id}")["data"]]
    assert names == ["default", "plans"]

    assert admin.call("DELETE", f"/api/portfolios/{made['portfolioId']}").status_code == 204
    assert person.call("GET", f"/api/portfolios/{made['portfolioId']}").status_code == 404
    default = person.get("/api/portfolios")["data"][0]["portfolioId"]
    kept = admin.call("DELETE", f"/api/portfolios/{default}")
    assert (kept.status_code, kept.json()["code"]) == (409, "default_portfolio")

    told = [
        each["data"]["change"]
        for each in admin.get("/api/events?source=portfolios&limit=1000")["data"]
        if each["subject"] == made["portfolioId"]
    ]
    assert [change for change in told if change != "holding"] == ["created", "renamed", "deleted"]
