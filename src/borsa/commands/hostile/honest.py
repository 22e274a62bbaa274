"""The honest: a few users who place an order and cancel it, at a steady and modest pace, whatever else happens.

The time of an answer is counted from when its request was due: a pause of the exchange is felt by all that should have
been asked in it.
"""

import asyncio
from collections import Counter
from collections.abc import Sequence
from math import ceil
from typing import Any

import msgspec

from borsa.commands.client import Participant
from borsa.commands.hostile.asking import Answer, Asking, connected, now_ns
from borsa.commands.load import MIDDLE_TICKS, QUANTITY_LOTS
from borsa.commands.wire import request_bytes
from borsa.markets import Market

CYCLE_SECONDS = 0.1
"""In each, a user places one order and cancels one."""

ORDERS_MADE = 20
CROSSING = 5
"""One order of so many reaches through the other side; the others rest until they are cancelled."""

NO_ANSWER = 0
"""Stands for a status where the connection broke."""

CANCEL_PASSED = (200, 202, 409)
"""Cancelled, being cancelled, or filled before."""


class Felt(msgspec.Struct, frozen=True):
    """Times in nanoseconds, and statuses, of orders and of cancels."""

    orders_ns: list[int]
    cancels_ns: list[int]
    orders: Counter[int]
    cancels: Counter[int]

    @property
    def cancels_refused(self) -> int:
        """Cancels that did not pass."""
        return sum(count for status, count in self.cancels.items() if status not in CANCEL_PASSED)


def nothing_felt() -> Felt:
    """Before anything was asked."""
    return Felt([], [], Counter(), Counter())


def percentile_ms(times_ns: Sequence[int], share: float) -> float:
    """The time in milliseconds within which this share was answered."""
    ordered = sorted(times_ns)
    return round(ordered[max(0, ceil(share * len(ordered)) - 1)] / 1e6, 2) if ordered else 0.0


class Crowd:
    """The honest users of one exchange."""

    def __init__(self, address: tuple[str, int], market: Market, users: Sequence[Participant]) -> None:
        self._host, self._port = address
        self._keys = [user.key for user in users]
        self._orders = [
            [
                request_bytes("POST", "/api/orders", self._host, user.key, msgspec.json.encode(order))
                for order in _orders_of(market, number)
            ]
            for number, user in enumerate(users)
        ]

    async def trade(self, over: asyncio.Event) -> Felt:
        """Place and cancel until it is over, and say what was felt."""
        felt = nothing_felt()
        async with asyncio.TaskGroup() as users:
            for number in range(len(self._keys)):
                users.create_task(self._trade(number, over, felt))
        return felt

    async def _trade(self, number: int, over: asyncio.Event, felt: Felt) -> None:
        connection = await connected(self._host, self._port)
        due, turn = now_ns() + int(number * CYCLE_SECONDS / len(self._keys) * 1e9), 0
        while not over.is_set():
            await _until(due)
            order = self._orders[number][turn % ORDERS_MADE]
            connection, answer = await self._ask(connection, order, due, felt.orders_ns, felt.orders)
            due += int(CYCLE_SECONDS / 2 * 1e9)
            if answer is not None and answer.status == 201:
                await _until(due)
                order_id = msgspec.json.decode(answer.body)["orderId"]
                cancel = request_bytes("DELETE", f"/api/orders/{order_id}", self._host, self._keys[number])
                connection, _ = await self._ask(connection, cancel, due, felt.cancels_ns, felt.cancels)
            due += int(CYCLE_SECONDS / 2 * 1e9)
            turn += 1
        await connection.end()

    async def _ask(
        self, connection: Asking, request: bytes, due: int, times: list[int], statuses: Counter[int]
    ) -> tuple[Asking, Answer | None]:
        try:
            answer = await connection.ask(request)
        except ConnectionError:
            statuses[NO_ANSWER] += 1
            return await connected(self._host, self._port), None
        times.append(answer.at - due)
        statuses[answer.status] += 1
        return connection, answer


async def _until(due: int) -> None:
    late = now_ns() - due
    await asyncio.sleep(max(0.0, -late / 1e9))


def _orders_of(market: Market, number: int) -> list[dict[str, Any]]:
    """What user `number` places: an even one only buys, an odd one only sells, so nobody trades with themselves."""
    sign = -1 if number % 2 == 0 else 1
    orders = []
    for turn in range(number, number + ORDERS_MADE):
        away = 1 + turn % 10
        price = MIDDLE_TICKS + (-sign * 10 if turn % CROSSING == 0 else sign * away)
        orders.append(
            {
                "symbol": market.symbol,
                "type": "buy" if sign < 0 else "sell",
                "quantity": market.quantity_text(QUANTITY_LOTS),
                "price": market.price_text(price),
            }
        )
    return orders
