"""The accounts of the simulated participants: registered, signed in and given play money through the API."""

import asyncio
import base64
import hashlib
import hmac
from collections.abc import Mapping
from typing import Any, Final, Protocol

import msgspec

from borsa.markets import amount_text, amount_units

LABEL: Final = "demo"
"""The label of the API keys that they use; each start makes a new one and ends the one before."""

FAUCET_UNITS_MAX: Final = amount_units("1000000")
"""What is drawn at once at most: the default of BORSA_FAUCET_MAX."""

ASKS_MAX: Final = 1_000
RETRY_SECONDS: Final = 0.02
"""How often, and after what time, a new user asks whether the first wallet is there."""


class Unwelcome(RuntimeError):
    """The exchange does not let the participants take part: a sentence for the person at the terminal."""


class Answer(msgspec.Struct, frozen=True):
    """What the exchange says: `body` is the decoded JSON, `retry_after` in seconds, where it says so."""

    status: int
    body: Any = None
    retry_after: int = 0

    @property
    def is_success(self) -> bool:
        """Was it done?"""
        return 200 <= self.status < 300

    @property
    def is_put_off(self) -> bool:
        """Has the exchange too much to do, or has this one asked too often?"""
        return self.status in (429, 503)

    @property
    def pause(self) -> int:
        """Seconds to wait until the next request; 0 mostly."""
        return max(1, self.retry_after) if self.is_put_off else 0

    @property
    def code(self) -> str:
        """Of a refusal."""
        return str(self.body.get("code", "")) if isinstance(self.body, dict) else ""


class Exchange(Protocol):
    """Somebody who answers requests of the API."""

    async def ask(self, method: str, path: str, credential: str = "", body: Any = None) -> Answer:
        """One request."""


async def patiently(exchange: Exchange, method: str, path: str, credential: str = "", body: Any = None) -> Answer:
    """One request, again after what it asks to wait while the exchange has too much to do."""
    answer = await exchange.ask(method, path, credential, body)
    while answer.is_put_off:
        await asyncio.sleep(answer.pause)
        answer = await exchange.ask(method, path, credential, body)
    return answer


class Account:
    """Somebody who trades: a name, an endowment in units, and, when entered, an API key and what the wallet has."""

    def __init__(self, name: str, endowment: Mapping[str, int]) -> None:
        self.name = name
        self.balance: dict[str, int] = {}
        self._endowment = endowment
        self._key = ""
        self._wallet_id = ""
        self._exchange: Exchange

    async def ask(self, method: str, path: str, body: Any = None) -> Answer:
        """One request with the key; Unwelcome when it counts no more."""
        return self._welcome(method, path, await self._exchange.ask(method, path, self._key, body))

    def _welcome(self, method: str, path: str, answer: Answer) -> Answer:
        if answer.status in (401, 403):
            raise Unwelcome(f"{self.name} may not {method} {path}: {_detail(answer)}")
        return answer

    def surplus(self, asset: str) -> int:
        """Units above what it began with."""
        return self.balance.get(asset, 0) - self._endowment[asset]

    async def enter(self, exchange: Exchange, secret: bytes) -> None:
        """Sign in, for the first time or again; `secret` is what the passwords come from."""
        self._exchange = exchange
        credentials = {"userName": self.name, "password": password(secret, self.name)}
        registered = await patiently(exchange, "POST", "/api/users/register", "", credentials)
        if not registered.is_success and registered.code != "user_name_taken":
            raise Unwelcome(f"{self.name} could not register: {_detail(registered)}")
        signed_in = await patiently(exchange, "POST", "/api/users/login", "", credentials)
        if not signed_in.is_success:
            raise Unwelcome(f"{self.name} could not sign in, as if it were somebody else's name: {_detail(signed_in)}")
        await self._take_key(signed_in.body["accessToken"])
        # nobody reads what they would be told
        await self._done("PUT", "/api/notifications/preferences", {"kinds": []})
        await self._find_wallet()
        await self.look()

    async def _take_key(self, token: str) -> None:
        self._key = token
        for key in (await self._done("GET", "/api/users/api-keys"))["data"]:
            if key["label"] == LABEL:
                await self._done("DELETE", f"/api/users/api-keys/{key['keyId']}")
        wanted = {"label": LABEL, "scopes": ["read", "trade"]}
        self._key = (await self._done("POST", "/api/users/api-keys", wanted))["secret"]

    async def _find_wallet(self) -> None:
        for _ in range(ASKS_MAX):
            found = (await self._done("GET", "/api/wallets"))["data"]
            if found:
                self._wallet_id = found[0]["walletId"]
                return
            await asyncio.sleep(RETRY_SECONDS)
        raise Unwelcome(f"{self.name} has no wallet")

    async def look(self) -> None:
        """See what there is, and draw play money where half of an endowment is gone."""
        found = await self._done("GET", f"/api/wallets/{self._wallet_id}")
        for asset, endowed in self._endowment.items():
            units = amount_units(found["balance"].get(asset, "0"))
            lacking = units * 2 < endowed
            while lacking and units < endowed:
                drawn = min(endowed - units, FAUCET_UNITS_MAX)
                body = {"asset": asset, "amount": amount_text(asset, drawn)}
                await self._done("POST", f"/api/wallets/{self._wallet_id}/faucet", body)
                units += drawn
            self.balance[asset] = units

    async def _done(self, method: str, path: str, body: Any = None) -> Any:
        answer = self._welcome(method, path, await patiently(self._exchange, method, path, self._key, body))
        if not answer.is_success:
            raise Unwelcome(f"{self.name} could not {method} {path}: {_detail(answer)}")
        return answer.body


def password(secret: bytes, name: str) -> str:
    """The password of a participant: the same after every restart, and nobody else's to guess."""
    return base64.urlsafe_b64encode(hmac.digest(secret, name.encode(), hashlib.sha256)).decode()


def _detail(answer: Answer) -> str:
    detail = answer.body.get("detail") if isinstance(answer.body, dict) else None
    return str(detail or answer.status)
