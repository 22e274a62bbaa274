"""The exchange's HTTP server with nothing behind it, as a process of its own: what `borsa bench floor` measures.

Routes, endpoint, authentication, limits, decoding and encoding are the exchange's. A request goes as far as the bus,
and there it is answered at once, with nothing decided, kept or written: what it costs is what HTTP costs.
"""

import asyncio
import hashlib
import sys
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
import typer
import uvloop

from borsa import app, settings
from borsa.commands.recording import market_named
from borsa.commands.up import tune
from borsa.errors import Refusal, Refused
from borsa.markets import Market
from borsa.requests import AccessState, DescribeAccess, IdentifyKey, KeyHolder, Request
from borsa.runtime.access.identity import SCOPES
from borsa.runtime.access.keys import KEY_PREFIX
from borsa.runtime.bus import Listener, Once, Origin, Outcome, Receiver, Replies
from borsa.runtime.clock import Clock, SystemClock
from borsa.runtime.http.app import Application
from borsa.runtime.log import Recorded
from borsa.runtime.observability import telemetry
from borsa.runtime.observability.vitals import Vital, Vitals
from borsa.services.orders.admission import Terms, new_order
from borsa.services.orders.model import OrderState, Placement, Placements, PlaceOrder, PlaceOrders
from borsa.settings import Settings

MARKET = market_named("BENCH", "USD", "0.01", "0.000001")
"""The one market that there is."""


class Keys:
    """Whom an API key belongs to: as users knows it."""

    def __init__(self, credentials: Sequence[str], clock: Clock) -> None:
        self._known: dict[str, KeyHolder] = {}
        for credential in credentials:
            key_id, _, secret = credential.removeprefix(KEY_PREFIX).partition("_")
            name = f"player-{len(self._known)}"
            digest = hashlib.sha256(secret.encode()).digest()
            self._known[key_id] = KeyHolder(key_id, "bearer", digest, clock.new_id(), name, "user", list(SCOPES), [], 0)

    def identify(self, asked: IdentifyKey) -> Outcome:
        """The holder, or the refusal."""
        return self._known.get(asked.key_id) or Refused("unauthorized")


class NobodyBehind:
    """A bus that answers by itself: every order is as it begins, pending. Nothing is kept and nothing is written.

    As from a writer, what was asked meanwhile is answered together; here that is one turn of the event loop.
    """

    def __init__(self, market: Market, keys: Keys, clock: Clock) -> None:
        self.orders = 0
        self._market = market
        self._keys = keys
        self._clock = clock
        self._wallet_id = clock.new_id()
        self._asked: dict[Replies, list[tuple[Any, Request[Any]]]] = {}

    def ask(
        self,
        request: Request[Any],
        origin: Origin,
        replies: Replies,
        token: Any,
        once: Once | None = None,
        of: str = "",
    ) -> None:
        if not self._asked:
            asyncio.get_running_loop().call_soon(self._answer)
        self._asked.setdefault(replies, []).append((token, request))

    def _answer(self) -> None:
        asked, self._asked = self._asked, {}
        now = self._clock.now()
        for replies, questions in asked.items():
            replies.deliver([(token, self._outcome(request, now)) for token, request in questions])

    def _outcome(self, request: Request[Any], now: int) -> Outcome:
        match request:
            case PlaceOrder():
                return self._placed(request, now)
            case PlaceOrders():
                return self._all_placed(request, now)
            case IdentifyKey():
                return self._keys.identify(request)
            case DescribeAccess():
                return AccessState({}, [], {})
        return Refused("not_found")

    def _all_placed(self, asked: PlaceOrders, now: int) -> Placements:
        outcomes = [self._placed(each, now) for each in asked.orders]
        placements = [
            Placement(None, refusal=Refusal.of(each)) if isinstance(each, Refused) else Placement(each.order)
            for each in outcomes
        ]
        return Placements(placements, {self._market.symbol: self._market})

    def _placed(self, asked: PlaceOrder, now: int) -> OrderState | Refused:
        market = self._market
        if asked.symbol != market.symbol:
            return Refused("unknown_symbol")
        try:
            terms = Terms(
                quantity=market.lots(asked.quantity or ""),
                price=market.ticks(asked.price or ""),
                stop_price=0,
                worst_price=0,
                quote_quantity=0,
                asset=market.quote,
                amount=0,
                at_most=False,
            )
        except Refused as refused:
            return refused
        self.orders += 1
        return OrderState(new_order(asked, terms, self.orders, self._wallet_id, 0, now), market)

    def publish(self, source: str, events: Sequence[Recorded]) -> None:
        pass

    def fetch(self, source: str, after: int) -> Sequence[Recorded]:
        return ()

    def broadcast(self, source: str, messages: Sequence[bytes]) -> None:
        """Nobody is there."""

    def tune(self, source: str, receiver: Receiver) -> None:
        """There is nothing to hear."""

    def listen(self, source: str, listener: Listener) -> None:
        pass


class Floor:
    """The door of an exchange, and nothing behind it. The metrics say how many orders were answered, as the length of
    their log."""

    def __init__(self, settings: Settings, credentials: Sequence[str]) -> None:
        self.settings = settings
        clock = SystemClock()
        self._bus = NobodyBehind(MARKET, Keys(credentials, clock), clock)
        self.door = app.Door(settings, {}, self._bus, clock, self._look)

    async def _look(self) -> Mapping[str, Vitals]:
        return {"floor": Vitals([Vital("orders", self._bus.orders, 0, [])], "")}

    async def start(self) -> Application:
        return await self.door.open()

    async def stop(self) -> None:
        self.door.close()


def main() -> None:
    """Serve those who have one of the API keys that come on standard input, as a JSON list."""
    telemetry.start_logging("info")
    floor = Floor(settings.load(), msgspec.json.decode(sys.stdin.buffer.read(), type=list[str]))
    tune()
    uvloop.run(app.serve(floor, _say))


def _say(port: int) -> None:
    typer.echo(f"Borsa is ready at http://127.0.0.1:{port}")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
