"""The sender: takes what the outbox holds, tries it, and tells the writer what became of it.

It runs on a thread of its own, outside the writer: a slow target delays no commit. A delivery that was made but not
yet recorded when the process died is made again: sending is at-least-once, and its id tells the receiver.
"""

import asyncio
import threading
from collections.abc import Sequence
from typing import Any

import structlog

from borsa.errors import Refused
from borsa.runtime.bus import Bus, Origin, Outcome
from borsa.runtime.clock import Clock
from borsa.runtime.store import Reader
from borsa.services.notifications.channels import Channels
from borsa.services.notifications.model import DELIVERED, FAILED, MarkDelivered
from borsa.services.notifications.store import Due, due
from borsa.settings import Settings

TRIES_AT_ONCE_MAX = 32
TRIES_OF_ONE_MAX = 4
"""Tries of one user and channel at once."""

IDLE_SECONDS = 0.5
"""How long the sender sleeps when nothing was due."""

_log = structlog.get_logger("borsa")

Key = tuple[str, str]


class Sender:
    """Sends what is due, with bounded concurrency. Start it after the writers, stop it before them."""

    def __init__(self, bus: Bus, reader: Reader, settings: Settings, clock: Clock) -> None:
        self._bus = bus
        self._reader = reader
        self._settings = settings
        self._clock = clock
        self._in_flight: set[Key] = set()
        self._stopping = False
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread = threading.Thread(target=self._run, name="borsa-sender", daemon=True)

    def start(self) -> None:
        """Begin to send."""
        self._thread.start()

    def stop(self) -> None:
        """Begin nothing new, let the tries in flight end (each is bounded by its timeout), and end the thread."""
        self._stopping = True
        self.wake()
        if self._thread.is_alive():
            self._thread.join()
        self._reader.close()

    def wake(self) -> None:
        """Look now, from any thread; without it the sender looks twice a second."""
        self._call(self._awake)

    def deliver(self, outcomes: Sequence[tuple[MarkDelivered, Outcome]]) -> None:
        """What the writer says, on its thread, to what it was told of tries."""
        self._call(self._settle, outcomes)

    def _call(self, act: Any, *given: Any) -> None:
        loop = self._loop
        if loop is None:
            return
        try:
            loop.call_soon_threadsafe(act, *given)
        except RuntimeError:
            return  # the loop ended: nobody waits any more

    def _run(self) -> None:
        try:
            asyncio.run(self._send_all())
        except Exception:
            _log.critical("sender_failed", exc_info=True)

    async def _send_all(self) -> None:
        self._event = asyncio.Event()
        self._loop = asyncio.get_running_loop()
        async with Channels(self._settings, self._clock) as channels, asyncio.TaskGroup() as tries:
            while not self._stopping:
                self._event.clear()
                for each in self._look():
                    tries.create_task(self._try(channels, each))
                await self._sleep()

    async def _sleep(self) -> None:
        try:
            await asyncio.wait_for(self._event.wait(), IDLE_SECONDS)
        except TimeoutError:
            return

    def _look(self) -> list[Due]:
        try:
            return self._due()
        except Exception:
            _log.exception("outbox_unreadable")
            return []

    def _due(self) -> list[Due]:
        """What to try now; a try in flight stays in the outbox, and in its turn, until it is recorded."""
        free = TRIES_AT_ONCE_MAX - len(self._in_flight)
        if free <= 0:
            return []
        found = due(self._reader, self._clock.now(), TRIES_OF_ONE_MAX, TRIES_AT_ONCE_MAX)
        fresh = [each for each in found if _key(each) not in self._in_flight][:free]
        self._in_flight.update(_key(each) for each in fresh)
        return fresh

    async def _try(self, channels: Channels, each: Due) -> None:
        outcome, problem = await self._outcome(channels, each)
        if outcome != DELIVERED:
            _log.warning("delivery_failed", id=each.notification.notification_id, channel=each.channel, problem=problem)
        self._tell(
            MarkDelivered(
                notification_id=each.notification.notification_id,
                channel=each.channel,
                outcome=outcome,
                problem=problem,
            )
        )

    def _tell(self, mark: MarkDelivered) -> None:
        self._bus.ask(mark, Origin(f"delivery-{mark.notification_id}"), self, mark)

    async def _outcome(self, channels: Channels, each: Due) -> tuple[str, str | None]:
        try:
            return await channels.send(each)
        except Exception as error:
            _log.exception("delivery_broke", id=each.notification.notification_id, channel=each.channel)
            return FAILED, repr(error)

    def _settle(self, outcomes: Sequence[tuple[MarkDelivered, Outcome]]) -> None:
        """What is recorded may be looked up again; what the writer was too busy for is told, not sent, once more."""
        for mark, outcome in outcomes:
            if isinstance(outcome, Refused):
                asyncio.get_running_loop().call_later(IDLE_SECONDS, self._tell, mark)
            else:
                self._in_flight.discard((mark.notification_id, mark.channel))
        self._event.set()

    def _awake(self) -> None:
        self._event.set()


def _key(each: Due) -> Key:
    return each.notification.notification_id, each.channel
