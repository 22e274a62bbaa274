"""The load of the order benches: what every connection sends, and what is found out about it.

All requests are made before the clock starts, because the load shares the machine with what it measures. Two programs
can send them: `own_load.py`, which reads the answers, and the tool wrk (`wrk.py`), which is not Borsa's own.
"""

from collections import Counter
from collections.abc import Sequence
from math import gcd

import msgspec

from borsa.commands.wire import request_bytes
from borsa.markets import Market

MIDDLE_TICKS = 5_000_000
"""Price around which orders are placed."""

DEPTH_TICKS = 10
"""Furthest price from the middle at which an order rests, and how far beyond it an order reaches that trades."""

CYCLE = 20
TAKERS_IN_CYCLE = 7
"""Orders of a cycle that cross the spread. Each meets one that rests, so 2 x 7 of 20 orders trade: 70 %."""

ORDERS_MADE = 100
"""Different orders of a player, placed again and again; a multiple of the cycle."""

QUANTITY_LOTS = 100

PLAYERS_MIN = 2
"""One buys, one sells; a connection that is alone does both in turn."""


class Load(msgspec.Struct, frozen=True):
    """`lanes` has the requests of each connection, all of the same number, sent again and again in their order for
    so many seconds. A request has `batch` orders, or, where that is 0, one that is no batch."""

    host: str
    port: int
    lanes: list[list[bytes]]
    seconds: float
    batch: int

    @property
    def orders_in_request(self) -> int:
        """How many orders one request places."""
        return self.batch or 1


class Measured(msgspec.Struct, frozen=True):
    """What the load saw. `orders` were accepted in `seconds`, as far as the answers were read; `sent` must be there
    afterwards if none was refused unseen. `refused` counts requests and orders that were not accepted, by status."""

    orders: int
    sent: int
    seconds: float
    p50_ms: float
    p99_ms: float
    refused: Counter[int]


NOT_THERE = 0
"""What stands for a status where nobody read one: the order was sent, and is not there."""


def checked(measured: Measured, placed: int) -> Measured:
    """What the load saw, with what it did not: so many orders are there now."""
    missing = measured.sent - placed
    if missing <= 0:
        return measured
    refused = measured.refused + Counter({NOT_THERE: missing})
    return msgspec.structs.replace(measured, orders=max(0, measured.orders - missing), refused=refused)


def orders_of(market: Market, number: int) -> list[dict[str, str]]:
    """What player `number` places: an even one only buys, an odd one only sells, so nobody trades with themselves.

    Most orders rest within DEPTH_TICKS of the middle; TAKERS_IN_CYCLE of each CYCLE reach through the other side.
    """
    sign = -1 if number % 2 == 0 else 1
    orders = []
    for turn in range(number, number + ORDERS_MADE):
        takes = turn * TAKERS_IN_CYCLE % CYCLE < TAKERS_IN_CYCLE
        away = DEPTH_TICKS if takes else 1 + turn % DEPTH_TICKS
        price = MIDDLE_TICKS - sign * away if takes else MIDDLE_TICKS + sign * away
        orders.append(
            {
                "symbol": market.symbol,
                "type": "buy" if sign < 0 else "sell",
                "quantity": market.quantity_text(QUANTITY_LOTS),
                "price": market.price_text(price),
            }
        )
    return orders


def requests_of(market: Market, number: int, host: str, key: str, batch: int) -> list[bytes]:
    """The requests of a player: one order each, or (`batch` above 0) so many in one POST /api/orders/batch."""
    orders = orders_of(market, number)
    if not batch:
        return [request_bytes("POST", "/api/orders", host, key, msgspec.json.encode(order)) for order in orders]
    made = []
    # after these a batch begins with the first order again
    for first in range(ORDERS_MADE // gcd(batch, ORDERS_MADE)):
        part = [orders[(first * batch + at) % ORDERS_MADE] for at in range(batch)]
        made.append(request_bytes("POST", "/api/orders/batch", host, key, msgspec.json.encode({"orders": part})))
    return made


def load_of(
    address: tuple[str, int], market: Market, keys: Sequence[str], connections: int, seconds: float, batch: int
) -> Load:
    """The load of so many connections to a host and port; the players, by their API keys, take turns in having them."""
    host, port = address
    lanes = [
        requests_of(market, number, f"{host}:{port}", keys[number % len(keys)], batch)
        for number in range(max(connections, PLAYERS_MIN))
    ]
    return Load(host, port, lanes if connections > 1 else [in_turn(lanes)], seconds, batch)


def in_turn(lanes: Sequence[Sequence[bytes]]) -> list[bytes]:
    """The requests of several lanes as one: the first of each, the second of each, and so on."""
    return [request for turn in zip(*lanes, strict=True) for request in turn]
