"""The benchmark's workload gives the fills that its own reference book gives. Skipped where the generator is not."""

import json
import struct
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from borsa.matching import Kernel, iter_results, pack_command
from borsa.matching.layout import Kind, Op, OrderType, SelfTradePrevention, TimeInForce

CANCEL, IOC, MARKET = 2, 3, 4
HEADER_BYTES = 64


def to_commands(workload: bytes) -> Iterator[bytes]:
    """The file's records as commands; nobody has an owner there."""
    for op, side, _, _, order_id, price, quantity in struct.iter_unpack("<BBHIQqq", workload[HEADER_BYTES:]):
        if op == CANCEL:
            yield pack_command(Op.CANCEL, 0, order_id)
        else:
            yield pack_command(
                Op.PLACE,
                0,
                order_id,
                side=side,
                order_type=OrderType.MARKET if op == MARKET else OrderType.LIMIT,
                time_in_force=TimeInForce.IOC if op == IOC else TimeInForce.GTC,
                self_trade_prevention=SelfTradePrevention.NONE,
                price=price,
                quantity=quantity,
            )


@pytest.mark.parametrize(("live", "mean_ticks"), [(1000, 20), (5000, 500)])
def test_the_workload_has_the_checksum_of_its_reference(
    kernel: Kernel, shared: Path, tmp_path: Path, live: int, mean_ticks: int
) -> None:
    generator = shared / "kernel_bench" / "gen_workload.py"
    if not generator.is_file():
        pytest.skip(f"no {generator}")
    file = tmp_path / "workload.bin"
    arguments = [str(file), "7", "50000", str(live), str(mean_ticks)]
    subprocess.run([sys.executable, "-B", str(generator), *arguments], check=True, capture_output=True)
    expected = json.loads((tmp_path / "workload.bin.json").read_text())

    trades, volume, checksum = 0, 0, 1469598103934665603
    for result in iter_results(kernel.process(b"".join(to_commands(file.read_bytes())))):
        assert result.kind != Kind.REFUSED
        if result.kind == Kind.FILLED:
            trades += 1
            volume += result.quantity
            mixed = result.order_id * 1000003 + result.other_id * 10007 + result.price * 101 + result.quantity
            checksum = ((checksum ^ mixed) * 1099511628211) % 2**64
    assert (trades, volume, f"{checksum:016x}") == (
        expected["trades"],
        expected["volume"],
        expected["checksum"],
    )
    bids, asks = kernel.depth(0, 1)
    assert [bids[0][0], asks[0][0]] == expected["best"]
    assert len(list(kernel.open_orders())) == expected["final_live"]
