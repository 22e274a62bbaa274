"""When the books are kept whole: often enough for a quick start, and the more rarely the more a snapshot costs."""

import sqlite3
from contextlib import closing
from itertools import pairwise
from pathlib import Path

from tests.support.stepped import Stepped, limit


def test_snapshots_are_as_far_apart_as_half_of_the_open_orders(tmp_path: Path) -> None:
    with Stepped(tmp_path, snapshot_events=10, snapshots_kept=50) as exchange:
        user = exchange.user("ann", USD=1_000_000 * 10**8)
        for price in range(1, 101):
            exchange.ask(limit(user, "buy", "1", str(price)))
        memory = exchange.writers["trades"].memory
        assert len(memory.engine.books.live) == 100
    with closing(sqlite3.connect(tmp_path / "trades.db")) as connection:
        kept = list(connection.execute("SELECT sequence, orders FROM snapshots ORDER BY sequence"))
    apart = [later[0] - earlier[0] for earlier, later in pairwise(kept)]
    assert min(apart) >= 10
    assert apart[-1] > 2 * min(apart)
    assert all(events >= orders // 2 for events, (_, orders) in zip(apart, kept[1:], strict=True))


def test_the_oldest_snapshots_are_forgotten(tmp_path: Path) -> None:
    with Stepped(tmp_path, snapshot_events=5, snapshots_kept=2) as exchange:
        user = exchange.user("ann", USD=1_000_000 * 10**8)
        for price in range(1, 41):
            exchange.ask(limit(user, "buy", "1", str(price)))
        newest = exchange.writers["trades"].memory.saved
    with closing(sqlite3.connect(tmp_path / "trades.db")) as connection:
        kept = [sequence for (sequence,) in connection.execute("SELECT sequence FROM snapshots ORDER BY sequence")]
    assert len(kept) == 2
    assert kept[-1] == newest
