"""The door of portfolios, through a whole exchange."""

from typing import Any

import pytest

from tests.support.running import Person, Running, until

ZERO_ID = "00000000-0000-7000-8000-000000000000"


@pytest.fixture
def ada(shared_exchange: Running) -> Person:
    return shared_exchange.person()


@pytest.fixture
def admin(shared_exchange: Running) -> Person:
    return shared_exchange.admin()


def default_of(person: Person) -> Any:
    """The default portfolio, as soon as it is there."""
    return until(lambda: person.get("/api/portfolios")["data"], "the portfolio")[0]


def quantities(person: Person) -> dict[str, str]:
    return {each["product"]: each["quantity"] for each in default_of(person)["holdings"]}


def made(admin: Person, person: Person, name: str, **more: Any) -> Any:
    return admin.post("/api/portfolios", {"userId": person.user_id, "name": name} | more)


def test_example_b_of_the_specification(exchange: Running) -> None:
    buyer, seller = exchange.person(USD="1000000"), exchange.person(BTC="20")
    until(lambda: quantities(seller) == {"BTC": "20"}, "the funds in the portfolio")
    seller.order("sell", "5", "50000")
    buyer.order("buy", "5", "50000")
    until(lambda: quantities(seller) == {"BTC": "15"}, "the sale in the portfolio")
    until(lambda: quantities(buyer) == {"BTC": "5"}, "the purchase in the portfolio")
    (held,) = default_of(buyer)["holdings"]
    assert held == {
        "product": "BTC",
        "quantity": "5",
        "averageCost": "50000.00",
        "realizedPnl": "0.00",
        "marketPrice": "50000.00",
        "unrealizedPnl": "0.00",
    }
    (sold,) = default_of(seller)["holdings"]
    assert (sold["averageCost"], sold["realizedPnl"], sold["unrealizedPnl"]) == ("0.00", "250000.00", "750000.00")


def test_a_bust_restores_both_sides(exchange: Running) -> None:
    buyer, seller = exchange.person(USD="1000000"), exchange.person(BTC="20")
    until(lambda: quantities(seller) == {"BTC": "20"}, "the funds in the portfolio")
    before = default_of(seller)["holdings"]
    seller.order("sell", "20", "40000")
    buyer.order("buy", "20", "40000")
    until(lambda: quantities(buyer) == {"BTC": "20"}, "the purchase in the portfolio")
    (trade,) = until(lambda: buyer.get("/api/trades")["data"], "the trade")
    busted = exchange.admin().call("DELETE", f"/api/trades/{trade['tradeId']}", {"reason": "fat finger"})
    assert busted.status_code == 200, busted.text
    until(lambda: quantities(buyer) == {"BTC": "0"}, "the purchase out of the portfolio")
    until(lambda: quantities(seller) == {"BTC": "20"}, "the sale out of the portfolio")
    after = default_of(seller)["holdings"]
    assert [(each["averageCost"], each["realizedPnl"]) for each in after] == [
        (each["averageCost"], each["realizedPnl"]) for each in before
    ]
    assert default_of(buyer)["holdings"][0]["realizedPnl"] == "0.00"


def test_the_quantity_is_what_the_wallets_hold(exchange: Running) -> None:
    ada = exchange.person(USD="10000", BTC="1", ETH="3")
    wallet = ada.wallet()["balance"]
    until(lambda: quantities(ada) == {"BTC": wallet["BTC"], "ETH": wallet["ETH"]}, "the funds in the portfolio")
    assert default_of(ada)["holdings"][0]["marketPrice"] is None
    assert default_of(ada)["holdings"][0]["unrealizedPnl"] is None


@pytest.mark.parametrize("path", ["/api/portfolios", "/api/Portfolios"])
def test_both_spellings_of_the_path_answer(path: str, ada: Person, admin: Person) -> None:
    mine = default_of(ada)
    assert ada.get(path)["data"] == [mine]
    assert ada.get(f"{path}/{mine['portfolioId']}") == mine
    assert ada.get(f"{path}/user/{ada.user_id}")["data"] == [mine]
    made = admin.post(path, {"userId": ada.user_id, "name": path})
    one = f"{path}/{made['portfolioId']}"
    assert admin.call("PUT", one, {"name": "renamed " + path}).json()["name"] == "renamed " + path
    assert admin.call("DELETE", one).status_code == 204
    assert admin.call("GET", one).status_code == 404


def test_an_opening_position(ada: Person, admin: Person) -> None:
    answer = made(admin, ada, "long term", product="BTC", quantity="2", averageCost=150.25)
    assert answer["holdings"][0]["averageCost"] == "150.25"
    assert answer["holdings"][0]["quantity"] == "2"
    assert ada.get(f"/api/portfolios/{answer['portfolioId']}")["holdings"] == answer["holdings"]
    assert [each["name"] for each in ada.get("/api/portfolios")["data"]] == ["default", "long term"]


def test_every_change_is_an_event_in_sequence(exchange: Running) -> None:
    admin, ada = exchange.admin(), exchange.person()
    portfolio_id = made(admin, ada, "p", product="BTC", quantity="1")["portfolioId"]
    admin.call("PUT", f"/api/portfolios/{portfolio_id}", {"name": "q"})
    admin.call("DELETE", f"/api/portfolios/{portfolio_id}")
    events = admin.get("/api/events?source=portfolios&limit=1000")["data"]
    mine = [each["data"] for each in events if each["subject"] == portfolio_id]
    assert [each["change"] for each in mine] == ["created", "holding", "renamed", "deleted"]
    assert [each["quantity"] for each in mine] == ["0", "1", "0", "0"]
    versions = [each["version"] for each in mine]
    assert versions == sorted(set(versions))


# who may -----------------------------------------------------------------------------------------------------------


def test_somebody_elses_portfolio_is_not_there(shared_exchange: Running, ada: Person, admin: Person) -> None:
    bob = shared_exchange.person()
    theirs = default_of(bob)["portfolioId"]
    assert ada.call("GET", f"/api/portfolios/{theirs}").status_code == 404
    assert ada.call("GET", f"/api/portfolios/user/{bob.user_id}").status_code == 404
    assert all(each["userId"] == ada.user_id for each in ada.get("/api/portfolios")["data"])
    assert admin.get(f"/api/portfolios/{theirs}")["userId"] == bob.user_id
    assert admin.get(f"/api/portfolios/user/{bob.user_id}")["data"][0]["portfolioId"] == theirs
    assert admin.call("GET", f"/api/portfolios/user/{ZERO_ID}").status_code == 404


def test_only_admins_make_rename_and_delete(ada: Person) -> None:
    mine = default_of(ada)["portfolioId"]
    assert ada.call("POST", "/api/portfolios", {"userId": ada.user_id, "name": "x"}).status_code == 403
    assert ada.call("PUT", f"/api/portfolios/{mine}", {"name": "x"}).status_code == 403
    assert ada.call("DELETE", f"/api/portfolios/{mine}").status_code == 403


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/api/portfolios"),
        ("GET", f"/api/portfolios/{ZERO_ID}"),
        ("GET", f"/api/portfolios/user/{ZERO_ID}"),
        ("POST", "/api/portfolios"),
        ("PUT", f"/api/portfolios/{ZERO_ID}"),
        ("DELETE", f"/api/portfolios/{ZERO_ID}"),
    ],
)
def test_a_token_is_needed(shared_exchange: Running, method: str, path: str) -> None:
    assert shared_exchange.http.request(method, path, json={}).status_code == 401


# refusals ----------------------------------------------------------------------------------------------------------

REFUSED = [
    ({"name": "x" * 65}, "name"),
    ({"name": ""}, "name"),
    ({"name": "a\nb"}, "name"),
    ({"userId": ZERO_ID}, "userId"),
    ({"userId": "' OR 1=1--"}, "userId"),
    ({"product": "USD", "quantity": "1"}, "product"),
    ({"product": "btc", "quantity": "1"}, "product"),
    ({"product": "BTC"}, "quantity"),
    ({"product": "BTC", "quantity": "0"}, "quantity"),
    ({"product": "BTC", "quantity": "-1"}, "quantity"),
    ({"product": "BTC", "quantity": "0.000000001"}, "quantity"),
    ({"product": "BTC", "quantity": True}, "quantity"),
    ({"product": "BTC", "quantity": "0.00000001", "averageCost": "0.1"}, "averageCost"),
    ({"product": "BTC", "quantity": "1", "averageCost": "1e3"}, "averageCost"),
    ({"product": "BTC", "quantity": "90000000000", "averageCost": "90000000000"}, "averageCost"),
    ({"quantity": "1"}, "product"),
    ({"averageCost": "1"}, "product"),
    ({"holdings": []}, "holdings"),
]


@pytest.mark.parametrize(("change", "field"), REFUSED)
def test_what_is_wrong_is_named(ada: Person, admin: Person, change: dict[str, Any], field: str) -> None:
    answer = admin.call("POST", "/api/portfolios", {"userId": ada.user_id, "name": "x"} | change)
    assert answer.status_code == 422, answer.text
    assert [each["field"] for each in answer.json()["errors"]] == [field]


def test_quantities_are_no_ones_to_set(ada: Person, admin: Person) -> None:
    mine = default_of(ada)["portfolioId"]
    answer = admin.call("PUT", f"/api/portfolios/{mine}", {"name": "x", "quantity": "5"})
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["field"] == "quantity"


def test_conflicts(ada: Person, admin: Person) -> None:
    mine = default_of(ada)["portfolioId"]
    refused = admin.call("DELETE", f"/api/portfolios/{mine}")
    assert (refused.status_code, refused.json()["code"]) == (409, "default_portfolio")
    made(admin, ada, "twice")
    refused = admin.call("POST", "/api/portfolios", {"userId": ada.user_id, "name": "twice"})
    assert (refused.status_code, refused.json()["code"]) == (409, "portfolio_exists")
    refused = admin.call("PUT", f"/api/portfolios/{mine}", {"name": "twice"})
    assert (refused.status_code, refused.json()["code"]) == (409, "portfolio_exists")
    assert admin.call("PUT", f"/api/portfolios/{ZERO_ID}", {"name": "x"}).status_code == 404
    assert admin.call("DELETE", f"/api/portfolios/{ZERO_ID}").status_code == 404


def test_the_same_key_makes_one_portfolio(ada: Person, admin: Person) -> None:
    body = {"userId": ada.user_id, "name": "keyed"}
    key = {"idempotency-key": f"key-{ada.user_id}"}
    first = admin.post("/api/portfolios", body, headers=key)
    assert admin.post("/api/portfolios", body, headers=key) == first
    assert len(ada.get("/api/portfolios")["data"]) == 2


def test_pages(ada: Person, admin: Person) -> None:
    for number in range(4):
        made(admin, ada, f"p{number}")
    names: list[str] = []
    path = "/api/portfolios?limit=2"
    while path:
        page = ada.get(path)
        names += [each["name"] for each in page["data"]]
        path = f"/api/portfolios?limit=2&cursor={page['nextCursor']}" if page["nextCursor"] else ""
    assert names == ["default", "p3", "p2", "p1", "p0"]
    assert ada.call("GET", "/api/portfolios?cursor=nonsense").status_code == 422
    assert ada.call("GET", "/api/portfolios?limit=0").status_code == 422
