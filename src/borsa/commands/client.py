"""A plain client of a running exchange: signs in, admits markets, makes and funds participants, waits until all is
settled."""

import re
import secrets
import time
from collections.abc import Iterator
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlsplit

import httpx
import msgspec

from borsa import money
from borsa.commands.recording import market_named
from borsa.markets import ASSET_SCALE, PRICE_SCALE, Market
from borsa.settings import Settings

PATIENCE_SECONDS = 30
"""How long one answer, and a participant's first wallet, may take."""

SETTLED_SECONDS_MAX = 600
"""How long the services may take until they have nothing left to do."""

POLL_SECONDS = 0.02
MARKETS_MAX = 1000
"""Markets of one pair of assets that are tried for a free name."""

_LAG = re.compile(r"^borsa_(?:lag_events|inbox_items)(?:\{[^}]*\})? (\S+)$", re.MULTILINE)


class Unusable(RuntimeError):
    """The exchange can't be used for this: a sentence for the person at the terminal."""


class Participant(msgspec.Struct, frozen=True):
    """A user who was made to trade, with an API key."""

    name: str
    key: str
    wallet_id: str


class Client:
    """Speaks to one exchange. Opens and closes its connections as a context manager."""

    def __init__(self, settings: Settings, address: str = "") -> None:
        self.address = (address or settings.address).rstrip("/")
        self._settings = settings
        self._http = httpx.Client(base_url=self.address, timeout=PATIENCE_SECONDS)
        self._admin = ""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._http.close()

    @property
    def host_and_port(self) -> tuple[str, int]:
        """Where to connect to."""
        parts = urlsplit(self.address)
        if parts.scheme != "http" or parts.hostname is None:
            raise Unusable(f"{self.address} is no address like http://127.0.0.1:8000")
        return parts.hostname, parts.port or 80

    # asking --------------------------------------------------------------------------------------------------------

    def ask(self, method: str, path: str, token: str = "", body: Any = None, key: str = "") -> httpx.Response:
        """One request; Unusable when nobody answers."""
        headers = {"authorization": f"Bearer {token}"} if token else {}
        if key:
            headers["idempotency-key"] = key
        try:
            return self._http.request(method, path, json=body, headers=headers)
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise Unusable(f"No exchange answers at {self.address}: {error}. Is `borsa up` running there?") from None

    def told(self, method: str, path: str, token: str = "", body: Any = None, key: str = "") -> Any:
        """The answer's body, also when it is to be asked for later; Unusable when it is a refusal."""
        answer = self.ask(method, path, token, body, key)
        while answer.status_code == httpx.codes.TOO_MANY_REQUESTS:
            time.sleep(int(answer.headers["retry-after"]))
            answer = self.ask(method, path, token, body, key)
        if not answer.is_success:
            raise Unusable(f"{method} {path} was refused: {_detail(answer)}")
        return answer.json()

    def sign_in_admin(self) -> None:
        """Sign in as the admin of the first start."""
        password = self._settings.admin_password
        if not password:
            raise Unusable("The admin's password is needed: set BORSA_ADMIN_PASSWORD")
        credentials = {"userName": "admin", "password": password}
        answer = self.ask("POST", "/api/users/login", body=credentials)
        if answer.status_code == 401:
            raise Unusable(f"{self.address} does not take BORSA_ADMIN_PASSWORD as the password of the user admin")
        if not answer.is_success:
            raise Unusable(f"The admin could not sign in: {_detail(answer)}")
        self._admin = answer.json()["accessToken"]

    def facts(self) -> dict[str, str]:
        """What the exchange says it runs on."""
        facts: dict[str, str] = self.told("GET", "/healthz")["facts"]
        return facts

    # making --------------------------------------------------------------------------------------------------------

    def open_market(self, wanted: Market) -> Market:
        """Admit a market on the grid of `wanted`; where its name is taken, the base asset gets a number."""
        for number in range(1, MARKETS_MAX):
            base = wanted.base if number == 1 else f"{wanted.base[: 12 - len(str(number))]}{number}"
            tick, lot = money.write(wanted.tick, PRICE_SCALE), money.write(wanted.lot, ASSET_SCALE)
            market = market_named(base, wanted.quote, tick, lot)
            body = {"symbol": market.symbol, "base": base, "quote": market.quote, "tickSize": tick, "lotSize": lot}
            answer = self.ask("POST", "/api/markets", self._admin, body | {"minNotional": "0", "priceBand": "0"})
            if answer.is_success:
                return market
            if _code(answer) != "market_exists":
                raise Unusable(f"The market {market.symbol} was refused: {_detail(answer)}")
        raise Unusable(f"There are {MARKETS_MAX} markets like {wanted.symbol} already")

    def make_participant(self) -> Participant:
        """Register somebody with an API key; their default wallet is there."""
        name, password = f"player-{secrets.token_hex(8)}", secrets.token_urlsafe(24)
        credentials = {"userName": name, "password": password}
        self.told("POST", "/api/users/register", body=credentials)
        token = self.told("POST", "/api/users/login", body=credentials)["accessToken"]
        wanted = {"label": "borsa", "scopes": ["read", "trade"]}
        key = self.told("POST", "/api/users/api-keys", token, wanted)["secret"]
        end = time.monotonic() + PATIENCE_SECONDS
        while time.monotonic() < end:
            wallets = self.told("GET", "/api/wallets", key)["data"]
            if wallets:
                return Participant(name, key, wallets[0]["walletId"])
        raise Unusable(f"{name} had no wallet after {PATIENCE_SECONDS} s")

    def fund(self, who: Participant, asset: str, units: int) -> None:
        """Give somebody units of an asset, rounded up to whole ones: as an admin, or, above what an admin may post
        a day, from the faucet."""
        whole = money.ceil_divide(units, 10**ASSET_SCALE)
        if whole == 0:
            return
        path = f"/api/wallets/{who.wallet_id}"
        body = {"asset": asset, "delta": f"+{whole}", "reason": "funds of a simulated participant"}
        answer = self.ask("PUT", path, self._admin, body, secrets.token_hex(16))
        if answer.status_code == 202:
            self._withdraw(answer.json()["approvalId"])
            self._draw(who, asset, whole)
        elif not answer.is_success:
            raise Unusable(f"{whole} {asset} could not be posted: {_detail(answer)}")

    def _withdraw(self, approval_id: str) -> None:
        """Let no adjustment wait for a second admin."""
        path = f"/api/wallets/approvals/{approval_id}/reject"
        self.told("POST", path, self._admin, {"reason": "drawn from the faucet instead"})

    def _draw(self, who: Participant, asset: str, whole: int) -> None:
        most = money.parse(self._settings.faucet_max, 0)
        while whole > 0:
            amount = min(most, whole)
            body = {"asset": asset, "amount": str(amount)}
            answer = self.ask("POST", f"/api/wallets/{who.wallet_id}/faucet", who.key, body)
            if not answer.is_success:
                why = f"an admin may post no more {asset} today, and the faucet says: {_detail(answer)}"
                raise Unusable(f"{whole} {asset} could not be posted: {why}")
            whole -= amount

    # looking -------------------------------------------------------------------------------------------------------

    def trades(self, symbol: str) -> Iterator[dict[str, Any]]:
        """Every trade of a market, newest first."""
        return self._all("/api/trades", symbol)

    def orders(self, symbol: str) -> Iterator[dict[str, Any]]:
        """Every order of a market, newest first."""
        return self._all("/api/orders", symbol)

    def _all(self, path: str, symbol: str) -> Iterator[dict[str, Any]]:
        self.sign_in_admin()
        cursor = ""
        while True:
            page = self.told("GET", f"{path}?symbol={symbol}&limit=1000{cursor}", self._admin)
            yield from page["data"]
            if page["nextCursor"] is None:
                return
            cursor = f"&cursor={page['nextCursor']}"

    def wait_until_settled(self) -> float:
        """Seconds until no service has anything left to do: no request waits, and every consumer has applied every
        event. Seen twice, because what a writer has in hand is in no queue."""
        began = time.monotonic()
        settled_at = 0.0
        while True:
            busy = any(float(value) for value in _LAG.findall(self.ask("GET", "/metrics").text))
            now = time.monotonic()
            if busy:
                settled_at = 0.0
            elif settled_at:
                return settled_at - began
            else:
                settled_at = now
            if now - began > SETTLED_SECONDS_MAX:
                raise Unusable(f"The services were not done after {SETTLED_SECONDS_MAX} s")
            time.sleep(POLL_SECONDS)


def _code(answer: httpx.Response) -> str:
    return "" if answer.is_success else str(_problem(answer).get("code", ""))


def _detail(answer: httpx.Response) -> str:
    return str(_problem(answer).get("detail", answer.status_code))


def _problem(answer: httpx.Response) -> dict[str, Any]:
    try:
        problem = answer.json()
    except ValueError:
        return {}
    return problem if isinstance(problem, dict) else {}
