"""The record of all soaks, and the page that is made of it: docs/operating/proof.json and proof.md."""

import json
from collections import Counter
from collections.abc import Sequence
from typing import Any

from tests.house.source import ROOT
from tests.simulation.coverage import BRANCHES, FAULTS

RECORD = ROOT / "docs" / "operating" / "proof.json"
PAGE = ROOT / "docs" / "operating" / "proof.md"
FIRST_SEED = 1_000_000
"""The seeds below are those of the tests, and of whoever looks for something."""

ORDERS_GOAL, FAULTS_GOAL = 100_000_000, 1_000_000

Soaks = Sequence[dict[str, Any]]

ABOUT = """<!-- Written by `make soak` from proof.json: change neither by hand. -->

# What the simulator went through

The real handlers, writers, stores and the matching kernel of all six services run in one process, on a simulated
clock, bus and disk, under a scheduler that follows from one integer, the seed. What the simulated parts promise is
written in [tests/simulation](../../tests/simulation/__init__.py). Random users place, one by one or in batches, amend,
cancel, trade with themselves, pay in, sign in and out, leave; admins halt markets, change fees, bust trades, agree
block trades, adjust. Services are cut off in the middle of it, disks fill up and fail, messages are lost, repeated,
late and out of order, clocks jump. After every commit the invariants of the rows that reached the disk are checked.
After every run nothing goes wrong any more, everything must come to rest by itself, and the checks of `borsa verify`
read the files. How it is made, and what it can't prove, is in
[decision 22](../decisions/0022-a-simulator-from-one-integer.md).

| to | do |
|---|---|
| run the seeds of the tests | `make test` |
| run new seeds for some hours, and add them here | `make soak HOURS=8`, also `HOURS=0.25 PROCESSES=1` |
| run one seed again, exactly | `.venv/bin/python -m tests.simulation SEED` |

The tests run the same 300 seeds each time: some 300,000 orders with some 30,000 faults, at about 350 µs of CPU an order
(60 of these seeds, the naive engine in a fourth of them, Python 3.11, one core of an AMD EPYC), so about 90 s of two
cores. Of that the audit at the end of each run takes about 80 µs, what is made good without faults 30 µs, SQLite 70 µs.

That a seed finds what is wrong is tested, too: `tests/simulation/test_it_finds_bugs.py` puts bugs in on purpose.
"""


def read() -> list[dict[str, Any]]:
    """All soaks so far, the oldest first."""
    return _kept()["soaks"]


def looked_into() -> list[dict[str, Any]]:
    """What was found out, by hand, about seeds that broke in a soak: `seed`, what it `was`, and since which version
    the same seed `passes_since`."""
    return _kept()["looked_into"]


def _kept() -> dict[str, list[dict[str, Any]]]:
    kept = json.loads(RECORD.read_text()) if RECORD.exists() else {}
    return {"soaks": [], "looked_into": []} | kept


def next_seed(soaks: Soaks) -> int:
    """The first seed that no soak ran."""
    return max((soak["seeds"][1] + 1 for soak in soaks), default=FIRST_SEED)


def write(soaks: Soaks) -> None:
    """Keep the record, and make the page of it."""
    RECORD.write_text(json.dumps(_kept() | {"soaks": soaks}, indent=1) + "\n")
    PAGE.write_text(page(soaks))


def page(soaks: Soaks) -> str:
    """docs/operating/proof.md"""
    parts = [ABOUT, "## Soaks\n", _table(soaks), "\n## Seeds that broke\n", _broken(soaks)]
    parts += ["\n## What went wrong on purpose\n", _counts(soaks, "faults", FAULTS)]
    parts += ["\n## Rare branches that were taken\n", _counts(soaks, "branches", BRANCHES)]
    return "\n".join(parts) + "\n"


def _table(soaks: Soaks) -> str:
    lines = ["| day | version | seeds | orders | trades | events | faults | CPU hours | broken |"]
    lines.append("|---|---|---|---|---|---|---|---|---|")
    for soak in soaks:
        first, last = soak["seeds"]
        lines.append(_line(soak["day"], soak["commit"], f"{first} to {last}", [soak]))
    lines.append(_line("in all", "", f"{sum(_total(soaks, 'runs'))} runs", soaks))
    lines.append(f"| goal | | | {ORDERS_GOAL:,} | | | {FAULTS_GOAL:,} | | 0 |")
    return "\n".join(lines)


def _line(day: str, commit: str, seeds: str, soaks: Soaks) -> str:
    orders, trades, events = (sum(_total(soaks, name)) for name in ("orders", "trades", "events"))
    faults = sum(sum(soak["faults"].values()) for soak in soaks)
    milliseconds = sum(_total(soaks, "CPU milliseconds"))
    broken = ", ".join(str(seed) for soak in soaks for seed, _ in soak["broken"]) or "0"
    hours = f"{milliseconds / 3_600_000:.2f}"
    return f"| {day} | {commit} | {seeds} | {orders:,} | {trades:,} | {events:,} | {faults:,} | {hours} | {broken} |"


def _total(soaks: Soaks, name: str) -> list[int]:
    return [soak["totals"].get(name, 0) for soak in soaks]


def _broken(soaks: Soaks) -> str:
    known = {each["seed"]: each for each in looked_into()}
    lines = ["| seed | said | was | the same seed passes since |", "|---|---|---|---|"]
    for seed, said in (each for soak in soaks for each in soak["broken"]):
        about = known.get(seed, {"was": "not looked into yet", "passes_since": "not yet"})
        lines.append(f"| {seed} | {said.replace('|', '/')} | {about['was']} | {about['passes_since']} |")
    return "\n".join(lines)


def _counts(soaks: Soaks, what: str, names: Sequence[str]) -> str:
    counts: Counter[str] = Counter()
    for soak in soaks:
        counts.update(soak[what])
    return "\n".join(["| what | times |", "|---|---|", *(f"| {name} | {counts[name]:,} |" for name in names)])
