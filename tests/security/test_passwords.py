"""Passwords: which are taken, that nobody learns who exists, and that none is ever written down (RELIABILITY 4c)."""

import hashlib
import json
import unicodedata
import uuid
from pathlib import Path

import httpx
import pytest

from borsa.services.users import passwords
from tests.support.running import Person, Running

EMOJI = "🦊🌵🚲🎻🧭🪁🍋🐙🎈🛶🧩🪐🥁🌋🦉"
WORDS = "granite lullaby ferry saffron tundra walnut comet harness violet meadow piston orchid "
CANARY = "canary-Zx9-feather-quilt-88"
NEW_CANARY = "canary-Kp4-timber-flute-21"


def sign_up(running: Running, password: str, name: str = "") -> httpx.Response:
    body = {"userName": name or f"w-{uuid.uuid4().hex[:12]}", "password": password}
    return running.http.post("/api/users/register", json=body)


def sign_in(running: Running, name: str, password: str) -> httpx.Response:
    return running.http.post("/api/users/login", json={"userName": name, "password": password})


@pytest.mark.parametrize(
    ("password", "status"),
    [
        ((WORDS * 2)[:14], 422),
        ((WORDS * 2)[:15], 201),
        (WORDS[:64], 201),
        ((WORDS + WORDS.upper())[:128], 201),
        ((WORDS + WORDS.upper())[:129], 422),
        (EMOJI[:14], 422),
        (EMOJI, 201),
        ("   spaces are fine, at both ends   ", 201),
        ("tiếng Việt có dấu đẹp", 201),
        ("837465019283746", 201),
    ],
)
def test_length_is_counted_in_code_points_and_nothing_else_is_asked_for(
    shared_exchange: Running, password: str, status: int
) -> None:
    name = f"w-{uuid.uuid4().hex[:12]}"
    assert sign_up(shared_exchange, password, name).status_code == status
    if status == 201:
        assert sign_in(shared_exchange, name, password).status_code == 200
        assert sign_in(shared_exchange, name, password[:-1]).status_code == 401
        assert sign_in(shared_exchange, name, password + " ").status_code == 401


@pytest.mark.parametrize(
    "password",
    [
        "passwordpassword",
        "PassWordPassWord",
        "P4ssw0rd1234567!",
        "password-12345678",
        "aaaaaaaaaaaaaaaaaaaa",
        "abcabcabcabcabcabc",
        "123456789012345",
        "987654321098765",
        "abcdefghijklmnopqrst",
        "qwertyuiopasdfghjkl",
        "1qaz2wsx3edc4rfv",
        "letmein-letmein-now",
        "iloveyouforever1",
        "This is a password!",
        "Administrator2026!",
        "borsa-borsa-2026",
        "BorsaPassword1234",
        "😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀",
    ],
)
def test_a_password_that_people_guess_is_refused(shared_exchange: Running, password: str) -> None:
    answer = sign_up(shared_exchange, password)
    assert (answer.status_code, answer.json()["code"]) == (422, "weak_password")
    assert answer.json()["errors"][0]["field"] == "password"
    assert password not in answer.text


@pytest.mark.parametrize("form", ["{}-plus-something-else", "SOMETHING-{}-MORE-WORDS"])
def test_a_password_with_the_users_name_is_refused(shared_exchange: Running, form: str) -> None:
    name = f"Nell{uuid.uuid4().hex[:6]}"
    for given in (name, name.upper(), name.lower()):
        assert sign_up(shared_exchange, form.format(given), name).json()["code"] == "weak_password"


def test_composed_and_decomposed_accents_are_the_same_password(shared_exchange: Running) -> None:
    password = "crème brûlée à gogo"
    forms = [unicodedata.normalize(form, password) for form in ("NFC", "NFD")]
    assert forms[0] != forms[1]
    for form in forms:
        name = f"w-{uuid.uuid4().hex[:12]}"
        assert sign_up(shared_exchange, form, name).status_code == 201
        assert [sign_in(shared_exchange, name, each).status_code for each in forms] == [200, 200]


def test_a_decomposed_password_is_counted_composed(shared_exchange: Running) -> None:
    fourteen = unicodedata.normalize("NFD", "çàéèêëîïôûùüÿñ")
    assert len(fourteen) == 28
    assert sign_up(shared_exchange, fourteen).json()["code"] == "weak_password"


def test_a_huge_body_is_refused_before_anything_is_hashed(
    shared_exchange: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    hashed: list[str] = []
    monkeypatch.setattr(passwords, "hashed", hashed.append)
    monkeypatch.setattr(passwords, "matches", lambda _, password: hashed.append(password))
    for path in ("register", "login"):
        body = {"userName": "ada-l", "password": "x" * 1_000_000}
        assert shared_exchange.http.post(f"/api/users/{path}", json=body).status_code == 413
    assert hashed == []


@pytest.mark.parametrize("password", [(WORDS + WORDS.upper())[:129], " ".join(map(str, range(9_000)))])
def test_a_password_that_is_too_long_or_too_short_is_refused_before_it_is_hashed(
    shared_exchange: Running, monkeypatch: pytest.MonkeyPatch, password: str
) -> None:
    hashed: list[str] = []
    monkeypatch.setattr(passwords, "hashed", hashed.append)
    for each in (password, password[:14]):
        assert sign_up(shared_exchange, each).status_code == 422
        headers = {"idempotency-key": str(uuid.uuid4())}
        body = {"userName": f"w-{uuid.uuid4().hex[:12]}", "password": each}
        assert shared_exchange.http.post("/api/users", json=body, headers=headers).status_code == 422
    assert hashed == []


@pytest.mark.parametrize(
    "raw", [b'{"userName":"ada-l","password":"\\ud800\\ud800"}', b'{"userName":"ada-l","password":"\xff"}']
)
def test_what_is_no_text_is_no_password(shared_exchange: Running, raw: bytes) -> None:
    headers = {"content-type": "application/json"}
    answer = shared_exchange.http.post("/api/users/login", content=raw, headers=headers)
    assert answer.status_code == 400


def test_hashes_are_argon2id_as_owasp_recommends() -> None:
    kept = passwords.hashed("granite lullaby ferry")
    assert kept.startswith("$argon2id$v=19$m=19456,t=2,p=1$")
    assert not passwords.is_outdated(kept)
    assert not passwords.is_outdated(passwords.NOBODY)
    assert passwords.is_outdated(kept.replace("t=2", "t=1"))


def test_nobodys_hash_matches_nothing() -> None:
    assert not passwords.matches(None, "")
    assert not passwords.matches(passwords.NOBODY, "")


# who exists --------------------------------------------------------------------------------------------------------


def test_an_unknown_name_and_a_wrong_password_are_answered_alike(shared_exchange: Running) -> None:
    person = shared_exchange.person()
    known, unknown = (sign_in(shared_exchange, name, "wrong") for name in (person.name, "nobody-at-all"))
    assert (known.status_code, known.content) == (unknown.status_code, unknown.content)
    assert known.status_code == 401
    varying = {"x-request-id", "date"}
    assert [h for h in known.headers.items() if h[0] not in varying] == [
        h for h in unknown.headers.items() if h[0] not in varying
    ]


def test_an_unknown_name_costs_one_hash_as_a_known_one_does(
    shared_exchange: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    person = shared_exchange.person()
    checked: list[str | None] = []
    matches = passwords.matches

    def counted(kept: str | None, password: str) -> bool:
        checked.append(kept)
        return matches(kept, password)

    monkeypatch.setattr(passwords, "matches", counted)
    for name in (person.name, "nobody-at-all", "", "é" * 100, "x" * 10_000):
        assert sign_in(shared_exchange, name, "wrong").status_code == 401
    assert len(checked) == 5
    assert [kept is None for kept in checked] == [False, True, True, True, True]


# nothing is written down -------------------------------------------------------------------------------------------


def _live(running: Running) -> dict[str, str]:
    """Do everything that has a secret in it, and give the secrets by name."""
    person = Person(running, "mallory", CANARY)
    key = {"idempotency-key": str(uuid.uuid4())}
    body = {"userName": person.name, "password": CANARY, "email": "mallory@example.org"}
    assert running.http.post("/api/users/register", json=body, headers=key).status_code == 201
    sign_in(running, person.name, "wrong-" + CANARY)
    body = {"userName": person.name, "password": CANARY}
    tokens = running.http.post("/api/users/login", json=body, headers=key).json()
    signed_in = {"authorization": f"Bearer {tokens['accessToken']}"}
    refreshed = running.http.post(
        "/api/users/refresh_token", json={"refreshToken": tokens["refreshToken"]}, headers=key
    ).json()
    made = running.http.post(
        "/api/users/api-keys", json={"label": "bot", "scopes": ["read"]}, headers=signed_in | key
    ).json()
    change = {"password": NEW_CANARY, "currentPassword": CANARY}
    answer = running.http.put("/api/users/profile", json=change, headers=signed_in | {"idempotency-key": "two"})
    assert answer.status_code == 200
    running.http.put("/api/users/profile", json=change | {"x": 1}, headers=signed_in)
    running.http.get("/api/users/profile", headers={"authorization": f"Bearer {made['secret']}"})
    return {
        "password": CANARY,
        "new password": NEW_CANARY,
        "access token": tokens["accessToken"].split(".")[2],
        "refresh token": tokens["refreshToken"].split(".")[2],
        "second refresh token": refreshed["refreshToken"].split(".")[2],
        "API key": made["secret"].split("_", 2)[2],
    }


def test_no_secret_is_in_a_file_an_event_or_the_log(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "data"
    with Running(folder, log_level="debug") as running:
        secrets = _live(running)
        told = json.dumps(running.admin().get("/api/events?source=users&limit=1000"))
        metrics = running.http.get("/metrics").text
    out, err = capfd.readouterr()
    files = {path.name: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    assert "users.db" in files
    for name, secret in secrets.items():
        assert secret not in out + err + told + metrics, name
        for file, content in files.items():
            assert secret.encode() not in content, (name, file)


def test_a_password_can_not_be_tried_against_the_fingerprint_of_its_request(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    body = json.dumps({"userName": "mallory", "password": CANARY}).encode()
    headers = {"idempotency-key": "one", "content-type": "application/json"}
    with Running(folder) as running:
        assert running.http.post("/api/users", content=body, headers=headers).status_code == 201
    fast = hashlib.sha256(b"POST /api/users\n" + body).digest()
    for path in folder.glob("users.db*"):
        assert fast not in path.read_bytes()
