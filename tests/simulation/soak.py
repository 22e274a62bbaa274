"""Seeds that nobody ran before: make soak HOURS=8, or 0.25. What they came to is added to docs/operating/proof.md.

Ends at its time, or at Ctrl-C, after the seeds that are under way; exit status 1 when a seed broke.
"""

import argparse
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from datetime import UTC, datetime
from multiprocessing import get_context
from typing import Any

import typer

from tests.house.source import ROOT
from tests.simulation import chunks, proof
from tests.simulation.coverage import Coverage

KEPT_EVERY_SECONDS = 300
SAID_EVERY_SECONDS = 30
NEWS = "{runs} runs, {orders} orders, {faults} faults, {broken} broken"


class Soak:
    """What this soak came to so far."""

    def __init__(self, first: int) -> None:
        self.first = self.next = first
        self.commit = _commit()
        self.total = Coverage()
        self.broken: list[chunks.Failure] = []

    def seeds(self) -> Iterator[int]:
        """One new seed after the other."""
        while True:
            self.next += 1
            yield self.next - 1

    def add(self, covered: Coverage, broken: list[chunks.Failure]) -> None:
        """A seed is done."""
        self.total.add(covered)
        self.broken += broken
        for seed, said in broken:
            typer.echo(f"BROKEN: python -m tests.simulation {seed}\n  {said}", err=True)

    def news(self) -> str:
        """How far it is."""
        totals, faults = self.total.totals, self.total.faults.total()
        return NEWS.format(runs=totals["runs"], orders=totals["orders"], faults=faults, broken=len(self.broken))

    def row(self) -> dict[str, Any]:
        """This soak, for the record."""
        return {
            "day": datetime.now(UTC).strftime("%Y-%m-%d"),
            "commit": self.commit,
            "seeds": [self.first, self.next - 1],
            "totals": dict(self.total.totals),
            "faults": dict(self.total.faults),
            "branches": dict(self.total.branches),
            # the first line says it; the rest names places of the machine
            "broken": [[seed, said.partition("\n")[0]] for seed, said in self.broken],
        }


def _commit() -> str:
    said = subprocess.run(
        ["git", "describe", "--always", "--dirty"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    return said.stdout.strip() or "unknown"


def _one(seed: int) -> tuple[Coverage, list[chunks.Failure]]:
    return chunks.run([seed])


def run(seconds: float, processes: int) -> Soak:
    """Simulate until the time is over or somebody interrupts, and keep the record up to date meanwhile."""
    before = proof.read()
    soak = Soak(proof.next_seed(before))
    ends, keeps, says = (time.monotonic() + each for each in (seconds, KEPT_EVERY_SECONDS, SAID_EVERY_SECONDS))
    seeds = soak.seeds()
    # no fork: another thread of the tests may be within SQLite at that moment, and its locks would stay locked for ever
    fresh, ignored = get_context("spawn"), (signal.SIGINT, signal.SIG_IGN)
    with ProcessPoolExecutor(processes, fresh, initializer=signal.signal, initargs=ignored) as pool:
        under_way: set[Future[tuple[Coverage, list[chunks.Failure]]]] = set()
        stopping = False
        while under_way or not stopping:
            try:
                stopping = stopping or time.monotonic() >= ends
                while not stopping and len(under_way) < 2 * processes:
                    under_way.add(pool.submit(_one, next(seeds)))
                done, under_way = wait(under_way, return_when=FIRST_COMPLETED)
                for each in done:
                    soak.add(*each.result())
                if time.monotonic() >= says:
                    says += SAID_EVERY_SECONDS
                    typer.echo(soak.news())
                if time.monotonic() >= keeps:
                    keeps += KEPT_EVERY_SECONDS
                    proof.write([*before, soak.row()])
            except KeyboardInterrupt:
                stopping = True
    proof.write([*before, soak.row()])
    return soak


def main() -> int:
    """What `make soak` runs."""
    options = argparse.ArgumentParser(prog="python -m tests.simulation.soak", description=__doc__)
    options.add_argument("--hours", type=float, default=1.0)
    options.add_argument("--processes", type=int, default=2, help="seeds at a time")
    given = options.parse_args()
    soak = run(given.hours * 3600, given.processes)
    typer.echo(soak.news())
    return 1 if soak.broken else 0


if __name__ == "__main__":
    sys.exit(main())
