"""Who may do what: one row for every route, and what no property of a request can change about it."""

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import httpx
import pytest

from borsa.app import routes
from tests.api.stage import Stage, an_order, fields, keyed, new_market, problem, registration
from tests.support.running import PASSWORD, Person, Running, until


class Row(NamedTuple):
    """Expected statuses: nobody signed in, the owner of the object, another user with the owner's object, an admin
    with the owner's object, and the owner by an API key that may only read. `about` makes the object; `leaves`:
    the call ends or changes its caller, so each caller is somebody new."""

    call: str
    anonymous: int
    own: int
    other: int
    admin: int
    key: int
    about: Callable[[Stage], str] | None = None
    leaves: bool = False


def public(call: str, status: int = 200, about: Callable[[Stage], str] | None = None) -> Row:
    return Row(call, status, status, status, status, status, about)


def own_only(call: str, status: int = 200, key: int = 403) -> Row:
    """A call about the caller alone: there is nobody else's object to name."""
    return Row(call, 401, status, status, status, key)


def admins(call: str, status: int, about: Callable[[Stage], str] | None = None) -> Row:
    return Row(call, 401, 403, 403, status, 403, about)


def portfolios(path: str) -> list[Row]:
    return [
        own_only(f"GET {path}", key=200),
        admins(f"POST {path}", 201),
        Row(f"GET {path}/user/{{userId}}", 401, 200, 404, 200, 200, Stage.owner_id),
        Row(f"GET {path}/{{id}}", 401, 200, 404, 200, 200, Stage.portfolio),
        admins(f"PUT {path}/{{id}}", 200, Stage.portfolio),
        admins(f"DELETE {path}/{{id}}", 204, Stage.portfolio),
    ]


# fmt: off
TABLE = [
    public("POST /api/users/register", 201),
    public("POST /api/users", 201),
    public("POST /api/users/login"),
    public("POST /api/users/refresh_token"),
    public("POST /api/users/validate"),
    #   call                                     nobody  own  other admin key
    Row("POST /api/users/logout",                   401, 204, 204, 204, 403, leaves=True),
    Row("GET /api/users/profile",                   401, 200, 200, 200, 200),
    Row("PUT /api/users/profile",                   401, 200, 200, 200, 403, leaves=True),
    Row("DELETE /api/users/profile",                401, 204, 204, 409, 403, leaves=True),
    own_only("POST /api/users/api-keys", 201),
    own_only("GET /api/users/api-keys"),
    Row("DELETE /api/users/api-keys/{id}",          401, 204, 404, 404, 403, Stage.key_id),
    admins("GET /api/users", 200),
    admins("GET /api/users/{id}", 200, Stage.user),
    admins("PUT /api/users/{id}", 200, Stage.user),
    admins("DELETE /api/users/{id}", 204, Stage.user),
    public("GET /.well-known/jwks.json"),

    Row("POST /api/orders",                         401, 201, 201, 422, 403),  # the admin has no money
    own_only("POST /api/orders/batch"),
    own_only("GET /api/orders", key=200),
    own_only("DELETE /api/orders"),
    Row("GET /api/orders/{id}",                     401, 200, 404, 200, 200, Stage.order),
    Row("PUT /api/orders/{id}",                     401, 200, 404, 403, 403, Stage.order),
    Row("DELETE /api/orders/{id}",                  401, 200, 404, 200, 403, Stage.order),

    public("GET /api/markets"),
    admins("POST /api/markets", 201),
    public("GET /api/markets/{symbol}", about=Stage.symbol),
    admins("PUT /api/markets/{symbol}", 200, Stage.own_market),
    public("GET /api/markets/{symbol}/book", about=Stage.symbol),
    public("GET /api/markets/{symbol}/trades", about=Stage.symbol),
    public("GET /api/markets/{symbol}/ticker", about=Stage.symbol),
    public("GET /api/markets/{symbol}/candles", about=Stage.symbol),
    public("GET /api/tickers"),

    own_only("GET /api/trades", key=200),
    admins("POST /api/trades", 201),
    Row("GET /api/trades/{id}",                     401, 200, 404, 200, 200, Stage.traded_away),
    admins("PUT /api/trades/{id}", 200, Stage.trade),
    admins("DELETE /api/trades/{id}", 200, Stage.trade),

    own_only("POST /api/wallets", 201),
    own_only("GET /api/wallets", key=200),
    Row("GET /api/wallets/{id}",                    401, 200, 404, 200, 200, Stage.wallet),
    Row("GET /api/wallets/{id}/entries",            401, 200, 404, 200, 200, Stage.wallet),
    admins("PUT /api/wallets/{id}", 200, Stage.wallet),
    admins("GET /api/wallets/approvals", 200),
    admins("POST /api/wallets/approvals/{id}/approve", 200, Stage.approval),
    admins("POST /api/wallets/approvals/{id}/reject", 200, Stage.approval),
    Row("POST /api/wallets/{id}/faucet",            401, 200, 404, 404, 403, Stage.wallet),
    Row("DELETE /api/wallets/{id}",                 401, 204, 404, 204, 403, Stage.wallet),

    *portfolios("/api/portfolios"),
    *portfolios("/api/Portfolios"),

    own_only("GET /api/notifications", key=200),
    admins("POST /api/notifications", 201),
    own_only("GET /api/notifications/preferences", key=200),
    own_only("PUT /api/notifications/preferences"),
    Row("GET /api/notifications/{id}",              401, 200, 404, 200, 200, Stage.notification),
    Row("POST /api/notifications/{id}/read",        401, 200, 404, 403, 403, Stage.notification),

    public("GET /healthz"),
    public("GET /readyz"),
    public("GET /metrics"),
    public("GET /openapi.json"),
    public("GET /asyncapi.json"),
    public("GET /docs"),
    admins("GET /api/events", 200),
    admins("GET /api/actions", 200),
]
# fmt: on

OF_SOMEBODY = [row for row in TABLE if 404 in (row.other, row.admin)]
"""Rows whose object belongs to a user, so that others must not learn that it is there."""


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """An exchange of this file's own: what is tried out here moves prices."""
    with Running(tmp_path_factory.mktemp("authorization") / "data") as running:
        yield Stage(running)


def ask(stage: Stage, row: Row, headers: dict[str, str], value: str | None = None) -> httpx.Response:
    method, path = row.call.split(" ")
    for placeholder in ("{id}", "{userId}", "{symbol}"):
        path = path.replace(placeholder, value or "")
    query = "?source=orders" if path == "/api/events" else ""
    body = stage.body(row.call)
    return stage.running.http.request(
        method, path + query, json=body, headers=headers | keyed() | {"prefer": "wait=10"}
    )


def person_headers(stage: Stage, row: Row, who: str) -> dict[str, str]:
    if who == "anonymous":
        return {}
    if who == "key":
        return stage.key
    if who == "admin":
        return (stage.running.admin() if row.leaves else stage.admin).headers
    if row.leaves:
        return stage.newcomer().headers
    person: Person = getattr(stage, {"own": "owner"}.get(who, who))
    return person.headers


def test_every_route_has_a_row_and_every_row_a_route() -> None:
    assert sorted(row.call for row in TABLE) == sorted(route.name for route in routes())


@pytest.mark.parametrize("row", TABLE, ids=lambda row: row.call)
def test_each_caller_gets_what_the_table_says(stage: Stage, row: Row) -> None:
    answers = {}
    for who in ("anonymous", "key", "other", "admin", "own"):
        answer = ask(stage, row, person_headers(stage, row, who), row.about(stage) if row.about else None)
        answers[who] = answer.status_code
        if answer.status_code >= 400:
            problem(answer, answer.status_code)
    expected = {"anonymous": row.anonymous, "key": row.key, "other": row.other, "admin": row.admin, "own": row.own}
    assert answers == expected


@pytest.mark.parametrize("row", OF_SOMEBODY, ids=lambda row: row.call)
def test_what_belongs_to_somebody_else_looks_like_what_is_not_there(stage: Stage, row: Row) -> None:
    assert row.about is not None
    foreign = ask(stage, row, stage.other.headers, row.about(stage))
    missing = ask(stage, row, stage.other.headers, stage.nothing(row.about))
    assert foreign.status_code == missing.status_code == 404
    assert foreign.content == missing.content


@pytest.mark.parametrize("row", TABLE, ids=lambda row: row.call)
def test_method_override_headers_are_not_obeyed(stage: Stage, row: Row) -> None:
    method, path = row.call.split(" ")
    if method == "GET":
        return
    value = row.about(stage) if row.about else ""
    for placeholder in ("{id}", "{userId}", "{symbol}"):
        path = path.replace(placeholder, value)
    headers = stage.other.headers | {"x-http-method-override": method, "x-method-override": method}
    plain = stage.running.http.request("GET", path, headers=stage.other.headers)
    tricked = stage.running.http.request("GET", path, headers=headers)
    assert plain.status_code == tricked.status_code


# properties --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "value"),
    [("role", "admin"), ("is_admin", True), ("isAdmin", True), ("userId", "x"), ("id", "x"), ("balance", "1000"),
     ("email_verified", True), ("emailVerified", True), ("createdAt", "2020-01-01T00:00:00Z")],
)  # fmt: skip
def test_who_registers_sets_no_more_than_name_password_and_address(stage: Stage, name: str, value: Any) -> None:
    body = registration()
    answer = stage.running.http.post("/api/users/register", json=body | {name: value})
    assert fields(answer) == [name]
    # nobody was made by the way
    assert stage.running.http.post("/api/users/login", json=body).status_code == 401


def test_who_registers_is_a_user(stage: Stage) -> None:
    made = stage.running.http.post("/api/users/register", json=registration()).json()
    assert made["role"] == "user"
    assert stage.admin.get(f"/api/users/{made['userId']}")["role"] == "user"


def test_nobody_promotes_oneself(stage: Stage) -> None:
    answer = stage.other.call("PUT", "/api/users/profile", {"role": "admin"})
    assert fields(answer) == ["role"]
    assert stage.other.get("/api/users/profile")["role"] == "user"


@pytest.mark.parametrize(
    ("name", "value"),
    [("userId", "x"), ("user_id", "x"), ("status", "filled"), ("orderId", "1"), ("filledQuantity", "1"),
     ("createdAt", "2020-01-01T00:00:00Z"), ("version", 7), ("held", "0"), ("fee", "0"), ("block", True)],
)  # fmt: skip
def test_an_order_says_nothing_of_what_the_exchange_decides(stage: Stage, name: str, value: Any) -> None:
    before = stage.other.get("/api/orders")["data"]
    assert fields(stage.other.call("POST", "/api/orders", an_order() | {name: value})) == [name]
    assert stage.other.get("/api/orders")["data"] == before


def test_an_order_of_type_block_is_nothing_that_a_user_places(stage: Stage) -> None:
    assert fields(stage.other.call("POST", "/api/orders", an_order() | {"orderType": "block"})) == ["orderType"]


def test_an_order_spends_from_no_wallet_but_ones_own(stage: Stage) -> None:
    answer = stage.other.call("POST", "/api/orders", an_order() | {"walletId": stage.owner.wallet_id})
    assert problem(answer, 404)["code"] == "not_found"
    missing = stage.other.call("POST", "/api/orders", an_order() | {"walletId": stage.nothing(Stage.wallet)})
    assert answer.content == missing.content


@pytest.mark.parametrize(
    "path", ["/api/orders", "/api/trades", "/api/wallets", "/api/portfolios", "/api/notifications"]
)
def test_asking_for_the_list_of_somebody_else_gives_ones_own(stage: Stage, path: str) -> None:
    stage.order()
    stage.trade()
    query = f"?userId={stage.owner.user_id}&user_id={stage.owner.user_id}&owner={stage.owner.user_id}"
    asked = stage.other.get(path + query)["data"]
    mine = {each.get("userId", stage.other.user_id) for each in asked}
    assert mine <= {stage.other.user_id}
    assert stage.other.call("GET", f"{path}?limit=1000000000").status_code == 422


def test_asking_for_the_profile_of_somebody_else_gives_ones_own(stage: Stage) -> None:
    asked = f"/api/users/profile?id={stage.owner.user_id}&userId={stage.owner.user_id}"
    assert stage.other.get(asked)["userId"] == stage.other.user_id


def test_a_header_does_not_say_who_calls(stage: Stage) -> None:
    headers = {"x-user-id": stage.admin.user_id, "x-forwarded-user": "admin", "x-role": "admin"}
    answer = stage.other.call("GET", "/api/users/profile", headers=headers)
    assert answer.json()["userId"] == stage.other.user_id
    assert stage.running.http.get("/api/users/profile", headers=headers).status_code == 401


@pytest.mark.parametrize("name", ["balance", "available", "amount", "held", "userId", "walletId", "version"])
def test_an_adjustment_is_a_delta_and_no_absolute_balance(stage: Stage, name: str) -> None:
    before = stage.owner.wallet()
    body = {"asset": "USD", "delta": "+1", "reason": "a test", name: "1000000"}
    assert fields(stage.admin.call("PUT", f"/api/wallets/{stage.owner.wallet_id}", body, keyed())) == [name]
    absolute = {"asset": "USD", "balance": "1000000", "reason": "a test"}
    answer = stage.admin.call("PUT", f"/api/wallets/{stage.owner.wallet_id}", absolute, keyed())
    assert fields(answer)[0] in ("balance", "delta")
    assert stage.owner.wallet() == before


@pytest.mark.parametrize("name", ["balance", "available", "userId", "walletId", "isDefault"])
def test_a_new_wallet_is_empty_and_ones_own(stage: Stage, name: str) -> None:
    assert fields(stage.owner.call("POST", "/api/wallets", {"name": "mine", name: "1000"})) == [name]


def test_a_portfolios_quantity_is_no_ones_to_set(stage: Stage) -> None:
    answer = stage.admin.call("PUT", f"/api/portfolios/{stage.portfolio()}", {"name": "more", "quantity": "5"})
    assert fields(answer) == ["quantity"]


def test_a_trade_is_a_fact_even_to_an_admin(stage: Stage) -> None:
    trade = stage.trade()
    before = stage.admin.get(f"/api/trades/{trade}")
    for name in ("quantity", "price", "buyerId", "sellerId"):
        answer = stage.admin.call("PUT", f"/api/trades/{trade}", {"note": "less", name: "1"})
        assert problem(answer, 409)["code"] == "immutable_trade"
    assert stage.admin.get(f"/api/trades/{trade}") == before


# who sees what -----------------------------------------------------------------------------------------------------


def test_the_parties_of_a_trade_never_learn_who_the_other_is(stage: Stage) -> None:
    trade = stage.trade()
    seen = [
        stage.owner.call("GET", f"/api/trades/{trade}"),
        stage.owner.call("GET", "/api/trades?limit=1000"),
        stage.owner.call("GET", "/api/orders?limit=1000"),
        stage.owner.call("GET", "/api/notifications?limit=1000"),
        stage.owner.call("GET", f"/api/wallets/{stage.owner.wallet_id}/entries?limit=1000"),
        stage.owner.call("GET", "/api/portfolios"),
    ]
    for answer in seen:
        assert answer.status_code == 200
        assert stage.other.user_id not in answer.text
        assert stage.other.wallet_id not in answer.text
        assert stage.other.name not in answer.text
    assert stage.other.user_id in stage.admin.call("GET", f"/api/trades/{trade}").text


def test_the_public_tape_and_book_name_no_users_and_no_orders(stage: Stage) -> None:
    stage.trade()
    order = stage.order()
    tape = stage.running.http.get("/api/markets/BTC-USD/trades?limit=1000")
    assert tape.json()["data"]
    for each in tape.json()["data"]:
        assert set(each) == {"tradeId", "quantity", "price", "takerSide", "status", "executedAt"}
    book = stage.running.http.get("/api/markets/BTC-USD/book?depth=1000")
    assert set(book.json()) == {"sequence", "bids", "asks"}
    assert all(len(level) == 2 for side in ("bids", "asks") for level in book.json()[side])
    for answer in (tape, book):
        for secret in (stage.owner.user_id, stage.other.user_id, f'"{order}"'):
            assert secret not in answer.text


# the path ----------------------------------------------------------------------------------------------------------

TRICKS = [
    "/api/orders/..%2f",
    "/api/orders/..%2fusers",
    "/api/orders/%2e%2e%2fusers",
    "/api/orders/%00",
    "/api/wallets/%00",
    "/api/wallets/{wallet}%00",
    "/api/wallets/{wallet}/",
    "/api/wallets//{wallet}",
    "//api/wallets/{wallet}",
    "/api//wallets/{wallet}",
    "/api/wallets/{wallet};admin=1",
    "/api/wallets/{wallet}%0d%0aset-cookie:%20a=b",
    "/API/WALLETS/{wallet}",
    "/api/wallets/%f0%28%8c%28",
    "/api/wallets/{wallet}%20",
    "/api/users/profile/",
    "/api/portfolios/%00",
    "/api/portfolios/user/%00",
    "/api/portfolios/user/{owner}/",
    "/api/notifications/%00",
    "/api/notifications/' OR 1=1--",
    "/api/trades/1%20OR%201=1",
    "/api/trades/-1",
    "/api/trades/%D9%A1",
    "/api/orders/99999999999999999999999",
    "/api/orders/1e3",
    "/api/orders/+1",
    "/internal/holds",
    "/api/internal/holds",
    "/debug",
]


@pytest.mark.parametrize("trick", TRICKS)
def test_path_tricks_find_nothing(stage: Stage, trick: str) -> None:
    path = trick.format(wallet=stage.owner.wallet_id, owner=stage.owner.user_id)
    for headers in (stage.other.headers, stage.admin.headers):
        for method in ("GET", "DELETE"):
            answer = stage.running.http.request(method, path, headers=headers)
            refused = (404, 405) if method == "GET" else (400, 403, 404, 405)
            assert answer.status_code in refused, answer.text
            problem(answer, answer.status_code)
            assert stage.owner.user_id not in answer.text


def test_an_escaped_slash_goes_round_no_guard(stage: Stage) -> None:
    for path in (f"/api/wallets/{stage.owner.wallet_id}%2fentries", f"/api%2fwallets%2f{stage.owner.wallet_id}"):
        assert stage.running.http.get(path).status_code == 401
        problem(stage.other.call("GET", path), 404)


def test_head_is_a_get_without_a_body_and_options_is_refused(stage: Stage) -> None:
    for row in TABLE:
        method, path = row.call.split(" ")
        value = row.about(stage) if row.about and method == "GET" else "1"
        for placeholder in ("{id}", "{userId}", "{symbol}"):
            path = path.replace(placeholder, value)
        assert problem(stage.running.http.request("OPTIONS", path), 405)["code"] == "method_not_allowed"
        assert stage.running.http.request("TRACE", path).status_code == 405
        if method == "GET":
            query = "?source=orders" if path == "/api/events" else ""
            anonymous = stage.running.http.head(path + query)
            other = stage.running.http.head(path + query, headers=stage.other.headers)
            assert (anonymous.status_code, other.status_code) == (row.anonymous, row.other), row.call
            assert anonymous.content == other.content == b""


def test_counts_of_others_do_not_leak_through_lists(stage: Stage) -> None:
    newcomer = stage.newcomer()
    stage.trade()
    for path in ("/api/orders", "/api/trades"):
        assert newcomer.get(path) == {"data": [], "nextCursor": None}


# roles and keys that change ----------------------------------------------------------------------------------------


def test_a_demoted_admin_is_no_admin_at_the_next_request(stage: Stage) -> None:
    person = stage.newcomer()
    stage.admin.call("PUT", f"/api/users/{person.user_id}", {"role": "admin"})
    person.signed_in()
    assert person.call("GET", "/api/users").status_code == 200
    assert stage.admin.call("PUT", f"/api/users/{person.user_id}", {"role": "user"}).status_code == 200
    until(lambda: person.call("GET", "/api/users").status_code in (401, 403), "the demotion")


def test_a_deleted_user_is_nobody_at_the_next_request(stage: Stage) -> None:
    person = stage.newcomer()
    key = stage.api_key(person, "read", "trade")
    assert stage.admin.call("DELETE", f"/api/users/{person.user_id}").status_code == 204
    until(lambda: person.call("GET", "/api/wallets").status_code == 401, "the end of the token")
    until(lambda: stage.running.http.get("/api/wallets", headers=key).status_code == 401, "the end of the key")


def test_an_api_key_of_an_admin_is_bound_by_its_scopes(stage: Stage) -> None:
    reading = stage.api_key(stage.admin, "read")
    answer = stage.running.http.post("/api/markets", json=new_market(), headers=reading)
    assert problem(answer, 403)["code"] == "forbidden"
    trading = stage.api_key(stage.admin, "read", "trade")
    assert stage.running.http.get("/api/users", headers=trading).status_code == 403


def test_an_api_key_with_scope_trade_alone_reads_nothing(stage: Stage) -> None:
    key = stage.api_key(stage.owner, "trade")
    assert stage.running.http.post("/api/orders", json=an_order(), headers=key).status_code == 201
    assert stage.running.http.get("/api/orders", headers=key).status_code == 403


def test_everybody_signs_in_with_a_password_of_their_own(stage: Stage) -> None:
    answer = stage.running.http.post("/api/users/login", json={"userName": "admin", "password": PASSWORD})
    assert problem(answer, 401)["code"] == "invalid_credentials"
