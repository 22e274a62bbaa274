"""The way to NATS: a connection on an event loop of its own, in a thread of its own.

Other threads hand over and take in batches, and never wait for the broker. What is handed over while it is away goes
when it is back; what was on its way when it went may be lost, and whoever needs it asks again.
"""

import asyncio
import contextlib
import threading
from collections import deque
from collections.abc import Callable, Coroutine
from typing import Any, NamedTuple, TypeVar
from urllib.parse import urlsplit

import nats.errors
import structlog
import uvloop
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.aio.subscription import Subscription
from nats.js import JetStreamContext

from borsa.errors import CantStart

_log = structlog.get_logger("borsa")

T = TypeVar("T")

CONNECT_SECONDS_MAX = 2
"""How long a connection may take to be there, until another server is tried."""

AGAIN_SECONDS = 0.25
"""How long a server that could not be reached is left alone."""

PING_SECONDS = 2
"""How often a silent connection is asked whether it is there; two questions without an answer, and it is not."""

HAND_OVER_SECONDS_MAX = 5
"""How long a subscription, or the end, may take."""


class Arrived(NamedTuple):
    """A message that came. `nobody`: it is the broker's word that nobody took what was sent with this reply subject."""

    subject: str
    reply: str
    data: bytes
    nobody: bool


class Broker:
    """One process's connection. `arrived` is filled here, and emptied by whoever `wake` calls."""

    def __init__(self, urls: str, name: str, wake: Callable[[], None]) -> None:
        self.arrived: deque[Arrived] = deque()
        self.connections = 0
        """How often a connection was made: after each but the first, something may have been lost."""
        self._urls = [url.strip() for url in urls.split(",")]
        self._name = name
        self._wake = wake
        self._out: deque[tuple[str, str, bytes]] = deque()
        self._sending = False
        self._sender: asyncio.Task[None] | None = None
        self._subscriptions: dict[str, Subscription] = {}
        self._tasks: list[asyncio.Task[None]] = []
        self._on_connected: list[Callable[[], None]] = []
        self._said = ""
        self.client = Client()
        self._loop = uvloop.new_event_loop()
        self._thread = threading.Thread(target=self._run, name="borsa-broker", daemon=True)

    @property
    def places(self) -> str:
        """Where the servers are, without what is secret."""
        parts = [urlsplit(url) for url in self._urls]
        return ", ".join(f"{part.hostname}:{part.port or 4222}" for part in parts)

    @property
    def version(self) -> str:
        """Which version of the server answers."""
        found = self.client.connected_server_version
        return f"{found.major}.{found.minor}.{found.patch}"

    @property
    def payload_bytes_max(self) -> int:
        """The largest message that the server takes."""
        return self.client.max_payload

    def start(self) -> None:
        """Connect, however long it takes; CantStart where the addresses are none."""
        self._thread.start()
        try:
            self._call(self._connect())
        except (nats.errors.Error, ValueError) as error:
            raise CantStart(f"BORSA_NATS_URL can't be used: {error}") from None

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.run_forever()
        self._loop.close()

    def _call(self, act: Coroutine[Any, Any, T], seconds: float | None = None) -> T:
        return asyncio.run_coroutine_threadsafe(act, self._loop).result(seconds)

    async def _connect(self) -> None:
        await self.client.connect(
            servers=self._urls,
            name=self._name,
            error_cb=self._failed,
            disconnected_cb=self._disconnected,
            reconnected_cb=self._reconnected,
            connect_timeout=CONNECT_SECONDS_MAX,
            reconnect_time_wait=AGAIN_SECONDS,  # type: ignore[arg-type]
            max_reconnect_attempts=-1,
            ping_interval=PING_SECONDS,
            max_outstanding_pings=2,
        )
        self._said = ""
        self.connections += 1
        self._send_out()

    # what happens to the connection ---------------------------------------------------------------------------------

    async def _failed(self, error: Exception) -> None:
        said = f"{type(error).__name__}: {error}"
        if said != self._said:
            _log.warning("broker_failed", broker=self.places, error=said)
            self._said = said

    async def _disconnected(self) -> None:
        if not self.client.is_closed:
            _log.warning("broker_lost", broker=self.places)

    async def _reconnected(self) -> None:
        _log.info("broker_back", broker=self.places)
        self._said = ""
        self.connections += 1
        for act in self._on_connected:
            act()
        self._send_out()
        self._wake()

    # sending --------------------------------------------------------------------------------------------------------

    def send(self, subject: str, data: bytes, reply: str = "") -> None:
        """Send a message soon; from any thread. Nobody hears of it when it is lost."""
        self._out.append((subject, reply, data))
        if not self._sending:
            self._sending = True
            with contextlib.suppress(RuntimeError):  # the loop has ended
                self._loop.call_soon_threadsafe(self._send_out)

    def _send_out(self) -> None:
        if self._sender is None or self._sender.done():
            self._sender = self._loop.create_task(self._send_all())
        else:
            # it is at work, and looks once more before it ends
            self._sending = False

    async def _send_all(self) -> None:
        # down before the queue is looked at: who adds to it later calls again
        self._sending = False
        while self._out and self.client.is_connected:
            subject, reply, data = self._out.popleft()
            try:
                await self.client.publish(subject, data, reply)
            except nats.errors.Error as error:
                await self._failed(error)

    # hearing --------------------------------------------------------------------------------------------------------

    def subscribe(self, subject: str) -> None:
        """Take what is sent to a subject from now on; what comes stays in order, subject by subject."""
        if subject not in self._subscriptions:
            self._call(self._subscribe(subject), HAND_OVER_SECONDS_MAX)

    async def _subscribe(self, subject: str) -> None:
        self._subscriptions[subject] = await self.client.subscribe(subject, cb=self._heard)
        await self._reach()

    def unsubscribe(self, subject: str) -> None:
        """Take no more of a subject than has come already."""
        found = self._subscriptions.pop(subject, None)
        if found is not None:
            with contextlib.suppress(TimeoutError):
                self._call(self._unsubscribe(found), HAND_OVER_SECONDS_MAX)

    async def _unsubscribe(self, subscription: Subscription) -> None:
        with contextlib.suppress(nats.errors.Error, asyncio.TimeoutError):
            await subscription.drain()  # type: ignore[no-untyped-call]

    async def _heard(self, message: Msg) -> None:
        nobody = message.headers is not None and message.headers.get("Status") == "503"
        self.arrived.append(Arrived(message.subject, message.reply, message.data, nobody))
        self._wake()

    async def _reach(self) -> None:
        """Until the server has what was sent, where it is there at all."""
        with contextlib.suppress(nats.errors.Error, asyncio.TimeoutError):
            await self.client.flush(HAND_OVER_SECONDS_MAX - 1)

    # for those who live on the loop ---------------------------------------------------------------------------------

    def run(self, work: Coroutine[Any, Any, None]) -> None:
        """Begin work on the loop; it ends with the connection."""
        self._loop.call_soon_threadsafe(lambda: self._tasks.append(self._loop.create_task(work)))

    def call_soon(self, act: Callable[[], None]) -> None:
        """Have something done on the loop; from any thread."""
        with contextlib.suppress(RuntimeError):  # the loop has ended
            self._loop.call_soon_threadsafe(act)

    def wait_for(self, look: Callable[[], bool]) -> None:
        """Until something on the loop is so, but no longer than HAND_OVER_SECONDS_MAX: the broker may be away."""

        async def wait() -> None:
            while not look():
                await asyncio.sleep(0.001)

        with contextlib.suppress(TimeoutError):
            self._call(asyncio.wait_for(wait(), HAND_OVER_SECONDS_MAX))

    def on_connected(self, act: Callable[[], None]) -> None:
        """What to do, on the loop, each time that the connection is there again."""
        self._on_connected.append(act)

    def jetstream(self) -> JetStreamContext:
        """The part of the broker that stores."""
        return self.client.jetstream()

    def close(self) -> None:
        """Send what is to be sent, where it goes at once, and end."""
        if not self._thread.is_alive():
            return
        with contextlib.suppress(TimeoutError):
            self._call(self._close(), HAND_OVER_SECONDS_MAX)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(HAND_OVER_SECONDS_MAX)

    async def _close(self) -> None:
        await self._send_all()
        if self.client.is_connected:
            await self._reach()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        # while it reconnects, nats-py says farewell over a connection that is closed
        with contextlib.suppress(nats.errors.Error, RuntimeError, OSError):
            await self.client.close()
