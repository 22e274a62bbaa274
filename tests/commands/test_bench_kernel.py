"""borsa bench kernel FILE: one JSON line, and the fills that the workload's own reference book has."""

import json
import struct
from pathlib import Path
from typing import Any

import pytest

from borsa.commands.bench_kernel import run
from borsa.matching import kernel_name

LIMIT, CANCEL, IOC, MARKET = 1, 2, 3, 4
BUY, SELL = 0, 1

RECORDS = [
    (LIMIT, SELL, 1, 100, 5),
    (LIMIT, SELL, 2, 101, 5),
    (LIMIT, BUY, 3, 90, 5),
    (IOC, BUY, 4, 100, 7),  # 5 of number 1
    (MARKET, SELL, 5, 0, 2),  # 2 of number 3
    (CANCEL, SELL, 2, 0, 0),
    (MARKET, BUY, 6, 0, 2),  # nobody sells
    (LIMIT, SELL, 7, 90, 1),  # 1 of number 3
]
PREFILL = 3


def checksum(*fills: tuple[int, int, int, int]) -> str:
    """Of (taker, maker, price, quantity), as the workloads define it."""
    found = 1469598103934665603
    for taker, maker, price, quantity in fills:
        mixed = taker * 1000003 + maker * 10007 + price * 101 + quantity
        found = ((found ^ mixed) * 1099511628211) % 2**64
    return f"{found:016x}"


def workload(folder: Path, records: list[tuple[int, ...]] = RECORDS, prefill: int = PREFILL) -> Path:
    """A file of these records."""
    file = folder / "workload.bin"
    head = struct.pack("<8sQQQQQ16x", b"LOBW0001", len(records), prefill, 0, 0, 0)
    body = (struct.pack("<BBHIQqq", op, side, 0, 0, *rest) for op, side, *rest in records)
    file.write_bytes(head + b"".join(body))
    return file


def measured(capsys: pytest.CaptureFixture[str], *arguments: Any) -> dict[str, Any]:
    """The line that a run prints."""
    assert run(*arguments) == 0
    (line,) = capsys.readouterr().out.splitlines()
    said: dict[str, Any] = json.loads(line)
    return said


@pytest.mark.parametrize("kernel", dict.fromkeys(["naive", kernel_name()]))
@pytest.mark.parametrize("batch", [1, 2, 1000])
def test_the_fills_are_summed_up_as_all_engines_do(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], kernel: str, batch: int
) -> None:
    said = measured(capsys, workload(tmp_path), kernel, batch, False)
    assert said.keys() == {"engine", "ops", "secs", "ops_per_s", "trades", "volume", "checksum"}
    assert (said["engine"], said["ops"]) == (f"borsa-{kernel}", len(RECORDS) - PREFILL)
    assert (said["trades"], said["volume"]) == (3, 8)
    assert said["checksum"] == checksum((4, 1, 100, 5), (5, 3, 90, 2), (7, 3, 90, 1))
    assert said["ops_per_s"] > 0


def test_latencies_are_told_when_asked_for(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    said = measured(capsys, workload(tmp_path), "", 1, True)
    assert said["lat_ns"].keys() == {"p50", "p99", "p999", "max"}
    assert 0 < said["lat_ns"]["p50"] <= said["lat_ns"]["p99"] <= said["lat_ns"]["max"]


def test_fills_before_the_clock_starts_count_too(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    said = measured(capsys, workload(tmp_path, prefill=len(RECORDS)), "", 1000, True)
    assert (said["ops"], said["ops_per_s"], said["trades"]) == (0, 0, 3)


@pytest.mark.parametrize(
    "content", [b"", b"LOBW0001", b"LOBW0002" + bytes(56), struct.pack("<8sQ48x", b"LOBW0001", 1), bytes(65)]
)
def test_what_is_no_workload_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str], content: bytes) -> None:
    file = tmp_path / "other.bin"
    file.write_bytes(content)
    assert run(file, "", 1000, False) == 2
    assert capsys.readouterr().err == f"borsa: {file} is not a workload\n"


def test_an_op_that_no_workload_has_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(workload(tmp_path, [(9, BUY, 1, 1, 1)], 0), "", 1000, False) == 2
    assert "no workload has an op 9" in capsys.readouterr().err


def test_a_kernel_that_is_not_there_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(workload(tmp_path), "fastest", 1000, False) == 2
    assert "fastest is no matching kernel" in capsys.readouterr().err
