"""One session of an exchange, through every way of writing: done in steps that a client can repeat after a crash.

A step that was answered is never asked again; one that was not is, as a client would. So what there is in the end
tells of both: an answered step that was lost is missing, and one that was half done or done twice shows.
"""

from collections.abc import Callable
from typing import Any

import httpx

from tests.support.running import ADMIN_PASSWORD, PASSWORD, Person, Reached, until

NAMES = ("alice", "bob", "leaver")


class Session:
    """The steps, and how many of them were answered. It goes on at the next one on any exchange with the same data."""

    def __init__(self) -> None:
        self.answered = 0
        self.people: dict[str, Person] = {}
        self.answers: dict[str, Any] = {}
        self.steps: list[Callable[[], None]] = [
            *(lambda name=name: self._register(name) for name in NAMES),  # type: ignore[misc]
            lambda: self._give("alice", "USD", "100000"),
            lambda: self._faucet("bob", "BTC", "10"),
            lambda: self._place("bob", "s1", type="sell", quantity="1", price="50000"),
            lambda: self._place("alice", "b1", type="buy", quantity="0.4", price="50000"),
            lambda: self._amend("bob", "s1", "0.8"),
            lambda: self._place("alice", "b2", type="buy", quantity="0.5", price="49000"),
            lambda: self._cancel("alice", "b2"),
            lambda: self._place_many("alice", "b3", "b4"),
            self._change_market,
            self._bust,
            self._refresh,
            self._tell,
            self._leave,
        ]

    def go_on(self, running: Reached) -> None:
        """Take the steps that are left; httpx.HTTPError when the exchange ends under them."""
        for person in self.people.values():
            person.running = running
        self._person(running, "admin", ADMIN_PASSWORD)
        while self.answered < len(self.steps):
            self.steps[self.answered]()
            self.answered += 1

    def _person(self, running: Reached, name: str, password: str = PASSWORD) -> Person:
        if name not in self.people:
            self.people[name] = Person(running, name, password).signed_in()
        return self.people[name]

    @property
    def admin(self) -> Person:
        """The admin."""
        return self.people["admin"]

    def _register(self, name: str) -> None:
        body = {"userName": name, "password": PASSWORD}
        answer = self.admin.running.http.post("/api/users/register", json=body)
        # taken: it was registered, and the answer was lost
        assert answer.status_code in (201, 409), answer.text
        assert self._person(self.admin.running, name).wallet_id

    def _once(self, who: Person, method: str, path: str, key: str, body: Any, *fine: int) -> Any:
        """Ask twice under one key, as after a lost answer: the second answer is the first."""
        first, second = (who.call(method, path, body, {"idempotency-key": key}) for _ in range(2))
        assert first.status_code in (fine or (200, 201)), first.text
        assert (second.status_code, second.json()) == (first.status_code, first.json())
        self.answers[key] = (who.name, method, path, body, first.json())
        return first.json()

    def _give(self, name: str, asset: str, amount: str) -> None:
        body = {"asset": asset, "delta": f"+{amount}", "reason": "for the session"}
        self._once(self.admin, "PUT", f"/api/wallets/{self.people[name].wallet_id}", f"give-{name}", body)

    def _faucet(self, name: str, asset: str, amount: str) -> None:
        person = self.people[name]
        body = {"asset": asset, "amount": amount}
        self._once(person, "POST", f"/api/wallets/{person.wallet_id}/faucet", f"faucet-{name}", body)

    def _place(self, name: str, client_id: str, **terms: str) -> None:
        body = {"symbol": "BTC-USD", "clientOrderId": client_id} | terms
        answer = self.people[name].call("POST", "/api/orders", body)
        # 200: it was placed, and the answer was lost
        assert answer.status_code in (200, 201), answer.text
        until(lambda: self._order(name, client_id)["status"] != "pending", "the engine")

    def _place_many(self, name: str, *client_ids: str) -> None:
        orders = [
            {"symbol": "BTC-USD", "type": "buy", "quantity": "0.1", "price": "48000", "clientOrderId": client_id}
            for client_id in client_ids
        ]
        results = self.people[name].post("/api/orders/batch", {"orders": orders}, 200)["results"]
        assert all("orderId" in result for result in results), results

    def _order(self, name: str, client_id: str) -> Any:
        (order,) = self.people[name].get(f"/api/orders?clientOrderId={client_id}")["data"]
        return order

    def _amend(self, name: str, client_id: str, quantity: str) -> None:
        path = f"/api/orders/{self._order(name, client_id)['orderId']}"
        # the same again has the same end, and while the engine has not answered the first one it is refused
        until(lambda: self.people[name].call("PUT", path, {"quantity": quantity}).status_code in (200, 202), "it")
        until(lambda: self._order(name, client_id)["quantity"] == quantity, "the amendment")

    def _cancel(self, name: str, client_id: str) -> None:
        answer = self.people[name].call("DELETE", f"/api/orders/{self._order(name, client_id)['orderId']}")
        assert answer.status_code in (200, 202), answer.text
        until(lambda: self._order(name, client_id)["status"] == "cancelled", "the cancel")

    def _change_market(self) -> None:
        self._once(self.admin, "PUT", "/api/markets/ETH-USD", "fee", {"takerFee": "0.001"})

    def _bust(self) -> None:
        (trade,) = until(lambda: self.people["alice"].get("/api/trades")["data"], "the trade")
        answer = self.admin.call("DELETE", f"/api/trades/{trade['tradeId']}", {"reason": "a mistake"})
        assert answer.status_code == 200 or answer.json()["code"] == "already_busted", answer.text

    def _refresh(self) -> None:
        alice = self.people["alice"]
        body = {"refreshToken": alice.tokens["refreshToken"]}
        # a lost answer: within ten seconds the same token gets the same successor
        first, second = (alice.running.http.post("/api/users/refresh_token", json=body) for _ in range(2))
        assert first.status_code == 200, first.text
        assert second.json()["refreshToken"] == first.json()["refreshToken"]
        alice.tokens = first.json()
        alice.headers = {"authorization": f"Bearer {alice.tokens['accessToken']}"}

    def _tell(self) -> None:
        alice = self.people["alice"]
        user_id = self.admin.get("/api/users")["data"]
        user_id = next(user["userId"] for user in user_id if user["userName"] == "alice")
        note = {"userId": user_id, "title": "Hello", "body": "Once"}
        said = self._once(self.admin, "POST", "/api/notifications", "note", note)
        assert alice.call("POST", f"/api/notifications/{said['notificationId']}/read").status_code in (200, 204)
        self._once(self.admin, "POST", "/api/portfolios", "folio", {"userId": user_id, "name": "second"})

    def _leave(self) -> None:
        answer = self.people["leaver"].call("DELETE", "/api/users/profile")
        # 401, 404: they had left, and the answer was lost
        assert answer.status_code in (204, 401, 404), answer.text

    # what there is in the end --------------------------------------------------------------------------------------

    def state(self, running: Reached) -> dict[str, Any]:
        """What everybody has: balances, orders, trades, money that came from outside, and what followers say."""
        for person in self.people.values():
            person.running = running
        found: dict[str, Any] = {name: self._state_of(self.people[name]) for name in ("alice", "bob")}
        found["users"] = sorted(user["userName"] for user in self.admin.get("/api/users")["data"])
        found["fee"] = self.admin.get("/api/markets/ETH-USD")["takerFee"]
        return found

    def _state_of(self, person: Person) -> dict[str, Any]:
        wallet = person.wallet()
        entries = person.get(f"/api/wallets/{person.wallet_id}/entries?limit=1000")["data"]
        portfolios = person.get("/api/portfolios")["data"]
        told = person.get("/api/notifications?limit=1000")["data"]
        return {
            "wallet": [wallet["balance"], wallet["available"], wallet["held"]],
            "orders": sorted(
                (order["clientOrderId"], order["status"], order["quantity"], order["filledQuantity"])
                for order in person.get("/api/orders")["data"]
            ),
            "trades": [(trade["quantity"], trade["status"]) for trade in person.get("/api/trades")["data"]],
            # holds and releases are not compared: a crash may leave a hold without an order, which is then released
            "money": sorted(each["kind"] for each in entries if each["kind"] not in ("hold", "release")),
            "holdings": sorted(
                (portfolio["name"], holding["product"], holding["quantity"])
                for portfolio in portfolios
                for holding in portfolio["holdings"]
            ),
            "portfolios": sorted(portfolio["name"] for portfolio in portfolios),
            "told": sorted((each["kind"], each["title"]) for each in told if each["kind"] in ("message", "fill")),
        }

    def repeats(self, running: Reached) -> None:
        """Every request with a key, asked again, has the answer of the first time."""
        for key, (name, method, path, body, first) in self.answers.items():
            person = self.people[name]
            person.running = running
            again = person.call(method, path, body, {"idempotency-key": key})
            assert again.json() == first, f"{key}: {again.text}"


def ended(session: Session, running: Reached) -> bool:
    """Take the steps that are left: did the exchange end under them?"""
    try:
        session.go_on(running)
    except httpx.HTTPError:
        return True
    return False
