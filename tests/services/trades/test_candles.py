"""Candles: the fold of the trades of a market, whoever makes it: commit by commit, all at once, or a migration."""

from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import given, settings
from hypothesis import strategies as st

from borsa.money import UNITS_MAX
from borsa.runtime.databases.sqlite import SqliteDatabase, engine_of
from borsa.runtime.store import Statement
from borsa.services.trades import TRADES, candles, store, tables
from borsa.services.trades.candles import INTERVALS, MICROSECONDS, SECOND, candle_of, folded, joined, moved
from borsa.services.trades.model import EXECUTED, Candle, Trade
from tests.services.test_both_databases import CountingClock
from tests.support.earlier import insert, migrate_to
from tests.support.stepped import Stepped, limit

UNIT = 10**8


def trade(number: int, at: int, price: int = 100, quantity: int = 1, symbol: str = "BTC-USD", block: int = 0) -> Trade:
    """A trade at a second."""
    return Trade(
        number, symbol, 1, 2, "ann", "bob", "buy", price, quantity, price * quantity, 0, 0, number, block,
        EXECUTED, None, "", None, at * MICROSECONDS,
    )  # fmt: skip


def whole(trades: Sequence[Trade], interval: int = SECOND) -> Candle:
    return candle_of("BTC-USD", trades, interval)


def obvious(trades: Sequence[Trade], interval: int) -> dict[tuple[str, int], tuple[int, ...]]:
    """What each stretch comes to, looked at one by one."""
    found = {}
    length = interval * MICROSECONDS
    for symbol, number in {(each.symbol, each.executed_at // length) for each in trades}:
        those = [each for each in trades if (each.symbol, each.executed_at // length) == (symbol, number)]
        prices = [each.price for each in those]
        volume, quote = sum(each.quantity for each in those), sum(each.notional for each in those)
        found[symbol, number * length] = (
            prices[0], max(prices), min(prices), prices[-1], min(UNITS_MAX, volume), min(UNITS_MAX, quote), len(those),
        )  # fmt: skip
    return found


def by_stretch(found: Sequence[Candle], interval: int) -> dict[tuple[str, int], tuple[int, ...]]:
    return {
        (c.symbol, c.start): (c.open, c.high, c.low, c.close, c.volume, c.quote_volume, c.trades)
        for c in found
        if c.interval == interval
    }


Moves = st.lists(
    st.tuples(st.integers(0, 4000), st.integers(1, 9), st.integers(1, 5), st.sampled_from(["BTC-USD", "ETH-USD"])),
    max_size=40,
)


@given(Moves)
def test_candles_are_what_the_trades_of_their_stretch_come_to(moves: list[tuple[int, int, int, str]]) -> None:
    trades, at = [], 1_700_000_000
    for number, (seconds, price, quantity, symbol) in enumerate(moves):
        at += seconds
        trades.append(trade(number, at, price, quantity, symbol))
    found = list(folded(trades))
    for interval in INTERVALS.values():
        assert by_stretch(found, interval) == obvious(trades, interval)
    assert len({(c.symbol, c.interval, c.start) for c in found}) == len(found)


@given(st.lists(st.tuples(st.integers(1, 9), st.integers(1, UNITS_MAX)), min_size=2, max_size=8), st.data())
def test_parts_join_to_the_whole_however_they_were_cut(made: list[tuple[int, int]], data: st.DataObject) -> None:
    trades = [trade(number, 60, price, quantity) for number, (price, quantity) in enumerate(made)]
    cut = data.draw(st.integers(1, len(trades) - 1))
    one, other = whole(trades[:cut]), whole(trades[cut:])
    assert joined(one, other) == whole(trades)
    assert moved(joined(one, other), 60) == joined(moved(one, 60), moved(other, 60)) == whole(trades, 60)


def test_negotiated_trades_are_in_no_candle() -> None:
    assert list(folded([trade(1, 60, block=1)])) == []


@settings(max_examples=50)
@given(st.sets(st.integers(0, 20), max_size=10), st.integers(0, 20), st.integers(0, 25))
def test_gaps_stand_at_the_last_close(seconds: set[int], start: int, length: int) -> None:
    minutes = {at: whole([trade(at, at * 60, price=100 + at)], 60) for at in seconds}
    end = start + length
    within = [minutes[at] for at in sorted(minutes) if start <= at < end]
    earlier = [at for at in sorted(minutes) if at < start]
    before = minutes[earlier[-1]] if earlier else None
    found = candles.without_gaps(within, before, start * 60 * MICROSECONDS, end * 60 * MICROSECONDS)
    first = start if before else min([at for at in minutes if start <= at < end], default=end)
    assert [candle.start // 60 // MICROSECONDS for candle in found] == list(range(first, end))
    for candle, at in zip(found, range(first, end), strict=True):
        close = 100 + max(each for each in minutes if each <= at)
        assert candle == minutes.get(at, candles.flat(candle, candle.start))
        assert candle.close == close


# of a whole exchange ------------------------------------------------------------------------------------------------


def kept(folder: Path) -> list[tuple[Any, ...]]:
    """The candles on disk."""
    with closing(SqliteDatabase("trades", folder, tables.METADATA).reader()) as reader:
        return sorted(reader.read(Statement(sa.select(tables.CANDLES))))


def trades_of(folder: Path) -> list[Trade]:
    with closing(SqliteDatabase("trades", folder, tables.METADATA).reader()) as reader:
        return [
            Trade(*row) for row in reader.read(Statement(sa.select(tables.TRADES).order_by(tables.TRADES.c.trade_id)))
        ]


def some_trades(stage: Stepped, clock: "Moved") -> None:
    """Several in a commit, and several commits."""
    ann, bob = stage.user("ann", USD=1_000_000 * UNIT, BTC=100 * UNIT), stage.user("bob", USD=10**14, BTC=100 * UNIT)
    for at in range(40):
        price = str(100 + at * 7 % 13)
        stage.put(limit(ann, "sell", "0.2", price))
        stage.put(limit(bob, "buy", "0.1", price))
        stage.put(limit(bob, "buy", "0.1", price))
        clock.go_on(at % 2 * 9)
        if at % 3 == 0:
            stage.settle()
    stage.settle()


@pytest.fixture(scope="module")
def traded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("candles") / "data"
    clock = Moved()
    with Stepped(folder, clock, price_band_ppm=0) as stage:
        some_trades(stage, clock)
    return folder


class Moved(CountingClock):
    """It stands still until it is moved."""

    def now(self) -> int:
        return self._now

    def go_on(self, seconds: int) -> None:
        self._now += seconds * MICROSECONDS


def test_what_commits_left_is_the_fold_of_the_trades(traded: Path) -> None:
    trades = trades_of(traded)
    assert len(trades) >= 40
    assert kept(traded) == sorted(tuple(getattr(c, name) for name in c.__struct_fields__) for c in folded(trades))
    assert len({row[2] for row in kept(traded) if row[1] == 60}) > 2


def test_rebuilt_candles_are_equal(traded: Path) -> None:
    before = kept(traded)
    database = SqliteDatabase("trades", traded, tables.METADATA)
    with closing(database.connect()) as connection:
        connection.write(Statement(sa.text("DELETE FROM candles WHERE interval = 300")), [()])
        connection.write(Statement(sa.text("UPDATE candles SET high = 1")), [()])
        connection.commit()
        assert kept(traded) != before
        assert store.rebuild_candles(connection) == len(before)
    assert kept(traded) == before


def test_a_database_from_before_gets_the_candles_of_its_trades(tmp_path: Path) -> None:
    path = SqliteDatabase("trades", tmp_path, tables.METADATA).path
    migrate_to("0005", TRADES, path)
    made = [trade(at, at * 31, 100 + at % 7, UNITS_MAX // 3, block=int(at == 4)) for at in range(30)]
    rows = [{name: getattr(each, name) for name in Trade.__struct_fields__} for each in made]
    insert(path, "trades", *[row | {"buyer_fee": 0, "seller_fee": 0, "notional": 5} for row in rows])
    SqliteDatabase("trades", tmp_path, tables.METADATA).migrate()
    engine = engine_of(path)
    with engine.connect() as connection:
        assert connection.execute(sa.select(sa.func.count()).select_from(tables.CANDLES)).scalar()
    engine.dispose()
    assert kept(tmp_path) == sorted(
        tuple(getattr(c, name) for name in c.__struct_fields__) for c in folded(trades_of(tmp_path))
    )


def test_old_candles_of_a_second_are_removed_and_no_others(tmp_path: Path) -> None:
    clock = Moved()
    with Stepped(tmp_path, clock, second_candles_hours=1, price_band_ppm=0) as stage:
        some_trades(stage, clock)
        before = kept(tmp_path)
        writer = stage.writers["trades"]
        for seconds, gone in ((3_000, False), (1_000, True)):
            clock.go_on(seconds)
            writer._due = [(0, sweep) for _, sweep in writer._due]
            stage.settle()
            assert kept(tmp_path) == [row for row in before if row[1] > 1 or not gone]
