"""Seeds one after the other: what a worker of `make test` runs, and what a process of a soak does."""

import time
from collections.abc import Callable, Iterable

from tests.simulation.coverage import Coverage
from tests.simulation.world import ORDERS, simulate

Failure = tuple[int, str]
"""A seed, and what broke."""


def run(
    seeds: Iterable[int], orders: int = ORDERS, goes_on: Callable[[], bool] = lambda: True
) -> tuple[Coverage, list[Failure]]:
    """What all seeds covered, and those that broke; stops before the next seed when it shall not go on."""
    total, broken = Coverage(), []
    began = time.process_time()
    for seed in seeds:
        if not goes_on():
            break
        try:
            _, covered = simulate(seed, orders)
        except Exception as error:
            broken.append((seed, f"{type(error).__name__}: {error}"[:500]))
            total.totals["runs"] += 1
        else:
            total.add(covered)
    total.totals["CPU milliseconds"] += int((time.process_time() - began) * 1000)
    return total, broken
