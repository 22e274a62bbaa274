"""A market of a test's own, and people who trade in it: nobody else's orders are in its book."""

from typing import Any

import httpx

from tests.api.stage import new_market
from tests.support.running import Person, Reached, until


class Floor:
    """Prices in cents, quantities in millionths, no minimum, no price band unless said."""

    def __init__(self, running: Reached, **terms: str) -> None:
        self.running = running
        self.admin = running.admin()
        body = new_market() | {"priceBand": "0"} | terms
        self.base = body["base"]
        self.symbol = body["symbol"]
        self.admin.post("/api/markets", body)

    def person(self, usd: str = "", base: str = "") -> Person:
        """Somebody with dollars and with what is traded here."""
        funds = {"USD": usd, self.base: base}
        return self.running.person(**{asset: amount for asset, amount in funds.items() if amount})

    def place(self, person: Person, side: str, quantity: str | None, price: str | None = None, **more: Any) -> Any:
        """An order here, after the engine's verdict."""
        body = {"symbol": self.symbol, "type": side, "quantity": quantity, "price": price} | more
        body = {name: value for name, value in body.items() if value is not None}
        return person.post("/api/orders", body, 201, {"prefer": "wait=10"})

    def refused(
        self, person: Person, side: str, quantity: str, price: str | None = None, **more: Any
    ) -> httpx.Response:
        """The answer to an order that is not taken."""
        body = {"symbol": self.symbol, "type": side, "quantity": quantity, "price": price} | more
        return person.call("POST", "/api/orders", {name: value for name, value in body.items() if value is not None})

    def amend(self, person: Person, order: Any, **changes: Any) -> httpx.Response:
        """Amend an order, and wait for the engine's verdict."""
        return person.call("PUT", f"/api/orders/{order['orderId']}", changes, {"prefer": "wait=10"})

    def cancel(self, person: Person, order: Any) -> httpx.Response:
        """Cancel an order, and wait for the engine's verdict."""
        return person.call("DELETE", f"/api/orders/{order['orderId']}", headers={"prefer": "wait=10"})

    def seen(self, person: Person, order: Any) -> tuple[str, str, str]:
        """Status, filled and remaining quantity of an order, now."""
        found = person.get(f"/api/orders/{order['orderId']}")
        return found["status"], found["filledQuantity"], found["remainingQuantity"]

    def becomes(self, person: Person, order: Any, status: str) -> Any:
        """The order as soon as it has a status."""

        def look() -> Any:
            found = person.get(f"/api/orders/{order['orderId']}")
            return found if found["status"] == status else None

        return until(look, f"the order to be {status}")

    def settled(self, person: Person, usd: str, base: str, held_usd: str = "0.00", held_base: str = "0") -> None:
        """Wait until somebody's total and held balances are exactly these."""

        def look() -> bool:
            wallet = person.wallet()
            found = [wallet[kind].get(asset) for kind in ("balance", "held") for asset in ("USD", self.base)]
            empty = ["0.00", "0", "0.00", "0"]
            found = [value if value is not None else none for value, none in zip(found, empty, strict=True)]
            self._last = found
            return found == [usd, base, held_usd, held_base]

        try:
            until(look, "the balances")
        except AssertionError:
            raise AssertionError(f"balances are {self._last}, not {[usd, base, held_usd, held_base]}") from None

    def book(self) -> tuple[list[list[str]], list[list[str]]]:
        """Bids and asks."""
        found = self.running.http.get(f"/api/markets/{self.symbol}/book").json()
        return found["bids"], found["asks"]
