"""The attackers: a process of their own, so that what they cost is not taken for what the honest feel."""

import asyncio
import contextlib
import os
import socket
from collections import Counter

import msgspec
import uvloop

from borsa.commands.hostile.asking import Asking, connected, now_ns

_ORDER_IN_BATCH = b'"orderId"'
_REFUSED_IN_BATCH = b'"code"'

RECONNECT_SECONDS = 0.05
"""How long an attacker whose connection was closed waits before the next."""

RECEIVE_BUFFER_BYTES = 4096
"""What the system takes for a client that never reads."""

GRACE_SECONDS = 90
"""How long the last answer of an attack may take."""


class Lane(msgspec.Struct, frozen=True):
    """One connection: its requests one after the other, each `pause_seconds` after the last answer at the soonest.
    `rounds` is how often at most; 0 is until the time is over."""

    requests: list[bytes]
    pause_seconds: float = 0.0
    rounds: int = 0


class Plan(msgspec.Struct, frozen=True):
    """An attack. Each of `deaf` is sent over a connection that never reads; a lane with `rounds` is heard out."""

    host: str
    port: int
    seconds: float
    lanes: list[Lane] = []
    deaf: list[bytes] = []


class Answers(msgspec.Struct, frozen=True):
    """What the attackers were answered. `mute` are 429 and 503 without Retry-After; `lost` are connections that the
    exchange closed; `unheard` are attackers who waited in vain for the end of their last answer."""

    statuses: Counter[int]
    orders: int
    orders_refused: int
    mute: int
    lost: int
    unheard: int


class _Band:
    """All attackers of one plan."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._statuses: Counter[int] = Counter()
        self._orders = self._refused = self._mute = self._lost = self._unheard = 0

    async def attack(self) -> Answers:
        self._until = now_ns() + int(self._plan.seconds * 1e9)
        async with asyncio.TaskGroup() as attackers:
            for lane in self._plan.lanes:
                attackers.create_task(self._heard_out(lane))
            for flood in self._plan.deaf:
                attackers.create_task(self._never_read(flood))
        await asyncio.sleep(max(0.0, (self._until - now_ns()) / 1e9))  # a quiet day has nobody
        return Answers(self._statuses, self._orders, self._refused, self._mute, self._lost, self._unheard)

    def _is_over(self) -> bool:
        return now_ns() >= self._until

    async def _heard_out(self, lane: Lane) -> None:
        try:
            async with asyncio.timeout(self._plan.seconds + GRACE_SECONDS):
                await (self._some_rounds(lane) if lane.rounds else self._until_over(lane))
        except TimeoutError:
            self._unheard += 1

    async def _some_rounds(self, lane: Lane) -> None:
        for _ in range(lane.rounds):
            await self._round(lane)

    async def _until_over(self, lane: Lane) -> None:
        while not self._is_over():
            await self._round(lane)

    async def _round(self, lane: Lane) -> None:
        """All requests once; a connection that is lost ends it."""
        try:
            connection = await connected(self._plan.host, self._plan.port)
            try:
                await self._send_all(connection, lane)
            finally:
                await connection.end()
        except OSError:
            self._lost += 1
            await asyncio.sleep(RECONNECT_SECONDS)

    async def _send_all(self, connection: Asking, lane: Lane) -> None:
        for request in lane.requests:
            if self._is_over() and not lane.rounds:
                return
            answer = await connection.ask(request)
            self._statuses[answer.status] += 1
            self._mute += answer.is_mute
            self._orders += answer.body.count(_ORDER_IN_BATCH) if request.startswith(b"POST /api/orders") else 0
            self._refused += answer.body.count(_REFUSED_IN_BATCH) if answer.status == 200 else 0
            if lane.pause_seconds:
                await asyncio.sleep(lane.pause_seconds)

    async def _never_read(self, flood: bytes) -> None:
        loop = asyncio.get_running_loop()
        while not self._is_over():
            with contextlib.closing(socket.socket()) as deaf:
                deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BUFFER_BYTES)
                deaf.setblocking(False)
                try:
                    async with asyncio.timeout((self._until - now_ns()) / 1e9):
                        await loop.sock_connect(deaf, (self._plan.host, self._plan.port))
                        while True:
                            await loop.sock_sendall(deaf, flood)
                except TimeoutError:
                    return
                except OSError:
                    self._lost += 1
                    await asyncio.sleep(RECONNECT_SECONDS)


def attack(plan: Plan) -> Answers:
    """Carry out a plan; to be called in a process of its own."""
    return uvloop.run(_Band(plan).attack())


def stand_back() -> None:
    """Give way to the exchange: on a machine of its own this process would take none of its cores."""
    os.nice(10)
