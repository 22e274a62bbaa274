"""Cookies: only the page has them, and only for what must survive a reload without being readable by scripts."""

from collections.abc import MutableMapping
from typing import Any

OWN_SITE = (b"same-origin", b"none")
"""What a browser says of where a request comes from (Sec-Fetch-Site): the page itself, or the person."""


def own_cookie(scope: MutableMapping[str, Any], name: str) -> str | None:
    """A cookie of a request, unless a browser says that another site's page sent it."""
    headers: dict[bytes, bytes] = dict(scope["headers"])
    if headers.get(b"sec-fetch-site", b"same-origin") not in OWN_SITE:
        return None
    for part in headers.get(b"cookie", b"").decode("latin-1").split(";"):
        key, _, value = part.strip().partition("=")
        if key == name:
            return value
    return None


def kept_cookie(name: str, value: str, path: str, seconds: int, *, encrypted: bool) -> str:
    """The Set-Cookie header of a cookie that no script can read, and that no other site's page makes a browser send.

    No seconds end it.
    """
    secure = "; Secure" if encrypted else ""
    return f"{name}={value}; Path={path}; Max-Age={seconds}; HttpOnly; SameSite=Strict{secure}"
