"""The documents and the exchange agree: OpenAPI is tried out call by call, AsyncAPI names every event."""

from collections.abc import Iterator
from typing import Any

import jsonschema_rs
import msgspec
import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis import GenerationMode
from schemathesis.checks import CheckFunction, load_all_checks
from schemathesis.specs.openapi import definitions
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    negative_data_rejection,
    response_schema_conformance,
    status_code_conformance,
)

from borsa.app import SERVICES, routes
from borsa.errors import ERRORS
from borsa.events import PUBLISHED
from borsa.runtime.http.openapi import codes_of, openapi_document
from borsa.runtime.http.stream_paths import stream_paths
from borsa.runtime.service import streamed
from tests.api.stage import Stage
from tests.api.test_requests import events
from tests.support.running import Person, Running

load_all_checks()

EXAMPLES = 12
"""Of each call, by each caller, for right and for wrong data."""

CHECKS: list[CheckFunction] = [
    schemathesis.checks.not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
]

NEEDING_A_TOKEN = [route.name for route in routes() if route.access != "public"]


def tried_out() -> dict[str, Any]:
    """The document without its security, which is tried out apart: a wrong body is one that has a right token. And
    without the streams, whose answers have no end."""
    document = openapi_document(routes())
    document["paths"] = {route.path: document["paths"][route.path] for route in routes()}
    for operations in document["paths"].values():
        for operation in operations.values():
            operation.pop("security", None)
    return document


SCHEMA = schemathesis.openapi.from_dict(tried_out())
OPERATIONS = {each.label: each for each in (found.ok() for found in SCHEMA.get_all_operations())}

END_THE_CALLER = ("POST /api/users/logout", "DELETE /api/users/profile", "PUT /api/users/profile")
"""Calls after which their caller can do no more; they are tried by somebody new."""


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """An exchange of its own: what is tried out here spares nothing."""
    with Running(tmp_path_factory.mktemp("schema") / "data", registrations_per_minute=1_000_000) as running:
        yield Stage(running)


@pytest.fixture(scope="module")
def ids(stage: Stage) -> dict[str, str]:
    """For each kind of path, something that is there."""
    return {
        "orders": stage.order(),
        "trades": stage.trade(),
        "wallets": stage.wallet(),
        "portfolios": stage.portfolio(),
        "notifications": stage.notification(),
        "api-keys": stage.key_id(),
        "users": stage.user(),
        "user": stage.owner.user_id,
        "markets": "BTC-USD",
    }


def caller_of(stage: Stage, who: str, call: str) -> Person:
    if call not in END_THE_CALLER:
        return stage.admin if who == "admin" else stage.owner
    newcomer = stage.newcomer()
    if who == "admin":
        assert stage.admin.call("PUT", f"/api/users/{newcomer.user_id}", {"role": "admin"}).status_code == 200
        newcomer.signed_in()
    return newcomer


def kind_of(path: str) -> str:
    """The word before the first parameter of a path, in small letters."""
    return path.partition("/{")[0].rpartition("/")[2].lower()


def has_tuples(call: str) -> bool:
    """schemathesis 4.32 turns `prefixItems` into what 3.1 does not know, and then refuses the document."""
    (reply,) = (route.reply for route in routes() if route.name == call)
    return reply is not None and b"prefixItems" in msgspec.json.encode(msgspec.json.schema(reply))


JUDGED_ONE_BY_ONE = {"POST /api/orders/batch"}
"""Whatever is wrong with one of many is said in its place, in an answer that is 200."""


@pytest.mark.parametrize("mode", [GenerationMode.POSITIVE, GenerationMode.NEGATIVE], ids=lambda mode: mode.value)
@pytest.mark.parametrize("who", ["user", "admin"])
@pytest.mark.parametrize("call", OPERATIONS)
def test_a_call_answers_as_the_document_says(
    stage: Stage, ids: dict[str, str], call: str, who: str, mode: GenerationMode
) -> None:
    operation = OPERATIONS[call]
    wrong = mode is GenerationMode.NEGATIVE
    if wrong and not (operation.body or operation.query):
        return  # there is nothing to get wrong
    # parameters that are not known are ignored, so a query that is "wrong" may be right
    checks = [each for each in CHECKS if each is not response_schema_conformance or not has_tuples(call)]
    if wrong and operation.body and call not in JUDGED_ONE_BY_ONE:
        checks.append(negative_data_rejection)
    headers = caller_of(stage, who, call).headers
    there = ids.get(kind_of(operation.path), "")

    @settings(
        max_examples=EXAMPLES,
        derandomize=True,
        deadline=None,
        database=None,
        phases=[Phase.explicit, Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=operation.as_strategy(generation_mode=mode))
    def try_out(case: Any) -> None:
        # half of the cases are about something that is there
        if not wrong and case.path_parameters and len(str(case.path_parameters)) % 2:
            case.path_parameters = dict.fromkeys(case.path_parameters, there)
        case.call_and_validate(base_url=stage.running.url, headers=headers, checks=checks)

    try_out()


def test_the_users_that_all_this_was_done_to_are_still_there(stage: Stage) -> None:
    """Whatever was tried out, no stream has stopped and no event was lost."""
    assert stage.running.http.get("/readyz").json() == {"ready": True, "halted": []}
    for source in ("users", "orders", "trades", "wallets", "portfolios"):
        found = events(stage.admin, source)
        assert [each["sequence"] for each in found] == list(range(1, len(found) + 1))


@pytest.mark.parametrize("call", NEEDING_A_TOKEN)
def test_a_call_that_needs_a_token_is_refused_without_and_with_a_wrong_one(stage: Stage, call: str) -> None:
    operation = OPERATIONS[call]

    @settings(max_examples=1, derandomize=True, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    @given(case=operation.as_strategy())
    def try_out(case: Any) -> None:
        for wrong in ({}, {"authorization": "Bearer nonsense"}):
            answer = case.call(base_url=stage.running.url, headers=wrong)
            assert answer.status_code == 401, answer.text

    try_out()


# the OpenAPI document ----------------------------------------------------------------------------------------------


def test_the_openapi_document_is_valid_openapi_3_1(stage: Stage) -> None:
    document = stage.running.http.get("/openapi.json").json()
    assert document["openapi"].startswith("3.1")
    definitions.OPENAPI_31_VALIDATOR.validate(document)
    broken = {**document, "info": {"title": 5}}
    assert not definitions.OPENAPI_31_VALIDATOR.is_valid(broken)


def test_every_schema_in_the_document_is_a_valid_json_schema(stage: Stage) -> None:
    document = stage.running.http.get("/openapi.json").json()
    for schema in document["components"]["schemas"].values():
        jsonschema_rs.meta.validate({"$schema": "https://json-schema.org/draft/2020-12/schema", **schema})


def references(value: Any) -> Iterator[str]:
    """Every $ref in a document."""
    if isinstance(value, dict):
        if isinstance(value.get("$ref"), str):
            yield value["$ref"]
        for each in value.values():
            yield from references(each)
    elif isinstance(value, list):
        for each in value:
            yield from references(each)


def resolved(document: Any, reference: str) -> Any:
    for name in reference.removeprefix("#/").split("/"):
        document = document[name]
    return document


@pytest.mark.parametrize("path", ["/openapi.json", "/asyncapi.json"])
def test_every_reference_leads_somewhere(stage: Stage, path: str) -> None:
    document = stage.running.http.get(path).json()
    found = set(references(document))
    assert found
    for reference in found:
        assert resolved(document, reference)


def test_every_route_is_in_the_document_and_every_operation_has_a_name_of_its_own(stage: Stage) -> None:
    document = stage.running.http.get("/openapi.json").json()
    described = {
        f"{method.upper()} {path}": operation
        for path, operations in document["paths"].items()
        for method, operation in operations.items()
    }
    streams = {f"GET {path}" for path in stream_paths("")}
    assert set(described) == {route.name for route in routes()} | streams
    names = [operation["operationId"] for operation in described.values()]
    assert sorted(names) == sorted(set(names))
    for route in routes():
        operation = described[route.name]
        assert ("security" in operation) == (route.access != "public")
        assert ("requestBody" in operation) == (route.body is not None)
        for code in codes_of(route):
            assert str(ERRORS[code].status) in operation["responses"]


def test_the_page_to_read_names_every_call(stage: Stage) -> None:
    answer = stage.running.http.get("/docs")
    assert answer.headers["content-security-policy"] == "default-src 'self'; frame-ancestors 'none'"
    assert "<script" not in answer.text
    for route in routes():
        assert f"<code>{route.name}</code>" in answer.text


def test_a_book_is_as_the_document_says(stage: Stage) -> None:
    document = stage.running.http.get("/openapi.json").json()
    stage.order()
    schema = {"$ref": "#/components/schemas/Depth", "components": document["components"]}
    checker = jsonschema_rs.Draft202012Validator(schema)
    book = stage.running.http.get("/api/markets/BTC-USD/book").json()
    checker.validate(book)
    assert book["bids"]
    assert not checker.is_valid(book | {"bids": [["1", "2", "3"]]})


# the AsyncAPI document ---------------------------------------------------------------------------------------------


def test_the_asyncapi_document_has_a_message_for_every_event_in_the_channel_of_its_service(stage: Stage) -> None:
    document = stage.running.http.get("/asyncapi.json").json()
    assert document["asyncapi"].startswith("3.0")
    assert {"title", "version"} <= set(document["info"])
    told = {kind.__name__: kind for kinds in streamed(SERVICES).values() for kind in kinds}
    assert set(document["components"]["messages"]) == {kind.__name__ for kind in PUBLISHED} | set(told)
    assert all(document["components"]["messages"][name]["summary"] for name in told)
    for kind in PUBLISHED:
        channel = document["channels"][kind.source]
        assert channel["messages"][kind.__name__] == {"$ref": f"#/components/messages/{kind.__name__}"}
        message = document["components"]["messages"][kind.__name__]
        assert message["summary"]
        assert message["contentType"] == "application/cloudevents+json"
    for operation in document["operations"].values():
        assert operation["action"] == "send"
        assert resolved(document, operation["channel"]["$ref"])
    logs, streams = [
        {key for key in document["channels"] if key.startswith("stream_") is kind} for kind in (False, True)
    ]
    assert logs <= {service.name for service in SERVICES}
    assert {document["channels"][key]["address"] for key in streams} == set(streamed(SERVICES))


def test_every_event_that_was_published_fits_its_message(stage: Stage) -> None:
    document = stage.running.http.get("/asyncapi.json").json()
    stage.trade()
    checkers: dict[str, Any] = {}
    seen = set()
    for source in {kind.source for kind in PUBLISHED}:
        for event in events(stage.admin, source):
            kind = event["type"]
            if kind not in checkers:
                payload = {"$ref": f"#/components/messages/{kind}/payload"}
                checkers[kind] = jsonschema_rs.Draft202012Validator({**payload, "components": document["components"]})
            checkers[kind].validate(event)
            seen.add(kind)
    assert {"UserCreated", "OrderCreated", "TradeExecuted", "WalletUpdated", "PortfolioUpdated"} <= seen
