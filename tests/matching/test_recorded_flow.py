"""Recorded flow of real exchanges: what traded there trades here. Skipped where the data is not."""

import csv
import gzip
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from borsa.matching import Kernel, iter_results, pack_command
from borsa.matching.layout import Kind, Op, SelfTradePrevention, TimeInForce

BATCH = 1000 * 64


def read_rows(path: Path) -> list[dict[str, str]]:
    """The rows of a gzipped csv."""
    if not path.is_file():
        pytest.skip(f"no {path}")
    with gzip.open(path, "rt", newline="") as file:
        return list(csv.DictReader(file))


def to_commands(rows: list[dict[str, str]]) -> Iterator[bytes]:
    """One command a row. A `reduce` names the difference, an AMEND the total: so totals are kept."""
    totals: dict[int, tuple[int, int]] = {}
    for row in rows:
        order_id, price, quantity = int(row["id"]), int(row["price"]), int(row["qty"])
        kind = row["type"]
        if kind == "reduce" and order_id in totals and totals[order_id][1] > quantity:
            resting_price, total = totals[order_id]
            totals[order_id] = (resting_price, total - quantity)
            yield pack_command(Op.AMEND, 0, order_id, price=resting_price, quantity=total - quantity)
        elif kind in ("cancel", "reduce"):
            yield pack_command(Op.CANCEL, 0, order_id)
        else:
            totals[order_id] = (price, quantity)
            yield pack_command(
                Op.PLACE,
                0,
                order_id,
                side="BS".index(row["side"]),
                time_in_force=TimeInForce.IOC if kind == "ioc" else TimeInForce.GTC,
                self_trade_prevention=SelfTradePrevention.NONE,
                price=price,
                quantity=quantity,
            )


def replay(kernel: Kernel, rows: list[dict[str, str]]) -> list[tuple[int, int, int, int]]:
    """(taker, maker, price, quantity) of every fill, in order."""
    commands = b"".join(to_commands(rows))
    fills = []
    for start in range(0, len(commands), BATCH):
        for result in iter_results(kernel.process(commands[start : start + BATCH])):
            if result.kind == Kind.FILLED:
                fills.append((result.order_id, result.other_id, result.price, result.quantity))
    return fills


def test_every_recorded_execution_of_aapl_is_reproduced(kernel: Kernel, shared: Path) -> None:
    name = "lobster_aapl_20120621_first998"
    fills = replay(kernel, read_rows(shared / "data" / f"{name}.csv.gz"))
    recorded = [
        (int(row["taker_id"]), int(row["maker_id"]), int(row["price"]), int(row["qty"]))
        for row in read_rows(shared / "data" / f"{name}.trades.csv.gz")
    ]
    assert len(recorded) == 98
    assert fills == recorded


@pytest.mark.parametrize("name", ["binance_btcusdt_20240808", "binance_ethusdt_20240808"])
def test_every_binance_taker_fills_per_price_what_was_recorded(
    new_kernel: Callable[[], Kernel], shared: Path, name: str
) -> None:
    rows = read_rows(shared / "data" / f"{name}.csv.gz")
    takers = {int(row["id"]) for row in rows if row["type"] == "ioc"}
    filled: Counter[tuple[int, int]] = Counter()
    for taker, _, price, quantity in replay(new_kernel(), rows):
        if taker in takers:
            filled[taker, price] += quantity
    recorded: Counter[tuple[int, int]] = Counter()
    for row in read_rows(shared / "data" / f"{name}.trades.csv.gz"):
        recorded[int(row["taker_id"]), int(row["price"])] += int(row["qty"])
    assert len(recorded) > 3000
    assert filled == recorded
