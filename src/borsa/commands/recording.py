"""Recorded order flow: FILE.csv.gz with its rows, FILE.json with their scales, FILE.trades.csv.gz with what traded.

This is the csv dialect of the recordings: prices and quantities are whole numbers of ticks and lots.
"""

import csv
import gzip
import re
import zlib
from collections.abc import Callable
from decimal import Decimal
from itertools import islice
from pathlib import Path
from typing import TypeVar

import msgspec

from borsa import money
from borsa.errors import Refused
from borsa.markets import ASSET_SCALE, PRICE_SCALE, Market, admit

R = TypeVar("R")

_SCALE = re.compile(r"1 (?:tick|lot) = (\S+) (\w+)\Z")
_CODE = re.compile(r"[A-Z0-9]{1,12}\Z", re.ASCII)
_SUFFIX = ".csv.gz"


class BadRecording(ValueError):
    """A file is missing, or is not what a recording looks like."""


class Row(msgspec.Struct, frozen=True, gc=False):
    """One recorded command: `kind` is seed, add, ioc, cancel or reduce; time in microseconds, price in ticks,
    quantity in lots (of a reduce: the lots that go away)."""

    time: int
    kind: str
    side: str
    row_id: int
    price: int
    quantity: int


class Execution(msgspec.Struct, frozen=True, gc=False):
    """One recorded fill of a taker, in ticks and lots; maker_id 0: the maker is not recorded."""

    taker_id: int
    maker_id: int
    price: int
    quantity: int


_SIDES = {"B": "buy", "S": "sell"}
_KINDS = ("seed", "add", "ioc", "cancel", "reduce")


def read_rows(file: Path, limit: int) -> list[Row]:
    """The commands in their order, at most `limit` of them (0: all)."""
    rows = _read(file, _row, limit)
    if not rows:
        raise BadRecording(f"{file}: no rows")
    return rows


def _row(line: dict[str, str]) -> Row:
    if line["type"] not in _KINDS:
        raise ValueError(f"there is no command {line['type']}")
    price, quantity = int(line["price"]), int(line["qty"])
    return Row(int(line["ts_us"]), line["type"], _SIDES[line["side"]], int(line["id"]), price, quantity)


def read_executions(file: Path) -> list[Execution]:
    """What was executed when the commands were recorded."""
    return _read(_beside(file, ".trades" + _SUFFIX), _execution, 0)


def _execution(line: dict[str, str]) -> Execution:
    return Execution(int(line["taker_id"]), int(line["maker_id"]), int(line["price"]), int(line["qty"]))


def _read(file: Path, as_record: Callable[[dict[str, str]], R], limit: int) -> list[R]:
    records: list[R] = []
    try:
        with gzip.open(file, "rt", newline="", encoding="ascii") as text:
            for line in islice(csv.DictReader(text), limit or None):
                records.append(as_record(line))
    except OSError as error:
        raise BadRecording(f"{file}: {error.strerror or error}") from None
    except (EOFError, KeyError, TypeError, ValueError, zlib.error, csv.Error) as error:
        raise BadRecording(f"{file}: after {len(records)} rows: {error!r}") from None
    return records


def _beside(file: Path, suffix: str) -> Path:
    if not file.name.endswith(_SUFFIX):
        raise BadRecording(f"{file}: a recording is a file *{_SUFFIX}")
    return file.with_name(file.name.removesuffix(_SUFFIX) + suffix)


def read_market(file: Path) -> Market:
    """The market of a recording, with the tick and the lot of its sidecar."""
    sidecar = _beside(file, ".json")
    try:
        said = msgspec.json.decode(sidecar.read_bytes(), type=dict[str, object])
        tick, quote = _scale(said, "price_scale")
        lot, unit = _scale(said, "qty_scale")
        return market_named(_base(unit, file), quote, tick, lot)
    except OSError as error:
        raise BadRecording(f"{sidecar}: {error.strerror}") from None
    except Refused as refused:
        raise BadRecording(f"{sidecar}: {refused.detail}") from None
    except (ValueError, ArithmeticError) as error:
        raise BadRecording(f"{sidecar}: {error}") from None


def market_named(base: str, quote: str, tick: str, lot: str) -> Market:
    """A market without fees, price band or minimum notional; refused when its prices could not be exact."""
    return admit(
        Market(
            symbol=f"{base}-{quote}",
            base=base,
            quote=quote,
            number=0,
            tick=money.parse(tick, PRICE_SCALE),
            lot=money.parse(lot, ASSET_SCALE),
            min_notional=0,
        )
    )


def _scale(said: dict[str, object], name: str) -> tuple[str, str]:
    """(step as a decimal text, unit) of a scale like "1 lot = 1e-5 BTC"."""
    found = _SCALE.match(str(said.get(name)))
    if found is None:
        raise ValueError(f"no {name} like '1 lot = 0.01 BTC'")
    return format(Decimal(found[1]), "f"), found[2]


def _base(unit: str, file: Path) -> str:
    """The asset that is traded: the lot's unit, or (shares) the second word of the file's name."""
    if _CODE.match(unit):
        return unit
    words = file.name.removesuffix(_SUFFIX).upper().split("_")
    return next((word for word in words[1:] if _CODE.match(word)), unit.upper())
