"""The bus in one process: committed events go straight to the consumers, a request straight to its writer."""

import threading
from collections.abc import Mapping, Sequence
from typing import Any

from borsa.requests import Request
from borsa.runtime.bus import Listener, Once, Origin, Receiver, Replies
from borsa.runtime.log import Recorded, Tail, newest
from borsa.runtime.store import Reader
from borsa.runtime.writing.inbox import Question
from borsa.runtime.writing.writer import Writer


class EmbeddedBus:
    """Connects the writers of one process. Attach every writer before the first step; `logs` can be read of all."""

    def __init__(self, fetch_events_max: int, logs: Mapping[str, Reader]) -> None:
        self._logs = logs
        self._tails = {source: Tail(source, reader, fetch_events_max) for source, reader in logs.items()}
        self._writers: dict[str, Writer] = {}
        self._consumers: dict[str, list[Writer]] = {}
        self._listeners: dict[str, list[Listener]] = {}
        self._receivers: dict[str, list[Receiver]] = {}
        self._seen: dict[str, int] = {}
        self._fetching = threading.Lock()

    def attach(self, writer: Writer) -> None:
        """Connect a service's writer."""
        self._writers[writer.service.name] = writer
        for source in writer.service.consumes:
            self._consumers.setdefault(source, []).append(writer)

    def ask(
        self,
        request: Request[Any],
        origin: Origin,
        replies: Replies,
        token: Any,
        once: Once | None = None,
        of: str = "",
    ) -> None:
        self._writers[of or request.answered_by].inbox.put(Question(request, origin, replies, token, once))

    def publish(self, source: str, events: Sequence[Recorded]) -> None:
        for writer in self._consumers.get(source, ()):
            writer.deliver(source, events)
        for listener in self._listeners.get(source, ()):
            listener.observe(events)

    def fetch(self, source: str, after: int) -> Sequence[Recorded]:
        with self._fetching:
            return self._tails[source].after(after)

    def listen(self, source: str, listener: Listener) -> None:
        self._seen.setdefault(source, newest(self._logs[source])[0])
        self._listeners.setdefault(source, []).append(listener)

    def broadcast(self, source: str, messages: Sequence[bytes]) -> None:
        for receiver in self._receivers.get(source, ()):
            for message in messages:
                receiver.receive(message)

    def tune(self, source: str, receiver: Receiver) -> None:
        self._receivers.setdefault(source, []).append(receiver)

    def hear_of(self, source: str, last: int) -> None:
        """The log of a service in another process goes as far as `last`: consumers and listeners read it there."""
        for writer in self._consumers.get(source, ()):
            writer.hear_of(source)
        listeners = self._listeners.get(source, ())
        if any(listener.is_listening() for listener in listeners):
            while self._seen[source] < last and (events := self.fetch(source, self._seen[source])):
                self._seen[source] = events[-1].sequence
                for listener in listeners:
                    listener.observe(events)
        self._seen[source] = max(last, self._seen.get(source, 0))

    def close(self) -> None:
        """End the connections to the logs."""
        for reader in self._logs.values():
            reader.close()
