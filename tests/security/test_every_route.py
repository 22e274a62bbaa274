"""What holds for every route there is: from the table, so that a new route is asked as well."""

from collections.abc import Iterator
from typing import Any

import httpx
import msgspec
import pytest

from borsa.app import routes
from borsa.runtime.http.route import Route
from tests.api.stage import Stage, fields, keyed, problem
from tests.security.test_authorization import TABLE, Row, ask, person_headers
from tests.support.running import Person, Running, until

ROUTES = {route.name: route for route in routes()}
PROTECTED = [row for row in TABLE if row.anonymous == 401]
OF_ADMINS = [row for row in TABLE if ROUTES[row.call].access == "admin"]
WITH_BODY = [row for row in TABLE if ROUTES[row.call].body is not None]
LISTS = [row for row in PROTECTED if row.call.startswith("GET ") and row.about is None and row not in OF_ADMINS]

FORGED = {
    "x-user-id": "",
    "x-forwarded-user": "admin",
    "x-remote-user": "admin",
    "x-role": "admin",
    "x-admin": "1",
    "x-original-url": "/healthz",
    "x-rewrite-url": "/healthz",
    "x-internal": "1",
}
"""Headers that other systems have believed."""

DECIDED = {
    "userId": "x", "user_id": "x", "owner": "x", "author": "x", "role": "admin", "isAdmin": True, "is_admin": True,
    "status": "approved", "balance": "1000000", "available": "1000000", "createdAt": "2020-01-01T00:00:00Z",
    "decidedBy": "x", "approvalId": "x", "fee": "0", "__proto__": {"role": "admin"}, "constructor": {},
}  # fmt: skip
"""What a client does not say, unless a route takes it."""

every_protected = pytest.mark.parametrize("row", PROTECTED, ids=lambda row: row.call)


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    with Running(tmp_path_factory.mktemp("routes") / "data") as running:
        yield Stage(running)


@pytest.fixture(scope="module")
def deleted(stage: Stage) -> list[dict[str, str]]:
    """The token and the key of somebody who was deleted."""
    person = stage.newcomer()
    found = [person.headers, stage.api_key(person, "read", "trade")]
    assert stage.admin.call("DELETE", f"/api/users/{person.user_id}").status_code == 204
    return found


class Demoted:
    """Somebody who was an admin: with the token of then, with a key of then, and with a new token."""

    def __init__(self, stage: Stage) -> None:
        person = stage.newcomer()
        self._set_role(stage, person, "admin")
        before = person.signed_in().headers
        self.key = stage.api_key(person, "read", "trade")
        assert person.call("GET", "/api/users").status_code == 200
        assert stage.running.http.get("/api/actions", headers=self.key).status_code == 200
        self._set_role(stage, person, "user")
        self.before = before
        self.now = person.signed_in().headers

    def _set_role(self, stage: Stage, person: Person, role: str) -> None:
        assert stage.admin.call("PUT", f"/api/users/{person.user_id}", {"role": role}).status_code == 200


@pytest.fixture(scope="module")
def reading(stage: Stage) -> dict[str, str]:
    """An API key of an admin, with scope read."""
    return stage.api_key(stage.admin, "read")


@pytest.fixture(scope="module")
def demoted(stage: Stage) -> Demoted:
    return Demoted(stage)


def value(stage: Stage, row: Row) -> str:
    """An id that is well-formed and of nothing: whoever may not call must not come as far as to look for it."""
    return stage.nothing(row.about) if row.about else ""


@every_protected
def test_a_deleted_user_is_nobody(stage: Stage, row: Row, deleted: list[dict[str, str]]) -> None:
    for headers in deleted:
        assert problem(ask(stage, row, headers, value(stage, row)), 401)["code"] == "unauthorized"


@every_protected
def test_the_token_of_an_admin_who_is_none_any_more_is_void(stage: Stage, row: Row, demoted: Demoted) -> None:
    assert problem(ask(stage, row, demoted.before, value(stage, row)), 401)["code"] == "unauthorized"


@pytest.mark.parametrize("row", OF_ADMINS, ids=lambda row: row.call)
def test_an_admin_who_is_none_any_more_may_not_do_what_admins_do(stage: Stage, row: Row, demoted: Demoted) -> None:
    for headers in (demoted.now, demoted.key):
        assert problem(ask(stage, row, headers, value(stage, row)), 403)["code"] == "forbidden"


@pytest.mark.parametrize("row", OF_ADMINS, ids=lambda row: row.call)
def test_a_key_of_an_admin_that_may_only_read_opens_nothing_of_admins(stage: Stage, row: Row, reading: Any) -> None:
    """Not even reads: everybody's data wants more than the scope of one's own."""
    assert problem(ask(stage, row, reading, value(stage, row)), 403)["code"] == "forbidden"


@every_protected
def test_no_header_says_who_calls(stage: Stage, row: Row) -> None:
    forged = FORGED | {"x-user-id": stage.admin.user_id}
    assert problem(ask(stage, row, forged, value(stage, row)), 401)["code"] == "unauthorized"
    # as another with the id of nothing: whatever it is without the headers
    plain = ask(stage, row, person_headers(stage, row, "other"), value(stage, row))
    tricked = ask(stage, row, person_headers(stage, row, "other") | forged, value(stage, row))
    assert plain.status_code == tricked.status_code


@every_protected
def test_two_credentials_are_none(stage: Stage, row: Row) -> None:
    method, path = row.call.split(" ")
    for placeholder in ("{id}", "{userId}", "{symbol}"):
        path = path.replace(placeholder, value(stage, row))
    token = stage.owner.headers["authorization"]
    twice = [("authorization", token), ("authorization", token)]
    assert stage.running.http.request(method, path, headers=twice, json={}).status_code == 401
    in_query = f"{path}?access_token={token[7:]}&authorization={token[7:]}"
    assert stage.running.http.request(method, in_query, json={}).status_code == 401
    cookie = {"cookie": f"authorization={token}; access_token={token[7:]}"}
    assert stage.running.http.request(method, path, headers=cookie, json={}).status_code == 401


def taken(route: Route) -> set[str]:
    """The fields that a route's body may have."""
    assert route.body is not None
    return {field.encode_name for field in msgspec.structs.fields(route.body)}


@pytest.mark.parametrize("row", WITH_BODY, ids=lambda row: row.call)
def test_a_body_says_nothing_that_it_is_not_asked(stage: Stage, row: Row) -> None:
    """Mass assignment: each field that is none of the route's is refused by its name, before anything is looked at."""
    who = "own" if row.own != 403 else "admin"
    headers = {} if row.anonymous < 300 else person_headers(stage, row, who)
    method, path = row.call.split(" ")
    for placeholder in ("{id}", "{userId}", "{symbol}"):
        path = path.replace(placeholder, value(stage, row))
    for name, wish in DECIDED.items():
        if name in taken(ROUTES[row.call]):
            continue
        body: dict[str, Any] = (stage.body(row.call) or {}) | {name: wish}
        answer = stage.running.http.request(method, path, json=body, headers=headers | keyed())
        assert fields(answer) == [name], name


def page_of(row: Row) -> set[str]:
    """The fields of what a route answers."""
    return {field.encode_name for field in msgspec.structs.fields(ROUTES[row.call].reply)}


@pytest.mark.parametrize("row", LISTS, ids=lambda row: row.call)
def test_a_list_tells_a_newcomer_nothing_of_others(stage: Stage, row: Row) -> None:
    """Nobody's ids, names or amounts; and no count of what others have, which a cursor could be."""
    stage.trade()
    newcomer = stage.newcomer()
    answer = ask(stage, row, newcomer.headers)
    for person in (stage.owner, stage.other, stage.admin):
        for secret in (person.user_id, person.wallet_id, f'"{person.name}"'):
            assert secret not in answer.text
    page = answer.json()
    if "data" in page:
        assert page["nextCursor"] is None
        assert {each.get("userId", newcomer.user_id) for each in page["data"]} <= {newcomer.user_id}
        # whatever stands in the list of somebody new belongs to them, and is theirs from the beginning
        assert len(page["data"]) <= 2


@pytest.mark.parametrize("row", [row for row in LISTS if "nextCursor" in page_of(row)], ids=lambda row: row.call)
def test_the_cursor_of_another_opens_nothing(stage: Stage, row: Row) -> None:
    path = row.call.split(" ")[1]
    stage.trade()
    cursor = stage.owner.get(f"{path}?limit=1")["nextCursor"]
    assert cursor is not None
    answer = stage.newcomer().call("GET", f"{path}?cursor={cursor}&limit=1000")
    assert answer.status_code == 200
    assert stage.owner.user_id not in answer.text
    assert stage.owner.wallet_id not in answer.text


# what every answer carries -----------------------------------------------------------------------------------------


def is_guarded(answer: httpx.Response) -> None:
    """No sniffing, no framing, no cache, no other origin, and not a word of what serves it."""
    headers = answer.headers
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["content-security-policy"] == "default-src 'self'; frame-ancestors 'none'"
    assert headers["cache-control"] == "no-store"
    assert headers["x-request-id"]
    assert not {"server", "x-powered-by", "via"}.intersection(headers)
    assert not [name for name in headers if name.startswith("access-control-")]
    assert "set-cookie" not in headers


@pytest.mark.parametrize("row", TABLE, ids=lambda row: row.call)
def test_every_answer_is_guarded(stage: Stage, row: Row) -> None:
    evil = {"origin": "https://evil.example.com"}
    is_guarded(ask(stage, row, evil, value(stage, row)))
    is_guarded(ask(stage, row, stage.newcomer().headers | evil, value(stage, row)))
    method, path = row.call.split(" ")
    is_guarded(stage.running.http.request("OPTIONS", path, headers=evil | {"access-control-request-method": method}))


def test_what_is_nowhere_is_guarded_too(stage: Stage) -> None:
    for path in ("/nowhere", "/internal/holds", "/api/orders/1/2/3"):
        answer = stage.running.http.get(path, headers={"origin": "null"})
        is_guarded(answer)
        problem(answer, 404)


def test_a_promoted_user_is_an_admin_from_the_next_sign_in_on(stage: Stage) -> None:
    person = stage.newcomer()
    assert stage.admin.call("PUT", f"/api/users/{person.user_id}", {"role": "admin"}).status_code == 200
    until(lambda: person.call("GET", "/api/users").status_code == 401, "the end of the token of a user")
    assert person.signed_in().call("GET", "/api/users").status_code == 200
