"""The replica of a market at the door is what the engine has, whatever happens, also after something was missed."""

import asyncio
import random
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import msgspec
import pytest

from borsa.errors import Refused
from borsa.markets import SHIPPED
from borsa.requests import Request, Shards
from borsa.runtime.bus import Origin
from borsa.services.orders.model import ChangeMarket, OrderState
from borsa.services.trades import model
from borsa.services.trades.candles import INTERVALS, MICROSECONDS
from borsa.services.trades.feeds import Markets, feeds
from borsa.services.trades.model import BookChange, ListMarkets, LookAtMarket, MarketMoved, MarketSeen, TradeVoid
from borsa.services.trades.replica import BookReplica, Replica
from tests.services.test_both_databases import CountingClock
from tests.support.stepped import Stepped, amend, cancel, limit

UNIT = 10**8
decode = msgspec.msgpack.Decoder(MarketMoved | model.MarketMade | model.MarketsAt | TradeVoid).decode


class Heard:
    """A receiver that keeps what concerns the market."""

    def __init__(self) -> None:
        self.moved: list[MarketMoved] = []

    def receive(self, message: bytes) -> None:
        said = decode(message)
        if isinstance(said, MarketMoved):
            self.moved.append(said)

    def miss(self) -> None:
        raise AssertionError


def a_wish(chance: random.Random, users: list[str], placed: list[tuple[int, str]]) -> Request[Any]:
    """Orders of every kind near one another, amendments, cancels, and a market that halts."""
    kind = chance.random()
    if placed and kind < 0.2:
        return cancel(*chance.choice(placed))
    if placed and kind < 0.35:
        order_id, user_id = chance.choice(placed)
        return amend(order_id, user_id, chance.choice(["0.1", "0.7", None]), str(chance.randint(95, 105)))
    if kind < 0.4:
        state = chance.choice(["open", "open", "cancel_only"])
        return ChangeMarket(symbol="BTC-USD", maker_fee=None, taker_fee=None, price_band_ppm=None, state=state)
    more: dict[str, Any] = {
        "time_in_force": chance.choice(["gtc", "gtc", "gtc", "ioc", "fok"]),
        "self_trade_prevention": chance.choice(["cancel_newest", "cancel_oldest", "cancel_both", "decrement", "none"]),
    }
    if kind < 0.55:
        stop = str(chance.randint(95, 105))
        more = {"order_type": "stop_limit", "stop_price": stop}
    elif kind < 0.6:
        return limit(users[0], chance.choice(["buy", "sell"]), "0.2", None, order_type="market", time_in_force="ioc")
    side, price = chance.choice(["buy", "sell"]), str(chance.randint(95, 105))
    return limit(chance.choice(users), side, f"0.{chance.randint(1, 9)}", price, **more)


def storm(stage: Stepped, seed: int, after_each: Callable[[], None], turns: int = 60) -> None:
    chance = random.Random(seed)
    users = [stage.user(f"u{seed}-{at}", USD=10**6 * UNIT, BTC=1000 * UNIT) for at in range(3)]
    placed: list[tuple[int, str]] = []
    for _ in range(turns):
        asked = [stage.put(a_wish(chance, users, placed)) for _ in range(chance.randint(1, 6))]
        stage.settle()
        for token in asked:
            outcome = stage.outcomes.of.pop(token)
            if isinstance(outcome, OrderState):
                placed.append((outcome.order.order_id, outcome.order.user_id))
        after_each()


@pytest.fixture
def stage(tmp_path: Path) -> Any:
    with Stepped(tmp_path, CountingClock(), price_band_ppm=0) as stage:
        yield stage


def seen(stage: Stepped) -> MarketSeen:
    found: MarketSeen = stage.ask(LookAtMarket(symbol="BTC-USD"))
    return found


def assert_same(replica: Replica, there: MarketSeen) -> None:
    """In everything that anybody can see."""
    assert replica.book.sequence == there.sequence
    assert replica.book.bids.best() == there.bids
    assert replica.book.asks.best() == there.asks
    assert replica.tape.newest(50) == there.tape[::-1]
    now = there.minutes[-1].start if there.minutes else 0
    day = replica.day.summary(now + 60 * MICROSECONDS)
    assert (day.trades if day else 0) == sum(minute.trades for minute in there.minutes)
    for interval in INTERVALS.values():
        kept = [candle for candle in there.candles if candle.interval == interval]
        assert replica.candles[interval].newest(2) == kept


@pytest.mark.parametrize("seed", range(4))
def test_a_replica_that_heard_everything_is_what_the_engine_has(stage: Stepped, seed: int) -> None:
    radio = Heard()
    replica = Replica(seen(stage))
    stage.bus.tune("trades", radio)
    moves = 0

    def follow() -> None:
        nonlocal moves
        for moved in radio.moved:
            assert moved.change.first == replica.book.sequence + 1
            assert replica.apply(moved)
        moves += len(radio.moved)
        radio.moved.clear()
        assert_same(replica, seen(stage))

    storm(stage, seed, follow)
    assert moves > 20
    assert replica.tape.last > 10


@pytest.mark.parametrize("seed", range(4))
def test_changes_since_any_sequence_lead_to_the_same_book(stage: Stepped, seed: int) -> None:
    """What slow readers get: one change for many."""
    radio = Heard()
    replica = Replica(seen(stage))
    stage.bus.tune("trades", radio)
    chance = random.Random(seed)
    known: dict[str, Any] = {"sequence": replica.book.sequence, "bids": dict(replica.book.bids.best())}
    known["asks"] = dict(replica.book.asks.best())

    def follow() -> None:
        for moved in radio.moved:
            assert replica.apply(moved)
        radio.moved.clear()
        if chance.random() < 0.3:
            changed = replica.book.since(known["sequence"])
            assert changed is not None
            first, bids, asks = changed
            assert first == known["sequence"] + 1
            for side, levels in (("bids", bids), ("asks", asks)):
                known[side].update(levels)
                known[side] = {price: total for price, total in known[side].items() if total}
            known["sequence"] = replica.book.sequence
            assert sorted(known["bids"].items(), reverse=True) == replica.book.bids.best()
            assert sorted(known["asks"].items()) == replica.book.asks.best()

    storm(stage, seed, follow)


def test_a_change_that_is_missing_is_seen(stage: Stepped) -> None:
    replica = Replica(seen(stage))
    change = BookChange("BTC-USD", replica.book.sequence + 2, replica.book.sequence + 2, [(1, 1)], [])
    assert not replica.apply(MarketMoved(change, []))
    assert replica.book.since(replica.book.sequence - 1) is None


def test_where_more_is_there_than_was_told_nothing_is_said_of_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """Behind the horizon a change of a level says nothing of its neighbours; and too little in front of it is seen."""
    monkeypatch.setattr("borsa.services.trades.replica.BOOK_LEVELS_MAX", 4)
    monkeypatch.setattr("borsa.services.trades.replica.SHOWN_LEVELS_MAX", 3)
    levels = [(price, 1) for price in (10, 11, 12, 13)]
    market: Any = None
    book = BookReplica(MarketSeen(market, 5, [], levels, [], [], []))
    assert book.apply(BookChange("X", 6, 6, [], [(14, 9), (13, 2), (12, 0)]))
    assert book.asks.best() == [(10, 1), (11, 1), (13, 2)]
    assert not book.apply(BookChange("X", 7, 7, [], [(11, 0)]))


def test_a_look_at_a_market_that_there_is_not_is_refused(stage: Stepped) -> None:
    token = stage.put(LookAtMarket(symbol="NO-SUCH"))
    stage.settle()
    assert stage.outcomes.of[token].code == "unknown_symbol"
    assert "BTC-USD" in stage.ask(ListMarkets()).symbols


def test_a_replay_broadcasts_nothing_and_the_sequence_goes_on(tmp_path: Path) -> None:
    with Stepped(tmp_path, CountingClock(), price_band_ppm=0) as stage:
        storm(stage, 7, lambda: None, turns=15)
        before = seen(stage)
    with Stepped(tmp_path, CountingClock(), price_band_ppm=0) as stage:
        radio = Heard()
        stage.bus.tune("trades", radio)
        stage.bus.ask(LookAtMarket(symbol="BTC-USD"), Origin("x"), stage.outcomes, "x")
        stage.settle()
        assert radio.moved == []
        again = stage.outcomes.of["x"]
        assert (again.sequence, again.bids, again.asks) == (before.sequence, before.bids, before.asks)


class Door:
    """An edge that answers when it is told to, as the test says."""

    def __init__(self, *shards: str) -> None:
        self.asked: list[asyncio.Future[Any]] = []
        self.named: list[str] = []
        self._shards = shards or ("trades",)

    def shards(self, _service: str) -> Sequence[str]:
        return self._shards

    async def read(self, *_: Any) -> Any:
        return [], [], []

    def tune(self, _source: str, receive: Callable[[bytes], None], miss: Callable[[], None]) -> None:
        self.receive, self.miss = receive, miss

    def ask(self, _request: Any, _origin: Origin, of: str = "") -> asyncio.Future[Any]:
        self.named.append(of)
        self.asked.append(asyncio.get_running_loop().create_future())
        return self.asked[-1]


def as_it_is(sequence: int, *levels: tuple[int, int]) -> MarketSeen:
    return MarketSeen(SHIPPED[0], sequence, list(levels), [], [], [], [])


def said(first: int, last: int, *levels: tuple[int, int]) -> bytes:
    return msgspec.msgpack.encode(MarketMoved(BookChange("BTC-USD", first, last, list(levels), []), []))


async def turns() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


def test_what_is_missed_is_looked_at_again_and_told_anew() -> None:
    async def lived() -> None:
        door: Any = Door()
        markets = Markets(door, CountingClock())
        opening = asyncio.ensure_future(feeds(markets).public["book"].open(["BTC-USD"]))
        await turns()
        # broadcast while it is looked at: one that is in the answer, and one that follows it
        door.receive(said(5, 6, (100, 1)))
        door.receive(said(7, 7, (100, 2)))
        door.asked.pop().set_result(as_it_is(6, (100, 1)))
        channel = await opening
        assert (channel.position, channel.snapshot().bids) == (7, [("1.00", "0.000002")])
        # one is lost: it is looked at once, and until then nothing is told
        door.receive(said(9, 9, (101, 5)))
        await turns()
        assert channel.position == 7
        (again,) = door.asked
        door.receive(said(10, 10, (101, 6)))
        again.set_exception(Refused("overloaded"))
        await turns()
        while len(door.asked) < 2:
            await asyncio.sleep(0.01)
        door.asked[1].set_result(as_it_is(10, (101, 6)))
        await turns()
        assert (channel.position, channel.since(7)) == (10, None), "what was missed is told by a snapshot"
        assert channel.snapshot().bids == [("1.01", "0.000006")]
        # the broker was away: it is looked at though nothing more comes
        door.miss()
        await turns()
        door.asked[2].set_result(as_it_is(12, (99, 1)))
        await turns()
        assert channel.snapshot().sequence == 12

    asyncio.run(lived())


def at(sequence: int) -> bytes:
    return msgspec.msgpack.encode(model.MarketsAt({"BTC-USD": sequence, "ETH-USD": 99}))


def test_a_loss_that_nothing_follows_is_seen_by_how_far_the_market_is() -> None:
    async def lived() -> None:
        door: Any = Door()
        markets = Markets(door, CountingClock())
        opening = asyncio.ensure_future(feeds(markets).public["book"].open(["BTC-USD"]))
        await turns()
        # while it is looked at: the answer is older than what is told
        door.receive(at(7))
        door.asked.pop().set_result(as_it_is(6, (100, 1)))
        await turns()
        door.asked.pop().set_result(as_it_is(7, (100, 2)))
        channel = await opening
        door.receive(at(7))
        door.receive(at(6))
        await turns()
        assert (channel.position, door.asked) == (7, [])
        door.receive(at(8))
        await turns()
        door.asked.pop().set_result(as_it_is(8, (101, 6)))
        await turns()
        assert (channel.position, channel.since(6), door.asked) == (8, None, [])
        assert channel.snapshot().bids == [("1.01", "0.000006")]

    asyncio.run(lived())


def test_a_market_that_moved_unheard_is_found_where_it_is() -> None:
    async def lived() -> None:
        door: Any = Door("trades", "trades_1")
        opening = asyncio.ensure_future(feeds(Markets(door, CountingClock())).public["book"].open(["BTC-USD"]))
        for answer in (Shards({}), as_it_is(6)):
            await turns()
            door.asked.pop().set_result(answer)
        channel = await opening
        door.receive(at(9))
        for answer in (Shards({"BTC-USD": "trades_1"}), as_it_is(9, (101, 6))):
            await turns()
            door.asked.pop().set_result(answer)
        await turns()
        assert (channel.position, door.named) == (9, ["", "trades", "", "trades_1"])

    asyncio.run(lived())


def test_a_market_whose_beginning_was_not_heard_is_there_all_the_same() -> None:
    async def lived() -> None:
        door: Any = Door()
        markets = Markets(door, CountingClock())
        for there in (["BTC-USD"], ["BTC-USD", "ETH-USD"]):
            found = asyncio.ensure_future(markets.symbols())
            await turns()
            door.asked.pop().set_result(model.Symbols(there))
            assert await found == there
            door.receive(at(7))
        assert await markets.symbols() == ["BTC-USD", "ETH-USD"]

    asyncio.run(lived())


def test_what_is_said_of_markets_that_nobody_follows_is_not_decoded(monkeypatch: pytest.MonkeyPatch) -> None:
    door: Any = Door()
    Markets(door, CountingClock())
    monkeypatch.setattr("borsa.services.trades.feeds._decode", None)
    door.receive(said(5, 6, (100, 1)))
    trade = model.OnTape(1, 2, 3, 6, "buy", 0, "busted")
    door.receive(msgspec.msgpack.encode(TradeVoid("BTC-USD", trade)))


def test_nobody_waits_for_ever_for_a_market(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("borsa.services.trades.feeds.LOOK_SECONDS_MAX", 0.01)

    async def lived() -> None:
        door: Any = Door()
        with pytest.raises(Refused, match="overloaded"):
            await Markets(door, CountingClock()).replica("BTC-USD")

    asyncio.run(lived())
