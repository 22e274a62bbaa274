"""What orders and wallets make of the engine's word, in cases that once stopped them."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from borsa.services.orders.model import ChangeMarket
from tests.support.stepped import Stepped, amend, limit

ONE = 10**8


@pytest.fixture
def stepped(tmp_path: Path) -> Iterator[Stepped]:
    with Stepped(tmp_path, price_band_ppm=0) as stepped:
        yield stepped


def nobody_is_halted(stepped: Stepped) -> bool:
    return not any(stream.halted for writer in stepped.writers.values() for stream in writer.streams)


def test_a_market_order_that_prevention_lowered_has_no_price(stepped: Stepped) -> None:
    user = stepped.user("ann", USD=1000 * ONE, BTC=10 * ONE)
    stepped.ask(limit(user, "sell", "1", "100"))
    placed = stepped.ask(limit(user, "buy", "2", None, order_type="market", self_trade_prevention="decrement"))
    assert nobody_is_halted(stepped)
    order = stepped.writers["orders"].memory.orders.get(placed.order.order_id)
    assert (order.price, order.prevented, order.status) == (0, 1_000_000, "expired")


def test_an_amendment_to_more_at_a_lower_price_is_held_for_even_if_fills_come_first(stepped: Stepped) -> None:
    """Before the engine takes it, a fill at the old price may use up what the new terms count on."""
    buyer = stepped.user("bob", USD=1200 * ONE)
    seller = stepped.user("sue", BTC=10 * ONE)
    bought = stepped.ask(limit(buyer, "buy", "10", "100"))
    stepped.put(limit(seller, "sell", "5", "100"))
    stepped.writers["orders"].step()
    stepped.writers["wallets"].step()
    # the sell order and the amendment reach the log in one batch, before orders hears of the trade
    token = stepped.put(amend(bought.order.order_id, buyer, quantity="15", price="80"))
    stepped.settle()
    assert nobody_is_halted(stepped)
    assert stepped.outcomes.of[token].code == "insufficient_funds"


def test_such_an_amendment_goes_through_when_there_is_enough(stepped: Stepped) -> None:
    buyer = stepped.user("bob", USD=2000 * ONE)
    seller = stepped.user("sue", BTC=10 * ONE)
    bought = stepped.ask(limit(buyer, "buy", "10", "100"))
    stepped.put(limit(seller, "sell", "5", "100"))
    stepped.writers["orders"].step()
    stepped.writers["wallets"].step()
    stepped.put(amend(bought.order.order_id, buyer, quantity="15", price="80"))
    stepped.settle()
    assert nobody_is_halted(stepped)
    wallets = stepped.writers["wallets"].memory
    assert wallets.holds.get(str(bought.order.order_id)).remaining == 800 * ONE
    balance = wallets.balance(stepped.wallet_id(buyer), "USD")
    assert (balance.available, balance.held) == (700 * ONE, 800 * ONE)


@pytest.mark.parametrize("state", ["cancel_only", "halted"])
def test_an_order_whose_market_closes_while_it_is_held_for_is_rejected_and_let_go_of(
    stepped: Stepped, state: str
) -> None:
    user = stepped.user("ann", USD=1000 * ONE)
    token = stepped.put(limit(user, "buy", "1", "100"))
    stepped.writers["orders"].step()
    closing = ChangeMarket(symbol="BTC-USD", maker_fee=None, taker_fee=None, price_band_ppm=None, state=state)
    stepped.put(closing)
    stepped.writers["orders"].step()
    assert token not in stepped.outcomes.of
    stepped.settle()
    placed = stepped.outcomes.of[token].order
    order = stepped.writers["orders"].memory.orders.get(placed.order_id)
    assert (order.status, order.reason) == ("rejected", "halted")
    balance = stepped.writers["wallets"].memory.balance(stepped.wallet_id(user), "USD")
    assert (balance.available, balance.held) == (1000 * ONE, 0)
