"""The users API by HTTP: signing up, in and out, profiles, admins, API keys."""

import uuid
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.support.running import PASSWORD, Person, Running, until

OTHER_PASSWORD = "velvet-anchor-monsoon-77"


def sign_up(running: Running, **body: Any) -> httpx.Response:
    given = {"userName": f"u-{uuid.uuid4().hex[:12]}", "password": PASSWORD} | body
    return running.http.post("/api/users/register", json=given)


def sign_in(running: Running, name: str, password: str = PASSWORD) -> httpx.Response:
    return running.http.post("/api/users/login", json={"userName": name, "password": password})


def refresh(running: Running, token: str) -> httpx.Response:
    return running.http.post("/api/users/refresh_token", json={"refreshToken": token})


def bearer(token: str) -> dict[str, str]:
    return {"authorization": f"Bearer {token}"}


def profile(running: Running, token: str) -> int:
    return running.http.get("/api/users/profile", headers=bearer(token)).status_code


def events(running: Running, user_id: str) -> list[str]:
    admin, after, found = running.admin(), 0, []
    while True:
        page = admin.get(f"/api/events?source=users&limit=1000&after={after}")
        found += [each["type"] for each in page["data"] if each["subject"] == user_id]
        if page["nextAfter"] is None:
            return found
        after = page["nextAfter"]


@pytest.fixture
def person(shared_exchange: Running) -> Person:
    return shared_exchange.person(f"p-{uuid.uuid4().hex[:12]}")


# signing up --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["/api/users", "/api/users/register"])
def test_both_addresses_sign_up(shared_exchange: Running, path: str) -> None:
    name = f"Both.{uuid.uuid4().hex[:8]}"
    body = {"userName": name, "password": PASSWORD, "email": "ada@example.org"}
    answer = shared_exchange.http.post(path, json=body)
    assert answer.status_code == 201
    user = answer.json()
    assert user.keys() == {"userId", "userName", "email", "role", "createdAt"}
    assert (user["userName"], user["email"], user["role"]) == (name, "ada@example.org", "user")
    assert events(shared_exchange, user["userId"]) == ["UserCreated"]


@pytest.mark.parametrize(
    "name",
    [
        "ab",
        "a" * 41,
        "a b",
        "ada!",
        "",
        "\u0430d\u0430",
        "\uff41\uff44\uff41",
        "ada\u200b",
        "ada\u202egrace",
        "ada\n",
        "ada\u0000",
        "<img>",
        "ﬁn-n",
    ],
)
def test_a_name_that_could_deceive_is_refused(shared_exchange: Running, name: str) -> None:
    answer = sign_up(shared_exchange, userName=name)
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["field"] == "userName"


@pytest.mark.parametrize(
    "email", ["", "ada", "ada@", "@b.c", "a b@c.d", "a@b.c\nBcc: x@y.z", "a@-b.c", "a" * 250 + "@b.c"]
)
def test_what_is_no_email_address_is_refused(shared_exchange: Running, email: str) -> None:
    answer = sign_up(shared_exchange, email=email)
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["field"] == "email"


@pytest.mark.parametrize("extra", [{"role": "admin"}, {"isAdmin": True}, {"userId": "x"}, {"status": "active"}])
def test_nobody_signs_up_as_more_than_a_user(shared_exchange: Running, extra: dict[str, Any]) -> None:
    assert sign_up(shared_exchange, **extra).status_code == 422


def test_a_taken_name_is_refused_in_any_case(shared_exchange: Running, person: Person) -> None:
    for name in (person.name, person.name.upper(), "ADMIN"):
        answer = sign_up(shared_exchange, userName=name)
        assert (answer.status_code, answer.json()["code"]) == (409, "user_name_taken")


def test_of_many_who_want_one_name_at_once_one_gets_it(shared_exchange: Running) -> None:
    name = f"race-{uuid.uuid4().hex[:8]}"
    with ThreadPoolExecutor(20) as pool:
        answers = list(pool.map(lambda _: sign_up(shared_exchange, userName=name).status_code, range(20)))
    assert sorted(answers) == [201] + [409] * 19


def test_a_sign_up_is_repeated_under_its_idempotency_key(shared_exchange: Running) -> None:
    headers = {"idempotency-key": str(uuid.uuid4())}
    body = {"userName": f"again-{uuid.uuid4().hex[:8]}", "password": PASSWORD}
    first, second = (shared_exchange.http.post("/api/users", json=body, headers=headers) for _ in range(2))
    assert (first.status_code, second.status_code) == (201, 201)
    assert first.json() == second.json()
    other = shared_exchange.http.post("/api/users", json=body | {"password": OTHER_PASSWORD}, headers=headers)
    assert other.json()["code"] == "idempotency_key_reused"


def test_an_address_signs_up_so_often_in_a_minute(tmp_path: Path) -> None:
    with Running(tmp_path / "data", registrations_per_minute=2) as running:
        answers = [sign_up(running) for _ in range(5)]
    limited = [answer for answer in answers if answer.status_code == 429]
    assert limited
    assert limited[0].headers["retry-after"]


# signing in --------------------------------------------------------------------------------------------------------


def test_a_sign_in_gives_tokens(shared_exchange: Running, person: Person) -> None:
    answer = sign_in(shared_exchange, person.name.upper())
    tokens = answer.json()
    assert tokens.keys() == {"accessToken", "refreshToken", "tokenType", "expiresIn"}
    assert (tokens["tokenType"], tokens["expiresIn"]) == ("Bearer", 900)
    assert answer.headers["cache-control"] == "no-store"
    assert profile(shared_exchange, tokens["accessToken"]) == 200


def test_failures_make_the_next_sign_in_wait_also_the_right_one_and_then_no_longer(tmp_path: Path) -> None:
    with Running(tmp_path / "data", sign_in_failures_max=3) as running:
        sign_up(running, userName="ada-l")
        for name in ("ada-l", "nobody-here"):
            for _ in range(3):
                assert sign_in(running, name, "wrong").status_code == 401
        delayed = {name: sign_in(running, name) for name in ("ada-l", "nobody-here")}
        for answer in delayed.values():
            assert (answer.status_code, answer.json()["code"]) == (429, "too_many_requests")
            assert answer.headers["retry-after"] == str(answer.json()["retryAfter"])
        assert delayed["ada-l"].json() == delayed["nobody-here"].json()
        until(lambda: sign_in(running, "ada-l").status_code == 200, "the wait to end")


def test_guesses_sent_all_at_once_do_not_pass_the_count(tmp_path: Path) -> None:
    with Running(tmp_path / "data", sign_in_failures_max=3) as running:
        sign_up(running, userName="ada-l")
        with ThreadPoolExecutor(20) as pool:
            answers = list(pool.map(lambda _: sign_in(running, "ada-l", "wrong").status_code, range(20)))
    assert answers.count(401) <= 4
    assert set(answers) == {401, 429}


def test_a_sign_in_that_succeeds_forgives_failures(tmp_path: Path) -> None:
    with Running(tmp_path / "data", sign_in_failures_max=3) as running:
        sign_up(running, userName="ada-l")
        for _ in range(3):
            assert [sign_in(running, "ada-l", "wrong").status_code for _ in range(2)] == [401, 401]
            assert sign_in(running, "ada-l").status_code == 200


def test_more_hashes_than_may_wait_are_refused_as_overload(tmp_path: Path) -> None:
    with Running(tmp_path / "data", password_queue_max=1) as running, ThreadPoolExecutor(10) as pool:
        answers = list(pool.map(lambda at: sign_in(running, f"name-{at}", "wrong"), range(10)))
    codes = {answer.status_code for answer in answers}
    assert codes == {401, 503}
    assert all(answer.headers["retry-after"] for answer in answers if answer.status_code == 503)


# sessions ----------------------------------------------------------------------------------------------------------


def test_one_refresh_token_used_many_times_at_once_has_one_successor(shared_exchange: Running, person: Person) -> None:
    token = person.tokens["refreshToken"]
    with ThreadPoolExecutor(20) as pool:
        answers = list(pool.map(lambda _: refresh(shared_exchange, token), range(20)))
    assert {answer.status_code for answer in answers} == {200}
    assert len({answer.json()["refreshToken"] for answer in answers}) == 1
    assert refresh(shared_exchange, answers[0].json()["refreshToken"]).status_code == 200


def test_a_stolen_refresh_token_ends_the_session_and_its_access_tokens(
    shared_exchange: Running, person: Person
) -> None:
    first = person.tokens
    second = refresh(shared_exchange, first["refreshToken"]).json()
    third = refresh(shared_exchange, second["refreshToken"]).json()
    assert profile(shared_exchange, third["accessToken"]) == 200
    answer = refresh(shared_exchange, first["refreshToken"])
    assert (answer.status_code, answer.json()["code"]) == (401, "invalid_refresh_token")
    for tokens in (first, second, third):
        assert profile(shared_exchange, tokens["accessToken"]) == 401
    assert refresh(shared_exchange, third["refreshToken"]).status_code == 401
    assert sign_in(shared_exchange, person.name).status_code == 200


def test_sign_out_ends_this_session_and_no_other(shared_exchange: Running, person: Person) -> None:
    other = sign_in(shared_exchange, person.name).json()
    answer = person.call("POST", "/api/users/logout")
    assert (answer.status_code, answer.content) == (204, b"")
    assert profile(shared_exchange, person.tokens["accessToken"]) == 401
    assert refresh(shared_exchange, person.tokens["refreshToken"]).status_code == 401
    assert profile(shared_exchange, other["accessToken"]) == 200


def test_sessions_survive_a_restart_and_ended_ones_stay_ended(tmp_path: Path) -> None:
    with Running(tmp_path / "data") as running:
        sign_up(running, userName="ada-l")
        kept, ended = (sign_in(running, "ada-l").json() for _ in range(2))
        running.http.post("/api/users/logout", headers=bearer(ended["accessToken"]))
    with Running(tmp_path / "data") as running:
        assert profile(running, kept["accessToken"]) == 200
        assert refresh(running, kept["refreshToken"]).status_code == 200
        assert profile(running, ended["accessToken"]) == 401
        assert refresh(running, ended["refreshToken"]).status_code == 401


def test_a_token_can_be_validated_by_anybody(shared_exchange: Running, person: Person) -> None:
    def valid(token: str) -> Any:
        return shared_exchange.http.post("/api/users/validate", json={"token": token}).json()

    token = person.tokens["accessToken"]
    found = valid(token)
    assert found.keys() == {"valid", "userId", "userName", "role", "expiresAt"}
    assert (found["valid"], found["userId"], found["userName"]) == (True, person.user_id, person.name)
    for bad in ("", "x", token[:-4], token + "A", person.tokens["refreshToken"], "é" * 10, "a.b.c"):
        assert valid(bad) == {"valid": False}
    person.call("POST", "/api/users/logout")
    assert valid(token) == {"valid": False}


# the profile -------------------------------------------------------------------------------------------------------


def test_a_profile_is_ones_own_whatever_the_query_says(shared_exchange: Running, person: Person) -> None:
    other = shared_exchange.person()
    found = person.get(f"/api/users/profile?id={other.user_id}")
    assert found["userId"] == person.user_id


def test_a_profile_can_be_changed_and_says_so(shared_exchange: Running, person: Person) -> None:
    name = f"new-{uuid.uuid4().hex[:8]}"
    answer = person.call("PUT", "/api/users/profile", {"userName": name, "email": "new@example.org"})
    assert (answer.json()["userName"], answer.json()["email"]) == (name, "new@example.org")
    assert person.get("/api/users/profile") == answer.json()
    assert person.call("PUT", "/api/users/profile", {"email": None}).json()["email"] is None
    assert events(shared_exchange, person.user_id) == ["UserCreated", "UserUpdated", "UserUpdated"]
    assert sign_in(shared_exchange, name).status_code == 200
    assert sign_in(shared_exchange, person.name).status_code == 401


@pytest.mark.parametrize(
    ("body", "status", "field"),
    [
        ({"role": "admin"}, 422, "role"),
        ({"userId": "x"}, 422, "userId"),
        ({"userName": None}, 422, "userName"),
        ({"userName": "a b"}, 422, "userName"),
        ({"userName": "Admin"}, 409, "userName"),
        ({"email": "nowhere"}, 422, "email"),
        ({"password": OTHER_PASSWORD}, 422, "currentPassword"),
        ({"password": OTHER_PASSWORD, "currentPassword": "wrong"}, 403, "currentPassword"),
        ({"password": "short", "currentPassword": PASSWORD}, 422, "password"),
    ],
)
def test_a_change_that_may_not_be_is_refused(person: Person, body: dict[str, Any], status: int, field: str) -> None:
    answer = person.call("PUT", "/api/users/profile", body)
    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (status, field)


def test_a_new_password_counts_at_once_and_ends_other_sessions(shared_exchange: Running, person: Person) -> None:
    other = sign_in(shared_exchange, person.name).json()
    body = {"password": OTHER_PASSWORD, "currentPassword": PASSWORD}
    assert person.call("PUT", "/api/users/profile", body).status_code == 200
    assert profile(shared_exchange, other["accessToken"]) == 401
    assert refresh(shared_exchange, other["refreshToken"]).status_code == 401
    assert profile(shared_exchange, person.tokens["accessToken"]) == 200
    assert refresh(shared_exchange, person.tokens["refreshToken"]).status_code == 200
    assert sign_in(shared_exchange, person.name).status_code == 401
    assert sign_in(shared_exchange, person.name, OTHER_PASSWORD).status_code == 200


def test_a_deleted_user_is_gone_at_once(shared_exchange: Running, person: Person) -> None:
    key = person.post("/api/users/api-keys", {"label": "bot", "scopes": ["read"]})
    assert person.call("DELETE", "/api/users/profile").status_code == 204
    assert profile(shared_exchange, person.tokens["accessToken"]) == 401
    assert profile(shared_exchange, key["secret"]) == 401
    assert refresh(shared_exchange, person.tokens["refreshToken"]).status_code == 401
    assert sign_in(shared_exchange, person.name).status_code == 401
    assert events(shared_exchange, person.user_id) == ["UserCreated", "UserDeleted", "AccessRevoked"]
    admin = shared_exchange.admin()
    assert admin.call("GET", f"/api/users/{person.user_id}").status_code == 404
    assert person.user_id not in [each["userId"] for each in admin.get("/api/users?limit=1000")["data"]]
    assert sign_up(shared_exchange, userName=person.name).status_code == 201


def test_a_user_with_money_can_not_leave(shared_exchange: Running, person: Person) -> None:
    shared_exchange.admin().fund(person, USD="5")
    answer = person.call("DELETE", "/api/users/profile")
    assert (answer.status_code, answer.json()["code"]) == (409, "user_not_empty")
    assert profile(shared_exchange, person.tokens["accessToken"]) == 200
    assert sign_in(shared_exchange, person.name).status_code == 200


# admins ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE"])
def test_users_do_not_manage_users(shared_exchange: Running, person: Person, method: str) -> None:
    body = {"role": "admin"} if method == "PUT" else None
    for path in (f"/api/users/{person.user_id}", f"/api/users/{uuid.uuid4()}"):
        assert person.call(method, path, body).status_code == 403
        assert shared_exchange.http.request(method, path, json=body).status_code == 401


def test_the_list_of_users_is_for_admins(shared_exchange: Running, person: Person) -> None:
    assert person.call("GET", "/api/users").status_code == 403
    assert shared_exchange.http.get("/api/users").status_code == 401


def test_the_list_of_users_comes_in_pages_newest_first(shared_exchange: Running) -> None:
    made = [sign_up(shared_exchange).json()["userId"] for _ in range(5)]
    admin, seen, cursor = shared_exchange.admin(), [], ""
    while cursor is not None:
        page = admin.get("/api/users?limit=2" + (f"&cursor={cursor}" if cursor else ""))
        assert len(page["data"]) <= 2
        seen += [each["userId"] for each in page["data"]]
        cursor = page["nextCursor"]
    assert len(set(seen)) == len(seen)
    assert [each for each in seen if each in made] == made[::-1]


@pytest.mark.parametrize("query", ["limit=0", "limit=1001", "limit=x", "cursor=x", "cursor=WzFd", "cursor=bnVsbA"])
def test_a_malformed_page_is_refused(shared_exchange: Running, query: str) -> None:
    admin = shared_exchange.admin()
    for path in ("/api/users", "/api/users/api-keys"):
        answer = admin.call("GET", f"{path}?{query}")
        assert (answer.status_code, answer.json()["code"]) == (422, "invalid_request")


@pytest.mark.parametrize("path", ["x", "..%2fprofile", "%00", "0" * 36, str(uuid.uuid4()), "'%20OR%201=1--"])
def test_an_id_that_is_none_is_not_found(shared_exchange: Running, path: str) -> None:
    admin = shared_exchange.admin()
    for method, body in (("GET", None), ("PUT", {}), ("DELETE", None)):
        assert admin.call(method, f"/api/users/{path}", body).status_code == 404


def test_an_admin_changes_a_role_and_it_counts_at_once(shared_exchange: Running, person: Person) -> None:
    admin = shared_exchange.admin()
    answer = admin.call("PUT", f"/api/users/{person.user_id}", {"role": "admin"})
    assert answer.json()["role"] == "admin"
    assert profile(shared_exchange, person.tokens["accessToken"]) == 401
    person.signed_in()
    assert person.call("GET", "/api/users").status_code == 200
    assert admin.call("PUT", f"/api/users/{person.user_id}", {"role": "user"}).status_code == 200
    assert profile(shared_exchange, person.tokens["accessToken"]) == 401
    person.signed_in()
    assert person.call("GET", "/api/users").status_code == 403
    assert admin.call("PUT", f"/api/users/{person.user_id}", {"role": "king"}).status_code == 422


def test_an_admin_sets_a_password_but_the_own_one_in_the_profile(shared_exchange: Running, person: Person) -> None:
    admin = shared_exchange.admin()
    assert admin.call("PUT", f"/api/users/{person.user_id}", {"password": OTHER_PASSWORD}).status_code == 200
    assert profile(shared_exchange, person.tokens["accessToken"]) == 401
    assert sign_in(shared_exchange, person.name, OTHER_PASSWORD).status_code == 200
    own = admin.get("/api/users/profile")["userId"]
    assert admin.call("PUT", f"/api/users/{own}", {"password": OTHER_PASSWORD}).status_code == 403


def test_an_admin_removes_a_user(shared_exchange: Running, person: Person) -> None:
    admin = shared_exchange.admin()
    assert admin.get(f"/api/users/{person.user_id}")["userName"] == person.name
    assert [admin.call("DELETE", f"/api/users/{person.user_id}").status_code for _ in range(2)] == [204, 404]
    assert profile(shared_exchange, person.tokens["accessToken"]) == 401


def test_the_last_admin_stays(shared_exchange: Running) -> None:
    admin = shared_exchange.admin()
    own = admin.get("/api/users/profile")["userId"]
    for answer in (
        admin.call("DELETE", "/api/users/profile"),
        admin.call("DELETE", f"/api/users/{own}"),
        admin.call("PUT", f"/api/users/{own}", {"role": "user"}),
    ):
        assert (answer.status_code, answer.json()["code"]) == (409, "last_admin")


# API keys ----------------------------------------------------------------------------------------------------------


def test_an_api_key_shows_its_secret_once_and_works_until_it_is_ended(shared_exchange: Running, person: Person) -> None:
    made = person.post("/api/users/api-keys", {"label": "my bot 🤖", "scopes": ["trade", "read", "read"][:2]})
    assert made["secret"].startswith(f"borsa_{made['keyId']}_")
    assert made["scopes"] == ["read", "trade"]
    assert profile(shared_exchange, made["secret"]) == 200
    (listed,) = person.get("/api/users/api-keys")["data"]
    assert listed == {name: made[name] for name in ("keyId", "label", "scopes", "ipAllowList", "createdAt")}
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
