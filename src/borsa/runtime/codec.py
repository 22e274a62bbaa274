"""JSON in and out: numbers that are taken by their literal text, and fields that many bodies have."""

from typing import Annotated

import msgspec
from msgspec import Meta, Raw

from borsa import money
from borsa.errors import Refused
from borsa.markets import units_of

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

AssetCode = Annotated[str, Meta(pattern=r"^[A-Z0-9]{1,12}\Z", examples=["BTC"])]
"""The name of an asset."""

UserId = Annotated[str, Meta(min_length=1, max_length=64, pattern=r"^[A-Za-z0-9-]+\Z")]
"""Who a user is."""

EMAIL_PATTERN = (
    r"^[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@"
    r"[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?(\.[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?)*$"
)
"""The grammar that browsers use for e-mail fields."""

EMAIL_CHARACTERS_MAX = 254


def line(characters_max: int) -> Meta:
    """A text of one line: anything but control characters."""
    return Meta(min_length=1, max_length=characters_max, pattern=r"^[^\x00-\x1f\x7f]+\Z")


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


def number_units(value: Raw | msgspec.UnsetType, scale: int, field: str) -> int | None:
    """The units of 10**-scale in a Number field, or None where it is absent or null; refused when it is not exact."""
    text = number_text(value, field)
    return None if text is None else units_of(text, scale, field)


def id_number(text: str) -> int | None:
    """The number that an order or a trade is called by, or None where a text is no such number."""
    return int(text) if text.isascii() and text.isdigit() and len(text) <= 18 else None
