"""Secrets go in by every door, and come out of none: not in a log line, an event, an act, a file, a document, a metric.

A real server with every log line on, because what is written down is what counts.
"""

import json
import re
import socket
from pathlib import Path
from typing import Any

import httpx
import pytest

from borsa.app import SERVICES
from tests.api.stage import keyed
from tests.support.process import Process
from tests.support.running import Person, until

PASSWORD = "canary-Zx9-feather-quilt-88"
NEW_PASSWORD = "canary-Kp4-timber-flute-21"
GIVEN_PASSWORD = "canary-Rw6-harvest-violin-35"
WRONG_PASSWORD = "canary-Vb2-marble-ladder-56"
WEAK_PASSWORD = "canary-Qm1"
SMTP_PASSWORD = "canary-Hj7-pewter-saddle-90"
HOOK_TOKEN = "canary-Tf3-cobalt-window-14"
STRAY = "canary-Ns8-willow-anchor-72"
"""A secret that a client sends where none belongs."""

ESCAPES = "\x1b[2J\u202e\u2028\u200b"


class Lived:
    """Everything that was done, and what it left: output, files, and whatever can be read over HTTP."""

    def __init__(self, folder: Path) -> None:
        hook = f"http://127.0.0.1:9/{HOOK_TOKEN}"
        options = {
            "processes": "3",
            "log_level": "debug",
            "webhook_private": "1",
            "delivery_tries_max": "1",
            "smtp_url": f"smtp://mailer:{SMTP_PASSWORD}@127.0.0.1:9",
        }
        self.said: list[httpx.Response] = []
        with Process(folder, **options) as self.process:
            self.secrets = {
                "password": PASSWORD,
                "new password": NEW_PASSWORD,
                "password that an admin set": GIVEN_PASSWORD,
                "wrong password": WRONG_PASSWORD,
                "weak password": WEAK_PASSWORD,
                "password of the mail server": SMTP_PASSWORD,
                "stray secret": STRAY,
                "admin's password": self.process.environment["BORSA_ADMIN_PASSWORD"],
            }
            self.ann, self.admin = Person(self.process, "ann", PASSWORD), self.process.admin()
            self._sign_in()
            self._keys()
            self._preferences(hook)
            self._trade()
            self._mistakes()
            self.read = self._read()
        self.lines = self.process.output
        self.files = {path.name: path.read_bytes() for path in folder.rglob("*") if path.is_file()}

    def do(self, who: Person | None, method: str, path: str, body: Any = None, **headers: str) -> httpx.Response:
        """One request; its refusal, if it is one, is kept to be searched."""
        given = (who.headers if who else {}) | {name.replace("_", "-"): value for name, value in headers.items()}
        answer = self.process.http.request(method, path, json=body, headers=given)
        if answer.status_code >= 400:
            self.said.append(answer)
        return answer

    def _sign_in(self) -> None:
        key = keyed()["idempotency-key"]
        self.do(None, "POST", "/api/users", {"userName": "ann", "password": PASSWORD}, idempotency_key=key)
        assert (
            self.do(None, "POST", "/api/users/login", {"userName": "ann", "password": WRONG_PASSWORD}).status_code
            == 401
        )
        self.ann.signed_in()
        tokens = self.ann.tokens
        refreshed = self.do(None, "POST", "/api/users/refresh_token", {"refreshToken": tokens["refreshToken"]}).json()
        self.do(None, "POST", "/api/users/validate", {"token": tokens["accessToken"]})
        change = {"password": NEW_PASSWORD, "currentPassword": PASSWORD, "email": "ann@example.org"}
        self.ann.headers = {"authorization": f"Bearer {refreshed['accessToken']}"}
        assert self.do(self.ann, "PUT", "/api/users/profile", change).status_code == 200
        self.ann.user_id = self.ann.get("/api/users/profile")["userId"]
        for name, pair in (("first", tokens), ("second", refreshed)):
            for kind in ("accessToken", "refreshToken"):
                self.secrets[f"{name} {kind}"] = pair[kind].rpartition(".")[2]
        given = {"password": GIVEN_PASSWORD}
        assert self.do(self.admin, "PUT", f"/api/users/{self.ann.user_id}", given).status_code == 200
        self.ann.password = GIVEN_PASSWORD
        self.ann.signed_in()

    def _keys(self) -> None:
        made = self.ann.post("/api/users/api-keys", {"label": "bot", "scopes": ["read", "trade"]})
        # borsa_<id>_<secret>; the secret itself may have underscores
        self.secrets["API key"] = made["secret"].split("_", 2)[2]
        self.key = {"authorization": f"Bearer {made['secret']}"}

    def _preferences(self, hook: str) -> None:
        channels = {"webhook": {"url": hook}, "email": {"address": "ann@example.org"}}
        kept = self.do(self.ann, "PUT", "/api/notifications/preferences", {"channels": channels})
        assert kept.status_code == 200, kept.text
        secret = re.search(r"whsec_[A-Za-z0-9+/=]+", kept.text)
        assert secret is not None
        self.secrets["webhook secret"] = secret[0].removeprefix("whsec_")

    def _trade(self) -> None:
        self.admin.fund(self.ann, USD="1000")
        order = {"symbol": "BTC-USD", "type": "buy", "quantity": "0.001", "price": "45000"}
        assert self.do(None, "POST", "/api/orders", order, **self.key).status_code == 201

    def _mistakes(self) -> None:
        """Whatever a client can do wrong with a secret, and what tries to write a log line of its own."""
        self.do(None, "POST", "/api/users", {"userName": "bob", "password": WEAK_PASSWORD})
        self.do(None, "POST", "/api/users", {"userName": "bob", "password": STRAY, "confirm": STRAY})
        self.do(None, "POST", "/api/users", {"userName": "bob", "password": [STRAY]})
        self.do(None, "POST", "/api/users/login", {"userName": STRAY, "password": STRAY})
        self.do(None, "POST", "/api/users/refresh_token", {"refreshToken": STRAY})
        self.do(None, "GET", f"/api/orders?token={STRAY}", authorization=f"Bearer {STRAY}")
        self.do(None, "GET", "/api/orders", authorization=f"Basic {STRAY}")
        self.do(self.ann, "GET", f"/api/orders/{STRAY}")
        self.do(self.ann, "GET", f"/{STRAY}")
        self.do(self.ann, "GET", f"/api/users/{self.admin.user_id}", x_request_id=f"{STRAY} {STRAY}", cookie=STRAY)
        broken = f'{{"userName": "bob", "password": "{STRAY}'
        self.said.append(
            self.process.http.post("/api/users", content=broken, headers={"content-type": "application/json"})
        )
        for name in ("ann\r\nlevel=critical", f"ann{ESCAPES}", 'ann","level":"critical'):
            self.do(None, "POST", "/api/users/login", {"userName": name, "password": PASSWORD + name})
        body = {"asset": "USD", "delta": "+1", "reason": f"why\u2028{'x'}\u202e"}
        self.do(self.admin, "PUT", f"/api/wallets/{self.ann.wallet_id}", body, **keyed_header())
        self._raw(b"GET /api/orders HTTP/1.1\r\nHost: x\r\nX-Request-Id: a\x1b[31m\r\nConnection: close\r\n\r\n")
        self._raw(b"GET /api/orders/%0d%0a%7b%22level%22:1%7d HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")

    def _raw(self, request: bytes) -> None:
        url = httpx.URL(self.process.url)
        with socket.create_connection((url.host, url.port or 80), timeout=10) as connection:
            connection.sendall(request)
            while connection.recv(65536):
                pass

    def _read(self) -> dict[str, str]:
        """Everything that admins and everybody can read."""
        # the webhook and the mail that go nowhere were tried
        until(lambda: b"dropped" in self._deliveries() or b"failed" in self._deliveries(), "a delivery that failed")
        paths = [
            "/metrics",
            "/openapi.json",
            "/asyncapi.json",
            "/docs",
            "/healthz",
            "/readyz",
            "/api/actions?limit=1000",
        ]
        paths += [f"/api/events?source={service.name}&limit=1000" for service in SERVICES]
        paths += ["/api/users", "/api/users/profile", "/api/notifications?limit=1000"]
        return {path: self.do(self.admin, "GET", path).text for path in paths}

    def _deliveries(self) -> bytes:
        folder = Path(self.process.environment["BORSA_DATA"])
        return b"".join(path.read_bytes() for path in folder.glob("notifications.db*"))


def keyed_header() -> dict[str, str]:
    return {"idempotency_key": keyed()["idempotency-key"]}


@pytest.fixture(scope="module")
def lived(tmp_path_factory: pytest.TempPathFactory) -> Lived:
    return Lived(tmp_path_factory.mktemp("canaries") / "data")


def test_every_secret_was_told(lived: Lived) -> None:
    assert len(lived.secrets) == 14
    assert all(len(secret) >= 10 for secret in lived.secrets.values())
    assert len(lived.said) > 12


def test_no_secret_is_in_the_log(lived: Lived) -> None:
    text = "".join(lived.lines)
    assert '"event": "request"' in text
    assert '"event": "sign_in_failed"' in text
    assert '"event": "delivery_failed"' in text
    assert not [name for name, secret in lived.secrets.items() if secret in text]
    assert HOOK_TOKEN not in text


def test_no_secret_can_be_read(lived: Lived) -> None:
    found = [
        (name, path) for path, text in lived.read.items() for name, secret in lived.secrets.items() if secret in text
    ]
    assert not found
    assert not [path for path, text in lived.read.items() if HOOK_TOKEN in text]


def test_no_secret_is_in_a_file(lived: Lived) -> None:
    assert {f"{service.name}.db" for service in SERVICES} <= lived.files.keys()
    found = [
        (name, file)
        for file, content in lived.files.items()
        for name, secret in lived.secrets.items()
        if secret.encode() in content
    ]
    assert not found


def test_no_refusal_repeats_a_secret(lived: Lived) -> None:
    found = [
        (name, answer.url.path)
        for answer in lived.said
        for name, secret in lived.secrets.items()
        if secret in answer.text or secret in str(answer.headers)
    ]
    assert not found


def test_each_line_of_the_log_is_one_event_in_json(lived: Lived) -> None:
    ready = next(at for at, line in enumerate(lived.lines) if "ready at" in line)
    logged = [line for line in lived.lines[ready + 1 :] if line.strip()]
    assert len(logged) > 40
    for line in logged:
        entry = json.loads(line)
        assert {"event", "level", "timestamp"} <= entry.keys()
        assert entry["level"] in ("debug", "info", "warning")
        assert not re.search(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]", line.rstrip("\n"))


def test_a_denial_is_one_line_that_says_who_and_what(lived: Lived) -> None:
    entries = [json.loads(line) for line in lived.lines if line.startswith("{")]
    denied = [entry for entry in entries if entry["event"] == "denied"]
    by_user = [entry for entry in denied if entry["user_id"] == lived.ann.user_id]
    assert [(entry["route"], entry["code"]) for entry in by_user] == [("GET /api/users/{id}", "forbidden")]
    assert {"unauthorized", "forbidden", "invalid_refresh_token"} == {entry["code"] for entry in denied}
    assert all(entry["address"] == "127.0.0.1" and entry["request_id"] for entry in denied)
    assert len([entry for entry in entries if entry["event"] == "sign_in_failed"]) == 5
