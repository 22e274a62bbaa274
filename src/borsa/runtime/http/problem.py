"""RFC 9457 problem documents, and what msgspec says about a body put into them."""

import re
from typing import Any

import msgspec

from borsa.errors import ERRORS, Refused
from borsa.runtime.codec import encode

DETAIL_CHARACTERS_MAX = 300
MEDIA_TYPE = "application/problem+json"

_AT = re.compile(r"^(?P<what>.*?)(?: - at `(?P<path>[^`]*)`)?$", re.DOTALL)
_NAMED = re.compile(r"(?:unknown field|required field) `(?P<name>[^`]*)`")


class FieldError(msgspec.Struct, frozen=True):
    """What is wrong with one field of a request."""

    field: str
    message: str


class Problem(msgspec.Struct, frozen=True, omit_defaults=True):
    """The document. `errors` is there where fields of the request are at fault."""

    type: str
    title: str
    status: int
    detail: str
    code: str
    errors: list[FieldError] = []


def problem_of(refused: Refused) -> Problem:
    """The document of a refusal."""
    status, title = ERRORS[refused.code]
    errors = [FieldError(refused.field, refused.detail)] if refused.field else []
    return Problem(f"urn:borsa:error:{refused.code}", title, status, refused.detail, refused.code, errors)


def document(refused: Refused) -> bytes:
    """The document as JSON, with what the refusal carries beside it."""
    problem = problem_of(refused)
    if not refused.extra:
        return encode(problem)
    return encode(msgspec.to_builtins(problem) | refused.extra)


def headers_of(refused: Refused) -> dict[str, str]:
    """Headers that go with the status."""
    if refused.status in (429, 503):
        return {"retry-after": str(refused.extra.get("retryAfter", 1))}
    if refused.status == 401:
        return {"www-authenticate": "Bearer"}
    return {}


def decode_body(decoder: "msgspec.json.Decoder[Any]", body: bytes) -> Any:
    """The body as its struct; refused with the name of the field that does not fit."""
    try:
        return decoder.decode(body)
    except msgspec.ValidationError as error:
        raise invalid(error) from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise Refused("malformed_json", _shortened(str(error))) from None


def invalid(error: msgspec.ValidationError) -> Refused:
    """The refusal for what msgspec says about a value."""
    matched = _AT.match(str(error))
    what, path = (matched["what"], matched["path"] or "") if matched else (str(error), "")
    field = re.sub(r"^(?:key in )?\$\.?", "", path)
    if named := _NAMED.search(what):
        field = f"{field}.{named['name']}" if field else named["name"]
    return Refused("invalid_request", _shortened(what), field=field or "body")


def _shortened(text: str) -> str:
    return text[:DETAIL_CHARACTERS_MAX]
