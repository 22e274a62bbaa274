"""The OpenAPI 3.1 document of a table of routes, and a page to read it on."""

import re
from collections.abc import Iterable, Mapping, Sequence
from html import escape
from typing import Any

import msgspec

from borsa import __version__
from borsa.errors import ERRORS
from borsa.runtime.access.signing import AHEAD_MS_MAX, WINDOW_MS, WINDOW_MS_MAX
from borsa.runtime.http.problem import MEDIA_TYPE, Problem
from borsa.runtime.http.route import Empty, Route
from borsa.runtime.http.stream_paths import stream_paths

_REF = "#/components/schemas/{name}"
_ANY_ROUTE = (
    "malformed_request",
    "request_timeout",
    "too_many_requests",
    "internal_error",
    "overloaded",
    "storage_full",
)
_WITH_BODY = ("malformed_json", "body_too_large", "unsupported_media_type", "invalid_request")
_WITH_IDENTITY = ("unauthorized", "forbidden", "headers_too_large")
_SIGNED = {
    "Borsa-Key": {"description": "The id of an API key of type hmac or ed25519"},
    "Borsa-Time": {
        "description": f"When the request was signed, in ms since 1970 UTC; at most {AHEAD_MS_MAX} ms ahead"
    },
    "Borsa-Signature": {
        "description": "In hexadecimal: HMAC-SHA256 with the secret, or Ed25519 with the private key, over seven lines "
        "joined by a line feed: key id, time, window, method, path and query as they are sent, and the SHA-256 of the "
        f"body in hexadecimal. The window is that of the header Borsa-Window, 1 to {WINDOW_MS_MAX} ms, or {WINDOW_MS}: "
        "so long a request counts. What changes something counts once"
    },
}
"""The headers of a signed request."""

_KEYED = ("idempotency_key_reused", "idempotency_key_in_progress")


def openapi_document(routes: Sequence[Route]) -> dict[str, Any]:
    """All routes with their bodies, replies and refusals, and the paths of the streams."""
    kinds = [kind for route in routes for kind in (route.body, route.reply, route.accepted) if kind is not None]
    _, components = msgspec.json.schema_components([*kinds, Problem], ref_template=_REF)
    paths: dict[str, dict[str, Any]] = {}
    for route in routes:
        paths.setdefault(route.path, {})[route.method.lower()] = _operation(route)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Borsa",
            "version": __version__,
            "description": "A self-hosted, event-driven crypto exchange.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "paths": paths | stream_paths(_REF),
        "components": {
            "schemas": components,
            "securitySchemes": {
                "bearer": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT or API key"},
                **{name: {"type": "apiKey", "in": "header", "name": name} | about for name, about in _SIGNED.items()},
            },
        },
    }


def _operation(route: Route) -> dict[str, Any]:
    operation: dict[str, Any] = {
        "operationId": _operation_id(route),
        "summary": route.summary,
        "tags": [route.service or "exchange"],
        "responses": _responses(route),
    }
    if parameters := _parameters(route):
        operation["parameters"] = parameters
    if route.body is not None:
        schema = _schema(route.body)
        operation["requestBody"] = {"required": True, "content": {"application/json": {"schema": schema}}}
    if route.access != "public":
        operation["security"] = [{"bearer": []}, {name: [] for name in _SIGNED}]
    return operation


def _operation_id(route: Route) -> str:
    words = re.findall(r"[A-Za-z]+", route.path.removeprefix("/api"))
    return "_".join([route.method.lower(), *words])


def _schema(kind: Any) -> dict[str, Any]:
    (schema,), _ = msgspec.json.schema_components([kind], ref_template=_REF)
    return schema


def _parameters(route: Route) -> list[dict[str, Any]]:
    found = [
        {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}
        for name in re.findall(r"{(\w+)}", route.path)
    ]
    if route.query is not Empty:
        _, components = msgspec.json.schema_components([route.query], ref_template=_REF)
        schema = components[route.query.__name__]
        required = schema.get("required", [])
        found += [
            {"name": name, "in": "query", "required": name in required, "schema": each}
            for name, each in schema["properties"].items()
        ]
    if route.key_required:
        key = {"type": "string", "minLength": 1, "maxLength": 255, "pattern": r"^[\x21-\x7e]{1,255}$"}
        found.append({"name": "Idempotency-Key", "in": "header", "required": True, "schema": key})
    return found


def codes_of(route: Route) -> list[str]:
    """Every code that a route can refuse with."""
    codes = [*route.errors, *_ANY_ROUTE]
    if route.body is not None:
        codes += _WITH_BODY
    if route.query is not Empty:
        codes.append("invalid_request")
    if route.access != "public":
        codes += _WITH_IDENTITY
    if route.access != "public" and route.method != "GET":
        codes.append("request_replayed")
    if route.method in ("POST", "PUT"):
        codes += [*_KEYED, "invalid_request"]
    if "{" in route.path:
        codes.append("not_found")
    return sorted(set(codes))


def _responses(route: Route) -> dict[str, Any]:
    responses: dict[str, Any] = {str(status): _success(route, status) for status in (route.status, *route.also)}
    by_status: dict[int, list[str]] = {}
    for code in codes_of(route):
        by_status.setdefault(ERRORS[code].status, []).append(code)
    for status, codes in by_status.items():
        problem = {MEDIA_TYPE: {"schema": _schema(Problem)}}
        known = responses.get(str(status))
        if known is None:
            responses[str(status)] = {"description": ", ".join(codes), "content": problem}
        else:
            known["content"] = known.get("content", {}) | problem
    return dict(sorted(responses.items()))


def _success(route: Route, status: int) -> dict[str, Any]:
    described: dict[str, Any] = {"description": route.summary}
    reply = route.accepted if status == 202 and route.accepted is not None else route.reply
    if reply is not None:
        described["content"] = {"application/json": {"schema": _schema(reply)}}
    elif status != 204:
        described["content"] = {route.media: {"schema": {}}}
    return described


def readable_page(document: Mapping[str, Any]) -> str:
    """The document as one page of plain HTML, without scripts."""
    rows = "".join(_rows(document["paths"]))
    return (
        "<!doctype html><html lang=en><meta charset=utf-8><title>Borsa API</title>"
        "<h1>Borsa API</h1><p>The document for programs: <a href=/openapi.json>/openapi.json</a>; "
        "events: <a href=/asyncapi.json>/asyncapi.json</a>.</p>"
        "<table border=1 cellpadding=6><tr><th>Call<th>What it does<th>Who<th>Answers"
        f"{rows}</table></html>"
    )


def _rows(paths: Mapping[str, Mapping[str, Any]]) -> Iterable[str]:
    for path, operations in paths.items():
        for method, operation in operations.items():
            who = "anybody" if {} in operation.get("security", [{}]) else "token"
            answers = "<br>".join(
                f"{status}: {escape(each['description'])}" for status, each in operation["responses"].items()
            )
            call = f"<code>{method.upper()} {escape(path)}</code>"
            yield f"<tr><td>{call}<td>{escape(operation['summary'])}<td>{who}<td>{answers}"
