"""Signing up by HTTP."""

import uuid
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from tests.services.users.calls import OTHER_PASSWORD, events, sign_up
from tests.support.running import PASSWORD, Person, Running


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
