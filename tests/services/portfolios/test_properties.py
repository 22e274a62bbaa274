"""A random life of a wallet, against a model that is obviously right: fractions, and nothing rounded."""

from fractions import Fraction
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from borsa.services.portfolios.model import Position, average_cost, moved, moves
from tests.services.portfolios.wallet import Wallet

UNIT = 10**8
PRICE = 37_123_450_000_00

quantities = st.integers(1, 10**12)
amounts = st.integers(0, 10**15)
steps = st.one_of(
    st.tuples(st.just("buy"), quantities, amounts, st.integers(0, 1_000_000)),
    st.tuples(st.just("sell"), quantities, amounts, st.just(0)),
    st.tuples(st.just("in"), quantities, st.just(0), st.just(0)),
    st.tuples(st.just("out"), quantities, st.just(0), st.just(0)),
)


class Exact:
    """The same law in fractions: average cost, and sums of what went in and came out."""

    def __init__(self) -> None:
        self.quantity = 0
        self.cost = Fraction(0)
        self.realized = Fraction(0)

    def step(self, kind: str, quantity: int, amount: int) -> None:
        if kind in ("buy", "in"):
            self.quantity += quantity
            self.cost += amount
            return
        share = self.cost * quantity / self.quantity
        self.quantity -= quantity
        self.cost -= share
        self.realized += amount - share if kind == "sell" else 0


def apply(position: Position, event: Any, price: int | None = PRICE) -> Position:
    for move in moves(event.changes, event.cause, {"BTC": price}.get):
        position = moved(position, move)
    return position


@given(st.lists(steps, max_size=40))
def test_a_holding_is_the_fold_of_what_moved(life: list[tuple[str, int, int, int]]) -> None:
    wallet, position, exact = Wallet(), Position(), Exact()
    invested = sales = 0
    for kind, quantity, amount, fee_ppm in life:
        if kind in ("sell", "out"):
            quantity = min(quantity, exact.quantity)
            if quantity == 0:
                continue
        if kind == "buy":
            quantity -= quantity * fee_ppm // 1_000_000
            event = wallet.traded("buy", btc=quantity, usd=-amount)
        elif kind == "sell":
            event = wallet.traded("sell", btc=-quantity, usd=amount)
        else:
            event = wallet.adjusted(btc=quantity if kind == "in" else -quantity)
            amount = quantity * PRICE // UNIT if kind == "in" else 0
        before = position
        position = apply(position, event)
        if quantity:
            exact.step(kind, quantity, amount)
            sales += kind in ("sell", "out")
            invested += {"buy": amount, "in": amount, "sell": -amount, "out": position.cost - before.cost}[kind]
        assert position.quantity == exact.quantity == wallet.units["BTC"]
        assert position.cost >= 0
        assert position.cost - position.realized == invested
        assert 0 <= position.cost - exact.cost <= sales
        assert abs(position.realized - exact.realized) <= sales
        assert average_cost(position) == (position.cost * UNIT // position.quantity if position.quantity else 0)
    if position.quantity == 0:
        assert position.cost == 0


@given(st.lists(st.tuples(quantities, amounts), min_size=1, max_size=5), quantities, amounts)
def test_the_bust_of_a_buy_restores_what_was(earlier: list[tuple[int, int]], quantity: int, paid: int) -> None:
    wallet, position = Wallet(), Position()
    for each, amount in earlier:
        position = apply(position, wallet.traded("buy", btc=each, usd=-amount))
    after = apply(position, wallet.traded("buy", btc=quantity, usd=-paid))
    assert apply(after, wallet.busted("buy", btc=-quantity, usd=paid)) == position


@given(quantities, amounts, st.integers(1, 100), amounts, st.none() | st.just(PRICE))
def test_the_bust_of_a_sale_gives_the_quantity_back_and_no_profit(
    held: int, cost: int, percent: int, proceeds: int, price: int | None
) -> None:
    wallet = Wallet()
    before = apply(Position(), wallet.traded("buy", btc=held, usd=-cost))
    quantity = max(held * percent // 100, 1)
    after = apply(before, wallet.traded("sell", btc=-quantity, usd=proceeds), price)
    restored = apply(after, wallet.busted("sell", btc=quantity, usd=-proceeds), price)
    assert restored.quantity == before.quantity
    assert restored.cost - restored.realized == before.cost - before.realized
    assert abs(restored.realized) <= 1 + held // max(held - quantity, 1)
