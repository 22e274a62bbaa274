"""User registration and order placement: sign up, sign in, be funded, place an order, see it, its hold and the news."""

from tests.support.running import PASSWORD, Person, Running, until


def test_a_user_signs_up_signs_in_and_places_an_order(exchange: Running) -> None:
    registered = exchange.http.post("/api/users/register", json={"userName": "carol", "password": PASSWORD})
    assert registered.status_code == 201
    assert set(registered.json()) == {"userId", "userName", "email", "role", "createdAt"}

    carol = Person(exchange, "carol", PASSWORD).signed_in()
    carol.user_id = registered.json()["userId"]
    told = exchange.http.post("/api/users/validate", json={"token": carol.tokens["accessToken"]}).json()
    assert (told["valid"], told["userId"], told["userName"]) == (True, carol.user_id, "carol")
    assert carol.wallet()["balance"] == {}

    refused = carol.call("POST", "/api/orders", {"symbol": "BTC", "type": "buy", "quantity": 1, "price": 50000})
    assert (refused.status_code, refused.json()["code"]) == (422, "insufficient_funds")
    assert carol.get("/api/orders")["data"] == []

    exchange.admin().fund(carol, USD="60000")
    order = carol.order("buy", "1", "50000", clientOrderId="first")
    assert (order["status"], order["remainingQuantity"], order["userId"]) == ("open", "1", carol.user_id)
    wallet = carol.wallet()
    assert wallet["balance"] == {"USD": "60000.00"}
    assert wallet["available"] == {"USD": "10000.00"}
    assert wallet["held"] == {"USD": "50000.00"}
    assert carol.get(f"/api/orders/{order['orderId']}") == order
    assert carol.get("/api/orders?status=open&clientOrderId=first")["data"] == [order]
    assert exchange.http.get("/api/markets/BTC-USD/book").json()["bids"] == [["50000.00", "1"]]

    def kinds() -> set[str]:
        return {each["kind"] for each in carol.get("/api/notifications")["data"]}

    until(lambda: {"order_accepted", "wallet_changed"} <= kinds(), "the notifications")

    admin = exchange.admin()
    users = [each for each in admin.get("/api/events?source=users")["data"] if each["subject"] == carol.user_id]
    assert [(each["type"], each["data"]) for each in users] == [
        ("UserCreated", {"userId": carol.user_id, "userName": "carol"})
    ]
    orders = [
        each
        for each in admin.get("/api/events?source=orders&limit=1000")["data"]
        if each["subject"] == order["orderId"]
    ]
    assert [each["type"] for each in orders] == ["OrderCreated", "OrderUpdated"]
    created = orders[0]["data"]
    wanted = {
        "orderId": order["orderId"],
        "userId": carol.user_id,
        "product": "BTC",
        "quantity": "1",
        "price": "50000.00",
    }
    assert wanted.items() <= created.items()
    assert (created["type"], created["symbol"]) == ("buy", "BTC-USD")


def test_an_order_sent_twice_under_one_client_id_is_one_order(shared_exchange: Running) -> None:
    person = shared_exchange.person(USD="1000")
    body = {"symbol": "BTC-USD", "type": "buy", "quantity": "0.001", "price": "45000", "clientOrderId": "mine-1"}
    first = person.post("/api/orders", body)
    again = person.post("/api/orders", body, 200)
    assert again["orderId"] == first["orderId"]
    other = person.call("POST", "/api/orders", body | {"quantity": "0.002"})
    assert (other.status_code, other.json()["code"]) == (409, "duplicate_client_order_id")
    assert other.json()["orderId"] == first["orderId"]
    person.call("DELETE", f"/api/orders/{first['orderId']}", headers={"prefer": "wait=10"})
    assert person.post("/api/orders", body, 200)["status"] == "cancelled"
    assert len(person.get("/api/orders")["data"]) == 1


def test_the_hold_is_there_when_the_201_arrives(shared_exchange: Running) -> None:
    person = shared_exchange.person(USD="1000")
    for placed in range(1, 6):
        person.post("/api/orders", {"symbol": "BTC-USD", "type": "buy", "quantity": "0.001", "price": "45000"})
        assert person.wallet()["held"] == {"USD": f"{45 * placed}.00"}


def test_a_wrong_password_and_an_unknown_name_are_told_the_same(shared_exchange: Running) -> None:
    person = shared_exchange.person()
    answers = [
        shared_exchange.http.post("/api/users/login", json={"userName": name, "password": "not-the-password-1"})
        for name in (person.name, "nobody-of-this-name")
    ]
    assert answers[0].status_code == answers[1].status_code == 401
    assert answers[0].content == answers[1].content
