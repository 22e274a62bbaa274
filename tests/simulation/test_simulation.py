"""Thousands of orders under faults: after every commit the invariants hold, and without faults everything converges.

Seeds are fixed, so a run is the same every time. A seed that breaks is replayed by `python -m tests.simulation SEED`.
`SIMULATION_SEEDS` is how many seeds each chunk has: the two chunks are for two workers of `make test`.
"""

import os
import subprocess
import sys

import apsw
import pytest

from tests.house.source import ROOT
from tests.simulation import chunks, place, world
from tests.simulation.coverage import BRANCHES, FAULTS
from tests.simulation.world import simulate

SEEDS = int(os.environ.get("SIMULATION_SEEDS", "150"))
"""Seeds of a chunk. Fewer than 50 are not sure to see every rare branch."""

TIMEOUT_SECONDS = 20 * SEEDS
ORDERS_SHORT = 200


@pytest.mark.long
@pytest.mark.timeout(TIMEOUT_SECONDS)
@pytest.mark.parametrize("chunk", [0, 1])
def test_nothing_breaks_and_every_fault_and_rare_branch_happens(chunk: int) -> None:
    covered, broken = chunks.run(range(1 + chunk * 10_000, 1 + chunk * 10_000 + SEEDS))
    assert not broken, "\n".join(f"python -m tests.simulation {seed}: {said}" for seed, said in broken)
    assert not covered.missing()
    assert not covered.unknown()
    assert covered.totals["runs"] == SEEDS
    assert covered.totals["orders"] >= SEEDS * 1_000
    assert covered.faults.total() >= SEEDS * 40


@pytest.mark.parametrize("hash_seed", ["0", "12345"])
def test_a_seed_is_replayed_exactly(hash_seed: str) -> None:
    """In another process, where sets have another order."""
    seeds = [3, 11, 17]
    command = [sys.executable, "-m", "tests.simulation", *map(str, seeds), "--orders", str(ORDERS_SHORT)]
    environment = os.environ | {"PYTHONHASHSEED": hash_seed}
    ran = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=True)
    digests = dict(line.split() for line in ran.stdout.splitlines()[: len(seeds)])
    assert digests == {str(seed): simulate(seed, ORDERS_SHORT)[0] for seed in seeds}


def test_a_seed_comes_to_the_same_in_files_and_in_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    digests = []
    for where in (place.in_files, place.in_memory):
        monkeypatch.setattr(world, "place", lambda _, where=where: where())
        digests.append([simulate(seed, ORDERS_SHORT)[0] for seed in (3, 11)])
    assert digests[0] == digests[1]


def test_one_seed_in_three_writes_files_and_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    """In memory a run leaves its files empty; whatever is opened after it is in files again."""
    sizes = []
    run = world.World.run

    def watched(self: world.World) -> str:
        digest = run(self)
        sizes.append(sum(path.stat().st_size for path in self.folder.glob("*.db")) > 0)
        return digest

    monkeypatch.setattr(world.World, "run", watched)
    for seed in range(1, 4):
        simulate(seed, 1)
    assert sizes == [False, False, True]
    assert apsw.vfs_names()[0] != place.MEMORY


def test_seeds_differ() -> None:
    assert len({simulate(seed, ORDERS_SHORT)[0] for seed in range(1, 4)}) == 3


def test_every_name_that_is_counted_is_asked_for_once() -> None:
    assert len({*FAULTS, *BRANCHES}) == len(FAULTS) + len(BRANCHES)
