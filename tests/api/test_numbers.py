"""Numbers from outside: one strict grammar, taken by their literal text, refused by their field, never rounded."""

import re
from collections.abc import Callable, Iterator
from decimal import Decimal, localcontext
from typing import NamedTuple

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.api.stage import Stage, keyed, new_market, problem
from tests.support.running import Running

ASCII_NUMBER = re.compile(r"(0|[1-9][0-9]{0,17})(\.[0-9]{1,18})?", re.ASCII)


class Field(NamedTuple):
    """A number that clients send: in which call and body. `%s` in the body is its place; `finest`: one unit too
    precise; `optional`: null and absence are the same; `signed`: may have a sign; `zero`: may be zero."""

    call: str
    name: str
    body: str
    finest: str
    optional: bool = False
    signed: bool = False
    zero: bool = False


_ORDER = '{"symbol": "BTC-USD", "type": "buy", '
_MARKET = '{"symbol": "%(symbol)s", "base": "%(base)s", "quote": "USD", '
_TRADE = '{"symbol": "BTC-USD", "buyerId": "%(owner)s", "sellerId": "%(other)s", '

FIELDS = [
    Field("POST /api/orders", "price", _ORDER + '"quantity": "0.01", "price": %s}', "0.001"),
    Field("POST /api/orders", "quantity", _ORDER + '"price": "50000", "quantity": %s}', "0.0000001"),
    Field(
        "POST /api/orders",
        "stopPrice",
        _ORDER + '"orderType": "stop_limit", "price": "50000", "quantity": "0.01", "stopPrice": %s}',
        "0.001",
    ),
    Field(
        "POST /api/orders",
        "quoteQuantity",
        _ORDER + '"orderType": "market", "quoteQuantity": %s}',
        "1.000000001",
        optional=True,
    ),
    Field("PUT /api/orders/{order}", "price", '{"price": %s}', "0.001", optional=True),
    Field("PUT /api/orders/{order}", "quantity", '{"quantity": %s}', "0.0000001", optional=True),
    Field(
        "PUT /api/wallets/{wallet}",
        "delta",
        '{"asset": "USD", "reason": "a test", "delta": %s}',
        "1.000000001",
        signed=True,
    ),
    Field("POST /api/wallets/{wallet}/faucet", "amount", '{"asset": "USD", "amount": %s}', "1.000000001"),
    Field("POST /api/markets", "tickSize", _MARKET + '"lotSize": "0.001", "tickSize": %s}', "0.000000001"),
    Field("POST /api/markets", "lotSize", _MARKET + '"tickSize": "0.01", "lotSize": %s}', "0.000000001"),
    Field(
        "POST /api/markets",
        "minNotional",
        _MARKET + '"tickSize": "0.01", "lotSize": "0.001", "minNotional": %s}',
        "0.000000001",
        optional=True,
        zero=True,
    ),
    Field("PUT /api/markets/{market}", "makerFee", '{"makerFee": %s}', "0.0000001", optional=True, zero=True),
    Field("PUT /api/markets/{market}", "takerFee", '{"takerFee": %s}', "0.0000001", optional=True, zero=True),
    Field("PUT /api/markets/{market}", "priceBand", '{"priceBand": %s}', "0.0000001", optional=True, zero=True),
    Field("POST /api/trades", "price", _TRADE + '"quantity": "0.01", "price": %s}', "0.001"),
    Field("POST /api/trades", "quantity", _TRADE + '"price": "50000", "quantity": %s}', "0.0000001"),
    Field(
        "POST /api/portfolios",
        "quantity",
        '{"userId": "%(owner)s", "name": "numbers", "product": "BTC", "quantity": %%s}',
        "0.000000001",
    ),
    Field(
        "POST /api/portfolios",
        "averageCost",
        '{"userId": "%(owner)s", "name": "numbers", "product": "BTC", "quantity": "1", "averageCost": %%s}',
        "0.000000001",
        optional=True,
        zero=True,
    ),
]

KEYED = ("PUT /api/wallets/{wallet}", "POST /api/trades")

WRONG = [
    "-0", "-1", "NaN", "Infinity", "-Infinity", "1e400", "1e-400", "1E2", "1e2", "2e0", "9223372036854775807",
    "9223372036854775808", "18446744073709551616", str(10**30), "1" * 5000, "0." + "1" * 5000, "1_000", "01", "00",
    "-01", "1.", ".5", "+5", "++5", "0x10", "1,000", "1 000", "--1", "1.2.3", "true", "null", "nan", "inf",
]  # fmt: skip
"""As a JSON literal and as a string; what is no JSON at all as a literal is answered 400."""

WRONG_STRINGS = [
    "",
    " ",
    " 1",
    "1 ",
    "1\\n",
    "\\t1",
    "\\u00a05",
    "\uff11\uff12\uff13",
    "\\uff11",
    "٣",
    "\\u0663",
    "1\\u0000",
    "²",
    "½",
    "①",
    "sNaN",
    "None",
    "1'--",
    "1; DROP TABLE orders",
    "<b>1</b>",
    "\U0001d7cf",
    "1\\u200b",
    "\\u202e1",
    "€5",
    "1/2",
    "50%",
]

WRONG_TYPES = ["true", "false", "[]", "[1]", '["1"]', "{}", '{"value": 1}', "[[[[1]]]]"]


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """An exchange of this file's own: what is tried out here moves prices."""
    with Running(tmp_path_factory.mktemp("numbers") / "data") as running:
        yield Stage(running)


@pytest.fixture(scope="module")
def ask(stage: Stage) -> Callable[[Field, str], httpx.Response]:
    places = {"order": stage.order(), "wallet": stage.owner.wallet_id, "market": stage.own_market()}
    names = new_market() | {"owner": stage.owner.user_id, "other": stage.other.user_id}

    def answer(field: Field, literal: str) -> httpx.Response:
        method, path = field.call.format(**places).split(" ")
        place = "%%s" if "%%s" in field.body else "%s"
        body = field.body.replace(place, "\x01")
        for name, value in names.items():
            body = body.replace(f"%({name})s", value)
        caller = stage.owner if "orders" in path or "faucet" in path else stage.admin
        headers = caller.headers | {"content-type": "application/json"}
        if field.call in KEYED:
            headers |= keyed()
        return stage.running.http.request(
            method, path, content=body.replace("\x01", literal).encode("utf-8"), headers=headers
        )

    return answer


def is_json(literal: str) -> bool:
    return re.fullmatch(r"-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?|true|false|null", literal) is not None


def complaint(field: Field, literal: str, answer: httpx.Response) -> str:
    """What is not as it should be about a refusal; nothing when it is."""
    shown = f"{literal[:40]!r} -> {answer.status_code} {answer.text[:200]}"
    if answer.status_code == 400:
        quoted = literal.startswith('"') or literal[:1] in "[{"
        return shown if quoted or is_json(literal) else ""
    if answer.status_code != 422:
        return shown
    named = [each["field"] for each in problem(answer, 422).get("errors", [])]
    return "" if named and named[0].split(".")[0] == field.name else shown


@pytest.mark.parametrize("field", FIELDS, ids=lambda field: f"{field.call} {field.name}")
def test_whatever_is_no_number_of_the_grammar_is_refused_by_name(
    ask: Callable[..., httpx.Response], field: Field
) -> None:
    literals = [*WRONG, *(f'"{each}"' for each in [*WRONG, *WRONG_STRINGS]), *WRONG_TYPES]
    literals += [field.finest, f'"{field.finest}"']
    if not field.zero:
        literals += ["0", '"0"', "0.0", '"0.000"']
    if field.optional:
        literals.remove("null")
    if field.signed:
        for signed in ("-1", '"-1"', '"+5"'):
            literals.remove(signed)
    found = [complaint(field, literal, ask(field, literal)) for literal in literals]
    assert not any(found), "\n".join(filter(None, found))


@pytest.mark.parametrize("name", ["price", "quantity"])
def test_a_batch_reads_numbers_as_strictly_as_a_single_order(stage: Stage, name: str) -> None:
    fine = {"symbol": "BTC-USD", "type": "buy", "quantity": "0.01", "price": "45000"}
    wrong: list[object] = [*WRONG, *(text for text in WRONG_STRINGS if "\\" not in text), "0", "0.0000000001"]
    wrong += ["1\n", "\u00a05", "1\x00", True, False, [], ["1"], {}, {"value": 1}, 10**30, -1, 0, 0.0000001]
    results = stage.owner.post("/api/orders/batch", {"orders": [fine | {name: each} for each in wrong]}, 200)["results"]
    assert len(results) == len(wrong)
    found = [(each, result) for each, result in zip(wrong, results, strict=True) if result.get("status") != 422]
    assert not found
    assert {error["field"] for result in results for error in result["errors"]} == {name}


@pytest.mark.parametrize("literal", ['"0.01"', "0.01", '"0.010"', "0.0100"])
def test_an_exact_literal_is_taken_as_it_stands(stage: Stage, literal: str) -> None:
    body = f'{{"symbol": "BTC", "type": "buy", "quantity": {literal}, "price": {literal.replace("0.01", "50000.10")}}}'
    headers = stage.owner.headers | {"content-type": "application/json"}
    answer = stage.running.http.post("/api/orders", content=body, headers=headers)
    order = answer.json()
    assert (answer.status_code, order["quantity"], order["price"]) == (201, "0.01", order["price"])
    assert order["price"].startswith("50000.10")


@pytest.mark.parametrize(
    ("literal", "text"), [("10", "10"), ('"10"', "10"), ("0.1", "0.1"), ('"0.1"', "0.1"), ("0.30", "0.3")]
)
def test_a_quantity_comes_back_without_loss(stage: Stage, literal: str, text: str) -> None:
    body = f'{{"symbol": "BTC", "type": "sell", "quantity": {literal}, "price": 55000}}'
    headers = stage.owner.headers | {"content-type": "application/json"}
    answer = stage.running.http.post("/api/orders", content=body, headers=headers)
    assert answer.status_code == 201, answer.text
    assert answer.json()["quantity"] == text
    stage.owner.call("DELETE", f"/api/orders/{answer.json()['orderId']}")


@pytest.mark.parametrize("literal", ['"+5"', '"-5"', '"5"', "5", "-5", '"+0.00000001"', "-0.00000001"])
def test_a_delta_may_have_a_sign_as_a_string_or_a_literal(ask: Callable[..., httpx.Response], literal: str) -> None:
    (delta,) = [field for field in FIELDS if field.name == "delta"]
    assert ask(delta, literal).status_code == 200


def test_a_tenth_and_two_tenths_are_exactly_three_tenths(stage: Stage) -> None:
    person = stage.running.person(USD="0.1")
    stage.admin.fund(person, USD="0.2")
    assert person.wallet()["balance"] == {"USD": "0.30"}


@pytest.mark.parametrize(
    ("quantity", "price"),
    [("999999999", "999999999.99"), ("92233720368", "92233720368.54"), ("1000000", "1000000"), ("92233720368", "2")],
)
@pytest.mark.parametrize("side", ["buy", "sell"])
def test_a_product_that_is_too_large_is_refused_and_not_wrapped(
    stage: Stage, side: str, quantity: str, price: str
) -> None:
    body = {"symbol": "BTC-USD", "type": side, "quantity": quantity, "price": price}
    refused = problem(stage.owner.call("POST", "/api/orders", body), 422)
    assert (refused["code"], refused["detail"]) == ("invalid_request", "price times quantity is too large")
    assert refused["errors"][0]["field"] == "quantity"


def test_an_amendment_can_not_reach_a_product_that_is_too_large(stage: Stage) -> None:
    order = stage.order()
    answer = stage.owner.call("PUT", f"/api/orders/{order}", {"quantity": "92233720368.547758"})
    assert problem(answer, 422)["code"] in ("invalid_request", "insufficient_funds")
    assert stage.owner.get(f"/api/orders/{order}")["quantity"] == "0.001"


def test_more_than_can_be_kept_exactly_is_never_issued(stage: Stage) -> None:
    """9.2e10 of an asset is all that 64 bits hold at 8 places: the sum of all wallets stays below, whoever trades."""
    wallet = stage.owner.wallet_id
    answer = stage.admin.call(
        "PUT", f"/api/wallets/{wallet}", {"asset": "SOL", "delta": "+92233720369", "reason": "a test"}, keyed()
    )
    assert problem(answer, 422)["code"] in ("amount_too_large", "invalid_request")


@settings(
    max_examples=150,
    derandomize=True,
    deadline=None,
    database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(
    text=st.one_of(
        st.text(alphabet="0123456789.+-eE_ ,", max_size=24),
        st.decimals(allow_nan=True, allow_infinity=True).map(str),
        st.from_regex(r"\A[0-9]{1,20}(\.[0-9]{1,20})?\Z"),
        st.text(max_size=12).filter(lambda text: all(each >= " " and each not in '"\\' for each in text)),
    )
)
def test_the_exchange_and_the_grammar_agree_on_what_is_a_price(ask: Callable[..., httpx.Response], text: str) -> None:
    literal = '"' + text.encode("utf-8", "replace").decode() + '"'
    answer = ask(FIELDS[0], literal)
    fine = bool(ASCII_NUMBER.fullmatch(text))
    if fine:
        with localcontext(prec=60):
            cents = Decimal(text) * 100
            fine = cents == cents.to_integral_value() and 0 < Decimal(text) < Decimal("92233720368.54")
    if fine:
        assert answer.status_code == 201 or problem(answer, 422)["code"] in (
            "price_band",
            "below_min_notional",
            "insufficient_funds",
            "invalid_request",
        )
    else:
        assert complaint(FIELDS[0], literal, answer) == ""
