"""A client of the streams: keeps the books that it follows as a client has to."""

import json
import socket
import threading
from contextlib import ExitStack, suppress
from types import TracebackType
from typing import Any, Self
from zlib import crc32

from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

from tests.support.running import PATIENCE_SECONDS, Person, Reached

Message = dict[str, Any]


class Book:
    """A book as its messages tell it. A change that does not follow, or follows wrongly, is a fault of the server."""

    def __init__(self) -> None:
        self.sequence = -1
        self.changes = 0
        self.bids: dict[str, str] = {}
        self.asks: dict[str, str] = {}

    def take(self, message: Message) -> None:
        """A message of the channel."""
        if message["type"] == "snapshot":
            self.bids, self.asks = dict(message["bids"]), dict(message["asks"])
        else:
            assert message["first"] == self.sequence + 1, message
            assert message["sequence"] >= message["first"]
            for side in ("bids", "asks"):
                known = getattr(self, side)
                known.update(dict(message[side]))
                setattr(self, side, {price: quantity for price, quantity in known.items() if quantity != "0"})
            self.changes += 1
        self.sequence = message["sequence"]

    def levels(self) -> Message:
        """As REST gives it."""
        bids = sorted(self.bids.items(), key=lambda level: -float(level[0]))
        asks = sorted(self.asks.items(), key=lambda level: float(level[0]))
        return {"sequence": self.sequence, "bids": list(map(list, bids)), "asks": list(map(list, asks))}

    def checksum(self) -> int:
        """As docs/streams.md says."""
        found = self.levels()
        best = [text for side in ("bids", "asks") for level in found[side][:10] for text in level]
        return crc32(":".join(best).encode())


class Stream:
    """One connection. `heard` has every message by channel; answers come back from what asks."""

    def __init__(self, running: Reached, person: Person | None = None, **headers: str) -> None:
        self._url = str(running.http.base_url).replace("http", "ws").rstrip("/") + "/ws"
        self._headers = dict(person.headers) if person else {}
        self._headers |= {name.replace("_", "-"): value for name, value in headers.items()}
        self.heard: dict[str, list[Message]] = {}
        self.books: dict[str, Book] = {}
        self.closed: tuple[int, str] | None = None
        self._some = threading.Condition()
        self._answers: list[Message] = []
        self._number = 0
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        opened = connect(self._url, additional_headers=self._headers, compression=None)
        self._socket: ClientConnection = self._stack.enter_context(opened)
        self._thread = threading.Thread(target=self._listen, daemon=True)
        self._thread.start()
        return self

    def _listen(self) -> None:
        try:
            while True:
                self._take(json.loads(self._socket.recv()))
        except ConnectionClosed as end:
            with self._some:
                received = end.rcvd
                self.closed = (received.code, received.reason) if received else (1006, "")
                self._some.notify_all()

    def _take(self, message: Message) -> None:
        with self._some:
            channel = message.get("channel")
            if channel is None or message["type"] in ("error", "checksum"):
                self._answers.append(message)
            else:
                self.heard.setdefault(channel, []).append(message)
                if channel.startswith("book:"):
                    self.books.setdefault(channel, Book()).take(message)
            self._some.notify_all()

    def say(self, text: str) -> Message:
        """The answer to a text."""
        self._socket.send(text)
        self.until(lambda: self._answers, f"an answer to {text[:60]}")
        return self._answers.pop(0)

    def ask(self, op: str, **fields: Any) -> Message:
        """The answer to what is asked."""
        self._number += 1
        answer = self.say(json.dumps({"op": op, "id": self._number} | fields))
        assert answer.pop("id") == self._number
        return answer

    def follow(self, *channels: str, **after: int) -> None:
        """Subscribe."""
        answer = self.ask("subscribe", channels=channels, **({"after": after} if after else {}))
        assert answer == {"type": "subscribed", "channels": list(channels)}, answer

    def until(self, look: Any, what: str = "it") -> Any:
        """What `look` gives as soon as it is true, after some message."""
        with self._some:
            found = self._some.wait_for(look, PATIENCE_SECONDS)
        assert found, f"waited {PATIENCE_SECONDS} s for {what}: {self.heard}"
        return found

    def of(self, channel: str) -> list[Message]:
        """What was heard of a channel."""
        return self.heard.get(channel, [])

    def drop(self) -> None:
        """Lose the connection, without a word."""
        self._socket.socket.shutdown(socket.SHUT_RDWR)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with suppress(ConnectionClosed, OSError):
            self._stack.close()
        self._thread.join(PATIENCE_SECONDS)
