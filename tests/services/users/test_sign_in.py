"""Signing in, staying in and signing out by HTTP."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from tests.services.users.calls import bearer, profile, refresh, sign_in, sign_up
from tests.support.running import Person, Running, until


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
