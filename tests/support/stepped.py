"""All six services over real databases, stepped by the test: no HTTP, no threads, no waiting."""

import itertools
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import msgspec

from borsa import app
from borsa.errors import Refused
from borsa.events import UserCreated
from borsa.requests import Request
from borsa.runtime.bus import Once, Origin, Outcome
from borsa.runtime.buses.embedded import EmbeddedBus
from borsa.runtime.clock import Clock, SystemClock
from borsa.runtime.writing.writer import Writer
from borsa.services.orders.model import AmendOrder, CancelOrder, ChangeMarket, PlaceOrder
from borsa.services.users.model import Password, User
from borsa.services.wallets.model import Deposit
from borsa.settings import Settings

_asked = itertools.count(1)


class Outcomes:
    """Somebody who asks, and collects what comes back."""

    def __init__(self) -> None:
        self.of: dict[Any, Outcome] = {}
        self.deliveries: list[list[tuple[Any, Outcome]]] = []

    def deliver(self, outcomes: Sequence[tuple[Any, Outcome]]) -> None:
        self.deliveries.append(list(outcomes))
        self.of.update(outcomes)


class Stepped:
    """The writers of one exchange in a folder; `settle` steps them until nothing waits. Not `durable`: what it says is
    no more than handed to the disk, which is much quicker."""

    def __init__(self, folder: Path, clock: Clock | None = None, *, durable: bool = True, **options: Any) -> None:
        settings = Settings(admin_password="quiet-harbour-lantern-42", data=str(folder))
        self.settings = msgspec.structs.replace(settings, **options)
        self.settings.folder.mkdir(parents=True, exist_ok=True)
        self.outcomes = Outcomes()
        self._durable = durable
        self._clock = clock or SystemClock()

    def __enter__(self) -> Self:
        databases = app.prepared(self.settings, durable=self._durable)
        self.bus = EmbeddedBus(self.settings.fetch_events_max, app.readers_of(databases))
        self.writers: dict[str, Writer] = {}
        for service in app.services(self.settings):
            database = databases[service.name]
            connection = database.connect()
            writer = Writer(service, connection, self.bus, self._clock, self.settings, lambda: None)
            self.bus.attach(writer)
            self.writers[service.name] = writer
        for writer in self.writers.values():
            writer.start()
        self.settle()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for writer in self.writers.values():
            writer.close()
        self.bus.close()

    def settle(self) -> None:
        """Step everybody in the order of an exchange until nothing waits."""
        steps = [*app.turn(self.writers), *(self.writers[name].step for name in app.FOLLOWERS)]
        while sum(step() for step in steps):
            pass

    def put(self, request: Request[Any], once: Once | None = None) -> int:
        """Ask, without stepping; the outcome is found under the number that this returns."""
        token = next(_asked)
        self.bus.ask(request, Origin(f"test-{token}"), self.outcomes, token, once)
        return token

    def ask(self, request: Request[Any]) -> Any:
        """The reply, when everything is settled; raises its refusal."""
        token = self.put(request)
        self.settle()
        outcome = self.outcomes.of.pop(token)
        if isinstance(outcome, Refused):
            raise outcome
        return outcome

    # people and their orders -----------------------------------------------------------------------------------------

    def user(self, name: str, **funds: int) -> str:
        """A user who can't sign in (no password has such a hash), with units of play money."""
        writer = self.writers["users"]
        user_id = f"user-{name}"
        writer._tx.begin()
        writer._tx.for_origin(Origin(f"register-{name}"))
        writer.memory.users.add(User(user_id, name, name, None, "user", "active", 0, writer._tx.now, writer._tx.now))
        writer.memory.passwords.add(Password(user_id, "$argon2id$"))
        writer._tx.publish(UserCreated(user_id=user_id, user_name=name))
        writer._commit()
        self.settle()
        for asset, amount in funds.items():
            self.give(user_id, asset, amount)
        return user_id

    def wallet_id(self, user_id: str) -> str:
        """The default wallet of a user."""
        wallet = self.writers["wallets"].memory.default_of(user_id)
        assert wallet is not None
        return str(wallet.wallet_id)

    def give(self, user_id: str, asset: str, amount: int) -> None:
        """Play money from the outside world."""
        wallet_id = self.wallet_id(user_id)
        self.ask(Deposit(wallet_id=wallet_id, user_id=user_id, asset=asset, amount=amount))


def limit(user_id: str, side: str, quantity: str | None, price: str | None, **more: Any) -> PlaceOrder:
    """A limit order in BTC-USD; `more` changes any of its fields."""
    fields: dict[str, Any] = {
        "user_id": user_id,
        "symbol": "BTC-USD",
        "side": side,
        "order_type": "limit",
        "time_in_force": "gtc",
        "post_only": False,
        "self_trade_prevention": "cancel_newest",
        "quantity": quantity,
        "price": price,
        "stop_price": None,
        "quote_quantity": None,
        "client_order_id": None,
        "wallet_id": None,
        "digest": None,
    }
    return PlaceOrder(**(fields | more))


def amend(order_id: int, user_id: str, quantity: str | None = None, price: str | None = None) -> AmendOrder:
    """Another total or price."""
    return AmendOrder(order_id=order_id, user_id=user_id, quantity=quantity, price=price, version=None)


def cancel(order_id: int, user_id: str) -> CancelOrder:
    """The end of an order."""
    return CancelOrder(order_id=order_id, user_id=user_id)


def fees(symbol: str, maker: int, taker: int) -> ChangeMarket:
    """Other fees for a market, in millionths."""
    return ChangeMarket(symbol=symbol, maker_fee=maker, taker_fee=taker, price_band_ppm=None, state=None)
