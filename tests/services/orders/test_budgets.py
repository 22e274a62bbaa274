"""A buy that is bounded by what it may spend spends no more, also when that would buy nothing."""

from pathlib import Path

import msgspec
import pytest

from borsa.errors import Refused
from borsa.markets import SHIPPED
from borsa.services.orders.admission import admit
from borsa.services.orders.model import PlaceOrder
from tests.support.stepped import Stepped, limit

SOL = next(market for market in SHIPPED if market.symbol == "SOL-USD")
CENTS = 10**6


def buy(user_id: str, quantity: str | None = None, budget: str | None = None, symbol: str = "SOL-USD") -> PlaceOrder:
    """A market order."""
    return limit(user_id, "buy", quantity, None, symbol=symbol, order_type="market", quote_quantity=budget)


def offered(stepped: Stepped, symbol: str = "SOL-USD") -> None:
    """Somebody sells 5 SOL at 20 dollars."""
    bea = stepped.user("bea", SOL=5 * 10**8)
    stepped.ask(limit(bea, "sell", "5", "20", symbol=symbol))


@pytest.mark.parametrize("units", [0, 600, 999])
def test_who_has_less_than_the_smallest_price_of_all_buys_nothing(tmp_path: Path, units: int) -> None:
    assert SOL.unit == 1_000
    with Stepped(tmp_path) as stepped:
        offered(stepped)
        ann = stepped.user("ann", USD=units) if units else stepped.user("ann")
        with pytest.raises(Refused) as refused:
            stepped.ask(buy(ann, "2"))
        assert refused.value.code == "insufficient_funds"


@pytest.mark.parametrize("units", [1_000, 1_999, 1_999_999, 2_000_000, 2_000_001, 4 * CENTS])
def test_who_has_little_spends_no_more_than_that(tmp_path: Path, units: int) -> None:
    with Stepped(tmp_path) as stepped:
        offered(stepped)
        ann = stepped.user("ann", USD=units)
        order = stepped.ask(buy(ann, "2")).order
        kept = stepped.writers["orders"].memory.orders.get(order.order_id)
        assert kept.is_closed
        assert kept.spent <= units
        balance = stepped.writers["wallets"].memory.balance(stepped.wallet_id(ann), "USD")
        assert (balance.available, balance.held) == (units - kept.spent, 0)


def test_a_budget_that_would_buy_nothing_is_refused(tmp_path: Path) -> None:
    """Also where the market has no minimum."""
    free = msgspec.structs.replace(SOL, symbol="SOL-EUR", quote="EUR", min_notional=0)
    assert admit(buy("ann", budget="0.00001", symbol="SOL-EUR"), free, 0).amount == free.unit
    with pytest.raises(Refused, match=r"at least 0\.00001 EUR") as refused:
        admit(buy("ann", budget="0.00000999", symbol="SOL-EUR"), free, 0)
    assert refused.value.field == "quoteQuantity"
