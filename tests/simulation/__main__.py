"""Replays seeds: python -m tests.simulation SEED [SEED ...] [--orders N] [--coverage]."""

import argparse
import time

import typer

from tests.simulation.coverage import Coverage
from tests.simulation.world import ORDERS, simulate


def main() -> None:
    """Run each seed, and say its digest; what breaks is raised."""
    options = argparse.ArgumentParser(prog="python -m tests.simulation", description=__doc__)
    options.add_argument("seeds", type=int, nargs="+", metavar="SEED")
    options.add_argument("--orders", type=int, default=ORDERS, help="orders of a run")
    options.add_argument("--coverage", action="store_true", help="say what happened, at the end")
    given = options.parse_args()
    total = Coverage()
    began = time.process_time()
    for seed in given.seeds:
        digest, covered = simulate(seed, given.orders)
        total.add(covered)
        typer.echo(f"{seed} {digest}")
    if given.coverage:
        _say(total)
    orders, faults = total.totals["orders"], total.faults.total()
    each = (time.process_time() - began) / orders * 1e6
    typer.echo(f"{orders} orders, {total.totals['trades']} trades, {faults} faults, {each:.0f} us of CPU an order")


def _say(total: Coverage) -> None:
    for name, times in (*total.faults.items(), *total.branches.items(), *total.refusals.items()):
        typer.echo(f"{times:9} {name}")
    typer.echo(f"missing: {', '.join(total.missing()) or 'nothing'}")


if __name__ == "__main__":
    main()
