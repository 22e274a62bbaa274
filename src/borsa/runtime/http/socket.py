"""One WebSocket: uvicorn's over the protocol of `websockets`, with a bound on slowness, and frames made once."""

import asyncio
from typing import Any

from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.frames import Frame, Opcode

from borsa.runtime.http.connection import GatheringTransport, Patience

GOING_AWAY, TOO_BIG = 1001, 1009

PARTS_MAX = 100
"""Into so many parts a message may be divided."""

SOCKET = "borsa.socket"
"""The extension of the scope in which an application finds its connection."""


def framed(message: bytes) -> bytes:
    """A text message as it is sent, to however many: no extension is used, so a frame is the same for everybody."""
    return Frame(Opcode.TEXT, message).serialize(mask=False)


class SocketProtocol(WebSocketsSansIOProtocol):
    """Ends with whoever takes nothing for too long, and says 1001 when the server stops."""

    transport: GatheringTransport
    is_full = False
    """Did the system not take all that was written?"""

    _seen = 0
    _since = 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """A client is there: what is written goes at once, and is known to be left where the system takes no more."""
        super().connection_made(transport)
        self.transport.set_write_buffer_limits(0)

    def handle_ping(self) -> None:
        """Answer, unless the client takes no answers: of many of its pings that wait, none need be answered."""
        if self.is_full:
            self.conn.data_to_send()
        else:
            super().handle_ping()

    def handle_cont(self, event: Frame) -> None:
        """Take a part of a message; parts may be empty, so their bytes bound nothing."""
        if len(self.frames) < PARTS_MAX:
            super().handle_cont(event)
        else:
            self.end(TOO_BIG, "too many parts")

    def pause_writing(self) -> None:
        """The system takes no more."""
        self.is_full = True
        super().pause_writing()

    def resume_writing(self) -> None:
        """The system took all."""
        self.is_full = False
        super().resume_writing()

    async def run_asgi(self) -> None:
        """Have the application talk with the client; it finds this connection in the scope."""
        extensions: dict[str, Any] = self.scope["extensions"]
        extensions[SOCKET] = self
        await super().run_asgi()

    def push(self, frame: bytes) -> None:
        """Send a frame at once, unless the end has begun."""
        if self.handshake_complete and not (self.close_sent or self.disconnected):
            self.transport.write_at_once(frame)

    def put(self, frame: bytes) -> None:
        """Send a frame with those that follow, until `flush` or the end of this turn of the event loop; unless the end
        has begun."""
        if self.handshake_complete and not (self.close_sent or self.disconnected or self.transport.is_closing()):
            self.transport.write(frame)

    def flush(self) -> None:
        """Send what was put."""
        self.transport.flush()

    @property
    def unread_bytes(self) -> int:
        """Bytes that the client has not taken yet."""
        return self.transport.get_write_buffer_size()

    def let_go(self) -> None:
        """End the connection, and drop what was not sent."""
        self.transport.abort()

    def check(self, now: float, patience: Patience) -> None:
        """End the connection of a client that has taken nothing for too long; `now` in seconds."""
        unread = self.unread_bytes
        if not unread or unread != self._seen:
            self._seen, self._since = unread, now
        elif now - self._since > patience.answer:
            self.let_go()

    def end(self, code: int, reason: str) -> None:
        """Say why it ends, and end it when the client has heard."""
        if not self.handshake_complete or self.close_sent or self.disconnected:
            return
        self.stop_keepalive()
        self.queue.put_nowait({"type": "websocket.disconnect", "code": code, "reason": reason})
        self.conn.send_close(code, reason)
        self.transport.write(b"".join(self.conn.data_to_send()))
        self.close_sent = True
        self.transport.resume_reading()
        self.close_timer = self.loop.call_later(self.close_timeout, self.transport.close)

    def shutdown(self) -> None:
        """The server stops."""
        if self.handshake_complete and not self.close_sent:
            self.end(GOING_AWAY, "the server stops")
            self.transport.close()
        else:
            super().shutdown()
