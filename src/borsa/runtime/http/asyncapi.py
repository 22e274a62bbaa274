"""The AsyncAPI 3.0 document of every event, and of what goes over streams, from their definitions."""

import inspect
import re
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from borsa import __version__
from borsa.events import PUBLISHED
from borsa.runtime.log import CloudEvent

_REF = "#/components/schemas/{name}"


def asyncapi_document(streamed: Mapping[str, Sequence[type[msgspec.Struct]]]) -> dict[str, Any]:
    """One channel for each service's log, with a message for each event in its CloudEvents envelope; and one for each
    channel that can be followed, by its name, with its messages."""
    followed = list(dict.fromkeys(kind for kinds in streamed.values() for kind in kinds))
    _, schemas = msgspec.json.schema_components([*PUBLISHED, CloudEvent, *followed], ref_template=_REF)
    sources = list(dict.fromkeys(kind.source for kind in PUBLISHED))
    streams = {_key(name): name for name in streamed}
    told = {kind.__name__: _told(kind) for kind in followed}
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "Borsa events",
            "version": __version__,
            "description": "Every fact that a service publishes, in the order of its log: GET /api/events; and what is "
            "told over GET /ws and GET /api/stream.",
        },
        "channels": {source: _channel(source) for source in sources}
        | {key: _followed(name, streamed[name]) for key, name in streams.items()},
        "operations": {
            f"publish_{source}": {"action": "send", "channel": {"$ref": f"#/channels/{source}"}} for source in sources
        }
        | {f"tell_{key}": {"action": "send", "channel": {"$ref": f"#/channels/{key}"}} for key in streams},
        "components": {"messages": {kind.__name__: _message(kind) for kind in PUBLISHED} | told, "schemas": schemas},
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


def _key(name: str) -> str:
    return "stream_" + "_".join(re.findall(r"[a-zA-Z]+", name))


def _followed(name: str, kinds: Sequence[type[msgspec.Struct]]) -> dict[str, Any]:
    parameters: dict[str, Any] = {each: {} for each in re.findall(r"{(\w+)}", name)}
    return {
        "address": name,
        "description": "Followed over /ws, or /api/stream",
        "messages": {kind.__name__: {"$ref": f"#/components/messages/{kind.__name__}"} for kind in kinds},
        **({"parameters": parameters} if parameters else {}),
    }


def _told(kind: type[msgspec.Struct]) -> dict[str, Any]:
    return {
        "name": kind.__name__,
        "summary": inspect.cleandoc(kind.__doc__ or ""),
        "contentType": "application/json",
        "payload": {"$ref": _REF.format(name=kind.__name__)},
    }
