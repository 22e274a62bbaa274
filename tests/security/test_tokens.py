"""Access tokens that are not quite right: all of them are refused in the same words (RELIABILITY 4b)."""

import base64
import hashlib
import hmac
import json
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed448 import Ed448PrivateKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from borsa.services.users.tokens import FILE_NAME
from tests.support.running import PASSWORD, Person, Running


def part(value: Any) -> bytes:
    """A segment of a token: bytes as they are, anything else as JSON."""
    raw = value if isinstance(value, bytes) else json.dumps(value).encode()
    return base64.urlsafe_b64encode(raw).rstrip(b"=")


class Forger:
    """Knows a good token, and even the key it was signed with."""

    def __init__(self, running: Running) -> None:
        self.running = running
        self.person = running.person()
        self.token: str = self.person.tokens["accessToken"]
        self.header: dict[str, Any] = jwt.get_unverified_header(self.token)
        self.claims: dict[str, Any] = jwt.decode(self.token, options={"verify_signature": False})
        pem = (running.settings.folder / FILE_NAME).read_bytes()
        key = serialization.load_pem_private_key(pem, password=None)
        assert isinstance(key, Ed25519PrivateKey)
        self.key = key

    def sign(self, header: Any, claims: Any, key: Any = None) -> str:
        """A token with these parts, and a signature that is right for them."""
        signed = part(header) + b"." + part(claims)
        return (signed + b"." + part((key or self.key).sign(signed))).decode()

    def with_claims(self, **claims: Any) -> str:
        """A token that says something else than the good one; None leaves a claim out."""
        merged = {name: value for name, value in (self.claims | claims).items() if value is not None}
        return self.sign(self.header, merged)

    def with_header(self, **header: Any) -> str:
        """A token with another header than the good one."""
        return self.sign(self.header | header, self.claims)

    def hmac(self, secret: bytes, **header: Any) -> str:
        """A token signed with HS256."""
        signed = part(self.header | {"alg": "HS256"} | header) + b"." + part(self.claims)
        return (signed + b"." + part(hmac.digest(secret, signed, hashlib.sha256))).decode()

    def status(self, token: str) -> int:
        headers = {"authorization": f"Bearer {token}"}
        return self.running.http.get("/api/users/profile", headers=headers).status_code


@pytest.fixture(scope="module")
def forger(shared_exchange: Running) -> Forger:
    return Forger(shared_exchange)


def unsigned(forger: Forger) -> Iterator[tuple[str, str]]:
    for alg in ("none", "None", "nOnE", "NONE", ""):
        body = (part(forger.header | {"alg": alg}) + b"." + part(forger.claims)).decode()
        yield f"alg {alg!r} without a signature", body + "."
        yield f"alg {alg!r} with the old signature", f"{body}.{forger.token.split('.')[2]}"
    head, body, signature = forger.token.split(".")
    yield "signature stripped", f"{head}.{body}."
    yield "signature and its dot stripped", f"{head}.{body}"
    yield "signature cut", f"{head}.{body}.{signature[:-8]}"
    yield "signature of zeros", f"{head}.{body}.{part(bytes(64)).decode()}"
    yield "signature of another token", f"{head}.{body}.{forger.with_claims(role='admin').split('.')[2]}"
    yield "claims changed under the signature", f"{head}.{part(forger.claims | {'role': 'admin'}).decode()}.{signature}"
    yield "a fourth part", forger.token + ".e30"


def confused(forger: Forger) -> Iterator[tuple[str, str]]:
    public = forger.key.public_key()
    pem = public.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    (jwk,) = forger.running.http.get("/.well-known/jwks.json").json()["keys"]
    yield "HS256 with the public key as PEM", forger.hmac(pem)
    yield "HS256 with the raw public key", forger.hmac(public.public_bytes_raw())
    yield "HS256 with the JWK", forger.hmac(json.dumps(jwk).encode())
    yield "HS256 that calls itself EdDSA", forger.hmac(pem, alg="EdDSA")
    yield "another curve", forger.sign(forger.header, forger.claims, Ed448PrivateKey.generate())
    yield "another key", forger.sign(forger.header, forger.claims, Ed25519PrivateKey.generate())


def misled(forger: Forger) -> Iterator[tuple[str, str]]:
    kid: Any
    for kid in ("unknown", "../../dev/null", "' OR 1=1--", "https://evil.example/key", "", None, 1, [], {}):
        yield f"kid {kid!r}", forger.with_header(kid=kid)
    own = Ed25519PrivateKey.generate()
    jwk = {"kty": "OKP", "crv": "Ed25519", "x": part(own.public_key().public_bytes_raw()).decode(), "kid": "mine"}
    for extra in ({"jwk": jwk}, {"jku": "https://evil.example/jwks"}, {"x5u": "https://evil.example/x"}):
        yield f"{extra} and its key", forger.sign(forger.header | extra, forger.claims, own)
        yield f"{extra} and our key", forger.with_header(**extra)
        yield f"{extra} with its kid", forger.sign(forger.header | extra | {"kid": "mine"}, forger.claims, own)
    yield "crit", forger.with_header(crit=["b64"], b64=False)
    yield "an unknown crit", forger.with_header(crit=["x"], x=1)
    for typ in ("JWT", "refresh+jwt", "", None, 1):
        yield f"typ {typ!r}", forger.with_header(typ=typ)
    yield "a header that is a list", forger.sign([], forger.claims)
    yield "a header that is no JSON", forger.sign(b"{", forger.claims)


def mistimed(forger: Forger) -> Iterator[tuple[str, str]]:
    now = int(time.time())
    yield "expired beyond the leeway", forger.with_claims(exp=now - 6)
    yield "not valid yet", forger.with_claims(nbf=now + 60)
    yield "issued in the future", forger.with_claims(iat=now + 60)
    exp: Any
    for exp in (None, now + 60.5, float(now + 60), str(now + 60), True, [now + 60], {}, 10**30, -1):
        yield f"exp {exp!r}", forger.with_claims(exp=exp)
    rest = json.dumps({name: value for name, value in forger.claims.items() if name != "exp"}).encode()
    yield "exp 1e400", forger.sign(forger.header, b'{"exp":1e400,' + rest[1:])
    yield "exp NaN", forger.sign(forger.header, b'{"exp":NaN,' + rest[1:])


def misaddressed(forger: Forger) -> Iterator[tuple[str, str]]:
    for name, values in {
        "aud": ("other", None, [], ""),
        "iss": ("evil", None, ["borsa"], ""),
        "sub": (None, 1, ["x"]),
        "sid": (None, 1),
        "ver": (None, "0", 0.5, -1),
        "role": (None, 1),
        "name": (None, 1),
    }.items():
        for value in values:
            yield f"{name} {value!r}", forger.with_claims(**{name: value})
    twice = json.dumps(forger.claims).encode()[:-1] + b',"role":"admin"}'
    yield "a claim said twice", forger.sign(forger.header, twice)
    head = json.dumps(forger.header).encode()[:-1] + b',"alg":"EdDSA"}'
    yield "a header said twice", forger.sign(head, forger.claims)
    yield "claims that are a list", forger.sign(forger.header, [])
    yield "claims nested too deep", forger.sign(forger.header, b'{"a":' + b"[" * 2000 + b"]" * 2000 + b"}")
    yield "a refresh token", forger.person.tokens["refreshToken"]
    yield "no token", "hello"
    yield "bytes", "\xff\xfe"


@pytest.mark.parametrize("forgeries", [unsigned, confused, misled, mistimed, misaddressed])
def test_a_forged_token_is_refused_in_the_same_words(forger: Forger, forgeries: Any) -> None:
    assert forger.status(forger.token) == 200
    expected = forger.running.http.get("/api/users/profile")
    assert expected.status_code == 401
    for name, token in forgeries(forger):
        headers = {b"authorization": f"Bearer {token}".encode("latin-1")}
        answer = forger.running.http.get("/api/users/profile", headers=headers)
        assert (name, answer.status_code, answer.content) == (name, 401, expected.content)
        assert answer.headers["www-authenticate"] == "Bearer"
        body = {"token": token}
        assert forger.running.http.post("/api/users/validate", json=body).json() == {"valid": False}, name


def test_a_token_counts_within_the_leeway(forger: Forger) -> None:
    assert forger.status(forger.with_claims(exp=int(time.time()) - 1)) == 200


@pytest.mark.parametrize("scheme", ["bearer", "BEARER", "Bearer"])
def test_the_scheme_has_no_case(forger: Forger, scheme: str) -> None:
    headers = {"authorization": f"{scheme} {forger.token}"}
    assert forger.running.http.get("/api/users/profile", headers=headers).status_code == 200


@pytest.mark.parametrize("scheme", ["Basic ", "Token ", "", "Bearer", "Bearer  ", "Bearer\t"])
def test_another_scheme_is_refused(forger: Forger, scheme: str) -> None:
    headers = {"authorization": scheme + forger.token}
    assert forger.running.http.get("/api/users/profile", headers=headers).status_code == 401


def test_a_token_in_the_query_or_the_body_does_not_count(forger: Forger) -> None:
    for query in ("access_token", "token", "authorization"):
        answer = forger.running.http.get(f"/api/users/profile?{query}={forger.token}")
        assert answer.status_code == 401


def test_two_authorization_headers_are_none(forger: Forger) -> None:
    value = f"Bearer {forger.token}"
    for second in (value, "Bearer x"):
        answer = forger.running.http.get(
            "/api/users/profile", headers=[("authorization", value), ("authorization", second)]
        )
        assert answer.status_code == 401


def test_a_huge_token_is_refused(forger: Forger) -> None:
    assert forger.status("a" * 9_000) == 431
    assert forger.status("a" * 1_000_000) in (400, 401, 431)


def test_an_access_token_is_no_refresh_token(forger: Forger) -> None:
    refreshed = forger.running.http.post("/api/users/refresh_token", json={"refreshToken": forger.token})
    guessed = forger.running.http.post("/api/users/refresh_token", json={"refreshToken": "x"})
    assert refreshed.status_code == 401
    assert refreshed.json() == guessed.json()


def test_an_old_refresh_token_used_many_times_at_once_ends_everything_of_its_session(
    shared_exchange: Running,
) -> None:
    person = shared_exchange.person()
    tokens = [person.tokens]
    for _ in range(2):
        tokens.append(refreshed(shared_exchange, tokens[-1]["refreshToken"]).json())
    with ThreadPoolExecutor(20) as pool:
        answers = list(pool.map(lambda _: refreshed(shared_exchange, tokens[0]["refreshToken"]), range(20)))
    assert {answer.status_code for answer in answers} == {401}
    assert len({answer.content for answer in answers}) == 1
    assert [_status(shared_exchange, each["accessToken"]) for each in tokens] == [401, 401, 401]
    assert refreshed(shared_exchange, tokens[-1]["refreshToken"]).status_code == 401


def test_refreshing_and_reusing_at_once_leaves_no_session_that_nobody_knows_of(shared_exchange: Running) -> None:
    person = shared_exchange.person()
    newest = refreshed(
        shared_exchange, refreshed(shared_exchange, person.tokens["refreshToken"]).json()["refreshToken"]
    )
    given = [person.tokens["refreshToken"], newest.json()["refreshToken"]] * 10
    with ThreadPoolExecutor(20) as pool:
        answers = list(pool.map(lambda token: refreshed(shared_exchange, token), given))
    for answer in answers:
        if answer.status_code == 200:
            assert _status(shared_exchange, answer.json()["accessToken"]) == 401
            assert refreshed(shared_exchange, answer.json()["refreshToken"]).status_code == 401


def refreshed(running: Running, token: str) -> httpx.Response:
    return running.http.post("/api/users/refresh_token", json={"refreshToken": token})


def test_a_token_of_a_deleted_user_is_refused(shared_exchange: Running) -> None:
    forger = Forger(shared_exchange)
    assert forger.person.call("DELETE", "/api/users/profile").status_code == 204
    assert forger.status(forger.token) == 401
    assert forger.status(forger.with_claims(jti="another")) == 401


def test_a_key_that_was_rotated_counts_until_it_is_taken_out(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    with Running(folder) as running:
        person = Person(running, "ada-l", PASSWORD)
        person.register()
        old = person.signed_in().tokens["accessToken"]
        (old_key,) = running.http.get("/.well-known/jwks.json").json()["keys"]
    path = folder / FILE_NAME
    fresh = Ed25519PrivateKey.generate().private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    path.write_bytes(fresh + path.read_bytes())
    with Running(folder) as running:
        new = Person(running, "ada-l", PASSWORD).signed_in().tokens["accessToken"]
        keys = [key["kid"] for key in running.http.get("/.well-known/jwks.json").json()["keys"]]
        assert jwt.get_unverified_header(new)["kid"] == keys[0]
        assert keys[1] == old_key["kid"]
        assert [_status(running, token) for token in (old, new)] == [200, 200]
    path.write_bytes(fresh)
    with Running(folder) as running:
        assert [_status(running, token) for token in (old, new)] == [401, 200]


def _status(running: Running, token: str) -> int:
    return running.http.get("/api/users/profile", headers={"authorization": f"Bearer {token}"}).status_code
