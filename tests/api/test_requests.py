"""Requests of every shape: what the door takes, what it refuses and how, and what it repeats."""

import json
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest

from borsa.app import routes
from tests.api.stage import Stage, an_order, fields, keyed, problem, registration
from tests.support.running import Person, Running, until

JSON = {"content-type": "application/json"}


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """An exchange of this file's own: what is tried out here moves prices."""
    with Running(tmp_path_factory.mktemp("requests") / "data") as running:
        yield Stage(running)


def post(stage: Stage, content: bytes, **headers: str) -> httpx.Response:
    """Bytes to POST /api/orders, as the owner."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return stage.running.http.post("/api/orders", content=content, headers=stage.owner.headers | JSON | named)


# the body ----------------------------------------------------------------------------------------------------------


def padded(size: int) -> bytes:
    """An order of exactly so many bytes."""
    order = json.dumps(an_order()).encode()
    return order + b" " * (size - len(order))


def test_a_body_of_64_kib_is_read_and_one_byte_more_is_not(stage: Stage) -> None:
    assert post(stage, padded(64 * 1024)).status_code == 201
    assert problem(post(stage, padded(64 * 1024 + 1)), 413)["code"] == "body_too_large"


def test_a_chunked_body_is_counted_as_it_comes(stage: Stage) -> None:
    def chunks(size: int) -> Iterator[bytes]:
        body = padded(size)
        for at in range(0, size, 8192):
            yield body[at : at + 8192]

    headers = stage.owner.headers | JSON
    assert stage.running.http.post("/api/orders", content=chunks(64 * 1024), headers=headers).status_code == 201
    answer = stage.running.http.post("/api/orders", content=chunks(64 * 1024 + 1), headers=headers)
    assert problem(answer, 413)["code"] == "body_too_large"


def test_a_batch_may_be_larger_but_not_without_end(stage: Stage) -> None:
    body = json.dumps({"orders": [an_order()]}).encode()
    headers = stage.owner.headers | JSON
    fine = stage.running.http.post("/api/orders/batch", content=body + b" " * 500_000, headers=headers)
    assert fine.status_code == 200
    answer = stage.running.http.post("/api/orders/batch", content=body + b" " * 1024 * 1024, headers=headers)
    assert problem(answer, 413)["code"] == "body_too_large"


def test_a_batch_has_500_orders_at_most_and_one_at_least(stage: Stage) -> None:
    for count in (0, 501):
        answer = stage.owner.call("POST", "/api/orders/batch", {"orders": [{"symbol": "BTC"}] * count})
        assert fields(answer) == ["orders"]


def test_each_order_of_a_batch_is_judged_for_itself(stage: Stage) -> None:
    batch = [
        an_order(),
        an_order() | {"price": "0.001"},
        {"symbol": "NO-SUCH", "type": "buy", "quantity": "1", "price": "1"},
    ]
    results = stage.owner.post("/api/orders/batch", {"orders": [*batch, an_order()]}, 200)["results"]
    assert [each.get("code", each.get("status")) for each in results] == [
        "pending",
        "off_tick",
        "unknown_symbol",
        "pending",
    ]
    assert results[1]["errors"][0]["field"] == "price"


@pytest.mark.parametrize(
    "kind",
    ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "application/xml",
     "application/jsonp", "application/json-patch+json", "application/json5", "application/problem+json", "*/*", ""],
)  # fmt: skip
def test_a_body_that_says_it_is_something_else_than_json_is_refused(stage: Stage, kind: str) -> None:
    assert problem(post(stage, padded(200), content_type=kind), 415)["code"] == "unsupported_media_type"


@pytest.mark.parametrize(
    "kind",
    ["application/json", "application/json; charset=utf-8", "Application/JSON", "application/json;charset=UTF-8"],
)
def test_json_is_json_in_any_case_and_with_its_parameters(stage: Stage, kind: str) -> None:
    assert post(stage, padded(200), content_type=kind).status_code == 201


@pytest.mark.parametrize("coding", ["gzip", "deflate", "br"])
def test_a_packed_body_is_refused_and_not_unpacked(stage: Stage, coding: str) -> None:
    answer = post(stage, b"\x1f\x8b" + b"\x00" * 100, content_encoding=coding)
    assert problem(answer, 415)["code"] == "unsupported_media_type"


@pytest.mark.parametrize(
    "body",
    [b"", b"{", b"}", b'{"symbol": "BTC-USD"', b"{'symbol': 'BTC-USD'}", b'{"symbol": "BTC",}', b'{"symbol" 1}',
     b'{"price": NaN}', b'{"symbol": "\xff\xfe"}', b'{"symbol": "\xed\xa0\x80"}', b'{"symbol": "\\ud800"}',
     b'{"symbol": "\\x"}', b'{"symbol": "a\nb"}', b"\xef\xbb\xbf{}", b'\x00{"a": 1}', b"{" * 10_000],
)  # fmt: skip
def test_what_is_no_json_is_refused_as_that(stage: Stage, body: bytes) -> None:
    assert problem(post(stage, body), 400)["code"] == "malformed_json"


@pytest.mark.parametrize("field", ["price", "nothing", "symbol", "quantity"])
def test_a_body_that_is_nested_very_deep_is_refused(stage: Stage, field: str) -> None:
    for opening, closing, depth in (("[", "]", 32_000), ('{"a":', "}", 10_000)):
        deep = opening * depth + "1" + closing * depth
        body = json.dumps(an_order())[:-1] + f', "{field}x": {deep}}}'
        assert post(stage, body.encode()).status_code in (400, 422)
        body = json.dumps({name: value for name, value in an_order().items() if name != field})[:-1]
        assert post(stage, f'{body}, "{field}": {deep}}}'.encode()).status_code in (400, 422)


@pytest.mark.parametrize("body", [b"null", b"[]", b'"text"', b"1", b"true", b"[[]]"])
def test_a_body_that_is_no_object_is_refused(stage: Stage, body: bytes) -> None:
    assert fields(post(stage, body)) == ["body"]


def test_of_a_field_that_is_there_twice_the_last_counts_and_the_answer_shows_it(stage: Stage) -> None:
    body = b'{"symbol":"BTC-USD","type":"buy","quantity":"5","price":"45000","quantity":"0.001"}'
    answer = post(stage, body)
    assert (answer.status_code, answer.json()["quantity"]) == (201, "0.001")


def test_a_field_that_is_not_known_is_refused_by_name_in_every_body(stage: Stage) -> None:
    for route in routes():
        if route.body is None:
            continue
        body = (stage.body(route.name) or {}) | {"surprise": 1}
        path = route.path.replace("{id}", "1").replace("{symbol}", "BTC-USD")
        answer = stage.admin.call(route.method, path, body, keyed())
        if route.name == "PUT /api/orders/{id}":
            problem(answer, 422)
        assert fields(answer) == ["surprise"], route.name
        assert "surprise" in answer.json()["errors"][0]["message"]


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"symbol": 5}, "symbol"),
        ({"symbol": ""}, "symbol"),
        ({"symbol": "X" * 10_000}, "symbol"),
        ({"type": "BUY"}, "type"),
        ({"type": None}, "type"),
        ({"orderType": "iceberg"}, "orderType"),
        ({"timeInForce": "day"}, "timeInForce"),
        ({"postOnly": "yes"}, "postOnly"),
        ({"postOnly": 1}, "postOnly"),
        ({"clientOrderId": "ä"}, "clientOrderId"),
        ({"clientOrderId": "x" * 37}, "clientOrderId"),
        ({"clientOrderId": ""}, "clientOrderId"),
        ({"clientOrderId": "a\n"}, "clientOrderId"),
        ({"walletId": ""}, "walletId"),
        ({"walletId": 7}, "walletId"),
        ({"selfTradePrevention": "all"}, "selfTradePrevention"),
        ({"side": "sell"}, "side"),
        ({"product": "ETH"}, "product"),
        ({"stopPrice": "1"}, "stopPrice"),
        ({"quoteQuantity": "1"}, "quoteQuantity"),
        ({"orderType": "market"}, "price"),
        ({"postOnly": True, "timeInForce": "ioc"}, "postOnly"),
    ],
)
def test_a_wrong_value_is_refused_by_the_name_of_its_field(stage: Stage, change: dict[str, Any], field: str) -> None:
    assert fields(stage.owner.call("POST", "/api/orders", an_order() | change)) == [field]


# the query ---------------------------------------------------------------------------------------------------------

LISTS = [route.path for route in routes() if route.query is not None and "cursor" in route.query.__struct_fields__]


def filled(path: str, stage: Stage) -> str:
    """A list's path with things of the owner's in it."""
    if "portfolios" in path.lower():
        return path.replace("{userId}", stage.owner.user_id)
    return path.replace("{id}", stage.owner.wallet_id).replace("{symbol}", "BTC-USD")


@pytest.mark.parametrize("path", LISTS)
def test_a_limit_outside_1_to_1000_is_refused_and_not_clamped(stage: Stage, path: str) -> None:
    caller = stage.admin
    for limit in ("0", "1001", "-1", "abc", "1.5", "", "10000000000000000000000", "%31%30%20", "０", "1_0", "null"):  # noqa: RUF001
        assert fields(caller.call("GET", f"{filled(path, stage)}?limit={limit}")) == ["limit"], limit
    for limit in (1, 1000):
        assert caller.call("GET", f"{filled(path, stage)}?limit={limit}").status_code == 200


@pytest.mark.parametrize("path", LISTS)
def test_a_cursor_that_no_list_gave_is_refused(stage: Stage, path: str) -> None:
    cursors = [
        "abc",
        "!!!",
        "W10",
        "WzFd",
        "WyJhIl0",
        "W251bGxd",
        "WzEuNV0",
        "WzEsMl0",
        "e30",
        "AAAA",
        "%00",
        "=",
        "a" * 600,
        "",
    ]
    given = {each: stage.admin.call("GET", f"{filled(path, stage)}?cursor={each}") for each in cursors}
    # a cursor of the right type is a place in the list, wherever it is from
    allowed = {"WzFd", "WyJhIl0"}
    for cursor, answer in given.items():
        if not (cursor in allowed and answer.status_code == 200):
            assert fields(answer) == ["cursor"], cursor


def test_events_are_asked_for_with_a_source_and_a_place(stage: Stage) -> None:
    for query, field in (
        ("", "source"),
        ("?source=nobody", "source"),
        ("?source=", "source"),
        ("?source=orders&after=-1", "after"),
        ("?source=orders&after=x", "after"),
        ("?source=orders&limit=0", "limit"),
    ):
        assert fields(stage.admin.call("GET", f"/api/events{query}")) == [field]


@pytest.mark.parametrize("depth", ["0", "1001", "x", ""])
def test_a_depth_is_bounded(stage: Stage, depth: str) -> None:
    assert fields(stage.running.http.get(f"/api/markets/BTC-USD/book?depth={depth}")) == ["depth"]


@pytest.mark.parametrize("query", ["?status=nothing", "?clientOrderId=a%20b", "?symbol=", "?symbol=" + "X" * 100])
def test_a_filter_that_makes_no_sense_is_refused(stage: Stage, query: str) -> None:
    assert fields(stage.owner.call("GET", "/api/orders" + query)) == [query[1:].partition("=")[0]]


def test_a_query_of_a_million_parameters_is_refused(stage: Stage) -> None:
    answer = stage.owner.call("GET", "/api/orders?" + "a=1&" * 10_000)
    assert answer.status_code in (400, 414, 431)


def test_brackets_in_a_query_are_no_list(stage: Stage) -> None:
    assert stage.owner.call("GET", "/api/orders?symbol[]=BTC-USD&symbol[$ne]=1").status_code == 200


# the address and the headers ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["/api", "/api/nothing", "/api/orders/1/2/3", "/openapi.yaml", "/healthz/"])
def test_an_unknown_address_is_a_404_with_a_problem(stage: Stage, path: str) -> None:
    assert problem(stage.running.http.get(path), 404)["code"] == "not_found"


def test_a_wrong_method_is_a_405_that_names_the_right_ones(stage: Stage) -> None:
    allowed: dict[str, set[str]] = {}
    for route in routes():
        allowed.setdefault(route.path, set()).add(route.method)
    for path, methods in allowed.items():
        for method in {"GET", "POST", "PUT", "DELETE", "PATCH"} - methods:
            answer = stage.running.http.request(method, path.replace("{", "").replace("}", ""))
            assert problem(answer, 405)["code"] == "method_not_allowed"
            named = set(answer.headers["allow"].split(", "))
            assert named == methods | ({"HEAD"} if "GET" in methods else set())


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [("GET", "/healthz", 200), ("GET", "/nothing", 404), ("PATCH", "/healthz", 405), ("GET", "/api/orders", 401)],
)
def test_a_request_id_is_echoed_whatever_the_answer(stage: Stage, method: str, path: str, status: int) -> None:
    answer = stage.running.http.request(method, path, headers={"x-request-id": "my-request.1"})
    assert (answer.status_code, answer.headers["x-request-id"]) == (status, "my-request.1")
    made = stage.running.http.request(method, path).headers["x-request-id"]
    assert len(made) == 36


@pytest.mark.parametrize("given", ["", "a" * 65, "a b", "ä", "a\tb", "<script>"])
def test_a_request_id_that_could_do_harm_in_a_log_is_replaced(stage: Stage, given: str) -> None:
    answer = stage.running.http.get("/healthz", headers={"x-request-id": given.encode("latin-1")})  # type: ignore[dict-item]
    assert answer.headers["x-request-id"] != given
    assert len(answer.headers["x-request-id"]) == 36


def test_every_answer_forbids_sniffing_and_storing(stage: Stage) -> None:
    for path in ("/healthz", "/api/orders", "/nothing", "/docs"):
        headers = stage.running.http.get(path).headers
        assert (headers["x-content-type-options"], headers["cache-control"]) == ("nosniff", "no-store")
        assert "access-control-allow-origin" not in headers
        assert "server" not in headers


def test_a_401_says_how_to_do_better(stage: Stage) -> None:
    answer = stage.running.http.get("/api/orders")
    assert answer.headers["www-authenticate"] == "Bearer"


@pytest.mark.parametrize(
    "authorization",
    ["", "Bearer", "Basic YTpi", "bearer  x", "Bearer a.b.c", "Token x", "Bearer borsa_", "Bearer borsa_x_y",
     "Bearer borsa_" + "x" * 36 + "_", "Bearer borsa_" + "ä" * 40 + "_ä"],
)  # fmt: skip
def test_every_wrong_credential_gets_the_same_answer(stage: Stage, authorization: str) -> None:
    plain = stage.running.http.get("/api/orders")
    given: Any = {"authorization": authorization.encode("utf-8")}
    answer = stage.running.http.get("/api/orders", headers=given)
    assert (answer.status_code, answer.content) == (401, plain.content)


def test_a_huge_authorization_header_is_a_431(stage: Stage) -> None:
    answer = stage.running.http.get("/api/orders", headers={"authorization": "Bearer " + "x" * 9_000})
    assert problem(answer, 431)["code"] == "headers_too_large"


# what an answer is traced by ---------------------------------------------------------------------------------------


def events(admin: Person, source: str) -> list[dict[str, Any]]:
    """All events of a service, page by page."""
    found: list[dict[str, Any]] = []
    after = 0
    while True:
        page = admin.get(f"/api/events?source={source}&after={after}&limit=1000")
        found += page["data"]
        if page["nextAfter"] is None:
            return found
        after = page["nextAfter"]


def caused(stage: Stage, request_id: str) -> dict[str, dict[str, Any]]:
    """All events that a request caused, by their id."""
    sources = ("users", "orders", "trades", "wallets", "portfolios")
    return {
        each["id"]: each
        for source in sources
        for each in events(stage.admin, source)
        if each["correlationid"] == request_id
    }


def test_a_request_id_travels_through_the_events_of_all_services(stage: Stage) -> None:
    stage.other.order("sell", "0.002", "50000")
    request_id = f"trace-{uuid.uuid4()}"
    headers = {"prefer": "wait=10", "x-request-id": request_id}
    order = stage.owner.post("/api/orders", an_order() | {"price": "50000", "quantity": "0.002"}, 201, headers)
    assert order["status"] == "filled"

    def told() -> set[str]:
        return {each["type"] for each in caused(stage, request_id).values()}

    everything = {"OrderCreated", "TradeExecuted", "OrderClosed", "OrderUpdated", "WalletUpdated", "PortfolioUpdated"}
    until(lambda: everything <= told(), "the events")
    found = caused(stage, request_id)
    first = [each for each in found.values() if each["causationid"] is None]
    assert {each["type"] for each in first} == {"OrderCreated", "WalletUpdated"}  # the order, and its hold
    for each in found.values():
        cause = each["causationid"]
        assert cause is None or cause in found, each
    trade = next(each for each in found.values() if each["type"] == "TradeExecuted")
    created = next(each for each in found.values() if each["type"] == "OrderCreated")
    assert trade["causationid"] == created["id"]
    assert {each["type"] for each in found.values() if each["causationid"] == trade["id"]} >= {
        "WalletUpdated",
        "OrderUpdated",
    }


def test_a_sign_up_is_traced_from_the_user_to_the_portfolio(stage: Stage) -> None:
    request_id = f"trace-{uuid.uuid4()}"
    stage.running.http.post("/api/users", json=registration(), headers={"x-request-id": request_id})
    until(lambda: len(caused(stage, request_id)) >= 2, "the events")
    user, portfolio = sorted(caused(stage, request_id).values(), key=lambda each: each["source"], reverse=True)
    assert (user["type"], user["causationid"]) == ("UserCreated", None)
    assert (portfolio["type"], portfolio["causationid"]) == ("PortfolioUpdated", user["id"])


def test_events_are_dense_from_one_and_after_is_exclusive(stage: Stage) -> None:
    stage.order()
    for source in ("users", "orders", "trades", "wallets", "portfolios"):
        found = events(stage.admin, source)
        assert [each["sequence"] for each in found] == list(range(1, len(found) + 1))
        assert [each["id"] for each in found] == [f"{source}/{each['sequence']}" for each in found]
    (second,) = stage.admin.get("/api/events?source=borsa/orders&after=1&limit=1")["data"]
    assert (second["sequence"], second["source"]) == (2, "borsa/orders")


# the same request again --------------------------------------------------------------------------------------------

SECRETS_ARE_NOT_KEPT = {
    "POST /api/users/login": "tokens are not kept to be repeated",
    "POST /api/users/refresh_token": "has a rule of its own for repeats",
    "POST /api/users/validate": "changes nothing",
    "POST /api/users/api-keys": "a secret is shown once",
    "POST /api/users/logout": "ends the session that could repeat it",
}
"""Calls whose answers are not kept under a key, and why."""

REPEATABLE = [
    route.name
    for route in routes()
    if route.method in ("POST", "PUT")
    and route.name not in SECRETS_ARE_NOT_KEPT
    and "/api/Portfolios" not in route.path
]

ABOUT: dict[str, Callable[[Stage], str]] = {
    "PUT /api/users/{id}": Stage.user,
    "PUT /api/orders/{id}": Stage.order,
    "PUT /api/markets/{symbol}": Stage.own_market,
    "PUT /api/trades/{id}": Stage.trade,
    "PUT /api/wallets/{id}": Stage.wallet,
    "POST /api/wallets/{id}/faucet": Stage.wallet,
    "POST /api/wallets/approvals/{id}/approve": Stage.approval,
    "POST /api/wallets/approvals/{id}/reject": Stage.approval,
    "PUT /api/portfolios/{id}": Stage.portfolio,
    "POST /api/notifications/{id}/read": Stage.notification,
}


OTHERWISE: list[tuple[str, Any]] = [
    ("note", "seen again"),
    ("name", "another name"),
    ("title", "another title"),
    ("email", "else@example.org"),
    ("amount", "2"),
    ("delta", "+2"),
    ("quantity", "0.0008"),
    ("kinds", []),
    ("userName", "somebody-else"),
    ("orders", [an_order()]),
    ("reason", "another reason"),
]
"""Fields of bodies, with values that the stage's bodies don't have."""


def changed(body: Any) -> Any:
    """Another body that the same call takes."""
    name, value = next((each for each in OTHERWISE if each[0] in body), ("takerFee", "0.1"))
    return {**body, name: value}


@pytest.mark.parametrize("call", REPEATABLE)
def test_a_key_makes_a_call_repeatable(stage: Stage, call: str) -> None:
    method, path = call.split(" ")
    about = ABOUT.get(call)
    value = about(stage) if about else ""
    path = path.replace("{id}", value).replace("{symbol}", value)
    owners = ("orders", "faucet", "/read")
    caller = stage.owner if any(each in path for each in owners) else stage.admin
    public = call in ("POST /api/users", "POST /api/users/register")
    body = stage.body(call)
    headers = keyed() | ({} if public else caller.headers)

    def say(what: Any, **more: str) -> httpx.Response:
        return stage.running.http.request(method, path, json=what, headers=headers | more)

    first, again = say(body), say(body)
    assert first.status_code < 300, first.text
    assert (again.status_code, again.content) == (first.status_code, first.content)
    if body:
        assert problem(say(changed(body)), 422)["code"] == "idempotency_key_reused"
    else:
        say(None)
    assert say(body).content == first.content


def test_a_key_used_for_another_batch_places_none_of_its_orders(stage: Stage) -> None:
    person = stage.running.person(USD="1000")
    headers = keyed()
    broken = an_order() | {"price": "x"}
    first = person.call("POST", "/api/orders/batch", {"orders": [broken, an_order()]}, headers)
    longer = {"orders": [broken, an_order(), an_order()]}
    assert problem(person.call("POST", "/api/orders/batch", longer, headers), 422)["code"] == "idempotency_key_reused"
    assert len(person.get("/api/orders")["data"]) == 1
    again = person.call("POST", "/api/orders/batch", {"orders": [broken, an_order()]}, headers)
    assert again.content == first.content
    assert len(person.get("/api/orders")["data"]) == 1


def test_a_refusal_is_repeated_too(stage: Stage) -> None:
    headers = keyed()
    poor = stage.newcomer()
    first = poor.call("POST", "/api/orders", an_order(), headers)
    assert problem(first, 422)["code"] == "insufficient_funds"
    stage.admin.fund(poor, USD="1000")
    again = poor.call("POST", "/api/orders", an_order(), headers)
    assert (again.status_code, again.content) == (first.status_code, first.content)
    assert poor.call("POST", "/api/orders", an_order(), keyed()).status_code == 201


def test_the_same_key_of_somebody_else_is_another_key(stage: Stage) -> None:
    headers = keyed()
    first = stage.owner.post("/api/orders", an_order(), 201, headers)
    second = stage.other.post("/api/orders", an_order(), 201, headers)
    assert first["orderId"] != second["orderId"]
    assert first["userId"] != second["userId"]


def test_a_key_belongs_to_one_call(stage: Stage) -> None:
    headers = keyed()
    stage.owner.post("/api/wallets", {"name": "a"}, 201, headers)
    wallet = stage.wallet()
    answer = stage.owner.call("POST", f"/api/wallets/{wallet}/faucet", {"asset": "USD", "amount": "1"}, headers)
    assert problem(answer, 422)["code"] == "idempotency_key_reused"


@pytest.mark.parametrize("key", ["", "a b", "x" * 256, "ä"])
def test_a_key_is_1_to_255_visible_characters(stage: Stage, key: str) -> None:
    given: Any = {"idempotency-key": key.encode("latin-1")}
    assert fields(stage.owner.call("POST", "/api/orders", an_order(), given)) == ["Idempotency-Key"]


def test_an_adjustment_needs_a_key(stage: Stage) -> None:
    answer = stage.admin.call("PUT", f"/api/wallets/{stage.wallet()}", stage.body("PUT /api/wallets/{id}"))
    assert problem(answer, 422)["code"] == "idempotency_key_required"
    assert fields(answer) == ["Idempotency-Key"]


def test_a_key_used_200_times_at_once_has_one_effect(stage: Stage) -> None:
    wallet = stage.wallet()
    headers = stage.owner.headers | keyed()
    body = {"asset": "USD", "amount": "7"}

    def draw(_: int) -> httpx.Response:
        return stage.running.http.post(f"/api/wallets/{wallet}/faucet", json=body, headers=headers)

    with ThreadPoolExecutor(20) as pool:
        answers = list(pool.map(draw, range(200)))
    done = {answer.content for answer in answers if answer.status_code == 200}
    assert len(done) == 1
    assert {answer.status_code for answer in answers} <= {200, 409}
    assert stage.owner.get(f"/api/wallets/{wallet}")["balance"] == {"USD": "7.00"}
    assert len(stage.owner.get(f"/api/wallets/{wallet}/entries")["data"]) == 1


def test_after_a_restart_a_key_still_gives_the_first_answer(tmp_path: Path) -> None:
    keys = [keyed() for _ in range(6)]
    new = registration()

    def say(running: Running, ann: Person) -> list[tuple[int, bytes]]:
        admin = running.admin()
        calls = [
            running.http.post("/api/users", json=new, headers=keys[0]),
            admin.call(
                "PUT", f"/api/wallets/{ann.wallet_id}", {"asset": "USD", "delta": "+90", "reason": "a test"}, keys[1]
            ),
            ann.call("POST", "/api/orders", an_order(), keys[2]),
            ann.call("POST", "/api/orders", an_order(), keys[3]),
            ann.call("POST", "/api/orders", an_order(), keys[4]),
            admin.call(
                "POST", "/api/notifications", {"userId": ann.user_id, "title": "hello", "body": "there"}, keys[5]
            ),
        ]
        return [(answer.status_code, answer.content) for answer in calls]

    with Running(tmp_path / "data") as running:
        ann = running.person("ann")
        first = say(running, ann)
        assert [status for status, _ in first] == [201, 200, 201, 201, 422, 201]
    with Running(tmp_path / "data") as running:
        ann.running = running
        ann.signed_in()
        assert say(running, ann) == first
        assert len(ann.get("/api/orders")["data"]) == 2
        assert ann.wallet()["balance"] == {"USD": "90.00"}


# waiting for the verdict -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("prefer", ["wait=10", "respond-async, wait=10", "wait=5;x=y", "return=representation, wait=3"])
def test_prefer_wait_waits_for_the_verdict(stage: Stage, prefer: str) -> None:
    assert stage.owner.post("/api/orders", an_order(), 201, {"prefer": prefer})["status"] == "open"


@pytest.mark.parametrize("prefer", ["", "wait", "wait=", "wait=x", "wait=-1", "wait=0"])
def test_without_a_time_to_wait_an_order_is_answered_as_it_is_on_disk(stage: Stage, prefer: str) -> None:
    assert stage.owner.post("/api/orders", an_order(), 201, {"prefer": prefer})["status"] == "pending"


# lists -------------------------------------------------------------------------------------------------------------


def pages(person: Person, path: str, size: int) -> list[dict[str, Any]]:
    """A whole list, page by page."""
    found: list[dict[str, Any]] = []
    cursor = ""
    while True:
        mark = "&" if "?" in path else "?"
        page = person.get(f"{path}{mark}limit={size}{cursor}")
        assert len(page["data"]) <= size
        found += page["data"]
        if page["nextCursor"] is None:
            return found
        assert page["data"], "a page with a cursor and nothing on it"
        cursor = f"&cursor={page['nextCursor']}"
        assert len(found) < 10_000


def test_every_list_is_complete_and_without_doubles_page_by_page(stage: Stage) -> None:
    person = stage.running.person(USD="1000000", BTC="100")
    for _ in range(7):
        stage.other.order("sell", "0.001", "50000")
        person.order("buy", "0.001", "50000")
        person.post("/api/wallets", {"name": "further"})
        person.post("/api/users/api-keys", {"label": "one", "scopes": ["read"]})
    for at in range(6):
        stage.admin.post("/api/portfolios", {"userId": person.user_id, "name": f"portfolio {at}"})
    until(lambda: len(person.get("/api/notifications?limit=1000")["data"]) >= 30, "the notifications")
    lists = {
        "/api/orders": "orderId",
        "/api/orders?symbol=BTC&status=filled": "orderId",
        "/api/trades": "tradeId",
        "/api/trades?symbol=BTC-USD": "tradeId",
        "/api/wallets": "walletId",
        f"/api/wallets/{person.wallet_id}/entries": "entryId",
        "/api/portfolios": "portfolioId",
        f"/api/portfolios/user/{person.user_id}": "portfolioId",
        "/api/notifications": "notificationId",
        "/api/users/api-keys": "keyId",
    }
    for path, name in lists.items():
        mark = "&" if "?" in path else "?"
        whole = [each[name] for each in person.get(f"{path}{mark}limit=1000")["data"]]
        assert len(whole) == len(set(whole)) >= 7, path
        for size in (1, 3, 7, len(whole), len(whole) + 1):
            assert [each[name] for each in pages(person, path, size)] == whole, (path, size)
        if name in ("orderId", "tradeId", "entryId"):
            assert whole == sorted(whole, key=int, reverse=True), path
        elif name in ("notificationId", "keyId"):
            assert whole == sorted(whole, reverse=True), path
        else:
            assert whole[1:] == sorted(whole[1:], reverse=True), path  # the default one stands first


def test_the_lists_of_admins_and_of_everybody_are_complete_too(stage: Stage) -> None:
    for path, name in (
        ("/api/users", "userId"),
        ("/api/orders", "orderId"),
        ("/api/wallets", "walletId"),
        ("/api/trades", "tradeId"),
    ):
        whole = [each[name] for each in stage.admin.get(f"{path}?limit=1000")["data"]]
        assert [each[name] for each in pages(stage.admin, path, 11)][: len(whole)] == whole
        assert len(whole) == len(set(whole))
    tape = [each["tradeId"] for each in stage.admin.get("/api/markets/BTC-USD/trades?limit=1000")["data"]]
    assert [each["tradeId"] for each in pages(stage.admin, "/api/markets/BTC-USD/trades", 4)] == tape


def test_a_list_that_grows_while_it_is_read_gives_nothing_twice(stage: Stage) -> None:
    person = stage.running.person(USD="10000")
    before = [person.order("buy", "0.001", "45000")["orderId"] for _ in range(6)]
    first = person.get("/api/orders?limit=3")
    person.order("buy", "0.001", "45000")
    second = person.get(f"/api/orders?limit=3&cursor={first['nextCursor']}")
    assert [each["orderId"] for each in first["data"] + second["data"]] == before[::-1]
