"""Clients at work on an exchange under which things end. They keep to the documented rules: what has no answer, or none
that says what became of it, is asked again under the same id, at any door. In the end everything that they were told
must be there, once.
"""

import threading
import time
import uuid
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import httpx

from tests.support.process import borsa
from tests.support.running import PASSWORD, Person, Reached, until

TRADERS = 4

GIVEN_UP_SECONDS = 90
"""After how long without an answer a client takes it for none: whatever ends comes back far sooner."""

AGAIN_SECONDS = 0.02
"""How long a client waits until it asks again."""

Doors = Callable[[], Sequence[str]]
"""The addresses at which one can ask now."""


class Unserved(AssertionError):
    """A client got an answer that nobody should get, or none at all."""


class Client:
    """Asks one thing after the other. `waits` are the seconds until each was done, with when it was, by the monotonic
    clock; `faults` what should not have been said to it."""

    answer_seconds = 30.0
    """How long it waits for an answer at one door."""

    def __init__(self, doors: Doors) -> None:
        self.doors = doors
        self.waits: list[tuple[float, float]] = []
        self.faults: list[str] = []
        self.enough = threading.Event()
        self.thread = threading.Thread(target=self._go_on)

    def _go_on(self) -> None:
        with httpx.Client(timeout=self.answer_seconds) as self.http:
            try:
                while not self.enough.is_set():
                    self.work()
            except Unserved as fault:
                self.faults.append(str(fault))

    def work(self) -> None:
        """Ask for one thing, until it is done."""
        raise NotImplementedError

    def done(self, who: Person, method: str, path: str, body: Any = None, key: str = "") -> Any:
        """Ask until it is done, and give the answer's body."""
        headers = who.headers | ({"idempotency-key": key} if key else {})
        began = time.monotonic()
        while time.monotonic() < began + GIVEN_UP_SECONDS:
            for url in self.doors():
                try:
                    answer = self.http.request(method, url + path, json=body, headers=headers)
                except httpx.HTTPError:
                    continue
                if answer.status_code in (200, 201, 202):
                    self.waits.append((time.monotonic(), time.monotonic() - began))
                    return answer.json()
                if not _is_for_later(answer):
                    raise Unserved(f"{method} {path}: {answer.status_code} {answer.text}")
            threading.Event().wait(AGAIN_SECONDS)
        raise Unserved(f"{method} {path} was never answered")


def _is_for_later(answer: httpx.Response) -> bool:
    """Does it say that nothing was done, that nobody knows, or that the first one is under way?"""
    if answer.status_code == 503:
        return "retry-after" in answer.headers
    return answer.status_code == 504 or answer.json().get("code", "").endswith("_in_progress")


class Trader(Client):
    """Buys and sells in turns, always at the same price. `acknowledged` are order ids by the client's own."""

    def __init__(self, person: Person, doors: Doors, first: str) -> None:
        super().__init__(doors)
        self.person = person
        self.sent: set[str] = set()
        self.acknowledged: dict[str, str] = {}
        self._side = first

    def work(self) -> None:
        name = uuid.uuid4().hex
        self.sent.add(name)
        self._side = "buy" if self._side == "sell" else "sell"
        body = {"symbol": "BTC-USD", "type": self._side, "quantity": "0.001", "price": "50000", "clientOrderId": name}
        self.acknowledged[name] = self.done(self.person, "POST", "/api/orders", body)["orderId"]

    def check(self) -> None:
        """Each order that was acknowledged is there once, and none that was not asked for."""
        kept = list(pages(self.person, "/api/orders"))
        by_name = {order["clientOrderId"]: order["orderId"] for order in kept}
        assert len(by_name) == len(kept)
        assert self.acknowledged.items() <= by_name.items()
        assert by_name.keys() <= self.sent

    def leave(self) -> None:
        """Nothing of it stays on the book, where orders of the next test would meet it."""
        answer = self.person.call("DELETE", "/api/orders", headers={"prefer": "wait=10"})
        assert answer.status_code in (200, 202), answer.text


class Customer(Client):
    """Gets money from an admin, places an order far below the price, and cancels it."""

    def __init__(self, admin: Person, person: Person, doors: Doors) -> None:
        super().__init__(doors)
        self.admin = admin
        self.person = person
        self.adjusted: dict[str, Any] = {}
        self.cancelled: list[str] = []

    def work(self) -> None:
        name = uuid.uuid4().hex
        self.adjusted[name] = self.done(self.admin, "PUT", *self._adjustment(name))
        body = {"symbol": "BTC-USD", "type": "buy", "quantity": "0.001", "price": "41000", "clientOrderId": name}
        order = self.done(self.person, "POST", "/api/orders", body)["orderId"]
        # done is what the log has: where the engine is late, it answers 202
        self.done(self.person, "DELETE", f"/api/orders/{order}")
        self.cancelled.append(order)

    def _adjustment(self, name: str) -> tuple[str, Any, str]:
        return f"/api/wallets/{self.person.wallet_id}", {"asset": "USD", "delta": "+100", "reason": name}, name

    def check(self) -> None:
        """Each adjustment is there once, and answered as it was the first time; what was cancelled is."""
        for name in list(self.adjusted)[-10:]:
            path, body, key = self._adjustment(name)
            assert self.admin.call("PUT", path, body, {"idempotency-key": key}).json() == self.adjusted[name]
        entries = pages(self.person, f"/api/wallets/{self.person.wallet_id}/entries")
        times = Counter(entry["reason"] for entry in entries)
        assert [times[name] for name in self.adjusted] == [1] * len(self.adjusted)
        assert max((times[name] for name in times if name), default=1) == 1
        until(lambda: self._status_of_cancelled() <= {"cancelled"}, "every cancel", 60)

    def _status_of_cancelled(self) -> set[str]:
        status = {order["orderId"]: order["status"] for order in pages(self.person, "/api/orders")}
        return {status[order] for order in self.cancelled}


def pages(person: Person, path: str) -> Iterator[Any]:
    """All of a list."""
    cursor = ""
    while True:
        page = person.get(f"{path}?limit=1000{cursor}")
        yield from page["data"]
        if page["nextCursor"] is None:
            return
        cursor = f"&cursor={page['nextCursor']}"


class Load:
    """Traders and a customer at work on an exchange."""

    def __init__(self, reached: Reached, doors: Doors, answer_seconds: float = Client.answer_seconds) -> None:
        self.reached = reached
        admin = reached.admin()
        self.traders = []
        for at in range(TRADERS):
            person = self._somebody("trader")
            admin.fund(person, USD="1000000", BTC="20")
            self.traders.append(Trader(person, doors, "buy" if at % 2 else "sell"))
        self.customer = Customer(admin, self._somebody("customer"), doors)
        self.clients: list[Client] = [*self.traders, self.customer]
        for each in self.clients:
            each.answer_seconds = answer_seconds

    def _somebody(self, what: str) -> Person:
        person = Person(self.reached, f"{what}-{uuid.uuid4().hex[:12]}", PASSWORD)
        person.register()
        person.signed_in()
        assert person.wallet_id
        return person

    def __enter__(self) -> "Load":
        for each in self.clients:
            each.thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        for each in self.clients:
            each.enough.set()
        for each in self.clients:
            each.thread.join(2 * GIVEN_UP_SECONDS)

    @property
    def acknowledged(self) -> int:
        """How many orders were, until now."""
        return sum(len(each.acknowledged) for each in self.traders)

    @property
    def faults(self) -> list[str]:
        """What clients were told that they should not have been."""
        return [fault for each in self.clients for fault in each.faults]

    def wait_for_more(self, count: int = 20) -> None:
        """Until each of them was served, and so many more orders were acknowledged."""
        before = [len(each.waits) for each in self.clients]
        enough = self.acknowledged + count
        end = time.monotonic() + GIVEN_UP_SECONDS
        while self.acknowledged < enough or any(
            len(each.waits) == had for each, had in zip(self.clients, before, strict=True)
        ):
            assert not self.faults, self.faults
            assert time.monotonic() < end, "somebody is served no more"
            threading.Event().wait(AGAIN_SECONDS)

    def stalls(self, moments: Sequence[float]) -> list[float]:
        """For each of these moments: the longest that anybody waited for what was under way then, in seconds."""
        waits = [wait for each in self.clients for wait in each.waits]
        return [max((took for end, took in waits if end - took <= at <= end), default=0) for at in moments]

    def check(self) -> None:
        """Everything that was acknowledged is there once; no order waits for ever; the books are right."""
        assert not self.faults, self.faults
        until(lambda: not self._waiting(), "every order to be decided", 60)
        for each in self.traders:
            each.check()
        self.customer.check()
        is_right(self.reached)
        for each in self.traders:
            each.leave()

    def _waiting(self) -> list[object]:
        people = [each.person for each in self.traders] + [self.customer.person]
        return [order for person in people for order in person.get("/api/orders?limit=10&status=pending")["data"]]


def is_right(reached: Any) -> None:
    """`borsa verify` finds nothing."""
    audit = borsa("verify", reached.environment)
    assert audit.returncode == 0, audit.stdout + audit.stderr
    assert audit.stdout.rstrip().endswith(", 0 breaches")
