"""A cast and the things that calls are about: an owner with orders, trades, wallets; somebody else; an admin."""

import itertools
import uuid
from collections.abc import Callable
from typing import Any

import httpx
import uuid_utils

from tests.support.running import PASSWORD, Person, Reached, Running

_numbers = itertools.count(1)

PRICE = "50000"
"""Where the stage's people trade BTC-USD."""


class Stage:
    """Each thing is made anew whenever it is asked for, so that a call may use it up."""

    def __init__(self, running: Reached) -> None:
        self.running = running
        self.admin = running.admin()
        self.owner = running.person(USD="1000000", BTC="100")
        self.other = running.person(USD="1000000", BTC="100")
        self.second: Person | None = None
        self.key = self.api_key(self.owner, "read")

    def api_key(self, person: Person, *scopes: str) -> dict[str, str]:
        """Headers with a new API key."""
        made = person.post("/api/users/api-keys", {"label": "stage", "scopes": list(scopes)})
        return {"authorization": f"Bearer {made['secret']}"}

    def newcomer(self) -> Person:
        """Somebody whom nobody misses."""
        return self.running.person()

    # what a call can be about: the values of the path ---------------------------------------------------------------

    def order(self) -> str:
        """An open buy order of the owner, far below the market."""
        order: str = self.owner.order("buy", "0.001", "45000")["orderId"]
        return order

    def trade(self) -> str:
        """A trade that the owner bought from the other."""
        ask = self.other.order("sell", "0.001", PRICE)
        bid = self.owner.order("buy", "0.001", PRICE)
        assert (ask["status"], bid["status"]) == ("open", "filled"), (ask, bid)
        trade: str = self.owner.get(f"/api/trades?orderId={bid['orderId']}")["data"][0]["tradeId"]
        return trade

    def traded_away(self) -> str:
        """A trade of the owner with somebody who is neither the other nor an admin."""
        third = self.running.person(BTC="1")
        third.order("sell", "0.001", PRICE)
        bid = self.owner.order("buy", "0.001", PRICE)
        trade: str = self.owner.get(f"/api/trades?orderId={bid['orderId']}")["data"][0]["tradeId"]
        return trade

    def wallet(self) -> str:
        """An empty further wallet of the owner."""
        wallet: str = self.owner.post("/api/wallets", {"name": "further"})["walletId"]
        return wallet

    def approval(self) -> str:
        """An adjustment that another admin asked for, and that waits for a second one."""
        if self.second is None:
            self.second = self.running.person()
            self.admin.call("PUT", f"/api/users/{self.second.user_id}", {"role": "admin"})
            self.second.signed_in()
        body = {"asset": "USD", "delta": "+100000001", "reason": "more than one may"}
        asked = self.second.call("PUT", f"/api/wallets/{self.owner.wallet_id}", body, keyed())
        assert asked.status_code == 202, asked.text
        approval: str = asked.json()["approvalId"]
        return approval

    def notification(self) -> str:
        """A message to the owner."""
        body = {"userId": self.owner.user_id, "title": "hello", "body": "there"}
        notification: str = self.admin.post("/api/notifications", body)["notificationId"]
        return notification

    def portfolio(self) -> str:
        """A further portfolio of the owner."""
        body = {"userId": self.owner.user_id, "name": f"portfolio {next(_numbers)}"}
        portfolio: str = self.admin.post("/api/portfolios", body)["portfolioId"]
        return portfolio

    def key_id(self) -> str:
        """An API key of the owner."""
        made: str = self.owner.post("/api/users/api-keys", {"label": "one", "scopes": ["read"]})["keyId"]
        return made

    def user(self) -> str:
        """A user without anything."""
        return self.newcomer().user_id

    def owner_id(self) -> str:
        """The owner."""
        return self.owner.user_id

    def symbol(self) -> str:
        """A market."""
        return "BTC-USD"

    def own_market(self) -> str:
        """A market that nobody trades in."""
        body = new_market()
        self.admin.post("/api/markets", body)
        return str(body["symbol"])

    def nothing(self, about: Callable[..., str]) -> str:
        """An id of the right kind that belongs to nothing."""
        if about in (Stage.order, Stage.trade, Stage.traded_away):
            return "999999999999"
        return "NO-SUCH" if about in (Stage.symbol, Stage.own_market) else str(uuid_utils.uuid7())

    # bodies ---------------------------------------------------------------------------------------------------------

    def body(self, call: str) -> Any:
        """A body that "METHOD /path" takes; a new one each time where things have names of their own."""
        make = _BODIES.get(call.replace("/api/Portfolios", "/api/portfolios"))
        return make(self) if make else None


def new_market() -> dict[str, str]:
    """A market with a name of its own."""
    base = f"T{next(_numbers)}X{uuid.uuid4().hex[:6].upper()}"[:12]
    return {"symbol": f"{base}-USD", "base": base, "quote": "USD", "tickSize": "0.01", "lotSize": "0.000001"}


def registration(_: Any = None) -> dict[str, str]:
    """Somebody who is not there yet."""
    return {"userName": f"newcomer-{next(_numbers)}-{uuid.uuid4().hex[:8]}", "password": PASSWORD}


def an_order(_: Any = None) -> dict[str, str]:
    """A small order that rests."""
    return {"symbol": "BTC-USD", "type": "buy", "quantity": "0.001", "price": "45000"}


_BODIES: dict[str, Callable[[Stage], Any]] = {
    "POST /api/users/register": registration,
    "POST /api/users": registration,
    "POST /api/users/login": lambda stage: {"userName": stage.owner.name, "password": PASSWORD},
    "POST /api/users/refresh_token": lambda stage: {"refreshToken": stage.newcomer().tokens["refreshToken"]},
    "POST /api/users/validate": lambda stage: {"token": stage.owner.tokens["accessToken"]},
    "PUT /api/users/profile": lambda _: {"email": "somebody@example.org"},
    "POST /api/users/api-keys": lambda _: {"label": "another", "scopes": ["read"]},
    "PUT /api/users/{id}": lambda _: {"email": "somebody@example.org"},
    "POST /api/orders": an_order,
    "POST /api/orders/batch": lambda _: {"orders": [an_order(), an_order()]},
    "PUT /api/orders/{id}": lambda _: {"quantity": "0.0009"},
    "POST /api/markets": lambda _: new_market(),
    "PUT /api/markets/{symbol}": lambda _: {"state": "cancel_only"},
    "POST /api/trades": lambda stage: {
        "symbol": "BTC-USD",
        "quantity": "0.001",
        "price": PRICE,
        "buyerId": stage.owner.user_id,
        "sellerId": stage.other.user_id,
    },
    "PUT /api/trades/{id}": lambda _: {"note": "seen"},
    "DELETE /api/trades/{id}": lambda _: {"reason": "a test"},
    "POST /api/wallets": lambda _: {"name": "savings"},
    "PUT /api/wallets/{id}": lambda _: {"asset": "USD", "delta": "+1", "reason": "a test"},
    "POST /api/wallets/approvals/{id}/approve": lambda _: {"reason": "seen"},
    "POST /api/wallets/approvals/{id}/reject": lambda _: {"reason": "seen"},
    "POST /api/wallets/{id}/faucet": lambda _: {"asset": "USD", "amount": "1"},
    "POST /api/portfolios": lambda stage: {"userId": stage.owner.user_id, "name": f"portfolio {next(_numbers)}"},
    "PUT /api/portfolios/{id}": lambda _: {"name": f"portfolio {next(_numbers)}"},
    "POST /api/notifications": lambda stage: {"userId": stage.owner.user_id, "title": "hello", "body": "there"},
    "PUT /api/notifications/preferences": lambda _: {"kinds": None},
}


def keyed() -> dict[str, str]:
    """A new Idempotency-Key."""
    return {"idempotency-key": str(uuid.uuid4())}


def sent(running: Running, method: str, path: str, body: Any = None, **headers: str) -> httpx.Response:
    """One request with exactly these headers."""
    given = {name.replace("_", "-"): value for name, value in headers.items()}
    return running.http.request(method, path, json=body, headers=given)


def problem(answer: httpx.Response, status: int, code: str = "") -> dict[str, Any]:
    """The problem document of a refusal that must have this status, and this code where one is named."""
    assert answer.status_code == status, f"{answer.status_code}: {answer.text}"
    assert answer.headers["content-type"] == "application/problem+json"
    document: dict[str, Any] = answer.json()
    assert document["status"] == status
    assert {"type", "title", "status", "detail", "code"} <= set(document)
    assert not code or document["code"] == code, document
    return document


def fields(answer: httpx.Response) -> list[str]:
    """The fields that a 422 names."""
    return [each["field"] for each in problem(answer, 422).get("errors", [])]
