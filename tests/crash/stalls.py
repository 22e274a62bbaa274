"""How long clients stand still when something ends: every process of a cluster is killed in turn, under load, and a
table says for each how long nobody's order was acknowledged, and how long one client waited for one answer.

python -m tests.crash.stalls [--rounds 3]
"""

import argparse
import os
import signal
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from statistics import median
from typing import NamedTuple

from tests.crash.load import Load
from tests.support.cluster import SERVICES, Cluster, Served, brokers
from tests.support.nats import Nats
from tests.support.postgres import Postgres
from tests.support.running import until

READY_SECONDS_MAX = 120

LOOK_SECONDS = 0.05


class Doubled:
    """A cluster with two processes of each service: one works, one stands by. Whatever ends is begun again, as a
    service manager does."""

    def __init__(self, cluster: Cluster) -> None:
        self.cluster = cluster
        self._members = {name: [served, cluster.begin(name)] for name, served in cluster.processes.items()}
        self._members["gateway"] = cluster.gateways
        self._enough = threading.Event()
        self._thread = threading.Thread(target=self._keep)

    def __enter__(self) -> "Doubled":
        self._thread.start()
        return self

    def _keep(self) -> None:
        while not self._enough.wait(LOOK_SECONDS):
            for members in self._members.values():
                for at, each in enumerate(members):
                    if each.status is not None:
                        members[at] = self.cluster.revive(each)

    def worker(self, name: str) -> Served:
        """The one of a service that works."""
        return next(each for each in self._members[name] if each.is_at_work)

    def await_all(self) -> None:
        """Until one of each works, and another one is there."""
        until(self._are_there, "all processes", READY_SECONDS_MAX)

    def _are_there(self) -> bool:
        threading.Event().wait(LOOK_SECONDS)
        members = [each for several in self._members.values() for each in several]
        if not all(each.url and each.status is None for each in members):
            return False
        works = [any(each.is_at_work for each in self._members[name]) for name in SERVICES]
        return all(works) and self.cluster.http.get("/readyz").status_code == 200

    def __exit__(self, *_: object) -> None:
        self._enough.set()
        self._thread.join()


class Stall(NamedTuple):
    """After one kill: seconds without an acknowledged order, and the longest that one client waited."""

    nobody: float
    one: float


def deaths(doubled: Doubled, servers: Sequence[Nats], postgres: Postgres) -> Mapping[str, Callable[[], None]]:
    """How each ends; the brokers and PostgreSQL are begun again at once."""

    def end(name: str) -> None:
        doubled.worker(name).kill()

    def restart(broker: Nats) -> None:
        broker.kill()
        broker.begin_again()

    found: dict[str, Callable[[], None]] = {}
    for name in SERVICES:
        found[name] = lambda name=name: end(name)  # type: ignore[misc]
    # which clients ask first; the other one is for looking
    found["gateway"] = lambda: doubled.cluster.gateways[1].kill()
    for at, each in enumerate(servers, 1):
        found[f"broker {at} of {len(servers)}"] = lambda each=each: restart(each)  # type: ignore[misc]
    return found | {"PostgreSQL": lambda: postgres.restart(signal.SIGKILL)}


def killed_in_turn(
    doubled: Doubled, load: Load, killing: Mapping[str, Callable[[], None]], rounds: int
) -> Iterator[tuple[str, Stall]]:
    """Each of them, `rounds` times; nobody is killed before all are there again."""
    for name in [*killing] * rounds:
        doubled.await_all()
        load.wait_for_more()
        killed_at = time.monotonic()
        killing[name]()
        load.wait_for_more()
        doubled.await_all()
        load.wait_for_more()
        yield name, Stall(without_orders(load, killed_at), max(load.stalls([killed_at])))


def without_orders(load: Load, since: float) -> float:
    """The longest time without an acknowledged order, from the last one before that moment on."""
    ends = sorted(end for each in load.traders for end, _ in each.waits)
    return max(later - earlier for earlier, later in pairwise(ends) if later >= since)


@contextmanager
def at_work(folder: Path) -> Iterator[tuple[Doubled, Sequence[Nats], Postgres]]:
    """A cluster of two processes of each kind over three brokers."""
    with ExitStack() as stack:
        postgres = stack.enter_context(Postgres())
        servers = stack.enter_context(brokers(3))
        database = stack.enter_context(postgres.database())
        options = {"ask_seconds_max": "2", "access_token_seconds": "86400"}
        cluster = stack.enter_context(Cluster(folder, database, [each.url for each in servers], gateways=2, **options))
        yield stack.enter_context(Doubled(cluster)), servers, postgres


def table(stalls: Mapping[str, Sequence[Stall]]) -> str:
    """Markdown: of the times that each was killed, the middle one and the longest."""
    lines = [
        "| killed | no order acknowledged, s | longest | one client waited, s | longest |",
        "|---|---|---|---|---|",
    ]
    for name, found in stalls.items():
        cells = [f"{look(times):.2f}" for times in zip(*found, strict=True) for look in (median, max)]
        lines.append(f"| {name} | {' | '.join(cells)} |")
    return "\n".join(lines)


def main() -> None:
    """Kill everything, and print the table."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    rounds = parser.parse_args().rounds
    stalls: dict[str, list[Stall]] = {}
    with tempfile.TemporaryDirectory(prefix="borsa-stalls-") as folder, at_work(Path(folder)) as (doubled, *under):
        load = Load(doubled.cluster, lambda: [each.url for each in reversed(doubled.cluster.gateways) if each.url])
        with load:
            for name, stall in killed_in_turn(doubled, load, deaths(doubled, *under), rounds):
                stalls.setdefault(name, []).append(stall)
                sys.stderr.write(f"{name}: {stall.nobody:.2f} s, {stall.one:.2f} s\n")
        load.check()
    busy = f"{os.cpu_count()} cores, load {os.getloadavg()[1]:.1f}"
    sys.stdout.write(
        f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC, {busy}, each {rounds} times; verified\n\n{table(stalls)}\n"
    )


if __name__ == "__main__":
    main()
