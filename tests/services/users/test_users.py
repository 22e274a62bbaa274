"""Profiles, and what admins do to users, by HTTP."""

import uuid
from typing import Any

import pytest

from tests.services.users.calls import OTHER_PASSWORD, events, profile, refresh, sign_in, sign_up
from tests.support.running import PASSWORD, Person, Running


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


@pytest.mark.parametrize(
    "path", ["x", "..%2fprofile", "%00", "0" * 36, "01900000-0000-7000-8000-000000000000", "'%20OR%201=1--"]
)
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
