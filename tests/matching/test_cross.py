"""CROSS, where it may happen.

No stream of commands leaves a buy and a sell resting whose limits meet (scenarios/states.txt has the refusals), so
these tests put such a book together from two snapshots.
"""

import struct
from collections.abc import Callable
from hashlib import sha256

import pytest

from borsa.matching import Kernel, iter_results, pack_command
from borsa.matching.layout import FLAG_MAKER_DONE, FLAG_TAKER_DONE, Kind, Op, OrderType, Reason, Result

HEAD, ORDER, DIGEST = 12, 72, 32
BUY_ID, SELL_ID = 1, 2


def resting(new_kernel: Callable[[], Kernel], order_id: int, side: int, price: int, quantity: int, owner: int) -> bytes:
    """The bytes of one resting order, out of the snapshot of a kernel that has nothing else."""
    kernel = new_kernel()
    kernel.process(pack_command(Op.PLACE, 0, order_id, side=side, price=price, quantity=quantity, owner=owner))
    return kernel.snapshot()[-DIGEST - ORDER : -DIGEST]


def crossed_book(new_kernel: Callable[[], Kernel], buyer: int, seller: int) -> Kernel:
    """A buy of 5 at 105, a sell of 8 at 95, and a stop that a trade at 100 would fire."""
    kernel = new_kernel()
    buy = resting(new_kernel, BUY_ID, 0, 105, 5, buyer)
    sell = resting(new_kernel, SELL_ID, 1, 95, 8, seller)
    head = kernel.snapshot()[: HEAD - 4] + struct.pack("<I", 1)
    body = head + struct.pack("<HBxIIq", 0, 0, 2, 0, 0) + buy + sell
    kernel.restore(body + sha256(body).digest())
    stop = pack_command(Op.PLACE, 0, 3, side=0, order_type=OrderType.STOP, stop_price=100, quantity=1, owner=3)
    assert len(kernel.process(stop)) == 64
    return kernel


@pytest.fixture
def crossed(new_kernel: Callable[[], Kernel]) -> Kernel:
    """A crossed book of two owners."""
    return crossed_book(new_kernel, buyer=1, seller=2)


def cross(kernel: Kernel, price: int, quantity: int) -> list[Result]:
    """The results of crossing the two."""
    command = pack_command(Op.CROSS, 0, BUY_ID, other_id=SELL_ID, price=price, quantity=quantity)
    return list(iter_results(kernel.process(command)))


def test_a_cross_trades_at_its_price_and_closes_who_is_done(crossed: Kernel) -> None:
    fill, closed = cross(crossed, 100, 5)
    assert fill == (Kind.FILLED, 0, 0, FLAG_TAKER_DONE, 0, 0, BUY_ID, SELL_ID, 100, 5, 0, 3)
    assert closed == (Kind.CLOSED, 0, Reason.FILLED, 0, 0, 0, BUY_ID, 0, 105, 5, 0, 0)
    assert crossed.depth(0, 5) == ([], [(95, 3)])


def test_a_cross_of_a_part_leaves_both_in_place(crossed: Kernel) -> None:
    (fill,) = cross(crossed, 95, 4)
    assert (fill.remaining, fill.other_remaining, fill.flags) == (1, 4, 0)
    assert crossed.depth(0, 5) == ([(105, 1)], [(95, 4)])


def test_a_cross_of_all_closes_the_sell_then_the_buy(crossed: Kernel) -> None:
    crossed.process(pack_command(Op.AMEND, 0, SELL_ID, price=95, quantity=5))
    fill, *closed = cross(crossed, 105, 5)
    assert fill.flags == FLAG_MAKER_DONE | FLAG_TAKER_DONE
    assert [(result.kind, result.order_id) for result in closed] == [(3, SELL_ID), (3, BUY_ID)]
    assert crossed.depth(0, 5) == ([], [])


def test_a_cross_sets_no_last_price_and_fires_no_stop(crossed: Kernel) -> None:
    kinds = {result.kind for result in cross(crossed, 100, 5)}
    assert Kind.TRIGGERED not in kinds
    assert crossed.last_price(0) == 0
    assert [order.order_id for order in crossed.open_orders() if order.armed] == [3]


@pytest.mark.parametrize(("price", "quantity"), [(106, 1), (94, 1), (100, 6)])
def test_a_cross_outside_a_limit_or_of_more_than_remains_is_refused(crossed: Kernel, price: int, quantity: int) -> None:
    (refused,) = cross(crossed, price, quantity)
    assert (refused.kind, refused.reason) == (Kind.REFUSED, Reason.NOT_CROSSABLE)


def test_a_cross_in_a_market_that_is_not_open_is_refused(crossed: Kernel) -> None:
    crossed.process(pack_command(Op.SET_STATE, 0, quantity=1))
    (refused,) = cross(crossed, 100, 1)
    assert refused.reason == Reason.NOT_CROSSABLE


def test_an_owner_is_not_crossed_with_itself(new_kernel: Callable[[], Kernel]) -> None:
    (refused,) = cross(crossed_book(new_kernel, buyer=7, seller=7), 100, 1)
    assert (refused.kind, refused.reason) == (Kind.REFUSED, Reason.NOT_CROSSABLE)
