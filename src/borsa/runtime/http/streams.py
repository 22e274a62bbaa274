"""/ws: WebSockets, from the handshake to the end."""

from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit

import structlog

from borsa.errors import Refused
from borsa.runtime.http.admission import Seat, admit
from borsa.runtime.http.call import Means
from borsa.runtime.http.channels import Channels
from borsa.runtime.http.conversation import Conversation
from borsa.runtime.http.endpoint import Receive, Scope, Send, request_id_of
from borsa.runtime.http.problem import MEDIA_TYPE, document, headers_of

_log = structlog.get_logger("borsa")

TOO_MANY = 4029


class Streams:
    """`/ws`: WebSockets over which channels are followed."""

    def __init__(self, means: Means, channels: Channels) -> None:
        self.means = means
        self._channels = channels
        self._origins = {each.strip().lower().rstrip("/") for each in means.settings.origins.split(",")}

    async def socket(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a WebSocket."""
        headers = dict(scope["headers"])
        request_id = request_id_of(headers, self.means)
        try:
            identity = await admit(self.means, scope, headers, lambda: self._check(scope, headers))
        except Refused as refused:
            await _refuse(send, refused, request_id)
            return
        await send({"type": "websocket.accept", "headers": [(b"x-request-id", request_id.encode())]})
        seat = Seat(self.means.limits, scope)
        conversation = Conversation(self.means, self._channels, scope, seat)
        try:
            seat.take()
            seat.belong_to(identity)
            await conversation.run(identity, headers.get(b"authorization"), receive)
        except Refused as refused:
            await send({"type": "websocket.close", "code": TOO_MANY, "reason": refused.detail})
        except Exception:
            _log.exception("stream_failed", request_id=request_id)
            raise
        finally:
            conversation.end()
            seat.leave()

    def _check(self, scope: Scope, headers: Mapping[bytes, bytes]) -> None:
        if scope["path"] != "/ws":
            raise Refused("not_found")
        self._check_origin(scope, headers)

    def _check_origin(self, scope: Scope, headers: Mapping[bytes, bytes]) -> None:
        """A browser says which page it is that opens a stream: another host's may not."""
        origin = headers.get(b"origin", b"").decode("latin-1").lower()
        if not origin or origin in self._origins:
            return
        parts = urlsplit(origin)
        if not parts.netloc or parts.netloc != headers.get(b"host", b"").decode("latin-1").lower():
            raise Refused("forbidden", "Pages of this origin may not open streams here")


async def _refuse(send: Send, refused: Refused, request_id: str) -> None:
    body = document(refused)
    fields = {"content-type": MEDIA_TYPE, "content-length": str(len(body)), "x-request-id": request_id}
    found: Sequence[tuple[bytes, bytes]] = [
        (name.encode(), value.encode()) for name, value in (fields | headers_of(refused)).items()
    ]
    start: dict[str, Any] = {"type": "websocket.http.response.start", "status": refused.status, "headers": found}
    await send(start)
    await send({"type": "websocket.http.response.body", "body": body})
