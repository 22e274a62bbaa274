"""A whole exchange in a thread of the test process, reached by real HTTP on a free loopback port."""

import asyncio
import itertools
import threading
import time
import uuid
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import httpx
import msgspec
import uvicorn

from borsa import app
from borsa.settings import Settings

ADMIN_PASSWORD = "quiet-harbour-lantern-42"
PASSWORD = "copper-meadow-thistle-19"
PATIENCE_SECONDS = 10

_names = itertools.count(1)


class Reached:
    """An exchange that can be talked to, wherever it runs."""

    http: httpx.Client

    def admin(self) -> "Person":
        """The admin that the first start made."""
        admin = Person(self, "admin", ADMIN_PASSWORD).signed_in()
        admin.user_id = admin.get("/api/users/profile")["userId"]
        return admin

    def person(self, name: str = "", **funds: str) -> "Person":
        """Somebody new, signed in, with play money: person(USD="1000", BTC="2")."""
        person = Person(self, name or f"person-{next(_names)}", PASSWORD)
        person.register()
        person.signed_in()
        assert person.wallet_id, "the default wallet comes with the user"
        if funds:
            self.admin().fund(person, **funds)
        return person


class Running(Reached):
    """Starts on entry, drains on exit. It is served at a free port, or where one before it was."""

    def __init__(self, folder: Path, *, serve_at: int = 0, **options: Any) -> None:
        self.settings = msgspec.structs.replace(
            Settings(), data=str(folder), port=serve_at, admin_password=ADMIN_PASSWORD, **options
        )
        self.failures: list[BaseException] = []
        self.url = ""
        self._up = threading.Event()

    def __enter__(self) -> Self:
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve()), daemon=True)
        self._thread.start()
        assert self._up.wait(30), "the exchange did not start"
        assert not self.failures, self.failures
        self.http = httpx.Client(base_url=self.url, timeout=30)
        return self

    async def _serve(self) -> None:
        try:
            self.exchange = app.Exchange(self.settings, self.failures.append)
            await app.serve(self.exchange, self._started, self._hold)
        except BaseException as error:
            self.failures.append(error)
        finally:
            self._up.set()

    def _hold(self, server: uvicorn.Server) -> None:
        self._server = server

    def _started(self, port: int) -> None:
        self.url = f"http://127.0.0.1:{port}"
        self._up.set()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.http.close()
        self._server.should_exit = True
        self._thread.join(30)
        assert not self._thread.is_alive(), "the exchange did not stop"
        assert not self.failures, self.failures


def until(look: Callable[[], Any], what: str = "it", seconds: float = PATIENCE_SECONDS) -> Any:
    """What `look` gives as soon as it is true; each look is a request, so no time is slept away blindly."""
    end = time.monotonic() + seconds
    while True:
        found = look()
        if found:
            return found
        assert time.monotonic() < end, f"waited {seconds} s for {what}: {found!r}"


class Person:
    """A user of the API."""

    def __init__(self, running: Reached, name: str, password: str) -> None:
        self.running = running
        self.name = name
        self.password = password
        self.user_id = ""
        self.headers: dict[str, str] = {}
        self._wallet_id = ""

    def register(self) -> None:
        """Sign up."""
        body = {"userName": self.name, "password": self.password}
        answer = self.running.http.post("/api/users/register", json=body)
        assert answer.status_code == 201, answer.text
        self.user_id = answer.json()["userId"]

    def signed_in(self) -> Self:
        """Sign in, and use the token from now on."""
        body = {"userName": self.name, "password": self.password}
        answer = self.running.http.post("/api/users/login", json=body)
        assert answer.status_code == 200, answer.text
        self.tokens = answer.json()
        self.headers = {"authorization": f"Bearer {self.tokens['accessToken']}"}
        return self

    def call(self, method: str, path: str, json: Any = None, headers: dict[str, str] | None = None) -> httpx.Response:
        """One request with this person's token."""
        return self.running.http.request(method, path, json=json, headers=self.headers | (headers or {}))

    def get(self, path: str) -> Any:
        """The body of a GET that must succeed."""
        answer = self.call("GET", path)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def post(self, path: str, json: Any, status: int = 201, headers: dict[str, str] | None = None) -> Any:
        """The body of a POST that must have this status."""
        answer = self.call("POST", path, json, headers)
        assert answer.status_code == status, answer.text
        return answer.json() if answer.content else None

    @property
    def wallet_id(self) -> str:
        """The default wallet."""
        if not self._wallet_id:
            self._wallet_id = until(lambda: self.get("/api/wallets")["data"], "the wallet")[0]["walletId"]
        return self._wallet_id

    def wallet(self) -> Any:
        """The default wallet as it is."""
        return self.get(f"/api/wallets/{self.wallet_id}")

    def fund(self, person: "Person", **funds: str) -> None:
        """As an admin: give somebody money."""
        for asset, amount in funds.items():
            body = {"asset": asset, "delta": f"+{amount}", "reason": "test funds"}
            headers = {"idempotency-key": str(uuid.uuid4())}
            answer = self.call("PUT", f"/api/wallets/{person.wallet_id}", body, headers)
            assert answer.status_code == 200, answer.text

    def order(self, side: str, quantity: str, price: str | None = None, status: int = 201, **more: Any) -> Any:
        """Place an order in BTC-USD and wait for the engine's verdict."""
        body = {"symbol": "BTC-USD", "type": side, "quantity": quantity} | more
        if price is not None:
            body["price"] = price
        return self.post("/api/orders", body, status, {"prefer": "wait=10"})
