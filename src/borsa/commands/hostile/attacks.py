"""The attacks, one after the other. Each makes its users, and says what they send.

Every attacker has an address of their own, as a proxy would say it: what stops them is what stops strangers.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import msgspec

from borsa.commands.client import Client, Participant
from borsa.commands.hostile.attackers import Lane, Plan
from borsa.commands.load import MIDDLE_TICKS
from borsa.commands.wire import request_bytes
from borsa.markets import ASSET_SCALE, Market

FAR_TICKS = MIDDLE_TICKS // 2
"""Where attackers' orders rest: far below what anybody else bids."""

BATCH = 100


class Size(msgspec.Struct, frozen=True):
    """How large the attacks are; `seconds` is how long each goes on, or longer until a count is reached."""

    seconds: float
    logins: int = 150
    flooders: int = 32
    levels: int = 10_000
    tiny_orders: int = 100_000
    tiny_users: int = 20
    deaf: int = 200
    deaf_orders: int = 1_000
    deaf_requests: int = 100
    hooks: int = 40


def size_of(seconds: float, scale: int) -> Size:
    """The attacks in hundredths of their full size: fewer attackers and orders, and at least one of each."""
    full = Size(seconds)
    counts = {name: max(1, getattr(full, name) * scale // 100) for name in Size.__struct_fields__ if name != "seconds"}
    return msgspec.structs.replace(full, **counts)


class Field(msgspec.Struct, frozen=True):
    """Where it takes place."""

    client: Client
    market: Market
    size: Size
    silent_url: str

    @property
    def host(self) -> str:
        """The host that requests name."""
        return self.client.host_and_port[0]

    def plan(self, lanes: Sequence[Lane] = (), deaf: Sequence[bytes] = ()) -> Plan:
        """A plan for this exchange."""
        host, port = self.client.host_and_port
        return Plan(host, port, self.size.seconds, list(lanes), list(deaf))

    def attacker(self) -> Participant:
        """A user with money."""
        user = self.client.make_participant()
        self.client.fund(user, self.market.quote, 100_000 * 10**ASSET_SCALE)
        return user

    def request(self, method: str, path: str, key: str = "", body: Any = None, address: str = "192.0.2.1") -> bytes:
        """A request of an attacker."""
        encoded = None if body is None else msgspec.json.encode(body)
        return request_bytes(method, path, self.host, key, encoded, address=address)

    def order(self, ticks: int, **more: Any) -> dict[str, Any]:
        """A buy of the smallest quantity."""
        terms = {"symbol": self.market.symbol, "type": "buy", "quantity": self.market.quantity_text(1)}
        return terms | {"price": self.market.price_text(ticks)} | more

    def batch(self, key: str, orders: Sequence[dict[str, Any]], address: str) -> bytes:
        """Many orders in a request."""
        return self.request("POST", "/api/orders/batch", key, {"orders": orders}, address)

    def cancel_all(self, key: str, address: str) -> bytes:
        """All orders of a user at once."""
        return self.request("DELETE", "/api/orders", key, address=address)


Users = list[Participant]
"""The attackers, for those who tidy up after them."""


def login_flood(field: Field) -> tuple[Plan, Users]:
    """Sign-ins with wrong passwords, of many names from many addresses: each that is tried costs 30 ms of CPU."""
    lanes = []
    for number in range(field.size.logins):
        address = f"198.51.100.{number % 200 + 1}"
        body = {"userName": f"nobody-{number}", "password": "a guess that is long enough"}
        lanes.append(Lane([field.request("POST", "/api/users/login", body=body, address=address)], 0.02))
    return field.plan(lanes), []


def order_flood(field: Field) -> tuple[Plan, Users]:
    """One user, many connections: orders that are held for, matched against nothing and released; one by one and in
    batches."""
    user = field.attacker()
    order = field.order(FAR_TICKS, timeInForce="ioc")
    one = field.request("POST", "/api/orders", user.key, order)
    many = field.batch(user.key, [order] * BATCH, "192.0.2.1")
    lanes = [Lane([many if number % 8 == 0 else one]) for number in range(field.size.flooders)]
    return field.plan(lanes), [user]


def far_levels(field: Field) -> tuple[Plan, Users]:
    """One user places thousands of orders, each at a price of its own, cancels all of them, and begins anew; others
    read the book meanwhile."""
    user = field.attacker()
    orders = [field.order(FAR_TICKS - number) for number in range(field.size.levels)]
    requests = [
        field.batch(user.key, orders[first : first + BATCH], "192.0.2.2") for first in range(0, len(orders), BATCH)
    ]
    look = field.request("GET", f"/api/markets/{field.market.symbol}/book?depth=1000", address="192.0.2.3")
    lanes = [Lane([*requests, field.cancel_all(user.key, "192.0.2.2")]), Lane([look], 0.02), Lane([look], 0.02)]
    return field.plan(lanes), [user]


def tiny_orders(field: Field) -> tuple[Plan, Users]:
    """A hundred thousand of the smallest orders that there can be, of several users; then all are cancelled."""
    users = [field.attacker() for _ in range(field.size.tiny_users)]
    batches = max(1, field.size.tiny_orders // len(users) // BATCH)
    lanes = []
    for number, user in enumerate(users):
        address = f"192.0.2.{10 + number}"
        request = field.batch(user.key, [field.order(FAR_TICKS + number)] * BATCH, address)
        lanes.append(Lane([*[request] * batches, field.cancel_all(user.key, address)], 0.55, rounds=1))
    return field.plan(lanes), users


def never_reading(field: Field) -> tuple[Plan, Users]:
    """Clients that ask for half a megabyte, over and over, and read nothing."""
    user = field.attacker()
    orders = {"orders": [field.order(FAR_TICKS)] * BATCH}
    for _ in range(field.size.deaf_orders // BATCH):
        field.client.told("POST", "/api/orders/batch", user.key, orders)
    page = field.request("GET", "/api/orders?limit=1000", user.key, address="192.0.2.4")
    return field.plan(deaf=[page * field.size.deaf_requests] * field.size.deaf), [user]


def hanging_webhooks(field: Field) -> tuple[Plan, Users]:
    """Users who have every notification sent to a target that takes it and never answers."""
    users = [field.attacker() for _ in range(field.size.hooks)]
    for user in users:
        wish = {"channels": {"inbox": True, "webhook": {"url": field.silent_url}}}
        field.client.told("PUT", "/api/notifications/preferences", user.key, wish)
    order = field.order(FAR_TICKS, timeInForce="ioc")
    requests = [field.request("POST", "/api/orders", user.key, order, "192.0.2.5") for user in users]
    return field.plan([Lane([request], 0.5) for request in requests]), users


ATTACKS: Mapping[str, Callable[[Field], tuple[Plan, Users]]] = {
    "login-flood": login_flood,
    "order-flood": order_flood,
    "far-levels": far_levels,
    "tiny-orders": tiny_orders,
    "never-reading": never_reading,
    "hanging-webhooks": hanging_webhooks,
}
"""By the names that the report has."""
