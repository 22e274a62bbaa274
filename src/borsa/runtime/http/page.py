"""Pages of a list: how many, and from where. A cursor is the sort key of the last row seen, and opaque to clients."""

import base64
import binascii
from collections.abc import Callable, Sequence
from typing import Annotated, Any, TypeVar

import msgspec
from msgspec import Meta

from borsa.errors import Refused
from borsa.money import UNITS_MAX
from borsa.runtime.codec import UserId

PAGE_ROWS_MAX = 1000
"""Most rows that one answer has."""

CURSOR_CHARACTERS_MAX = 512
"""Longest cursor that is looked at."""

NEWEST_NUMBER = (UNITS_MAX,)
"""Where a list begins that has its highest number first."""

NEWEST = ("~",)
"""Where a list begins that has its newest id first: ids are UUIDv7, ascending in time, and all of them sort below."""

DEFAULT_FIRST = (2, "")
"""Where a list begins that has what is the default (1) before the rest (0), and of both the newest id first."""

R = TypeVar("R")

_Number = Annotated[int, Meta(ge=-(2**63), le=2**63 - 1)]
_Text = Annotated[str, Meta(pattern=r"^[^\x00]*$")]
_decoder = msgspec.json.Decoder(tuple[_Number | _Text, ...])


class PageQuery(msgspec.Struct, frozen=True):
    """The query of a list."""

    limit: Annotated[int, Meta(ge=1, le=PAGE_ROWS_MAX)] = 100
    cursor: str | None = None


class OwnedQuery(PageQuery, frozen=True, rename="camel"):
    """The query of a list of what users own; an admin, who sees all of it, may name one user. Others have their own."""

    user_id: UserId | None = None


def encode_cursor(*values: int | str) -> str:
    """The sort key of a page's last row, as clients get it: JSON in unpadded base64url."""
    return base64.urlsafe_b64encode(msgspec.json.encode(values)).rstrip(b"=").decode()


def decode_cursor(text: str | None) -> tuple[int | str, ...] | None:
    """The sort key that was encoded, or None at the first page; refused when it is no cursor.

    Clients can write cursors of their own: whoever calls checks that the number and types of the values fit.
    """
    if text is None:
        return None
    if not text or len(text) > CURSOR_CHARACTERS_MAX:
        raise _malformed()
    try:
        padded = text.encode("ascii") + b"=" * (-len(text) % 4)
        values: tuple[int | str, ...] = _decoder.decode(base64.b64decode(padded, b"-_", validate=True))
    except (UnicodeEncodeError, binascii.Error, msgspec.DecodeError, UnicodeDecodeError):
        raise _malformed() from None
    if not values or encode_cursor(*values) != text:
        raise _malformed()
    return values


def _malformed() -> Refused:
    return Refused("invalid_request", "The cursor is not one that this list gave", field="cursor")


def after_cursor(text: str | None, first: tuple[Any, ...]) -> tuple[Any, ...]:
    """The sort key to continue after: `first` at the first page; refused when its values are of other types."""
    values = decode_cursor(text)
    if values is None:
        return first
    fits = len(values) == len(first) and all(
        type(value) is type(expected) and (isinstance(value, str) or abs(value) <= UNITS_MAX)
        for value, expected in zip(values, first, strict=False)
    )
    if not fits:
        raise _malformed()
    return values


def next_cursor(found: Sequence[R], limit: int, key: Callable[[R], tuple[int | str, ...]]) -> str | None:
    """Where the page after these rows begins, by the sort key of the last of them; None when they end the list."""
    return encode_cursor(*key(found[-1])) if len(found) == limit else None
