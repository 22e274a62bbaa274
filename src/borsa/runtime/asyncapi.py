"""The AsyncAPI 3.0 document of every event, from their definitions."""

import inspect
from typing import Any

import msgspec

from borsa import __version__
from borsa.events import PUBLISHED
from borsa.runtime.log import CloudEvent

_REF = "#/components/schemas/{name}"


def asyncapi_document() -> dict[str, Any]:
    """One channel for each service's log; one message for each event, in its CloudEvents envelope."""
    _, schemas = msgspec.json.schema_components([*PUBLISHED, CloudEvent], ref_template=_REF)
    sources = list(dict.fromkeys(kind.source for kind in PUBLISHED))
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "Borsa events",
            "version": __version__,
            "description": "Every fact that a service publishes, in the order of its log: GET /api/events.",
        },
        "channels": {source: _channel(source) for source in sources},
        "operations": {
            f"publish_{source}": {"action": "send", "channel": {"$ref": f"#/channels/{source}"}} for source in sources
        },
        "components": {"messages": {kind.__name__: _message(kind) for kind in PUBLISHED}, "schemas": schemas},
    }


def _channel(source: str) -> dict[str, Any]:
    names = [kind.__name__ for kind in PUBLISHED if kind.source == source]
    return {
        "address": f"borsa.events.{source}",
        "messages": {name: {"$ref": f"#/components/messages/{name}"} for name in names},
    }


def _message(kind: type[msgspec.Struct]) -> dict[str, Any]:
    envelope = {"$ref": _REF.format(name="CloudEvent")}
    data = {"properties": {"data": {"$ref": _REF.format(name=kind.__name__)}}}
    return {
        "name": kind.__name__,
        "summary": inspect.cleandoc(kind.__doc__ or ""),
        "contentType": "application/cloudevents+json",
        "payload": {"allOf": [envelope, data]},
    }
