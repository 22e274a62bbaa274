"""borsa openapi, borsa asyncapi: the documents that a running exchange serves, without running one."""

import msgspec

from borsa import app
from borsa.runtime.http.asyncapi import asyncapi_document
from borsa.runtime.http.openapi import openapi_document
from borsa.runtime.service import streamed


def openapi_text() -> str:
    """The API as indented JSON."""
    return _text(openapi_document(app.routes()))


def asyncapi_text() -> str:
    """The events as indented JSON."""
    return _text(asyncapi_document(streamed(app.SERVICES)))


def _text(document: object) -> str:
    return msgspec.json.format(msgspec.json.encode(document), indent=2).decode()
