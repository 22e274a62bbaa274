"""The bugs that other exchanges and engines had, one test each."""

from collections.abc import Callable

from borsa.matching import Kernel, Result, iter_results, pack_command
from borsa.matching.layout import Kind, Op, OrderType, Reason, TimeInForce

BUY, SELL = 0, 1


def place(order_id: int, side: int, quantity: int, price: int = 0, **fields: int) -> bytes:
    """A limit order, or without a price a market order, of an owner of its own."""
    order_type = OrderType.LIMIT if price else OrderType.MARKET
    fields = {"owner": order_id, "order_type": order_type, **fields}
    return pack_command(Op.PLACE, 0, order_id, side=side, quantity=quantity, price=price, **fields)


def stop(order_id: int, side: int, quantity: int, stop_price: int) -> bytes:
    """A stop (market) order."""
    return place(order_id, side, quantity, stop_price=stop_price, order_type=OrderType.STOP)


def amend(order_id: int, quantity: int, price: int) -> bytes:
    """To a new total and price."""
    return pack_command(Op.AMEND, 0, order_id, quantity=quantity, price=price)


def cancel(order_id: int) -> bytes:
    """In market 0."""
    return pack_command(Op.CANCEL, 0, order_id)


def run(kernel: Kernel, *commands: bytes) -> list[Result]:
    """Results of a batch."""
    return list(iter_results(kernel.process(b"".join(commands))))


def fills(results: list[Result]) -> list[tuple[int, int, int, int]]:
    """(taker, maker, price, quantity)."""
    return [
        (result.order_id, result.other_id, result.price, result.quantity)
        for result in results
        if result.kind == Kind.FILLED
    ]


def test_a_cancel_after_a_full_fill_is_refused(kernel: Kernel) -> None:
    run(kernel, place(1, SELL, 5, 100), place(2, BUY, 5, 100))
    for order_id in (1, 2):
        (result,) = run(kernel, cancel(order_id))
        assert (result.kind, result.reason) == (Kind.REFUSED, Reason.UNKNOWN_ORDER)


def test_an_amend_after_a_full_fill_is_refused(kernel: Kernel) -> None:
    run(kernel, place(1, SELL, 5, 100), place(2, BUY, 5, 100))
    for order_id in (1, 2):
        (result,) = run(kernel, amend(order_id, 9, 100))
        assert (result.kind, result.reason) == (Kind.REFUSED, Reason.UNKNOWN_ORDER)
    assert kernel.depth(0, 5) == ([], [])


def test_a_cancel_twice_in_one_batch_closes_once(kernel: Kernel) -> None:
    kinds = [result.kind for result in run(kernel, place(1, SELL, 5, 100), cancel(1), cancel(1))]
    assert kinds == [Kind.ACCEPTED, Kind.CLOSED, Kind.REFUSED]


def test_a_cancel_in_another_market_is_refused(kernel: Kernel) -> None:
    run(kernel, place(1, SELL, 5, 100))
    (result,) = run(kernel, pack_command(Op.CANCEL, 1, 1))
    assert result.reason == Reason.UNKNOWN_ORDER
    assert kernel.depth(0, 5) == ([], [(100, 5)])


def test_the_best_price_is_not_stale_after_the_last_order_of_a_level_goes(kernel: Kernel) -> None:
    run(kernel, place(1, SELL, 5, 100), place(2, SELL, 5, 101), cancel(1))
    assert kernel.depth(0, 1) == ([], [(101, 5)])
    assert fills(run(kernel, place(3, BUY, 1, 105))) == [(3, 2, 101, 1)]
    run(kernel, amend(2, 9, 103))
    assert fills(run(kernel, place(4, BUY, 1, 105))) == [(4, 2, 103, 1)]


def test_an_empty_level_does_not_stay(kernel: Kernel) -> None:
    run(kernel, place(1, SELL, 5, 100), place(2, BUY, 5, 100))
    assert kernel.depth(0, 5) == ([], [])
    run(kernel, place(3, BUY, 5, 90), place(4, BUY, 5, 91), cancel(4), amend(3, 4, 89))
    assert kernel.depth(0, 5) == ([(89, 4)], [])


def test_an_amend_to_less_does_not_break_the_queue(kernel: Kernel) -> None:
    run(kernel, place(1, SELL, 5, 100), place(2, SELL, 5, 100), amend(1, 3, 100))
    assert fills(run(kernel, place(3, BUY, 4, 100))) == [(3, 1, 100, 3), (3, 2, 100, 1)]


def test_an_amend_to_more_does_not_keep_the_place(kernel: Kernel) -> None:
    run(kernel, place(1, SELL, 5, 100), place(2, SELL, 5, 100), amend(1, 6, 100))
    assert fills(run(kernel, place(3, BUY, 6, 100))) == [(3, 2, 100, 5), (3, 1, 100, 1)]


def test_an_amend_away_and_back_does_not_keep_the_place(kernel: Kernel) -> None:
    run(kernel, place(1, SELL, 5, 100), place(2, SELL, 5, 100), amend(1, 5, 101), amend(1, 5, 100))
    assert fills(run(kernel, place(3, BUY, 1, 100))) == [(3, 2, 100, 1)]


def test_an_ioc_remainder_does_not_rest(kernel: Kernel) -> None:
    run(kernel, place(1, SELL, 5, 100), place(2, BUY, 9, 100, time_in_force=TimeInForce.IOC))
    assert list(kernel.open_orders()) == []


def test_a_fok_does_not_fill_in_part(kernel: Kernel) -> None:
    run(kernel, place(1, SELL, 5, 100), place(2, SELL, 5, 101))
    for order_id, quantity, price in ((3, 6, 100), (4, 11, 101)):
        results = run(kernel, place(order_id, BUY, quantity, price, time_in_force=TimeInForce.FOK))
        assert [result.kind for result in results] == [Kind.ACCEPTED, Kind.CLOSED]
    assert kernel.depth(0, 5) == ([], [(100, 5), (101, 5)])


def test_a_market_order_does_not_walk_through_its_own_owners_orders(kernel: Kernel) -> None:
    run(kernel, place(1, SELL, 5, 100, owner=7), place(2, SELL, 5, 101))
    results = run(kernel, place(3, BUY, 8, owner=7))
    assert fills(results) == []
    assert [result.kind for result in results] == [Kind.ACCEPTED, Kind.PREVENTED, Kind.CLOSED]
    assert kernel.depth(0, 5) == ([], [(100, 5), (101, 5)])


def test_a_duplicate_id_is_refused_and_the_first_stands(kernel: Kernel) -> None:
    run(kernel, place(1, SELL, 5, 100))
    (result,) = run(kernel, place(1, SELL, 7, 99))
    assert (result.kind, result.reason) == (Kind.REFUSED, Reason.DUPLICATE_ORDER)
    assert kernel.depth(0, 5) == ([], [(100, 5)])


def test_an_id_that_is_open_in_one_market_is_a_duplicate_in_another(kernel: Kernel) -> None:
    run(kernel, place(1, SELL, 5, 100))
    (result,) = run(kernel, pack_command(Op.PLACE, 1, 1, price=50, quantity=1))
    assert result.reason == Reason.DUPLICATE_ORDER


def test_a_post_only_order_does_not_take(kernel: Kernel) -> None:
    run(kernel, place(1, SELL, 5, 100))
    results = run(kernel, place(2, BUY, 5, 100, post_only=1))
    assert [(result.kind, result.reason) for result in results] == [(1, 0), (3, Reason.WOULD_CROSS)]
    (result,) = run(kernel, place(3, BUY, 5, 99, post_only=1), amend(3, 5, 100))[1:]
    assert (result.kind, result.reason) == (Kind.REFUSED, Reason.WOULD_CROSS)
    assert kernel.depth(0, 5) == ([(99, 5)], [(100, 5)])


def test_a_stop_does_not_fire_twice(kernel: Kernel) -> None:
    run(kernel, place(1, SELL, 9, 100), stop(2, BUY, 1, 100))
    first = run(kernel, place(3, BUY, 1, 100))
    second = run(kernel, place(4, BUY, 1, 100))
    assert [result.kind for result in first].count(Kind.TRIGGERED) == 1
    assert [result.kind for result in second].count(Kind.TRIGGERED) == 0


def test_a_stop_does_fire(kernel: Kernel) -> None:
    run(kernel, place(1, SELL, 9, 100), place(2, SELL, 9, 105), stop(3, BUY, 1, 101))
    assert fills(run(kernel, place(4, BUY, 10, 105))) == [(4, 1, 100, 9), (4, 2, 105, 1), (3, 2, 105, 1)]


def test_a_stops_comparison_is_not_inverted(kernel: Kernel) -> None:
    run(kernel, place(1, SELL, 9, 100), place(2, BUY, 9, 90), stop(3, BUY, 1, 101), stop(4, SELL, 1, 99))
    results = run(kernel, place(5, BUY, 1, 100))
    assert Kind.TRIGGERED not in [result.kind for result in results]
    results = run(kernel, place(6, SELL, 1, 90))
    assert [result.order_id for result in results if result.kind == Kind.TRIGGERED] == [4]


def test_no_order_of_nothing_trails(kernel: Kernel) -> None:
    run(kernel, place(1, SELL, 5, 100), place(2, BUY, 5, 100))
    run(kernel, place(3, SELL, 5, 100), place(4, BUY, 2, 100), amend(3, 2, 100))
    assert list(kernel.open_orders()) == []


def test_fills_are_not_at_the_takers_price(kernel: Kernel) -> None:
    run(kernel, place(1, SELL, 5, 100), place(2, BUY, 5, 90))
    assert fills(run(kernel, place(3, BUY, 1, 120))) == [(3, 1, 100, 1)]
    assert fills(run(kernel, place(4, SELL, 1, 10))) == [(4, 2, 90, 1)]


def test_no_fill_has_a_quote_value_of_zero(kernel: Kernel) -> None:
    run(kernel, place(1, SELL, 5, 100))
    results = run(kernel, place(2, BUY, 0, budget=99))
    assert [(result.kind, result.reason) for result in results] == [(1, 0), (3, Reason.BUDGET_SPENT)]
    assert all(result.reason == Reason.INVALID for result in run(kernel, place(3, BUY, 1, 0, order_type=0)))


def test_a_snapshot_has_the_last_price_and_the_armed_stops(new_kernel: Callable[[], Kernel]) -> None:
    kernel, other = new_kernel(), new_kernel()
    run(kernel, place(1, SELL, 9, 100), place(2, BUY, 1, 100), stop(3, BUY, 1, 101), place(4, SELL, 1, 101))
    other.restore(kernel.snapshot())
    assert other.last_price(0) == 100
    assert fills(run(other, place(5, BUY, 9, 101))) == [(5, 1, 100, 8), (5, 4, 101, 1)]
    assert [order.order_id for order in other.open_orders()] == []
