"""The streams in OpenAPI. They are no rows of a table of routes: an answer has no end, or is no HTTP any more."""

from collections.abc import Sequence
from typing import Any

import msgspec

from borsa.errors import ERRORS
from borsa.runtime.http.problem import MEDIA_TYPE, Problem
from borsa.runtime.http.sse import PATH

_ANY = ("invalid_request", "malformed_request", "overloaded", "too_many_requests", "unauthorized")
_OF_EVENTS = (*_ANY, "forbidden", "method_not_allowed", "no_answer", "too_far_back", "unknown_symbol")
_OF_SOCKETS = (*_ANY, "forbidden", "not_found")


def stream_paths(ref_template: str) -> dict[str, dict[str, Any]]:
    """The paths of an OpenAPI document at which channels are followed; AsyncAPI says what comes over them."""
    return {
        PATH: {"get": _followed_by_events(ref_template)},
        "/ws": {"get": _followed_by_sockets(ref_template)},
    }


def _followed_by_events(ref_template: str) -> dict[str, Any]:
    names = {"type": "array", "items": {"type": "string"}, "minItems": 1}
    last = {"type": "string", "pattern": "^[0-9]+$"}
    return {
        "operationId": "get_stream",
        "summary": "Channels by Server-Sent Events; their messages are in /asyncapi.json",
        "tags": ["exchange"],
        "parameters": [
            {"name": "channels", "in": "query", "required": True, "style": "form", "explode": False, "schema": names},
            {"name": "Last-Event-ID", "in": "header", "required": False, "schema": last},
        ],
        "security": _MAYBE,
        "responses": {
            "200": {"description": "Events, without end", "content": {"text/event-stream": {"schema": {}}}},
            **_refusals(_OF_EVENTS, ref_template),
        },
    }


def _followed_by_sockets(ref_template: str) -> dict[str, Any]:
    return {
        "operationId": "get_ws",
        "summary": "Channels over a WebSocket; their messages are in /asyncapi.json",
        "tags": ["exchange"],
        "security": _MAYBE,
        "responses": {"101": {"description": "The WebSocket"}, **_refusals(_OF_SOCKETS, ref_template)},
    }


_MAYBE: list[dict[str, list[str]]] = [{}, {"bearer": []}]


def _refusals(codes: Sequence[str], ref_template: str) -> dict[str, Any]:
    (schema,), _ = msgspec.json.schema_components([Problem], ref_template=ref_template)
    by_status: dict[str, list[str]] = {}
    for code in sorted(codes):
        by_status.setdefault(str(ERRORS[code].status), []).append(code)
    return {
        status: {"description": ", ".join(found), "content": {MEDIA_TYPE: {"schema": schema}}}
        for status, found in sorted(by_status.items())
    }
