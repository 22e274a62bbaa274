"""Self-trade prevention: one's own orders never meet, unless one asks for it."""

from typing import Any

import pytest

from tests.journeys.floor import Floor


@pytest.mark.parametrize(
    ("way", "resting", "incoming", "held_usd"),
    [
        ("cancel_newest", ("open", "0", "2"), ("cancelled", "0", "1"), "200.00"),
        ("cancel_oldest", ("cancelled", "0", "2"), ("open", "0", "1"), "0.00"),
        ("cancel_both", ("cancelled", "0", "2"), ("cancelled", "0", "1"), "0.00"),
        ("decrement", ("open", "0", "1"), ("cancelled", "0", "0"), "100.00"),
    ],
)
def test_own_orders_do_not_trade_with_each_other(
    floor: Floor, way: str, resting: Any, incoming: Any, held_usd: str
) -> None:
    ann = floor.person(usd="1000", base="10")
    bid = floor.place(ann, "buy", "2", "100")
    ask = floor.place(ann, "sell", "1", "100", selfTradePrevention=way)
    held_base = "1" if incoming[0] == "open" else "0"
    floor.settled(ann, "1000.00", "10", held_usd=held_usd, held_base=held_base)
    assert floor.seen(ann, bid) == resting
    assert floor.seen(ann, ask) == incoming
    assert ann.get(f"/api/trades?symbol={floor.symbol}")["data"] == []
    if way == "cancel_newest":
        assert ask["reason"] == "self_trade"


def test_without_prevention_a_trade_with_oneself_moves_nothing(floor: Floor) -> None:
    ann = floor.person(usd="1000", base="10")
    bid = floor.place(ann, "buy", "2", "100")
    ask = floor.place(ann, "sell", "2", "100", selfTradePrevention="none")
    assert ask["status"] == "filled"
    floor.becomes(ann, bid, "filled")
    floor.settled(ann, "1000.00", "10")


def test_without_prevention_a_trade_with_oneself_costs_the_fees(floor: Floor) -> None:
    ann = floor.person(usd="1000", base="10")
    floor.admin.call("PUT", f"/api/markets/{floor.symbol}", {"makerFee": "0.01", "takerFee": "0.02"})
    floor.place(ann, "buy", "2", "100")
    floor.place(ann, "sell", "2", "100", selfTradePrevention="none")
    floor.settled(ann, "996.00", "9.98")


def test_orders_behind_ones_own_are_still_met(floor: Floor) -> None:
    ann, bea = floor.person(usd="1000", base="10"), floor.person(usd="1000")
    floor.place(ann, "buy", "1", "100")
    behind = floor.place(bea, "buy", "1", "100")
    ask = floor.place(ann, "sell", "1", "100", selfTradePrevention="cancel_oldest")
    assert ask["status"] == "filled"
    floor.becomes(bea, behind, "filled")
    floor.settled(ann, "1100.00", "9")
