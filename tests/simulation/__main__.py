"""Replays seeds: python -m tests.simulation SEED [SEED ...] [--orders N]."""

import argparse
import time

from tests.simulation.coverage import Coverage
from tests.simulation.world import ORDERS, simulate

options = argparse.ArgumentParser(prog="python -m tests.simulation", description=__doc__)
options.add_argument("seeds", type=int, nargs="+", metavar="SEED")
options.add_argument("--orders", type=int, default=ORDERS, help="orders of a run")
options.add_argument("--coverage", action="store_true", help="what happened, at the end")
given = options.parse_args()

total = Coverage()
began = time.process_time()
for seed in given.seeds:
    digest, covered = simulate(seed, given.orders)
    total.add(covered)
    print(seed, digest)
if given.coverage:
    for name, times in (*total.faults.items(), *total.branches.items(), *total.refusals.items()):
        print(f"{times:9} {name}")
    print("missing:", ", ".join(total.missing()) or "nothing", "| unknown:", total.unknown())
orders = total.totals["orders"]
cpu = time.process_time() - began
print(f"{orders} orders, {total.totals['trades']} trades, {total.faults.total()} faults, {cpu / orders * 1e6:.0f} us an order")
