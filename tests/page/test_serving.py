"""How the page is served: from memory, for ever where the name has the digest, and with a strict policy."""

import asyncio
import gzip
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from borsa.runtime.clock import SystemClock
from borsa.runtime.http.app import Served
from borsa.runtime.http.call import Means
from borsa.runtime.http.limits import Limits
from borsa.settings import Settings
from borsa.web import page
from tests.support.running import Running

INDEX = b"<!doctype html><title>Borsa</title>"
SCRIPT = b"console.log('hello')\n" * 50


class Answer:
    """What an ASGI application sent."""

    def __init__(self, messages: list[dict[str, Any]]) -> None:
        start, body = messages
        self.status: int = start["status"]
        self.headers = {name.decode(): value.decode() for name, value in start["headers"]}
        self.body: bytes = body["body"]


@pytest.fixture
def means() -> Means:
    clock, settings = SystemClock(), Settings(address_requests_per_second=100)
    return Means(None, settings, None, Limits(clock, settings), clock, None)  # type: ignore[arg-type]


@pytest.fixture
def files(means: Means, tmp_path: Path) -> Mapping[str, Served]:
    (tmp_path / "assets").mkdir()
    (tmp_path / "index.html").write_bytes(INDEX)
    (tmp_path / "theme.js").write_bytes(SCRIPT)
    (tmp_path / "assets" / "index-abc123.js").write_bytes(SCRIPT)
    (tmp_path / ".digest").write_text("of the sources")
    return page(means, tmp_path)


def answer(app: Served, method: str = "GET", **headers: str) -> Answer:
    sent: list[dict[str, Any]] = []

    async def send(message: Any) -> None:
        sent.append(message)

    async def receive() -> Any:
        raise AssertionError("a file reads no body")

    raw = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    scope = {"type": "http", "method": method, "path": "/", "headers": raw, "client": ("192.0.2.1", 1)}
    asyncio.run(app(scope, receive, send))  # type: ignore[arg-type]
    return Answer(sent)


def test_only_the_page_is_served(files: Mapping[str, Served]) -> None:
    assert set(files) == {"/", "/theme.js", "/assets/index-abc123.js"}
    assert answer(files["/"]).body == INDEX


def test_what_has_a_digest_in_its_name_is_kept_for_ever_and_the_rest_is_asked_for_again(
    files: Mapping[str, Served],
) -> None:
    assert answer(files["/assets/index-abc123.js"]).headers["cache-control"] == "public, max-age=31536000, immutable"
    assert answer(files["/"]).headers["cache-control"] == "no-cache"
    assert answer(files["/theme.js"]).headers["cache-control"] == "no-cache"


def test_whoever_takes_gzip_gets_less(files: Mapping[str, Served]) -> None:
    whole, zipped = answer(files["/theme.js"]), answer(files["/theme.js"], accept_encoding="br, gzip")
    assert (whole.headers.get("content-encoding"), zipped.headers["content-encoding"]) == (None, "gzip")
    assert gzip.decompress(zipped.body) == whole.body == SCRIPT
    assert len(zipped.body) < len(whole.body)
    assert whole.headers["etag"] != zipped.headers["etag"]
    assert whole.headers["vary"] == zipped.headers["vary"] == "accept-encoding"


def test_whoever_has_it_is_told_so(files: Mapping[str, Served]) -> None:
    tag = answer(files["/"]).headers["etag"]
    again = answer(files["/"], if_none_match=f'"other", {tag}')
    assert (again.status, again.body, again.headers["etag"]) == (304, b"", tag)
    assert answer(files["/"], if_none_match='"other"').status == 200


def test_scripts_and_connections_are_this_servers_only(files: Mapping[str, Served]) -> None:
    said = answer(files["/"]).headers["content-security-policy"]
    policy = {name: rest.split() for name, _, rest in (part.strip().partition(" ") for part in said.split(";"))}
    assert policy["default-src"] == ["'none'"]
    assert policy["script-src"] == policy["connect-src"] == ["'self'"]
    assert policy["frame-ancestors"] == policy["base-uri"] == ["'none'"]
    assert "unsafe" not in said


def test_it_is_only_read(files: Mapping[str, Served]) -> None:
    refused = answer(files["/"], "POST")
    assert (refused.status, refused.headers["allow"]) == (405, "GET, HEAD")


def test_an_address_can_ask_too_often(files: Mapping[str, Served]) -> None:
    found = [answer(files["/"]).status for _ in range(201)]
    # a second may begin meanwhile, once
    assert 429 in found
    assert found[:100] == [200] * 100


def test_without_a_page_it_says_what_is_missing(means: Means, tmp_path: Path) -> None:
    files = page(means, tmp_path)
    said = answer(files["/"])
    assert (set(files), said.status) == ({"/"}, 503)
    assert b"Node" in said.body
    assert b"/docs" in said.body


def test_the_exchange_serves_its_page(shared_exchange: Running) -> None:
    said = shared_exchange.http.get("/")
    if said.status_code == 503:
        pytest.skip("the page is not built here")
    paths = re.findall(r'(?:src|href)="(/[^"]+)"', said.text)
    assert len(paths) > 3
    assert [shared_exchange.http.get(path).status_code for path in paths if path != "/docs"] == [200] * (len(paths) - 1)
    assert shared_exchange.http.get("/assets/nothing.js").status_code == 404
