"""What is admitted: the worst price of orders without a limit, and what they need on hold for it."""

from fractions import Fraction
from typing import Any

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from borsa.errors import Refused
from borsa.markets import Market
from borsa.money import UNITS_MAX
from borsa.services.orders.admission import Terms, admit, check_band
from tests.support.stepped import limit

CENT = 10**6
"""Units of 10**-8."""

MARKET = Market(
    symbol="BTC-USD", base="BTC", quote="USD", number=1, tick=CENT, lot=100, min_notional=0, price_band_ppm=200_000
)


def market(band_ppm: int) -> Market:
    return msgspec.structs.replace(MARKET, price_band_ppm=band_ppm)


def admitted(side: str, last_price: int, band_ppm: int = 200_000, **more: Any) -> Terms:
    """An order for 1 BTC, at the market unless said, when the last trade was at so many cents."""
    asked = {"order_type": "market", "quantity": "1", "price": None} | more
    return admit(limit("ann", side, asked.pop("quantity"), asked.pop("price"), **asked), market(band_ppm), last_price)


def is_refused(price: int, last_price: int, band_ppm: int) -> bool:
    try:
        check_band(market(band_ppm), price, last_price)
    except Refused as refused:
        return refused.code == "price_band"
    return False


@given(st.integers(1, 10**12), st.integers(1, 10**6 - 1))
@example(1, 1)
@example(101, 100_000)
def test_the_worst_price_is_the_furthest_limit_that_the_band_allows(last_price: int, band_ppm: int) -> None:
    band = Fraction(band_ppm, 10**6)
    buy, sell = (admitted(side, last_price, band_ppm).worst_price for side in ("buy", "sell"))
    assert buy <= last_price * (1 + band) < buy + 1
    assert sell >= last_price * (1 - band) > sell - 1
    assert sell >= 1
    assert not is_refused(buy, last_price, band_ppm)
    assert not is_refused(sell, last_price, band_ppm)
    assert is_refused(buy + 1, last_price, band_ppm)
    assert sell == 1 or is_refused(sell - 1, last_price, band_ppm)


def test_a_refusal_names_prices_that_are_not_refused() -> None:
    with pytest.raises(Refused, match=r"between 0\.91 and 1\.11") as refused:
        check_band(market(100_000), 90, 101)
    assert refused.value.code == "price_band"


@pytest.mark.parametrize("band_ppm", [10**6, 5 * 10**6])
def test_a_band_of_everything_leaves_a_tick(band_ppm: int) -> None:
    assert admitted("sell", 100, band_ppm).worst_price == 1


def test_a_worst_price_can_be_written_however_far_the_band_goes() -> None:
    highest = UNITS_MAX // MARKET.tick
    terms = admitted("buy", highest - 1, 900_000, quantity="0.000001")
    assert terms.worst_price == highest
    assert MARKET.price_text(terms.worst_price) == "92233720368.54"


@pytest.mark.parametrize("side", ["buy", "sell"])
def test_without_a_band_or_a_trade_there_is_no_worst_price(side: str) -> None:
    assert admitted(side, 100, band_ppm=0).worst_price == 0
    assert admitted(side, 0).worst_price == 0


def test_a_stop_is_bounded_from_its_own_price() -> None:
    for last_price in (0, 10_000):
        assert admitted("buy", last_price, order_type="stop", stop_price="110").worst_price == 13_200
        assert admitted("sell", last_price, order_type="stop", stop_price="90").worst_price == 7_200
    assert admitted("sell", 0, band_ppm=0, order_type="stop", stop_price="90").worst_price == 0


@pytest.mark.parametrize("more", [{"order_type": "limit"}, {"order_type": "stop_limit", "stop_price": "100"}])
def test_an_order_with_a_limit_has_no_other_worst_price(more: dict[str, str]) -> None:
    assert admitted("buy", 10_000, price="100", **more).worst_price == 0


@given(st.integers(1, 10**9), st.integers(1, 10**6), st.sampled_from(["market", "stop"]))
def test_a_buy_by_quantity_holds_exactly_what_it_may_cost(last_price: int, band_ppm: int, kind: str) -> None:
    stop = {"stop_price": MARKET.price_text(last_price)} if kind == "stop" else {}
    terms = admitted("buy", last_price, band_ppm, order_type=kind, **stop)
    assert (terms.asset, terms.at_most) == ("USD", True)
    assert terms.amount == MARKET.notional(terms.worst_price, terms.quantity)


def test_a_buy_that_nothing_bounds_holds_everything() -> None:
    assert admitted("buy", 0).amount == admitted("buy", 100, band_ppm=0).amount == UNITS_MAX


def test_a_buy_by_budget_holds_its_budget_and_has_a_worst_price() -> None:
    terms = admitted("buy", 10_000, quantity=None, quote_quantity="50")
    assert (terms.amount, terms.at_most, terms.worst_price) == (50 * 10**8, False, 12_000)
