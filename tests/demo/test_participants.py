"""What the participants decide, played against a book that does what they say."""

from random import Random

import pytest

from borsa.demo.participants import (
    COARSE,
    FAR,
    LOADS,
    NEAR,
    SIZES,
    Amend,
    Cancel,
    Decision,
    Maker,
    Momentum,
    Noise,
    Own,
    Place,
    style,
)
from borsa.demo.prices import AWAY_PERCENT_MAX, COURSES, FINE, SYMBOLS, Prices

SECOND = 1_000_000
KINDS = {"near": NEAR, "far": FAR, "coarse": COARSE}


class Table:
    """The orders of one maker, as the exchange would have them."""

    def __init__(self) -> None:
        self.own: dict[str, Own] = {}
        self._placed = 0

    def carry_out(self, decided: list[Decision]) -> None:
        for each in decided:
            if isinstance(each, Cancel):
                del self.own[each.order_id]
                continue
            if isinstance(each, Place):
                self._placed += 1
            order_id = each.order_id if isinstance(each, Amend) else str(self._placed)
            self.own[order_id] = Own(order_id, each.side, each.price, each.quantity)
            assert not self._crosses(), f"after {each}"

    def _crosses(self) -> bool:
        bids, asks = self.prices("buy"), self.prices("sell")
        return bool(bids and asks) and max(bids) >= min(asks)

    def prices(self, side: str) -> list[int]:
        return [order.price for order in self.own.values() if order.side == side]


def maker(symbol: str, kind: str, home: int, seed: int = 1) -> Maker:
    return Maker(symbol, style(symbol, KINDS[kind], 1), home, Random(seed))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("symbol", SYMBOLS)
def test_a_maker_never_crosses_itself_whatever_the_market_does(symbol: str, kind: str) -> None:
    prices, random = Prices(Random(7)), Random(8)
    quoting, table = maker(symbol, kind, prices.fair(symbol) // FINE), Table()
    for _ in range(300):
        prices.walk(random.randrange(1, 120) * SECOND)
        inventory = random.randrange(-2, 3) * LOADS[symbol]
        # in whatever order the changes arrive
        decided = quoting.decide(prices.fair(symbol), list(table.own.values()), inventory, 6)
        random.shuffle(decided)
        table.carry_out(decided)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("symbol", SYMBOLS)
def test_a_maker_that_has_time_fills_both_sides_and_then_rests(symbol: str, kind: str) -> None:
    fair = Prices(Random(1)).fair(symbol)
    quoting, table = maker(symbol, kind, fair // FINE), Table()
    for _ in range(10):
        table.carry_out(quoting.decide(fair, list(table.own.values()), 0, 10))
    assert [len(set(table.prices(side))) for side in ("buy", "sell")] == [KINDS[kind][0]] * 2
    assert quoting.decide(fair, list(table.own.values()), 0, 10) == []


def test_an_order_that_is_wanted_no_more_is_amended_not_replaced() -> None:
    fair = Prices(Random(1)).fair("BTC-USD")
    quoting, table = maker("BTC-USD", "near", fair // FINE), Table()
    for _ in range(5):
        table.carry_out(quoting.decide(fair, list(table.own.values()), 0, 10))
    moved = quoting.decide(fair * 1_001 // 1_000, list(table.own.values()), 0, 100)
    assert moved
    assert all(isinstance(each, Amend) for each in moved)


@pytest.mark.parametrize("symbol", SYMBOLS)
@pytest.mark.parametrize("percent", [97, 103], ids=["fall", "rise"])
def test_a_jump_of_the_price_is_followed_in_small_steps(symbol: str, percent: int) -> None:
    fair = Prices(Random(1)).fair(symbol)
    quoting, table = maker(symbol, "coarse", fair // FINE), Table()
    table.carry_out(quoting.decide(fair, [], 0, 100))
    for _ in range(8):
        table.carry_out(quoting.decide(fair * percent // 100, list(table.own.values()), 0, 1))
    assert max(table.prices("buy")) * FINE < fair * percent // 100 < min(table.prices("sell")) * FINE
    assert min(table.prices("sell")) - max(table.prices("buy")) < fair // FINE // 400


def test_prices_lie_anywhere_in_a_stretch() -> None:
    fair = Prices(Random(1)).fair("BTC-USD")
    quoting, table = maker("BTC-USD", "near", fair // FINE), Table()
    seen = set()
    for turn in range(200):
        table.carry_out(quoting.decide(fair * (10_000 + turn % 7) // 10_000, list(table.own.values()), 0, 100))
        seen |= {order.price for order in table.own.values()}
    assert len(seen) > 400
    assert len(table.own) == 2 * NEAR[0]


def test_an_order_that_moves_keeps_its_size_while_enough_of_it_is_left() -> None:
    fair = Prices(Random(1)).fair("BTC-USD")
    usual = SIZES["BTC-USD"]
    quoting = maker("BTC-USD", "near", fair // FINE)
    for filled, kept in ((0, True), (usual - 1, False)):
        own = Own("1", "buy", fair // FINE // 2, usual, filled)
        (moved,) = [each for each in quoting.decide(fair, [own], 0, 100) if isinstance(each, Amend)]
        assert (moved.quantity == own.quantity) == kept


def test_who_has_too_much_quotes_lower() -> None:
    fair = Prices(Random(1)).fair("BTC-USD")
    best = []
    for inventory in (LOADS["BTC-USD"], 0, -LOADS["BTC-USD"]):
        table = Table()
        table.carry_out(maker("BTC-USD", "near", fair // FINE).decide(fair, [], inventory, 100))
        best.append(max(table.prices("buy")))
    assert best == sorted(set(best))


def test_the_same_seed_decides_the_same() -> None:
    def decided(seed: int) -> list[Decision]:
        random = Random(seed)
        noise = Noise("BTC-USD", SIZES["BTC-USD"], 3_000, LOADS["BTC-USD"], random)
        quoting = Maker("BTC-USD", style("BTC-USD", NEAR, 1), 6_000_000, random)
        prices, found = Prices(Random(seed)), []
        for _ in range(50):
            prices.walk(60 * SECOND)
            found += noise.decide(prices.fair("BTC-USD"), 0, 300_000, prices.heat)
            found += quoting.decide(prices.fair("BTC-USD"), [], 0, 3)
        return found

    assert decided(5) == decided(5)
    assert decided(5) != decided(6)


def test_noise_goes_back_to_what_it_began_with() -> None:
    noise = Noise("SOL-USD", SIZES["SOL-USD"], 3_000, LOADS["SOL-USD"], Random(3))
    fair, inventory, furthest = 15_000 * FINE, 0, 0
    for _ in range(40_000):
        for order in noise.decide(fair, inventory, 300_000, 1_000):
            assert isinstance(order, Place)
            inventory += order.quantity if order.side == "buy" else -order.quantity
        furthest = max(furthest, abs(inventory))
    assert 0 < furthest < LOADS["SOL-USD"]


def test_momentum_follows_a_rise_up_to_a_bound_and_sells_into_a_fall() -> None:
    momentum, held, last = Momentum("BTC-USD", 10, 3_000, 100), 0, 6_000_000
    highest = 0
    for turn in range(400):
        last = last * (1_005 if turn < 200 else 995) // 1_000
        for order in momentum.decide(last * FINE, last, held):
            assert isinstance(order, Place)
            held += order.quantity if order.side == "buy" else -order.quantity
        highest = max(highest, held)
        assert abs(held) <= 100
    assert highest == 100
    assert held == -100


def test_prices_move_and_stay_plausible_for_a_month() -> None:
    prices = Prices(Random(11))
    seen: dict[str, list[int]] = {symbol: [] for symbol in SYMBOLS}
    for _ in range(30 * 24 * 6):
        prices.walk(600 * SECOND)
        for symbol in SYMBOLS:
            seen[symbol].append(prices.fair(symbol) // FINE)
    for symbol, course in COURSES.items():
        assert course.home // 2 < min(seen[symbol]) < course.home < max(seen[symbol]) < course.home * 2
    for eth, btc, ratio in zip(seen["ETH-USD"], seen["BTC-USD"], seen["ETH-BTC"], strict=True):
        assert abs(ratio - eth * 100_000 // btc) <= 1


def test_a_fair_price_never_stays_far_from_what_was_paid() -> None:
    prices = Prices(Random(1))
    prices.lean({"BTC-USD": 3_000_000})
    assert prices.fair("BTC-USD") == 3_000_000 * FINE * (100 + AWAY_PERCENT_MAX) // 100
