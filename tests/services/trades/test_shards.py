"""Books in shards: each market is matched by exactly one, and what comes of it is what one engine would have made."""

import os
import random
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import apsw
import msgspec
import pytest

from borsa import app
from borsa.commands import verify
from borsa.errors import CantStart, Refused
from borsa.events import MarketAssigned
from borsa.requests import AssignMarkets
from borsa.runtime.log import Recorded
from borsa.services.orders.assigning import shard_for
from borsa.services.orders.model import CancelAll, ChangeMarket
from borsa.services.trades.engine import FIRST, Engine, inputs_of
from borsa.services.trades.outcomes import Fill
from borsa.services.trades.publishing import event_of
from tests.support.stepped import Stepped as Durable
from tests.support.stepped import amend, cancel, limit

PRICES = {"BTC-USD": 50_000, "ETH-USD": 3_000, "SOL-USD": 100}
USERS = ("ann", "ben", "cid")
ACTIONS = 1_000 if os.environ.get("BORSA_TEST_LONG") else 80
SHARDS = ("trades_1", "trades_2")

Stepped = partial(Durable, durable=False)


def change_state(symbol: str, state: str) -> ChangeMarket:
    return ChangeMarket(symbol=symbol, maker_fee=None, taker_fee=None, price_band_ppm=None, state=state)


def empty(exchange: Durable, symbol: str) -> None:
    """Halt a market, and cancel what is open in it."""
    exchange.ask(change_state(symbol, "halted"))
    for name in USERS:
        exchange.ask(CancelAll(user_id=f"user-{name}", symbol=symbol))


def divide(exchange: Durable, *symbols: str) -> str:
    """Give these markets to a shard of their own."""
    for symbol in symbols:
        empty(exchange, symbol)
    shard = exchange.ask(AssignMarkets(markets=list(symbols))).shard
    for symbol in symbols:
        exchange.ask(change_state(symbol, "open"))
    return str(shard)


class Flow:
    """The same orders, amendments and cancels from the same seed, whoever matches them."""

    def __init__(self, exchange: Durable, seed: int) -> None:
        self._exchange = exchange
        self._chance = random.Random(seed)
        self._placed: list[tuple[str, int]] = []

    def go_on(self, actions: int) -> None:
        """Do so many things, one after the other."""
        for _ in range(actions):
            try:
                self._exchange.ask(self._next())
            except Refused:
                continue  # as in any other exchange where the same was asked
            if len(self._placed) > 40:
                del self._placed[:20]

    def _next(self) -> Any:
        chance = self._chance
        kind, user = chance.random(), f"user-{chance.choice(USERS)}"
        if self._placed and kind < 0.15:
            owner, order_id = chance.choice(self._placed)
            return cancel(order_id, owner)
        if self._placed and kind < 0.3:
            owner, order_id = chance.choice(self._placed)
            return amend(order_id, owner, quantity=f"{chance.randint(1, 9)}")
        symbol = chance.choice(sorted(PRICES))
        price = PRICES[symbol] + chance.randint(-3, 3)
        side, quantity = chance.choice(("buy", "sell")), f"{chance.randint(1, 5)}"
        self._placed.append((user, self._exchange.writers["orders"].memory.last_order_id + 1))
        if kind < 0.4:
            return limit(user, side, quantity, None, symbol=symbol, order_type="market", time_in_force="ioc")
        if kind < 0.5:
            return limit(user, side, quantity, None, symbol=symbol, order_type="stop", stop_price=str(price))
        return limit(user, side, quantity, str(price), symbol=symbol)


def people(exchange: Durable) -> None:
    for name in USERS:
        exchange.user(name, USD=10**15, BTC=10**11, ETH=10**11, SOL=10**11)


def rows(exchange: Durable, service: str, text: str) -> list[Any]:
    connection = apsw.Connection(str(exchange.settings.folder / f"{service}.db"), flags=apsw.SQLITE_OPEN_READONLY)
    with connection:
        return sorted(connection.execute(text))


_TRADES = "SELECT symbol, buy_order_id, sell_order_id, price, quantity, notional, taker_side FROM trades"


def outcome(exchange: Durable) -> dict[str, list[Any]]:
    """What everybody has in the end, and what was traded where."""
    shards = [name for name in exchange.writers if name.startswith("trades")]
    wallets = "JOIN wallets w ON w.wallet_id = b.wallet_id"
    portfolios = "JOIN portfolios p ON p.portfolio_id = h.portfolio_id"
    return {
        "orders": rows(exchange, "orders", "SELECT order_id, symbol, status, filled, spent, reason FROM orders"),
        "balances": rows(
            exchange, "wallets", f"SELECT w.user_id, b.asset, b.available, b.held FROM balances b {wallets}"
        ),
        "holdings": rows(
            exchange, "portfolios", f"SELECT p.user_id, h.product, h.quantity, h.cost FROM holdings h {portfolios}"
        ),
        "trades": sorted(row for shard in shards for row in rows(exchange, shard, _TRADES)),
    }


@pytest.mark.parametrize("seed", range(8) if os.environ.get("BORSA_TEST_LONG") else [7])
def test_the_same_flow_has_the_same_outcome_through_one_and_through_shards(tmp_path: Path, seed: int) -> None:
    found = []
    for name, shards in (("one", 0), ("shards", 2)):
        with Stepped(tmp_path / name, trades_shards=shards) as exchange:
            people(exchange)
            if shards:
                assert divide(exchange, "ETH-USD") == "trades_1"
            else:
                for state in ("halted", "open"):
                    exchange.ask(change_state("ETH-USD", state))
            flow = Flow(exchange, seed)
            flow.go_on(ACTIONS // 2)
            # with a last price, which stops are judged by
            empty(exchange, "BTC-USD")
            if shards:
                assert exchange.ask(AssignMarkets(markets=["BTC-USD"])).shard == "trades_2"
            exchange.ask(change_state("BTC-USD", "open"))
            flow.go_on(ACTIONS // 2)
            found.append(outcome(exchange))
            assert verify.run(exchange.settings) == verify.RIGHT
            if shards:
                assert all(rows(exchange, shard, _TRADES) for shard in (FIRST, *SHARDS))
    assert found[0] == found[1]


def test_stops_are_judged_by_the_last_price_also_where_the_market_was_traded_elsewhere(tmp_path: Path) -> None:
    with Stepped(tmp_path, trades_shards=1) as exchange:
        people(exchange)
        for side in ("sell", "buy"):
            exchange.ask(limit(f"user-{'ann' if side == 'sell' else 'ben'}", side, "1", "50000"))
        divide(exchange, "BTC-USD")
        exchange.ask(limit("user-ann", "sell", "1", "50010"))
        stop = {"order_type": "stop", "time_in_force": "ioc"}
        reached = exchange.ask(limit("user-ben", "buy", "1", None, stop_price="49990", **stop)).order
        waiting = exchange.ask(limit("user-ben", "buy", "1", None, stop_price="50020", **stop)).order
        orders = exchange.writers["orders"].memory.orders
        assert [orders.get(each.order_id).status for each in (reached, waiting)] == ["filled", "open"]


def test_a_start_finds_every_shard_as_it_was(tmp_path: Path) -> None:
    options = {"trades_shards": 2, "snapshot_events": 50}
    states = []
    with Stepped(tmp_path, **options) as exchange:
        people(exchange)
        divide(exchange, "BTC-USD")
        divide(exchange, "ETH-USD")
        Flow(exchange, 3).go_on(60)
        states.append(state_of(exchange))
    with Stepped(tmp_path, **options) as exchange:
        states.append(state_of(exchange))
        Flow(exchange, 4).go_on(20)
        assert verify.run(exchange.settings) == verify.RIGHT
    assert states[0] == states[1]


def state_of(exchange: Durable) -> list[Any]:
    engines = [exchange.writers[shard].memory.engine for shard in (FIRST, *SHARDS)]
    return [(msgspec.to_builtins(engine.books), engine.kernel.snapshot()) for engine in engines]


# the engine ----------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def log(tmp_path_factory: pytest.TempPathFactory) -> list[Recorded]:
    """An orders log in which a market moves."""
    with Stepped(tmp_path_factory.mktemp("log"), trades_shards=1) as exchange:
        people(exchange)
        flow = Flow(exchange, 11)
        flow.go_on(80)
        divide(exchange, "BTC-USD")
        flow.go_on(80)
        return list(pages(exchange))


def pages(exchange: Durable) -> Iterator[Recorded]:
    after = 0
    while found := exchange.bus.fetch("orders", after):
        yield from found
        after = found[-1].sequence


def told(shard: str, log: list[Recorded], at_once: int) -> list[Any]:
    engine = Engine(shard=shard)
    batches = [log[at : at + at_once] for at in range(0, len(log), at_once)]
    return [
        (sequence, event_of(each))
        for batch in batches
        for (sequence, _), outcomes in zip(inputs_of(batch), engine.apply(inputs_of(batch)), strict=True)
        for each in outcomes
    ]


@pytest.mark.parametrize("at_once", [1, 7, 10_000])
def test_each_event_is_matched_by_exactly_one_however_the_log_is_cut(log: list[Recorded], at_once: int) -> None:
    parts = [told(shard, log, at_once) for shard in (FIRST, "trades_1")]
    assert all(parts)
    moved_at = next(each.sequence for each in log if each.type == MarketAssigned.__name__)
    for shard, part in zip((FIRST, "trades_1"), parts, strict=True):
        for sequence, event in part:
            is_moved = event.symbol == "BTC-USD" and sequence > moved_at
            assert (shard == "trades_1") == is_moved
    whole = told(FIRST, [each for each in log if each.type != MarketAssigned.__name__], at_once)
    merged = sorted((each for part in parts for each in part), key=lambda each: each[0])
    assert [_plain(*each) for each in merged] == [_plain(*each) for each in whole]


def _plain(sequence: int, event: Any) -> Any:
    """Without the sequence of the book, which goes on further up in the shard that a market moves to."""
    return sequence, msgspec.structs.replace(event, sequence=0) if hasattr(event, "buyer_fee") else event


def test_the_sequence_of_a_book_never_goes_back(log: list[Recorded]) -> None:
    newest, seen = 0, []
    for shard in (FIRST, "trades_1"):
        engine = Engine(shard=shard)
        for outcomes in engine.apply(inputs_of(log)):
            for each in outcomes:
                if isinstance(each, Fill) and each.market.symbol == "BTC-USD":
                    assert each.sequence >= newest
                    newest = each.sequence
                    seen.append(shard)
    assert {FIRST, "trades_1"} == set(seen)


# who has what --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("wanted", "assigned", "shard"),
    [
        (["A"], {}, "trades_1"),
        (["A"], {"B": "trades_1"}, "trades_2"),
        (["A"], {"A": "trades_2"}, "trades_2"),
        (["A", "C"], {"A": "trades_2", "B": "trades_1"}, "trades_2"),
    ],
    ids=["the first that is free", "the next", "its own", "its own with one more"],
)
def test_markets_are_with_the_shard_that_has_some_or_with_one_that_has_none(
    wanted: list[str], assigned: dict[str, str], shard: str
) -> None:
    assert shard_for(wanted, assigned, SHARDS) == shard


@pytest.mark.parametrize(
    ("wanted", "assigned", "why"),
    [
        (["A", "B"], {"A": "trades_1", "B": "trades_2"}, "trades_1 has A; trades_2 has B"),
        (["A"], {"A": "trades_1", "B": "trades_1"}, "trades_1 has A, B: name B, too"),
        (["C"], {"A": "trades_1", "B": "trades_2"}, "no shard is free: trades_1 has A, trades_2 has B"),
    ],
    ids=["of two shards", "not all of one", "none is free"],
)
def test_what_contradicts_the_log_is_refused_with_the_shard_that_has_the_market(
    wanted: list[str], assigned: dict[str, str], why: str
) -> None:
    with pytest.raises(Refused) as refused:
        shard_for(wanted, assigned, SHARDS)
    assert why in refused.value.detail
    assert (refused.value.code, refused.value.field) == ("market_assigned", "markets")


@pytest.mark.parametrize(
    ("markets", "code"),
    [
        (["NO-USD"], "unknown_symbol"),
        ([], "invalid_request"),
        (["BTC-USD", "BTC-USD"], "invalid_request"),
        (["BTC-USD"], "market_not_empty"),
        (["ETH-USD"], "market_not_empty"),
        (["SOL-USD", "BTC-USD"], "market_not_empty"),
    ],
    ids=["unknown", "none", "twice", "not halted", "halted with an order", "one of two"],
)
def test_a_market_moves_only_while_it_is_halted_and_empty(tmp_path: Path, markets: list[str], code: str) -> None:
    with Stepped(tmp_path, trades_shards=1) as exchange:
        people(exchange)
        exchange.ask(limit("user-ann", "sell", "1", "3000", symbol="ETH-USD"))
        for symbol in ("ETH-USD", "SOL-USD"):
            exchange.ask(change_state(symbol, "halted"))
        with pytest.raises(Refused) as refused:
            exchange.ask(AssignMarkets(markets=markets))
        assert (refused.value.code, refused.value.field) == (code, "markets")
        assert not exchange.writers["orders"].memory.shard_of_markets()
        assert "BTC-USD" in exchange.writers[FIRST].memory.engine.books.markets


def test_asked_again_it_has_the_same_answer_and_no_second_effect(tmp_path: Path) -> None:
    with Stepped(tmp_path, trades_shards=2) as exchange:
        assert divide(exchange, "BTC-USD") == "trades_1"
        last = exchange.writers["orders"].last_sequence
        assert exchange.ask(AssignMarkets(markets=["BTC-USD"])).shard == "trades_1"
        assert exchange.writers["orders"].last_sequence == last


# starts --------------------------------------------------------------------------------------------------------------


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Of an exchange whose shard has traded."""
    with Stepped(tmp_path / "data", trades_shards=1) as exchange:
        people(exchange)
        divide(exchange, "BTC-USD")
        exchange.ask(limit("user-ann", "sell", "1", "50000"))
        exchange.ask(limit("user-ben", "buy", "1", "50000"))
    return tmp_path / "data"


def test_an_exchange_that_does_not_know_its_shards_does_not_start(folder: Path) -> None:
    with pytest.raises(CantStart, match="trades_1"):
        app.prepared(Stepped(folder).settings)
    assert verify.run(Stepped(folder).settings) == verify.NOTHING


def test_a_shard_that_nobody_heard_of_yet_must_be_known_too(tmp_path: Path) -> None:
    with Stepped(tmp_path, trades_shards=1) as exchange:
        divide(exchange, "BTC-USD")
    with pytest.raises(CantStart, match="trades_1 has BTC-USD, and BORSA_TRADES_SHARDS names no trades_1"):
        app.prepared(Stepped(tmp_path).settings)


def test_a_shard_that_was_lost_is_not_made_anew(folder: Path) -> None:
    for path in folder.glob("trades_1.db*"):
        path.unlink()
    with pytest.raises(CantStart, match="has lost the database of trades_1"):
        app.prepared(Stepped(folder, trades_shards=1).settings)


def test_more_shards_may_come_later(folder: Path) -> None:
    with Stepped(folder, trades_shards=2) as exchange:
        assert divide(exchange, "ETH-USD") == "trades_2"
        assert verify.run(exchange.settings) == verify.RIGHT


@pytest.mark.parametrize(
    ("service", "change", "told"),
    [
        ("trades_1", "UPDATE trades SET price = price + 1", "was told as"),
        ("trades_1", "UPDATE candles SET trades = 2 WHERE interval = 60", "its trades come to"),
        ("trades_1", "UPDATE log SET sequence = sequence + 1 WHERE sequence = 4", "trades_1/5 follows trades_1/3"),
        ("orders", "UPDATE shard_of_markets SET symbol = 'ETH-USD'", "ETH-USD is with trades_1"),
    ],
    ids=["a trade", "a candle", "the log", "the place of a market"],
)
def test_verify_finds_what_is_wrong_in_a_shard(
    folder: Path, service: str, change: str, told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    settings = Stepped(folder, trades_shards=1).settings
    assert verify.run(settings) == verify.RIGHT
    connection = apsw.Connection(str(folder / f"{service}.db"))
    connection.execute(change)
    connection.close()
    assert verify.run(settings) == verify.WRONG
    assert told in capsys.readouterr().out
