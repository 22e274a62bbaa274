"""A small recording, made by hand: its rows, its sidecar and what traded in it."""

import gzip
import json
from collections.abc import Sequence
from pathlib import Path

Rows = Sequence[tuple[object, ...]]

COMMANDS = (
    # ts_us, type, side, id, price, qty: the book is 98, 99 against 101 (two orders), 102
    (0, "seed", "B", 1, 9900, 10),
    (0, "seed", "B", 2, 9800, 10),
    (0, "seed", "S", 3, 10100, 5),
    (0, "seed", "S", 4, 10100, 5),
    (0, "seed", "S", 5, 10200, 20),
    (1000, "ioc", "B", 100, 10100, 6),  # takes 3, then 1 of 4
    (2000, "add", "S", 6, 10100, 7),  # behind the rest of 4
    (3000, "reduce", "S", 4, 10100, 2),  # 2 are left, and keep their place
    (4000, "ioc", "B", 101, 10100, 3),  # 2 of 4, then 1 of 6
    (5000, "cancel", "S", 6, 10100, 6),
    (6000, "ioc", "B", 102, 10200, 4),  # 5 at 102, as nothing is left at 101
    (7000, "add", "S", 7, 9900, 4),  # crosses: the maker is 1
    (8000, "ioc", "S", 103, 9800, 8),  # the rest of 1, then 2
    (9000, "reduce", "B", 2, 9800, 500),  # more than there is: a cancel
    (9500, "cancel", "S", 3, 10100, 5),  # filled long ago: a harmless refusal
    (9600, "cancel", "S", 999, 10100, 5),  # never heard of
    (10000, "ioc", "S", 104, 9800, 1),  # nobody is left
)

TRADES = (
    # ts_us, taker_side, taker_id, maker_id, price, qty
    (1000, "B", 100, 3, 10100, 5),
    (1000, "B", 100, 4, 10100, 1),
    (4000, "B", 101, 0, 10100, 3),
    (6000, "B", 102, 5, 10200, 4),
    (8000, "S", 103, 1, 9900, 6),
    (8000, "S", 103, 2, 9800, 2),
)


def write_recording(folder: Path, rows: Rows = COMMANDS, trades: Rows = TRADES, lot: str = "1 lot = 1e-2 PEAR") -> Path:
    """The recording's files; gives the one with the commands."""
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / "small_pear_20240101.csv.gz"
    _write(file, "ts_us,type,side,id,price,qty", rows)
    _write(folder / "small_pear_20240101.trades.csv.gz", "ts_us,taker_side,taker_id,maker_id,price,qty", trades)
    sidecar = {"price_scale": "1 tick = 0.01 USD", "qty_scale": lot}
    (folder / "small_pear_20240101.json").write_text(json.dumps(sidecar))
    return file


def _write(file: Path, header: str, rows: Rows) -> None:
    lines = [header, *(",".join(map(str, row)) for row in rows)]
    file.write_bytes(gzip.compress("\n".join(lines).encode()))
