"""JSON in and out, and numbers that are taken by their literal text."""

from typing import Annotated

import msgspec
from msgspec import Meta, Raw

from borsa import money
from borsa.errors import Refused

encode = msgspec.json.Encoder().encode
"""A struct as compact JSON."""

Number = Annotated[
    Raw,
    Meta(
        description="A decimal string; a JSON number is accepted when its literal text is exact",
        extra_json_schema={
            "anyOf": [{"type": "string", "pattern": money.NUMBER_PATTERN}, {"type": "number", "minimum": 0}],
            "examples": ["0.25", "50000"],
        },
    ),
]
"""A field that holds a decimal: its text is kept as it was sent, so that no float comes near it."""

SignedNumber = Annotated[
    Raw,
    Meta(
        description="A decimal string with an optional sign; a JSON number is accepted when its literal text is exact",
        extra_json_schema={
            "anyOf": [
                {"type": "string", "pattern": r"^[+-]?(0|[1-9][0-9]{0,17})(\.[0-9]{1,18})?$"},
                {"type": "number"},
            ],
            "examples": ["+1000", "-5"],
        },
    ),
]
"""A Number that may have a sign."""


class Reply(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """Base of what the door answers: camelCase on the wire."""


class Body(msgspec.Struct, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """Base of what the door takes: camelCase on the wire, unknown fields refused."""


def number_text(value: Raw | msgspec.UnsetType, field: str) -> str | None:
    """The decimal text in a Number field, or None where it is absent or null.

    Whether the text is a number at all is judged by `money.parse`, once, where its grid is known; here only its JSON
    type is: a string or a number literal.
    """
    if isinstance(value, msgspec.UnsetType):
        return None
    raw = bytes(value)
    if raw == b"null":
        return None
    if raw[:1] == b'"':
        raw = raw[1:-1]
    elif not raw.removeprefix(b"-")[:1].isdigit():
        raise Refused("invalid_request", f"{field} must be a decimal number", field=field)
    if len(raw) > NUMBER_BYTES_MAX or not raw.isascii():
        raise Refused("invalid_request", f"{field} must be a plain decimal number", field=field)
    return raw.decode("ascii")


NUMBER_BYTES_MAX = 40
"""Longest literal that can be a number of the grammar."""


def required_number(value: Raw | msgspec.UnsetType, field: str) -> str:
    """As number_text, for a field that must be there."""
    text = number_text(value, field)
    if text is None:
        raise Refused("invalid_request", f"{field} is missing", field=field)
    return text
