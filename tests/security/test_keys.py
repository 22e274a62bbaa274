"""API keys with signed requests: what is signed counts once, for a while, and for nothing else (RELIABILITY 4e)."""

import hashlib
import hmac
import json
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from borsa.runtime.access.keys import KEY_FILE
from borsa.runtime.access.vault import vault_in
from tests.api.stage import problem
from tests.support.process import Process
from tests.support.running import Person, Reached, Running, until

ORDER = {"symbol": "BTC-USD", "type": "buy", "quantity": "0.001", "price": "45000"}
LIST = "/api/orders?symbol=BTC-USD&status=open&limit=5"


class Program:
    """Somebody's bot: has a key, and signs."""

    def __init__(self, running: Reached, made: Any, sign: Callable[[bytes], bytes]) -> None:
        self.running = running
        self.key_id: str = made["keyId"]
        self._sign = sign
        self._time = 0

    def signed(self, method: str, target: str, body: bytes = b"", *, window: Any = None, **at: Any) -> dict[str, str]:
        """Headers of a request; `ms` is its time in ms from now, `time` whatever stands there."""
        path, _, query = target.partition("?")
        now = time.time_ns() // 1_000_000
        if "ms" not in at:
            # no two alike by chance
            self._time = now = max(now, self._time + 1)
        when = str(at["time"]) if "time" in at else str(now + at.get("ms", 0))
        digest = hashlib.sha256(body).hexdigest()
        text = "\n".join((self.key_id, when, str(window or 5000), method, path, query, digest))
        headers = {"borsa-key": self.key_id, "borsa-time": when, "borsa-signature": self._sign(text.encode()).hex()}
        return headers if window is None else headers | {"borsa-window": str(window)}

    def sent(self, method: str, target: str, headers: dict[str, str], body: bytes = b"") -> httpx.Response:
        """One request with exactly these headers."""
        kind = {"content-type": "application/json"} if body else {}
        return self.running.http.request(method, target, content=body, headers=headers | kind)

    def call(self, method: str, target: str, body: Any = None, **more: Any) -> httpx.Response:
        """A request as it should be, but for what is said."""
        content = json.dumps(body).encode() if body is not None else b""
        answer: httpx.Response = until(lambda: self._when_ready(method, target, content, more))
        return answer

    def _when_ready(self, method: str, target: str, content: bytes, more: dict[str, Any]) -> httpx.Response | None:
        answer = self.sent(method, target, self.signed(method, target, content, **more), content)
        return None if answer.status_code == 503 else answer


def program(running: Reached, person: Person, kind: str, **more: Any) -> Program:
    """A bot with a new key."""
    body = {"label": "bot", "scopes": ["read", "trade"], "type": kind} | more
    if kind == "ed25519":
        private = Ed25519PrivateKey.generate()
        made = person.post("/api/users/api-keys", body | {"publicKey": private.public_key().public_bytes_raw().hex()})
        assert "secret" not in made
        return Program(running, made, private.sign)
    made = person.post("/api/users/api-keys", body)
    return Program(running, made, lambda text: hmac.digest(made["secret"].encode(), text, "sha256"))


@pytest.fixture(scope="module")
def owner(shared_exchange: Running) -> Person:
    return shared_exchange.person(USD="100000")


@pytest.fixture(scope="module", params=["hmac", "ed25519"])
def bot(shared_exchange: Running, owner: Person, request: pytest.FixtureRequest) -> Program:
    return program(shared_exchange, owner, request.param)


def test_a_signed_request_is_the_key_holders(bot: Program, owner: Person) -> None:
    assert bot.call("GET", "/api/users/profile").json()["userId"] == owner.user_id
    assert bot.call("GET", LIST).status_code == 200
    placed = bot.call("POST", "/api/orders", ORDER)
    assert (placed.status_code, placed.json()["userId"]) == (201, owner.user_id)
    assert bot.call("DELETE", f"/api/orders/{placed.json()['orderId']}").status_code in (200, 202)
    assert bot.call("HEAD", "/api/users/profile").status_code == 200


def test_what_was_changed_after_signing_is_refused(bot: Program) -> None:
    body = json.dumps(ORDER).encode()
    read, write = bot.signed("GET", LIST), bot.signed("POST", "/api/orders", body)
    other = {
        "another order of the parameters": ("GET", "/api/orders?status=open&symbol=BTC-USD&limit=5", read, b""),
        "a parameter more": ("GET", LIST + "&cursor=x", read, b""),
        "a parameter less": ("GET", "/api/orders?symbol=BTC-USD&status=open", read, b""),
        "the same, encoded otherwise": ("GET", LIST.replace("BTC-USD", "BTC%2DUSD"), read, b""),
        "no parameters": ("GET", "/api/orders", read, b""),
        "another path": ("GET", LIST.replace("orders", "trades"), read, b""),
        "the same path, encoded otherwise": ("GET", LIST.replace("orders", "%6Frders"), read, b""),
        "another method": ("DELETE", LIST, read, b""),
        "another body": ("POST", "/api/orders", write, body.replace(b"0.001", b"0.002")),
        "the same body, spaced otherwise": ("POST", "/api/orders", write, body + b" "),
        "no body": ("POST", "/api/orders", write, b""),
        "the body elsewhere": ("POST", "/api/orders/batch", write, body),
    }
    for name, (method, target, headers, content) in other.items():
        answer = bot.sent(method, target, headers, content)
        assert (name, answer.status_code) == (name, 401)
        assert problem(answer, 401)["code"] == "unauthorized"
    assert bot.sent("GET", LIST, read).status_code == 200


def test_a_signature_that_is_not_right_is_refused(bot: Program, shared_exchange: Running, owner: Person) -> None:
    good = bot.signed("GET", LIST)
    signature = good["borsa-signature"]
    flipped = f"{int(signature[0], 16) ^ 1:x}{signature[1:]}"
    for wrong in (
        "",
        "x",
        flipped,
        signature[:-2],
        signature + "00",
        "0" * len(signature),
        "0" * (192 - len(signature)),
        "g" * len(signature),
        f"0x{signature[2:]}",
        bot.signed("GET", "/api/orders")["borsa-signature"],
        program(shared_exchange, owner, "hmac").signed("GET", LIST)["borsa-signature"],
        program(shared_exchange, owner, "ed25519").signed("GET", LIST)["borsa-signature"],
    ):
        answer = bot.sent("GET", LIST, good | {"borsa-signature": wrong})
        assert problem(answer, 401)["code"] == "unauthorized", wrong
    assert bot.sent("GET", LIST, good | {"borsa-signature": signature.upper()}).status_code == 200


@pytest.mark.parametrize("name", ["borsa-key", "borsa-time", "borsa-signature"])
def test_a_header_that_is_missing_is_no_signature(bot: Program, name: str) -> None:
    headers = {key: value for key, value in bot.signed("GET", LIST).items() if key != name}
    assert bot.sent("GET", LIST, headers).status_code == 401


def test_a_key_that_is_none_is_refused(bot: Program) -> None:
    for wrong in ("", "x", "0" * 36, "ä" * 18, "x" * 9000, bot.key_id.upper()):
        headers: Any = bot.signed("GET", LIST) | {"borsa-key": wrong.encode()}
        assert bot.sent("GET", LIST, headers).status_code == 401, wrong


@pytest.mark.parametrize(
    ("window", "ms", "status"),
    [
        (None, -4_000, 200),
        (None, -5_001, 401),
        (20_000, -15_000, 200),
        (20_000, -20_001, 401),
        (60_000, -50_000, 200),
        (60_000, -60_001, 401),
        (60_001, 0, 401),
        (100_000_000, 0, 401),
        (0, 0, 401),
        (-1, 0, 401),
        ("5e3", 0, 401),
        ("5000.0", 0, 401),
        ("x", 0, 401),
        (None, 60_000, 401),
        (60_000, 60_000, 401),
    ],
)
def test_a_request_counts_for_its_window_and_no_longer(bot: Program, window: Any, ms: int, status: int) -> None:
    headers = bot.signed("GET", LIST, window=window, ms=ms)
    assert bot.sent("GET", LIST, headers).status_code == status


@pytest.mark.parametrize("when", ["", "x", "-1", "1e12", "1700000000000.0", "9" * 16, "٣" * 13, "0"])
def test_a_time_that_is_none_is_refused_by_name(bot: Program, when: str) -> None:
    headers: Any = bot.signed("GET", LIST, time=when)
    refused = problem(bot.sent("GET", LIST, {name: value.encode() for name, value in headers.items()}), 401)
    assert (refused["code"], refused["errors"][0]["field"]) == ("unauthorized", "Borsa-Time")


def test_the_window_is_signed_too(bot: Program) -> None:
    headers = bot.signed("GET", LIST, ms=-30_000)
    assert bot.sent("GET", LIST, headers | {"borsa-window": "60000"}).status_code == 401


def test_the_identical_request_changes_something_once(bot: Program) -> None:
    assert bot.call("POST", "/api/orders", ORDER).status_code == 201
    body = json.dumps(ORDER).encode()
    headers = bot.signed("POST", "/api/orders", body, window=60_000)
    assert bot.sent("POST", "/api/orders", headers, body).status_code == 201
    again = bot.sent("POST", "/api/orders", headers, body)
    assert problem(again, 409)["code"] == "request_replayed"
    upper = headers | {"borsa-signature": headers["borsa-signature"].upper()}
    assert problem(bot.sent("POST", "/api/orders", upper, body), 409)["code"] == "request_replayed"


def test_of_one_request_sent_20_times_at_once_one_counts(bot: Program, owner: Person) -> None:
    assert bot.call("POST", "/api/orders", ORDER).status_code == 201
    before = len(owner.get("/api/orders?limit=1000")["data"])
    body = json.dumps(ORDER).encode()
    headers = bot.signed("POST", "/api/orders", body)
    with ThreadPoolExecutor(20) as pool:
        answers = list(pool.map(lambda _: bot.sent("POST", "/api/orders", headers, body).status_code, range(20)))
    assert sorted(answers) == [201] + [409] * 19
    assert len(owner.get("/api/orders?limit=1000")["data"]) == before + 1


@pytest.mark.parametrize(("method", "target"), [("PUT", "/api/orders/{}"), ("DELETE", "/api/orders/{}")])
def test_also_other_methods_count_once(bot: Program, method: str, target: str) -> None:
    placed = bot.call("POST", "/api/orders", ORDER).json()
    until(lambda: bot.call("GET", f"/api/orders/{placed['orderId']}").json()["status"] == "open", "the engine")
    body = b'{"quantity": "0.0009"}' if method == "PUT" else b""
    target = target.format(placed["orderId"])
    headers = bot.signed(method, target, body)
    answers = [bot.sent(method, target, headers, body).status_code for _ in range(2)]
    assert answers[0] in (200, 202)
    assert answers[1] == 409


def test_what_was_refused_is_not_to_be_sent_again_either(bot: Program) -> None:
    bot.call("POST", "/api/orders", ORDER)
    body = json.dumps(ORDER | {"price": "0.001"}).encode()
    headers = bot.signed("POST", "/api/orders", body)
    assert [bot.sent("POST", "/api/orders", headers, body).status_code for _ in range(2)] == [422, 409]


def test_a_read_may_be_repeated(bot: Program) -> None:
    headers = bot.signed("GET", LIST)
    assert [bot.sent("GET", LIST, headers).status_code for _ in range(3)] == [200, 200, 200]


def test_a_signature_and_a_token_are_one_too_many(bot: Program, owner: Person) -> None:
    answer = bot.sent("GET", LIST, bot.signed("GET", LIST) | owner.headers)
    assert problem(answer, 401)["code"] == "unauthorized"


def test_a_signature_signs_one_key_only(shared_exchange: Running, owner: Person) -> None:
    private = Ed25519PrivateKey.generate()
    public = {"type": "ed25519", "publicKey": private.public_key().public_bytes_raw().hex()}
    reading, trading = (
        owner.post("/api/users/api-keys", public | {"label": "bot", "scopes": scopes})
        for scopes in (["read"], ["read", "trade"])
    )
    headers = Program(shared_exchange, reading, private.sign).signed("GET", LIST)
    answer = shared_exchange.http.get(LIST, headers=headers | {"borsa-key": trading["keyId"]})
    assert answer.status_code == 401


# what a key may do -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["hmac", "ed25519"])
def test_a_signed_key_does_what_its_scopes_say_and_by_default_it_reads(
    shared_exchange: Running, owner: Person, kind: str
) -> None:
    private = Ed25519PrivateKey.generate()
    body = {"label": "bot", "type": kind}
    if kind == "ed25519":
        body["publicKey"] = private.public_key().public_bytes_raw().hex()
    made = owner.post("/api/users/api-keys", body)
    assert made["scopes"] == ["read"]
    reading = program(shared_exchange, owner, kind, scopes=["read"])
    assert reading.call("GET", LIST).status_code == 200
    assert problem(reading.call("POST", "/api/orders", ORDER), 403)["code"] == "forbidden"
    trading = program(shared_exchange, owner, kind, scopes=["trade"])
    assert [trading.call("GET", LIST).status_code, trading.call("POST", "/api/orders", ORDER).status_code] == [403, 201]
    assert problem(trading.call("DELETE", "/api/users/profile"), 403)["code"] == "forbidden"


@pytest.mark.parametrize("kind", ["hmac", "ed25519"])
def test_a_signed_key_counts_from_its_addresses_only(shared_exchange: Running, owner: Person, kind: str) -> None:
    here = program(shared_exchange, owner, kind, ipAllowList=["127.0.0.0/8"])
    away = program(shared_exchange, owner, kind, ipAllowList=["192.0.2.7"])
    assert here.call("GET", LIST).status_code == 200
    assert problem(away.call("GET", LIST), 403)["code"] == "forbidden"
    spoofed = away.signed("GET", LIST) | {"x-forwarded-for": "192.0.2.7"}
    assert away.sent("GET", LIST, spoofed).status_code == 403
    # whoever can't sign does not learn where from it would be allowed
    assert away.sent("GET", LIST, away.signed("GET", "/api/trades")).status_code == 401


@pytest.mark.parametrize("kind", ["hmac", "ed25519"])
def test_a_key_ends_with_its_deletion_and_with_its_user(shared_exchange: Running, kind: str) -> None:
    person = shared_exchange.person()
    first, second = (program(shared_exchange, person, kind) for _ in range(2))
    assert [each.call("GET", LIST).status_code for each in (first, second)] == [200, 200]
    assert person.call("DELETE", f"/api/users/api-keys/{first.key_id}").status_code == 204
    assert [each.call("GET", LIST).status_code for each in (first, second)] == [401, 200]
    assert person.call("DELETE", "/api/users/profile").status_code == 204
    assert [each.call("GET", LIST).status_code for each in (first, second)] == [401, 401]


def test_the_secret_of_a_signing_key_is_no_token_and_the_secret_of_a_token_signs_nothing(
    shared_exchange: Running, owner: Person
) -> None:
    signing = owner.post("/api/users/api-keys", {"label": "bot", "type": "hmac"})
    for credential in (signing["secret"], f"borsa_{signing['keyId']}_{signing['secret']}"):
        headers = {"authorization": f"Bearer {credential}"}
        assert shared_exchange.http.get(LIST, headers=headers).status_code == 401
    bearer = owner.post("/api/users/api-keys", {"label": "bot"})
    for secret in (bearer["secret"], bearer["secret"].split("_", 2)[2]):
        signed = Program(shared_exchange, bearer, lambda text, key=secret: hmac.digest(key.encode(), text, "sha256"))  # type: ignore[misc]
        assert signed.call("GET", LIST).status_code == 401
    digest = hashlib.sha256(bearer["secret"].split("_", 2)[2].encode()).digest()
    assert Program(shared_exchange, bearer, lambda text: hmac.digest(digest, text, "sha256")).call(
        "GET", LIST
    ).status_code == 401  # fmt: skip


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"type": "rsa"}, "type"),
        ({"type": "ed25519"}, "publicKey"),
        ({"type": "ed25519", "publicKey": ""}, "publicKey"),
        ({"type": "ed25519", "publicKey": "0" * 63}, "publicKey"),
        ({"type": "ed25519", "publicKey": "0" * 64 + "\n"}, "publicKey"),
        ({"type": "ed25519", "publicKey": "g" * 64}, "publicKey"),
        ({"type": "ed25519", "publicKey": 7}, "publicKey"),
        ({"type": "hmac", "publicKey": "0" * 64}, "publicKey"),
        ({"publicKey": "0" * 64}, "publicKey"),
        ({"type": "hmac", "secret": "mine"}, "secret"),
    ],
)
def test_a_key_that_can_not_sign_is_refused(owner: Person, change: dict[str, Any], field: str) -> None:
    answer = owner.call("POST", "/api/users/api-keys", {"label": "bot"} | change)
    assert problem(answer, 422)["errors"][0]["field"] == field


@pytest.mark.parametrize("processes", ["2", "3"])
def test_the_door_verifies_also_where_users_is_another_process(tmp_path: Path, processes: str) -> None:
    with Process(tmp_path / "data", processes=processes) as running:
        person = running.person(USD="1000")
        bots = [program(running, person, kind) for kind in ("hmac", "ed25519")]
        for bot in bots:
            assert bot.call("POST", "/api/orders", ORDER).status_code == 201
            assert bot.call("GET", "/api/orders").json()["data"]
            assert bot.sent("GET", LIST, bot.signed("GET", "/api/trades")).status_code == 401
            headers = bot.signed("DELETE", "/api/orders")
            assert [bot.sent("DELETE", "/api/orders", headers).status_code for _ in range(2)] == [200, 409]
            assert person.call("DELETE", f"/api/users/api-keys/{bot.key_id}").status_code == 204
            until(lambda bot=bot: bot.call("GET", LIST).status_code == 401, "the end of the key")  # type: ignore[misc]


# at rest -----------------------------------------------------------------------------------------------------------


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    yield tmp_path / "data"
    vault_in.cache_clear()


def test_no_file_event_or_log_has_the_secret_of_a_key(folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
    with Running(folder, log_level="debug") as running:
        person = running.person("ada-l")
        key = {"idempotency-key": "one"}
        answers = [
            person.post("/api/users/api-keys", {"label": "bot", "type": kind}, headers=key)
            for kind in ("bearer", "hmac")
        ]
        secrets = [answers[0]["secret"].split("_", 2)[2], answers[1]["secret"]]
        bot = Program(running, answers[1], lambda text: hmac.digest(secrets[1].encode(), text, "sha256"))
        assert bot.call("GET", LIST).status_code == 200
        told = json.dumps(running.admin().get("/api/events?source=users&limit=1000"))
        listed = json.dumps(person.get("/api/users/api-keys"))
        metrics = running.http.get("/metrics").text
    out, err = capfd.readouterr()
    files = {path.name: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    assert {"users.db", KEY_FILE} <= files.keys()
    for secret in secrets:
        assert secret not in out + err + told + listed + metrics
        assert not [name for name, content in files.items() if secret.encode() in content]


def test_keys_sign_after_a_restart_and_not_without_the_key_file(folder: Path) -> None:
    with Running(folder) as running:
        person = running.person("ada-l")
        bots = [program(running, person, kind) for kind in ("hmac", "ed25519")]
        sent = [(bot, bot.signed("DELETE", "/api/orders", window=60_000)) for bot in bots]
        until(lambda: sent_when_ready(sent, bots), "the exchange to take signed requests")
        assert [bot.call("GET", LIST).status_code for bot in bots] == [200, 200]
    with Running(folder) as running:
        for bot, headers in sent:
            bot.running = running
            # whatever served before may have taken it: nobody remembers, so it does not count
            assert bot.sent("DELETE", "/api/orders", headers).status_code == 503
            assert bot.call("DELETE", "/api/orders").status_code == 200
    (folder / KEY_FILE).unlink()
    vault_in.cache_clear()
    with Running(folder) as running:
        for bot in bots:
            bot.running = running
        assert [bot.call("GET", LIST).status_code for bot in bots] == [401, 200]


def sent_when_ready(sent: list[tuple[Program, dict[str, str]]], bots: list[Program]) -> bool:
    """Sign anew and send until it is taken."""
    sent[:] = [(bot, bot.signed("DELETE", "/api/orders", window=60_000)) for bot in bots]
    return all(bot.sent("DELETE", "/api/orders", headers).status_code == 200 for bot, headers in sent)
