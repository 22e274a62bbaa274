"""The toys in processes apart, as far as their buses can tell: over a real broker."""

import asyncio
from pathlib import Path
from typing import Any

from borsa.runtime.buses.broker import HAND_OVER_SECONDS_MAX, Broker
from borsa.runtime.buses.jetstream import JetStreamBus
from borsa.runtime.buses.link import Language
from borsa.runtime.observability.vitals import Vitals
from tests.runtime.toys import Stage


def settle(broker: Broker) -> None:
    """Until the server has taken what was sent, and everything that it had for this process has arrived."""
    broker._call(_settle(broker))


async def _settle(broker: Broker) -> None:
    while broker._sending or not (broker._sender is None or broker._sender.done()):
        await asyncio.sleep(0)
    await broker.client.flush(HAND_OVER_SECONDS_MAX)
    while any(each.pending_msgs for each in broker._subscriptions.values()):
        await asyncio.sleep(0)
    # the last of each is out of its queue, and about to be taken
    await asyncio.sleep(0)


class JetStreamStage(Stage):
    """Three processes: the test's own, and one for each toy."""

    def __init__(self, folder: Path, url: str, **options: Any) -> None:
        super().__init__(folder, **options)
        self._url = url
        self.usurpers: list[str] = []

    def make_buses(self) -> None:
        known = Language([kind for service in self.services for kind in service.answers])
        self.brokers = {name: Broker(self._url, name, lambda: None) for name in ("door", "alpha", "beta")}
        for broker in self.brokers.values():
            broker.start()
        self.local = self.reach = {name: self._bus_of(name, known) for name in self.brokers}
        self.bus = self.reach["door"]

    def _bus_of(self, name: str, known: Language) -> JetStreamBus:
        logs = {each: database.reader() for each, database in self.databases.items()}
        return JetStreamBus(
            self.brokers[name],
            known,
            logs,
            self.settings,
            self.clock,
            lambda: Vitals([], ""),
            patient=name != "door",
            usurped=self.usurpers.append,
        )

    def __enter__(self) -> "JetStreamStage":
        super().__enter__()
        for bus in self.reach.values():
            bus.start()
        self.relayed = {name: self.databases[name].reader() for name in self.writers}
        for name in self.writers:
            self.reach[name].open(self.relayed[name], 1)
        self.carry()
        return self

    def carry(self) -> bool:
        for bus in self.reach.values():
            bus.flush()
            bus.settle()
        for broker in self.brokers.values():
            settle(broker)
        came = [bus for bus in self.reach.values() if bus.receive()]
        return bool(came)

    def pass_seconds(self, seconds: float) -> None:
        """Let time go by, for the buses."""
        self.clock.microseconds += int(seconds * 1_000_000)

    def __exit__(self, *_: object) -> None:
        for broker in self.brokers.values():
            broker.close()
        super().__exit__()
        for reader in self.relayed.values():
            reader.close()
