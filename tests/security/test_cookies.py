"""The refresh token of browsers: in a cookie that no script and no other site can use."""

from collections.abc import Iterator
from typing import NamedTuple

import httpx
import pytest

from tests.support.running import PASSWORD, Running

REFRESH = "/api/users/refresh_token"


class Browser(NamedTuple):
    """Somebody signed in with the cookie, and how that was answered."""

    http: httpx.Client
    signed_in: httpx.Response


@pytest.fixture
def browser(shared_exchange: Running) -> Iterator[Browser]:
    person = shared_exchange.person()
    with httpx.Client(base_url=shared_exchange.url, timeout=30) as http:
        answer = http.post("/api/users/login", json={"userName": person.name, "password": PASSWORD, "cookie": True})
        assert answer.status_code == 200
        http.headers["authorization"] = f"Bearer {answer.json()['accessToken']}"
        yield Browser(http, answer)


def attributes(answer: httpx.Response) -> set[str]:
    """What the one Set-Cookie header says beside name and value."""
    (header,) = answer.headers.get_list("set-cookie")
    return {part.strip() for part in header.split(";")[1:]}


def test_the_token_is_in_the_cookie_and_nowhere_else(browser: Browser) -> None:
    answer = browser.signed_in
    assert "refreshToken" not in answer.json()
    assert browser.http.cookies["borsa_refresh"] not in answer.text
    assert attributes(answer) == {"Path=/api/users", "Max-Age=2592000", "HttpOnly", "SameSite=Strict"}


def test_it_is_exchanged_for_the_next(browser: Browser) -> None:
    first = browser.http.cookies["borsa_refresh"]
    answer = browser.http.post(REFRESH, json={"cookie": True})
    assert answer.status_code == 200
    assert browser.http.cookies["borsa_refresh"] != first
    token = answer.json()["accessToken"]
    assert browser.http.get("/api/users/profile", headers={"authorization": f"Bearer {token}"}).status_code == 200


@pytest.mark.parametrize("site", ["cross-site", "same-site"])
def test_pages_of_others_can_not_use_it(browser: Browser, site: str) -> None:
    kept = browser.http.cookies["borsa_refresh"]
    answer = browser.http.post(REFRESH, json={"cookie": True}, headers={"sec-fetch-site": site})
    assert (answer.status_code, answer.json()["code"]) == (401, "invalid_refresh_token")
    assert "set-cookie" not in answer.headers
    browser.http.cookies.set("borsa_refresh", kept)
    answer = browser.http.post(REFRESH, json={"cookie": True}, headers={"sec-fetch-site": "same-origin"})
    assert answer.status_code == 200


def test_signing_out_ends_it(browser: Browser) -> None:
    kept = browser.http.cookies["borsa_refresh"]
    answer = browser.http.post("/api/users/logout")
    assert answer.status_code == 204
    assert "Max-Age=0" in attributes(answer)
    again = browser.http.post(REFRESH, json={"cookie": True}, headers={"cookie": f"borsa_refresh={kept}"})
    assert again.status_code == 401


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({"cookie": True}, 401, "invalid_refresh_token"),
        ({}, 422, "invalid_request"),
        ({"cookie": True, "refreshToken": "a"}, 422, "invalid_request"),
    ],
    ids=["no cookie", "neither", "both"],
)
def test_one_of_the_two_is_needed(shared_exchange: Running, body: object, status: int, code: str) -> None:
    answer = shared_exchange.http.post(REFRESH, json=body)
    assert (answer.status_code, answer.json()["code"]) == (status, code)


def test_programs_have_it_in_the_body_as_ever(shared_exchange: Running) -> None:
    person = shared_exchange.person()
    answer = shared_exchange.http.post(REFRESH, json={"refreshToken": person.tokens["refreshToken"]})
    assert answer.status_code == 200
    assert answer.json()["refreshToken"]
    assert "set-cookie" not in answer.headers
