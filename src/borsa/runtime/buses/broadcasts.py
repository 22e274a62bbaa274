"""What services say in passing, over the broker: kept nowhere, and lost when nobody is there or the broker is away."""

from collections.abc import Sequence

import msgspec

from borsa.runtime.bus import Receiver
from borsa.runtime.buses.broker import Broker

SAID = "borsa.said."
"""The subject of what a service says in passing, with its name behind."""

_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(list[bytes]).decode


class Broadcasts:
    """Says and hears."""

    def __init__(self, broker: Broker) -> None:
        self._broker = broker
        self._receivers: dict[str, list[Receiver]] = {}

    def say(self, source: str, messages: Sequence[bytes]) -> None:
        """Many in one, as far as the broker takes it; what it does not take is lost."""
        packed = _encode(messages)
        if len(packed) <= self._broker.payload_bytes_max:
            self._broker.send(SAID + source, packed)
        elif len(messages) > 1:
            middle = len(messages) // 2
            self.say(source, messages[:middle])
            self.say(source, messages[middle:])

    def tune(self, source: str, receiver: Receiver) -> None:
        """Have somebody hear a source from now on."""
        if source not in self._receivers:
            self._broker.subscribe(SAID + source)
        self._receivers.setdefault(source, []).append(receiver)

    def take(self, source: str, data: bytes) -> None:
        """Something came."""
        for message in _decode(data):
            for receiver in self._receivers.get(source, ()):
                receiver.receive(message)

    def miss(self, source: str = "") -> None:
        """Something of a source, or of all, may have been lost."""
        for name, receivers in self._receivers.items():
            for receiver in receivers if source in ("", name) else ():
                receiver.miss()
