"""The one ASGI endpoint that serves every route: guard, read, decode, handle, encode.

It is a plain ASGI callable, because a request costs more here than anywhere behind it: nothing is made that a route
does not need.
"""

import hashlib
import re
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from typing import Any
from urllib.parse import parse_qsl

import msgspec
import structlog

from borsa.errors import Refused
from borsa.runtime.access.identity import Identity
from borsa.runtime.access.signing import KEY, Signed, signed_request
from borsa.runtime.bus import Once, Origin
from borsa.runtime.codec import encode
from borsa.runtime.http.call import Call, Means, address_of
from borsa.runtime.http.headers import FIXED_HEADERS
from borsa.runtime.http.limits import network_of
from borsa.runtime.http.page import PageQuery
from borsa.runtime.http.problem import MEDIA_TYPE, decode_body, document, headers_of, invalid
from borsa.runtime.http.route import Answered, Empty, Route
from borsa.runtime.observability import telemetry

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

_log = structlog.get_logger("borsa")

_REQUEST_ID = re.compile(r"[A-Za-z0-9._:-]{1,64}\Z", re.ASCII)
_KEY = re.compile(r"[\x21-\x7e]{1,255}\Z", re.ASCII)
_WAIT = re.compile(r"\bwait=(\d{1,4})\b")
_IS_JSON = re.compile(rb"application/json[ \t]*(;|\Z)", re.IGNORECASE)
_JSON = b"application/json"
_DENIED = (401, 403)
_NOT_NOW = (429, 503)


class Endpoint:
    """Serves one route."""

    def __init__(self, route: Route, means: Means) -> None:
        self.route = route
        self._means = means
        self._decoder = msgspec.json.Decoder(route.body) if route.body else None
        self._body_max: int = getattr(means.settings, route.body_bytes_max)
        limits, cancels = means.limits, route.method == "DELETE"
        self._of_address = limits.cancels_of_address if cancels else limits.requests_of_address
        self._of_key = limits.cancels_of_key if cancels else limits.requests_of_key
        self._times = telemetry.RequestTimes(route.name)
        self._tracer = telemetry.tracer()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        started = self._means.clock.ticks()
        headers = _headers(scope)
        request_id = request_id_of(headers, self._means)
        try:
            answered = await self._answer(scope, receive, headers, request_id)
            status, body, extra = answered.status, answered.body, answered.headers
        except Refused as refused:
            status, body = refused.status, document(refused)
            extra = {"content-type": MEDIA_TYPE} | headers_of(refused)
            if status in _DENIED:
                self._note(refused, scope, request_id)
            elif status in _NOT_NOW and self.route.method != "DELETE":
                await self._means.limits.slow_down(_caller(scope))
        except Exception:
            _log.exception("request_failed", route=self.route.name, request_id=request_id)
            status, body, extra = 500, document(Refused("internal_error")), {"content-type": MEDIA_TYPE}
        await respond(send, status, body, request_id, extra)
        elapsed = self._means.clock.ticks() - started
        self._times.observe(status, elapsed)
        if self._tracer is not None:
            self._tracer.requested(self.route.name, request_id, status, elapsed)
        _log.debug(
            "request",
            route=self.route.name,
            status=status,
            request_id=request_id,
            microseconds=elapsed // 1000,
        )

    def _note(self, refused: Refused, scope: Scope, request_id: str) -> None:
        """Log what somebody may not do. A wrong password has a line of its own, which knows whose it is."""
        caller: Identity | None = scope.get("user")
        if refused.code != "invalid_credentials":
            _log.info(
                "denied",
                route=self.route.name,
                code=refused.code,
                user_id=caller.user_id if caller else None,
                address=address_of(scope),
                request_id=request_id,
            )

    async def _answer(
        self, scope: Scope, receive: Receive, headers: Mapping[bytes, bytes], request_id: str
    ) -> Answered:
        route, means = self.route, self._means
        identity, body = await self._admit(scope, receive, headers)
        call = Call(
            means,
            route.service,
            identity,
            Origin(request_id, admin=identity.user_id if identity is not None and identity.is_admin else None),
            scope.get("path_params") or {},
            self._query(scope),
            scope,
            self._once(headers, identity, scope, body),
            self._wait(headers),
        )
        if self._decoder is None:
            result = await route.handle(call)
        else:
            result = await route.handle(call, decode_body(self._decoder, body))
        if isinstance(call.query, PageQuery):
            means.limits.rows_of_user.charge(_caller(scope), len(result.data))
        if type(result) is Answered:
            encoded = result.body if isinstance(result.body, bytes) else encode(result.body)
            return Answered(encoded, result.status, result.headers)
        return Answered(b"" if result is None else encode(result), route.status)

    async def _admit(
        self, scope: Scope, receive: Receive, headers: Mapping[bytes, bytes]
    ) -> tuple[Identity | None, bytes]:
        """Who calls, and the body. Whoever may not is refused before it is read, unless a signature is over it."""
        route, authenticator = self.route, self._means.authenticator
        address = address_of(scope)
        self._of_address.take(network_of(address))
        if route.access == "public":
            return None, await self._body(headers, receive)
        if KEY in headers:
            body = await self._body(headers, receive)
            identity = await authenticator.identify_signed(_signed(scope, headers, body), address)
            self._guard(scope, identity)
        else:
            identity = await authenticator.identify(headers.get(b"authorization"), address)
            self._guard(scope, identity)
            body = await self._body(headers, receive)
        return identity, body

    def _guard(self, scope: Scope, identity: Identity) -> None:
        scope["user"] = identity
        route = self.route
        if identity.by_api_key:
            self._of_key.take(identity.session_id)
        if route.access == "admin" and not identity.is_admin:
            raise Refused("forbidden")
        needed = "read" if route.access == "user" and route.method == "GET" else "trade"
        if needed not in identity.scopes:
            raise Refused("forbidden", f"This API key has no scope {needed}")

    def _query(self, scope: Scope) -> Any:
        kind = self.route.query
        if kind is Empty:
            return None
        try:
            text = scope["query_string"].decode("ascii")
            pairs = dict(parse_qsl(text, keep_blank_values=True, max_num_fields=100))
            query = msgspec.convert(pairs, kind, strict=False)
        except msgspec.ValidationError as error:
            raise invalid(error) from None
        except ValueError as error:
            raise Refused("malformed_request", f"The query could not be read: {error}") from None
        if isinstance(query, PageQuery):
            # one more: nobody knows yet how many there will be
            self._means.limits.rows_of_user.take(_caller(scope), 1)
        return query

    async def _body(self, headers: Mapping[bytes, bytes], receive: Receive) -> bytes:
        if self._decoder is None:
            return b""
        kind = headers.get(b"content-type", _JSON)
        # equal to what nearly everybody sends, or a variant of it
        if (kind != _JSON and not _IS_JSON.match(kind)) or b"content-encoding" in headers:
            raise Refused("unsupported_media_type")
        length = headers.get(b"content-length")
        if length is not None and (not length.isdigit() or int(length) > self._body_max):
            raise Refused("body_too_large", f"The body may have {self._body_max} bytes at most")
        parts: list[bytes] = []
        size = 0
        while True:
            message = await receive()
            if message["type"] != "http.request":
                raise Refused("malformed_request", "The client went away before the body was complete")
            part: bytes = message.get("body", b"")
            size += len(part)
            if size > self._body_max:
                raise Refused("body_too_large", f"The body may have {self._body_max} bytes at most")
            if not message.get("more_body"):
                return part if not parts else b"".join([*parts, part])
            parts.append(part)

    def _once(
        self, headers: Mapping[bytes, bytes], identity: Identity | None, scope: Scope, body: bytes
    ) -> Once | None:
        if self.route.method not in ("POST", "PUT"):
            return None
        raw = headers.get(b"idempotency-key")
        if raw is None:
            if self.route.key_required:
                raise Refused("idempotency_key_required", field="Idempotency-Key")
            return None
        key = raw.decode("latin-1")
        if not _KEY.match(key):
            raise Refused("invalid_request", "Must be 1 to 255 visible ASCII characters", field="Idempotency-Key")
        asked = f"{self.route.method} {scope['path']}\n".encode() + body
        owner = identity.user_id if identity else f"address {address_of(scope)}"
        return Once(owner, key, hashlib.sha256(asked).digest())

    def _wait(self, headers: Mapping[bytes, bytes]) -> int:
        prefer = headers.get(b"prefer")
        found = _WAIT.search(prefer.decode("latin-1")) if prefer else None
        return min(int(found[1]), self._means.settings.wait_seconds_max) if found else 0


def request_id_of(headers: Mapping[bytes, bytes], means: Means) -> str:
    """The id that a client gave its request, where it may stand in a log; a new one otherwise."""
    given = headers.get(b"x-request-id", b"").decode("latin-1")
    return given if _REQUEST_ID.match(given) else means.clock.new_id()


def _caller(scope: Scope) -> str:
    """Whom limits are about: a user, and before it is known who it is, an address."""
    identity: Identity | None = scope.get("user")
    return identity.user_id if identity is not None else network_of(address_of(scope))


def _headers(scope: Scope) -> dict[bytes, bytes]:
    headers: dict[bytes, bytes] = {}
    for name, value in scope["headers"]:
        # two Authorization headers are none: nobody can say which of them was meant
        headers[name] = b"" if name == b"authorization" and name in headers else value
    return headers


def _signed(scope: Scope, headers: Mapping[bytes, bytes], body: bytes) -> Signed:
    return signed_request(headers, scope["method"], scope["raw_path"], scope["query_string"], body)


async def respond(send: Send, status: int, body: bytes, request_id: str, extra: Mapping[str, str]) -> None:
    """Send a whole response."""
    headers = [*FIXED_HEADERS, (b"x-request-id", request_id.encode("ascii"))]
    if status != 204:
        headers.append((b"content-length", str(len(body)).encode("ascii")))
        if "content-type" not in extra:
            headers.append((b"content-type", _JSON))
    headers.extend((name.encode("ascii"), value.encode("latin-1")) for name, value in extra.items())
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
