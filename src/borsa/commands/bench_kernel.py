"""borsa bench kernel FILE: commands a second of the matching kernel alone, on a workload file."""

import time
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from struct import Struct
from typing import NamedTuple

import msgspec
import typer

from borsa.matching import Kernel, NoSuchKernel, iter_results, kernel_name, open_kernel, pack_command
from borsa.matching.layout import (
    COMMAND_BYTES,
    KIND_FILLED,
    OP_CANCEL,
    OP_PLACE,
    RESULT_BYTES,
    STP_NONE,
    TIF_GTC,
    TIF_IOC,
    TYPE_LIMIT,
    TYPE_MARKET,
)

_HEADER = Struct("<8sQQQQQ16x")
_RECORD = Struct("<BBHIQqq")
_MAGIC = b"LOBW0001"
_LIMIT, _CANCEL, _IOC, _MARKET = 1, 2, 3, 4

_HELD_BATCHES = 64
"""So many batches are timed before their results are read: reading them in between would leave the caches to Python."""

_HASH_START, _HASH_FACTOR, _HASH_MASK = 1469598103934665603, 1099511628211, 2**64 - 1


class Outcome(msgspec.Struct, omit_defaults=True):
    """The line that every engine of the comparison prints. `secs`: the time within the kernel's calls alone."""

    engine: str
    ops: int
    secs: float
    ops_per_s: int
    trades: int
    volume: int
    checksum: str
    lat_ns: dict[str, int] | None = None


class Workload(NamedTuple):
    """A file's commands, packed, and how many of them only fill the book before the clock starts."""

    commands: bytes
    prefill: int


class Fills:
    """What traded, as all engines sum it up: an order-dependent checksum of (taker, maker, price, quantity)."""

    def __init__(self) -> None:
        self.trades = 0
        self.volume = 0
        self.checksum = _HASH_START

    def read(self, results: bytes) -> None:
        """Add the fills of a batch."""
        fills = [results[at : at + RESULT_BYTES] for at in _starts_of_fills(results)]
        for fill in iter_results(b"".join(fills)):
            mixed = fill.order_id * 1000003 + fill.other_id * 10007 + fill.price * 101 + fill.quantity
            self.checksum = ((self.checksum ^ mixed) * _HASH_FACTOR) & _HASH_MASK
            self.trades += 1
            self.volume += fill.quantity


def run(file: Path, kernel: str, batch: int, latencies: bool) -> int:
    """Measure; returns the exit status."""
    try:
        engine = open_kernel(kernel)
        workload = _read(file)
    except (NoSuchKernel, OSError, ValueError) as error:
        typer.echo(f"borsa: {error}", err=True)
        return 2
    fills = Fills()
    durations = _play(engine, workload, batch, fills)
    ops = len(workload.commands) // COMMAND_BYTES - workload.prefill
    nanoseconds = sum(took for took, _ in durations)
    outcome = Outcome(
        engine=f"borsa-{kernel_name(kernel)}",
        ops=ops,
        secs=round(nanoseconds / 1e9, 6),
        ops_per_s=round(ops / nanoseconds * 1e9) if nanoseconds else 0,
        trades=fills.trades,
        volume=fills.volume,
        checksum=f"{fills.checksum:016x}",
        lat_ns=_latencies(durations) if latencies else None,
    )
    typer.echo(msgspec.json.encode(outcome).decode())
    return 0


def _read(file: Path) -> Workload:
    body = file.read_bytes()
    if len(body) < _HEADER.size or (len(body) - _HEADER.size) % _RECORD.size:
        raise ValueError(f"{file} is not a workload")
    magic, total, prefill, *_ = _HEADER.unpack_from(body)
    if magic != _MAGIC or total != (len(body) - _HEADER.size) // _RECORD.size or prefill > total:
        raise ValueError(f"{file} is not a workload")
    return Workload(b"".join(_commands(body)), prefill)


def _commands(body: bytes) -> Iterator[bytes]:
    """The records as commands; nobody has an owner there, so nothing is to be prevented."""
    for op, side, _, _, order_id, price, quantity in _RECORD.iter_unpack(memoryview(body)[_HEADER.size :]):
        if op == _CANCEL:
            yield pack_command(OP_CANCEL, 0, order_id)
        elif op in (_LIMIT, _IOC, _MARKET):
            yield pack_command(
                OP_PLACE,
                0,
                order_id,
                side=side,
                order_type=TYPE_MARKET if op == _MARKET else TYPE_LIMIT,
                time_in_force=TIF_IOC if op == _IOC else TIF_GTC,
                self_trade_prevention=STP_NONE,
                price=price,
                quantity=quantity,
            )
        else:
            raise ValueError(f"no workload has an op {op}")


def _play(kernel: Kernel, workload: Workload, batch: int, fills: Fills) -> list[tuple[int, int]]:
    """(nanoseconds, commands) of each timed batch. All results of a batch are in memory when its clock stops."""
    view = memoryview(workload.commands)
    start = workload.prefill * COMMAND_BYTES
    fills.read(kernel.process(view[:start]))
    durations: list[tuple[int, int]] = []
    batches = iter(range(start, len(view), batch * COMMAND_BYTES))
    while starts := list(islice(batches, _HELD_BATCHES)):
        held = []
        for at in starts:
            commands = view[at : at + batch * COMMAND_BYTES]
            began = time.perf_counter_ns()
            results = kernel.process(commands)
            durations.append((time.perf_counter_ns() - began, len(commands) // COMMAND_BYTES))
            held.append(results)
        for results in held:
            fills.read(results)
    return durations


def _starts_of_fills(results: bytes) -> Iterator[int]:
    kinds = results[::RESULT_BYTES]
    at = kinds.find(KIND_FILLED)
    while at >= 0:
        yield at * RESULT_BYTES
        at = kinds.find(KIND_FILLED, at + 1)


def _latencies(durations: list[tuple[int, int]]) -> dict[str, int]:
    """Nanoseconds a command. A clock around each would cost more than the command: so every command of a batch counts
    with the batch's time divided by its commands, and with batches of 1 with the whole call."""
    each = sorted(took // count for took, count in durations)
    if not each:
        return {}
    shares = {"p50": 500, "p99": 990, "p999": 999}
    found = {name: each[min(len(each) * share // 1000, len(each) - 1)] for name, share in shares.items()}
    return {**found, "max": each[-1]}
