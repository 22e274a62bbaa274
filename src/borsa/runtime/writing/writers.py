"""The writers of a process: opened, recovered, at work on one thread, closed in order."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

from borsa.errors import CantStart
from borsa.runtime.bus import Bus
from borsa.runtime.clock import Clock
from borsa.runtime.observability.vitals import Vital
from borsa.runtime.service import Background, Service
from borsa.runtime.store import Database, StorageFull
from borsa.runtime.writing.writer import Writer
from borsa.settings import Settings


class Local(Protocol):
    """What connects the writers of a process."""

    def attach(self, writer: Writer) -> None:
        """Connect a service's writer."""


class Writers:
    """The writers of some services. `local` is what connects them, `bus` what they reach everybody by (the same, in
    one process)."""

    def __init__(
        self,
        services: Sequence[Service[Any]],
        databases: Mapping[str, Database],
        local: Local,
        bus: Bus,
        settings: Settings,
        clock: Clock,
        wake: Callable[[], None],
    ) -> None:
        self._services = services
        self._databases = databases
        self._bus = bus
        self._settings = settings
        self._clock = clock
        self._background: list[Background] = []
        self.by_name: dict[str, Writer] = {}
        for service in services:
            connection = databases[service.name].connect()
            writer = Writer(service, connection, bus, clock, settings, wake)
            self.by_name[service.name] = writer
            local.attach(writer)

    def recover(self) -> None:
        """What each does before anything else: load, replay, first start. CantStart where there is no room for it."""
        for name, writer in self.by_name.items():
            try:
                writer.start()
            except StorageFull as error:
                raise CantStart(f"{name} has no room on its disk") from error

    def start_background(self) -> None:
        """Begin the work beside the writers; they must be at work already."""
        self._background = [
            service.background(self._bus, self._databases[service.name].reader(), self._settings, self._clock)
            for service in self._services
            if service.background is not None
        ]
        for work in self._background:
            work.start()

    def stop_background(self) -> None:
        """End the work beside the writers, while they still take its last word."""
        for work in self._background:
            work.stop()
        self._background = []

    def vitals(self) -> list[Vital]:
        """Where they stand."""
        return [writer.vital() for writer in self.by_name.values()]

    def close(self) -> None:
        """End the connections."""
        for writer in self.by_name.values():
            writer.close()
