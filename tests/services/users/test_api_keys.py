"""API keys by HTTP: what they may do, and that they manage no account."""

from typing import Any

import pytest

from tests.services.users.calls import bearer, profile
from tests.support.running import Person, Running


def test_an_api_key_shows_its_secret_once_and_works_until_it_is_ended(shared_exchange: Running, person: Person) -> None:
    made = person.post("/api/users/api-keys", {"label": "my bot 🤖", "scopes": ["trade", "read", "read"][:2]})
    assert made["secret"].startswith(f"borsa_{made['keyId']}_")
    assert made["scopes"] == ["read", "trade"]
    assert profile(shared_exchange, made["secret"]) == 200
    (listed,) = person.get("/api/users/api-keys")["data"]
    assert listed == {name: made[name] for name in ("keyId", "type", "label", "scopes", "ipAllowList", "createdAt")}
    answers = [person.call("DELETE", f"/api/users/api-keys/{made['keyId']}").status_code for _ in range(2)]
    assert answers == [204, 404]
    assert profile(shared_exchange, made["secret"]) == 401
    assert person.get("/api/users/api-keys")["data"] == []


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"label": ""}, "label"),
        ({"label": " "}, "label"),
        ({"label": "x" * 65}, "label"),
        ({"label": "a\nb"}, "label"),
        ({"scopes": []}, "scopes"),
        ({"scopes": ["withdraw"]}, "scopes"),
        ({"scopes": "read"}, "scopes"),
        ({"ipAllowList": ["nowhere"]}, "ipAllowList"),
        ({"ipAllowList": ["10.0.0.1/8"]}, "ipAllowList"),
        ({"ipAllowList": ["10.0.0.1"] * 51}, "ipAllowList"),
        ({"role": "admin"}, "role"),
    ],
)
def test_an_api_key_that_may_not_be_is_refused(person: Person, change: dict[str, Any], field: str) -> None:
    answer = person.call("POST", "/api/users/api-keys", {"label": "bot", "scopes": ["read"]} | change)
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["field"].startswith(field)


def test_an_api_key_works_from_its_addresses_only(shared_exchange: Running, person: Person) -> None:
    here = person.post("/api/users/api-keys", {"label": "a", "scopes": ["read"], "ipAllowList": ["127.0.0.0/8", "::1"]})
    away = person.post("/api/users/api-keys", {"label": "b", "scopes": ["read"], "ipAllowList": ["192.0.2.7"]})
    assert here["ipAllowList"] == ["127.0.0.0/8", "::1/128"]
    assert profile(shared_exchange, here["secret"]) == 200
    headers = bearer(away["secret"]) | {"x-forwarded-for": "192.0.2.7"}
    assert shared_exchange.http.get("/api/users/profile", headers=headers).status_code == 403


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("PUT", "/api/users/profile", {"email": "x@example.org"}),
        ("DELETE", "/api/users/profile", None),
        ("POST", "/api/users/logout", None),
        ("POST", "/api/users/api-keys", {"label": "bot", "scopes": ["read"]}),
        ("GET", "/api/users/api-keys", None),
        ("DELETE", "/api/users/api-keys/{key}", None),
        ("GET", "/api/users", None),
        ("GET", "/api/users/{user}", None),
        ("PUT", "/api/users/{user}", {"role": "user"}),
        ("DELETE", "/api/users/{user}", None),
    ],
)
def test_an_api_key_manages_no_account_not_even_an_admins(
    shared_exchange: Running, method: str, path: str, body: Any
) -> None:
    admin = shared_exchange.admin()
    key = admin.post("/api/users/api-keys", {"label": "bot", "scopes": ["read", "trade"]})
    asked = path.format(key=key["keyId"], user=admin.get("/api/users/profile")["userId"])
    answer = shared_exchange.http.request(method, asked, json=body, headers=bearer(key["secret"]))
    assert (answer.status_code, answer.json()["code"]) == (403, "forbidden")
    assert profile(shared_exchange, key["secret"]) == 200
    assert admin.call("DELETE", f"/api/users/api-keys/{key['keyId']}").status_code == 204


def test_an_api_key_may_do_what_its_scopes_say(shared_exchange: Running, person: Person) -> None:
    reading = person.post("/api/users/api-keys", {"label": "r", "scopes": ["read"]})["secret"]
    trading = person.post("/api/users/api-keys", {"label": "t", "scopes": ["trade"]})["secret"]
    assert (profile(shared_exchange, reading), profile(shared_exchange, trading)) == (200, 403)
    opened = [
        shared_exchange.http.post("/api/wallets", json={"name": "w"}, headers=bearer(secret)).status_code
        for secret in (reading, trading)
    ]
    assert opened == [403, 201]


@pytest.mark.parametrize("change", ["", "_", "x", "borsa_", "short"])
def test_a_credential_that_is_nearly_right_is_refused(shared_exchange: Running, person: Person, change: str) -> None:
    made = person.post("/api/users/api-keys", {"label": "bot", "scopes": ["read"]})
    wrong = {
        "": f"borsa_{made['keyId']}_",
        "_": made["secret"] + "_",
        "x": made["secret"][:-1] + ("A" if made["secret"][-1] != "A" else "B"),
        "borsa_": "borsa_" + made["secret"],
        "short": f"borsa_{made['keyId']}",
    }[change]
    assert profile(shared_exchange, wrong) == 401


def test_the_public_keys_are_public(shared_exchange: Running) -> None:
    (key,) = shared_exchange.http.get("/.well-known/jwks.json").json()["keys"]
    assert key.keys() == {"kty", "crv", "x", "kid", "use", "alg"}
    assert (key["kty"], key["crv"], key["alg"]) == ("OKP", "Ed25519", "EdDSA")
