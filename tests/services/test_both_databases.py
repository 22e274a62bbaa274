"""The same days on SQLite and on PostgreSQL: not one row differs, of logs, ledger, books and lists."""

import itertools
import random
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from borsa import app
from borsa.runtime.store import Statement
from borsa.services.orders.model import OrderState
from tests.support import stepped
from tests.support.stepped import Stepped, amend, cancel, limit

UNIT = 10**8

SALTED = {"passwords"}
"""Tables in which chance is meant to be."""


class CountingClock:
    """Goes on by itself, always in the same steps; ids ascend."""

    def __init__(self) -> None:
        self._now = 1_700_000_000_000_000
        self._ids = 0

    def now(self) -> int:
        self._now += 1_000
        return self._now

    def ticks(self) -> int:
        return self._now * 1_000

    def new_id(self) -> str:
        self._ids += 1
        return f"00000000-0000-7000-8000-{self._ids:012d}"


def a_day(stage: Stepped, seed: int) -> list[Any]:
    """Orders, amendments and cancels of a few users, several in a commit; what came of each."""
    chance = random.Random(seed)
    users = [stage.user(f"u{at}", USD=100_000 * UNIT, BTC=10 * UNIT) for at in range(4)]
    placed: list[tuple[int, str]] = []
    said: list[Any] = []
    for _ in range(40):
        asked = [stage.put(_something(chance, users, placed)) for _ in range(chance.randint(1, 5))]
        stage.settle()
        for token in asked:
            outcome = stage.outcomes.of.pop(token)
            said.append(repr(outcome))
            if isinstance(outcome, OrderState):
                placed.append((outcome.order.order_id, outcome.order.user_id))
    return said


def _something(chance: random.Random, users: list[str], placed: list[tuple[int, str]]) -> Any:
    what = chance.random()
    if placed and what < 0.15:
        return cancel(*chance.choice(placed))
    price, quantity = f"{chance.randint(95, 105)}", f"0.{chance.randint(1, 9)}"
    if placed and what < 0.3:
        return amend(*chance.choice(placed), quantity, price)
    client_order_id = f'{chance.randint(0, 9)} \\ "\u20ac"' if what < 0.5 else None
    return limit(chance.choice(users), chance.choice(["buy", "sell"]), quantity, price, client_order_id=client_order_id)


def all_rows(stage: Stepped) -> dict[str, list[Any]]:
    """Everything that is committed, by table."""
    found = {}
    for service in app.SERVICES:
        with closing(app.databases(stage.settings)[service.name].reader()) as reader:
            for name, table in service.tables.tables.items():
                rows = reader.read(Statement(sa.select(table).order_by(*table.primary_key)))
                found[f"{service.name}.{name}"] = [] if name in SALTED else rows
    return found


@pytest.mark.parametrize("seed", range(3))
def test_the_same_day_leaves_the_same_rows(
    seed: int, tmp_path: Path, postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    options: dict[str, Any] = {"snapshot_events": 50, "price_band_ppm": 0, "cached_records_max": 8}
    days = []
    for name, url in (("sqlite", ""), ("postgresql", postgres_url)):
        # which names the requests
        monkeypatch.setattr(stepped, "_asked", itertools.count(1))
        with Stepped(tmp_path / name, CountingClock(), database_url=url, **options) as stage:
            said = a_day(stage, seed)
            state = stage.writers["trades"].memory.engine.save()
        with Stepped(tmp_path / name, CountingClock(), database_url=url, **options) as again:
            assert again.writers["trades"].memory.engine.save() == state
            days.append((said, state, all_rows(again)))
    (said, state, rows), (said_too, state_too, rows_too) = days
    assert said == said_too
    assert state == state_too
    assert {name for name in rows if rows[name] != rows_too[name]} == set()
    assert len(rows["trades.trades"]) > 10
    assert rows["trades.snapshots"]
