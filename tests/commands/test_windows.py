"""What may be played together, and what must wait for an answer."""

from borsa.commands.recording import Execution, Row, market_named
from borsa.commands.windows import AMEND, CANCEL, Cast, Window, funds_needed, windows_of

MARKET = market_named("PEAR", "USD", "0.01", "0.01")
UNIT = 10_000
"""Units of the quote asset in one tick times one lot."""


def row(kind: str, side: str, row_id: int, price: int, quantity: int = 10, time: int = 0) -> Row:
    return Row(time, kind, {"B": "buy", "S": "sell"}[side], row_id, price, quantity)


def windows(*rows: Row, paced: bool = False) -> list[Window]:
    return list(windows_of(rows, paced))


def counts(*rows: Row) -> list[int]:
    return [window.rows for window in windows(*rows)]


def test_orders_of_both_sides_that_do_not_cross_are_played_together() -> None:
    assert counts(row("add", "B", 1, 99), row("add", "S", 2, 101), row("add", "B", 3, 100)) == [3]


def test_an_order_that_crosses_waits_for_the_other_side() -> None:
    assert counts(row("add", "S", 1, 101), row("ioc", "B", 2, 101)) == [1, 1]
    assert counts(row("ioc", "B", 1, 101), row("add", "S", 2, 101)) == [1, 1]


def test_orders_of_one_side_stay_in_one_ordered_batch() -> None:
    (window,) = windows(row("ioc", "B", 1, 105), row("add", "B", 2, 100), row("ioc", "B", 3, 104))
    assert [command.row_id for command in window.placed["buy"]] == [1, 2, 3]


def test_a_taker_waits_for_the_cancels_that_it_could_meet() -> None:
    seeds = [row("seed", "S", 1, 101), row("seed", "S", 2, 110)]
    assert counts(*seeds, row("cancel", "S", 1, 101), row("ioc", "B", 9, 105)) == [2, 1, 1]
    taker_and_far_cancel = counts(*seeds, row("ioc", "B", 9, 105), row("cancel", "S", 2, 110))
    assert taker_and_far_cancel == [2, 2]


def test_commands_of_one_order_wait_for_each_other() -> None:
    rows = (row("add", "B", 1, 99), row("reduce", "B", 1, 99, 3), row("reduce", "B", 1, 99, 7))
    played = [command for window in windows(*rows) for command in window.changed]
    assert counts(*rows) == [1, 1, 1]
    assert [(command.kind, command.quantity) for command in played] == [(AMEND, 7), (CANCEL, 0)]


def test_the_recorded_pace_ends_a_window() -> None:
    rows = (row("add", "B", 1, 99, time=0), row("add", "B", 2, 99, time=100_000), row("add", "B", 3, 99, time=100_001))
    assert [window.rows for window in windows(*rows, paced=True)] == [2, 1]


def test_funds_cover_the_peak_and_what_was_filled_before_a_cancel() -> None:
    rows = (
        row("add", "B", 1, 100, 10),
        row("cancel", "B", 1, 100),
        row("ioc", "S", 9, 100, 4),
        row("add", "B", 2, 100, 10),
    )
    cast = Cast(2)
    assert counts(*rows) == [1, 1, 1, 1]
    assert funds_needed(windows(*rows), cast, MARKET, []) == [1000 * UNIT, 4 * MARKET.lot]
    four_filled = [Execution(9, 0, 100, 4)]
    assert funds_needed(windows(*rows), cast, MARKET, four_filled) == [1400 * UNIT, 4 * MARKET.lot]


def test_sellers_need_the_base_asset() -> None:
    assert funds_needed(windows(row("add", "S", 1, 100, 10)), Cast(2), MARKET, []) == [0, 10 * MARKET.lot]
