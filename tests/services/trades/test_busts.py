"""Busts whose question to wallets is not answered in time, or is late itself: money and trade agree all the same."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from borsa.errors import Refused
from borsa.requests import ReverseTrade
from borsa.runtime.bus import overloaded
from borsa.services.trades.model import BUSTED, BUSTING, EXECUTED, BustTrade
from tests.support.stepped import Outcomes, Stepped, cancel, limit

BTC = USD = 10**8


class Unreliable:
    """A bus of which nobody knows whether it carried a reversal: it says that it is overloaded, and keeps it."""

    def __init__(self, bus: Any) -> None:
        self._bus = bus
        self.kept: list[Callable[[], None]] = []

    def ask(self, request: Any, origin: Any, replies: Any, token: Any, once: Any = None) -> None:
        if isinstance(request, ReverseTrade):
            self.kept.append(lambda: self._bus.ask(request, origin, Outcomes(), token, once))
            replies.deliver([(token, overloaded())])
        else:
            self._bus.ask(request, origin, replies, token, once)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._bus, name)


class Floor(Stepped):
    """Ann bought 1 BTC of bea for 100 USD."""

    def __enter__(self) -> "Floor":
        super().__enter__()
        self.ann, self.bea = self.user("ann", USD=100 * USD), self.user("bea", BTC=BTC)
        self.ask(limit(self.bea, "sell", "1", "100"))
        self.ask(limit(self.ann, "buy", "1", "100"))
        self.trades = self.writers["trades"]
        (self.trade_id,) = [trade.trade_id for trade in self.trades.memory.executed_between(0, 2**62)]
        return self

    def sweep(self) -> None:
        """As if the time for every sweep had come."""
        self.trades._due = [(0, sweep) for _, sweep in self.trades._due]
        self.settle()

    @property
    def status(self) -> str:
        return str(self.trades.memory.trades.get(self.trade_id).status)

    def dollars(self, user_id: str) -> int:
        """What a user has available."""
        return int(self.writers["wallets"].memory.balance(self.wallet_id(user_id), "USD").available) // USD

    def bust_unheard(self) -> Unreliable:
        """Ask for the bust over a bus that loses the answer."""
        unreliable, reliable = Unreliable(self.bus), self.trades._bus
        self.trades._bus = unreliable
        with pytest.raises(Refused, match="overloaded"):
            self.ask(BustTrade(trade_id=self.trade_id, reason="an error"))
        self.trades._bus = reliable
        return unreliable


def test_a_bust_whose_answer_is_lost_is_finished_later(tmp_path: Path) -> None:
    with Floor(tmp_path) as floor:
        (arrive,) = floor.bust_unheard().kept
        arrive()
        floor.settle()
        assert (floor.status, floor.dollars(floor.ann)) == (BUSTING, 100)
        floor.sweep()
        assert (floor.status, floor.dollars(floor.ann)) == (BUSTED, 100)


def test_a_reversal_that_was_refused_stays_refused_when_it_comes_late(tmp_path: Path) -> None:
    with Floor(tmp_path) as floor:
        (arrive,) = floor.bust_unheard().kept
        order = floor.ask(limit(floor.bea, "buy", "1", "90")).order
        floor.sweep()
        assert floor.status == EXECUTED
        floor.ask(cancel(order.order_id, floor.bea))
        arrive()
        floor.settle()
        assert (floor.status, floor.dollars(floor.ann), floor.dollars(floor.bea)) == (EXECUTED, 0, 100)
        floor.ask(BustTrade(trade_id=floor.trade_id, reason="an error"))
        assert (floor.status, floor.dollars(floor.ann), floor.dollars(floor.bea)) == (BUSTED, 100, 0)
