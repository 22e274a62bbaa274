"""Books in shards: whoever reads has one answer over all of them, also of a market that moved."""

from collections.abc import Iterator
from concurrent.futures import Future
from typing import Any

import pytest

from borsa.requests import AssignMarkets
from borsa.runtime.bus import Origin
from tests.streams.listening import Stream
from tests.support.running import Person, Running, until

MARKETS = ("BTC-USD", "ETH-USD", "SOL-USD")


class Asked:
    """Somebody who asks beside HTTP."""

    def __init__(self) -> None:
        self.outcome: Future[Any] = Future()

    def deliver(self, outcomes: Any) -> None:
        self.outcome.set_result(outcomes[0][1])


def divide(running: Running, *symbols: str) -> str:
    """Give markets to a shard, as `borsa serve trades --markets` does."""
    admin, asked = running.admin(), Asked()
    for symbol in symbols:
        assert admin.call("PUT", f"/api/markets/{symbol}", {"state": "halted"}).status_code == 200
    running.exchange._bus.ask(AssignMarkets(markets=list(symbols)), Origin("test"), asked, None)
    shard = str(asked.outcome.result(10).shard)
    for symbol in symbols:
        assert admin.call("PUT", f"/api/markets/{symbol}", {"state": "open"}).status_code == 200
    return shard


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with Running(tmp_path_factory.mktemp("shards"), trades_shards=2) as exchange:
        yield exchange


class Traded:
    """Two people, and what they traded: BTC before it moved and after, ETH in its shard, SOL in the first."""

    def __init__(self, running: Running) -> None:
        self.running = running
        self.seller = running.person(BTC="50", ETH="50", SOL="50")
        self.buyer = running.person(USD="10000000")
        assert divide(running, "ETH-USD") == "trades_1"
        self.trade("BTC-USD", "50000")
        self.before = self.seen("BTC-USD")
        with Stream(running, self.buyer) as self.stream:
            self.stream.follow("book:BTC-USD", "trades:BTC-USD", "fills")
            assert divide(running, "BTC-USD") == "trades_2"
            self.trade("ETH-USD", "3000")
            self.trade("SOL-USD", "100")
            self.trade("BTC-USD", "50001")
            self.seller.order("sell", "1", "50010")
            self.stream.until(lambda: self.book() == self.stream.books["book:BTC-USD"].levels(), "the book")
            self.stream.until(lambda: len(self.fills()) == 3, "the fills")

    def trade(self, symbol: str, price: str) -> None:
        self.seller.order("sell", "1", price, symbol=symbol)
        assert self.buyer.order("buy", "1", price, symbol=symbol)["status"] == "filled"

    def seen(self, symbol: str) -> Any:
        return self.running.http.get(f"/api/markets/{symbol}/ticker").json()

    def book(self) -> Any:
        return self.running.http.get("/api/markets/BTC-USD/book").json()

    def fills(self) -> list[Any]:
        told = [each["data"] for each in self.stream.of("fills") if each["type"] == "change"]
        return sorted({(each["symbol"], each["price"]) for each in told})


@pytest.fixture(scope="module")
def traded(running: Running) -> Traded:
    return Traded(running)


def test_a_list_of_trades_is_of_all_shards_page_by_page(traded: Traded) -> None:
    whole = traded.buyer.get("/api/trades")["data"]
    assert [each["symbol"] for each in whole] == ["BTC-USD", "SOL-USD", "ETH-USD", "BTC-USD"]
    assert [int(each["tradeId"]) for each in whole] == sorted((int(each["tradeId"]) for each in whole), reverse=True)
    paged, cursor = [], ""
    while True:
        page = traded.buyer.get(f"/api/trades?limit=1{cursor}")
        paged += page["data"]
        if page["nextCursor"] is None:
            break
        cursor = f"&cursor={page['nextCursor']}"
    assert paged == whole
    assert [each["price"] for each in traded.buyer.get("/api/trades?symbol=BTC-USD")["data"]] == [
        "50001.00",
        "50000.00",
    ]
    assert all(traded.buyer.get(f"/api/trades/{each['tradeId']}") == each for each in whole)


def test_the_tape_the_candles_and_the_ticker_of_a_market_that_moved_are_whole(traded: Traded) -> None:
    get = traded.running.http.get
    assert [each["price"] for each in get("/api/markets/BTC-USD/trades").json()["data"]] == ["50001.00", "50000.00"]
    (day,) = get("/api/markets/BTC-USD/candles?interval=1d&limit=1").json()["data"]
    assert (day["open"], day["close"], day["volume"], day["trades"]) == ("50000.00", "50001.00", "2", 2)
    assert traded.before["trades"] == 1
    ticker = traded.seen("BTC-USD")
    assert (ticker["open"], ticker["lastPrice"], ticker["volume"], ticker["trades"]) == ("50000.00", "50001.00", "2", 2)
    assert [each["symbol"] for each in get("/api/tickers").json()["data"]][:3] == list(MARKETS)


def test_who_follows_a_market_that_moves_is_told_on(traded: Traded) -> None:
    assert traded.fills() == [("BTC-USD", "50001.00"), ("ETH-USD", "3000.00"), ("SOL-USD", "100.00")]
    tape = [each["price"] for message in traded.stream.of("trades:BTC-USD") for each in message["trades"]]
    assert "50001.00" in tape
    _, *anew = [each for each in traded.stream.of("trades:BTC-USD") if each["type"] == "snapshot"]
    assert anew
    assert all("50000.00" in [each["price"] for each in snapshot["trades"]] for snapshot in anew)


def test_what_is_done_to_a_trade_is_done_where_it_was_made(traded: Traded) -> None:
    admin = traded.running.admin()
    for trade in traded.buyer.get("/api/trades")["data"]:
        path = f"/api/trades/{trade['tradeId']}"
        noted = admin.call("PUT", path, {"note": "looked at"})
        assert (noted.status_code, noted.json()["note"]) == (200, "looked at")
        if trade["symbol"] == "BTC-USD":
            busted = admin.call("DELETE", path, {"reason": "a mistake"})
            assert (busted.status_code, busted.json()["status"]) == (200, "busted")
    assert admin.call("DELETE", "/api/trades/1", {"reason": "a mistake"}).status_code == 404
    services = {each["service"] for each in admin.get("/api/actions?limit=100")["data"]}
    assert {"trades", "trades_1", "trades_2"} <= services


def test_an_admin_trades_in_a_shard_and_is_answered(traded: Traded) -> None:
    body = {
        "symbol": "BTC-USD",
        "buyerId": traded.buyer.user_id,
        "sellerId": traded.seller.user_id,
        "quantity": "1",
        "price": "49000",
    }
    trade = traded.running.admin().post("/api/trades", body)
    assert (trade["symbol"], trade["price"]) == ("BTC-USD", "49000.00")


def test_who_comes_back_to_its_fills_is_told_to_read_anew(traded: Traded) -> None:
    with Stream(traded.running, traded.buyer) as stream:
        answer = stream.ask("subscribe", channels=["fills"], after={"fills": 1})
        assert "too_far_back" in str(answer)


def test_every_shard_is_in_the_metrics_and_in_the_events(traded: Traded, running: Running) -> None:
    metrics = running.http.get("/metrics").text
    assert 'source="trades_1"' in metrics
    admin: Person = running.admin()
    found = until(lambda: admin.get("/api/events?source=trades_1")["data"], "the events")
    assert {each["source"] for each in found} == {"borsa/trades_1"}
    assert {each["data"]["symbol"] for each in found} == {"ETH-USD"}
