"""What everybody may follow: book, tape, ticker and candles of a market."""

import random
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from zlib import crc32

import jsonschema_rs
import pytest

from borsa.services.trades.feeds import Followed
from tests.streams.listening import Book, Stream
from tests.support.running import Person, Running, until

BOOK, TRADES, TICKER, CANDLES = "book:BTC-USD", "trades:BTC-USD", "ticker:BTC-USD", "candles:BTC-USD:1m"


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with Running(tmp_path_factory.mktemp("streams"), price_band_ppm=0) as running:
        yield running


@pytest.fixture(scope="module")
def people(running: Running) -> list[Person]:
    return [running.person(USD="10000000", BTC="10000", ETH="10000") for _ in range(2)]


def rest(running: Running, symbol: str = "BTC-USD") -> dict[str, object]:
    found: dict[str, object] = running.http.get(f"/api/markets/{symbol}/book?depth=1000").json()
    return found


def is_there(stream: Stream, running: Running, channel: str = BOOK) -> bool:
    return stream.books[channel].levels() == rest(running, channel.partition(":")[2])


def test_a_snapshot_comes_first_and_then_every_change(running: Running, people: list[Person]) -> None:
    ann, bob = people
    ann.order("sell", "1", "100")
    with Stream(running) as stream:
        stream.follow(BOOK, TRADES, TICKER, CANDLES)
        stream.until(lambda: len(stream.heard) == 4, "four snapshots")
        assert [messages[0]["type"] for messages in stream.heard.values()] == ["snapshot"] * 4
        assert stream.books[BOOK].levels() == rest(running)
        bob.order("buy", "0.25", "100")
        stream.until(lambda: len(stream.of(CANDLES)) > 1 and len(stream.of(TICKER)) > 1, "the trade")
        (trade,) = stream.of(TRADES)[-1]["trades"]
        assert trade == running.http.get("/api/markets/BTC-USD/trades?limit=1").json()["data"][0]
        ticker = running.http.get("/api/markets/BTC-USD/ticker").json()
        assert stream.of(TICKER)[-1]["ticker"] | {"at": ""} == ticker | {"at": ""}
        assert (ticker["lastPrice"], ticker["bestAsk"]) == ("100.00", "100.00")
        candle = running.http.get("/api/markets/BTC-USD/candles?limit=1").json()["data"][0]
        assert stream.of(CANDLES)[-1]["candles"][-1] == candle
        until(lambda: is_there(stream, running), "the book")


def test_a_checksum_is_that_of_the_book(running: Running, people: list[Person]) -> None:
    for price in range(110, 125):
        people[0].order("sell", "0.1", str(price))
        people[0].order("buy", "0.1", str(price - 30))
    with Stream(running) as stream:
        stream.follow(BOOK)
        answer = stream.ask("checksum", channel=BOOK)
        book = stream.books[BOOK]
        assert answer == {"type": "checksum", "channel": BOOK, "sequence": book.sequence, "checksum": book.checksum()}
        assert stream.ask("checksum", channel=TRADES)["code"] == "invalid_request"


def test_the_example_of_the_documentation() -> None:
    book = Book()
    bids, asks = [["100.00", "0.5"], ["99.00", "1"]], [["101.00", "2"]]
    book.take({"type": "snapshot", "sequence": 7, "bids": bids, "asks": asks})
    assert book.checksum() == crc32(b"100.00:0.5:99.00:1:101.00:2") == 818_625_280


def test_many_changes_leave_the_book_that_rest_gives(running: Running, people: list[Person]) -> None:
    """Somebody comes in the middle, too."""
    chance = random.Random(3)

    def trade(person: Person, count: int) -> None:
        for _ in range(count):
            side, price = chance.choice(["buy", "sell"]), chance.randint(95, 105)
            order = person.order(side, f"0.{chance.randint(1, 9)}", str(price))
            if chance.random() < 0.3:
                person.call("DELETE", f"/api/orders/{order['orderId']}")

    with Stream(running) as early, ThreadPoolExecutor() as pool:
        early.follow(BOOK)
        working = [pool.submit(trade, person, 60) for person in people]
        early.until(lambda: early.books[BOOK].changes > 3, "changes")
        with Stream(running) as late:
            late.follow(BOOK)
            for each in working:
                each.result()
            until(lambda: is_there(early, running), "the book of who came early")
            until(lambda: is_there(late, running), "the book of who came late")
            assert early.books[BOOK].changes > 5


def test_a_trade_that_is_busted_is_told_again(running: Running, people: list[Person]) -> None:
    ann, bob = people
    with Stream(running) as stream:
        stream.follow("trades:ETH-USD")
        ann.order("sell", "1", "50", symbol="ETH-USD")
        bob.order("buy", "1", "50", symbol="ETH-USD")
        stream.until(lambda: len(stream.of("trades:ETH-USD")) > 1, "the trade")
        (trade,) = stream.of("trades:ETH-USD")[-1]["trades"]
        admin = running.admin()
        assert admin.call("DELETE", f"/api/trades/{trade['tradeId']}", {"reason": "x"}).status_code == 200
        stream.until(lambda: len(stream.of("trades:ETH-USD")) > 2, "its bust")
        assert stream.of("trades:ETH-USD")[-1]["trades"] == [trade | {"status": "busted"}]
    with Stream(running) as stream:
        stream.follow("trades:ETH-USD")
        assert stream.of("trades:ETH-USD")[0]["trades"] == [trade | {"status": "busted"}]


def test_a_new_market_can_be_followed(running: Running, people: list[Person]) -> None:
    with Stream(running) as stream:
        assert stream.ask("subscribe", channels=["book:NEW-USD"])["code"] == "unknown_symbol"
        tickers = running.http.get("/api/tickers").json()["data"]
        assert "NEW-USD" not in [ticker["symbol"] for ticker in tickers]
        market = {"symbol": "NEW-USD", "base": "NEW", "quote": "USD", "tickSize": "0.01", "lotSize": "0.01"}
        running.admin().post("/api/markets", market)
        people[0].order("buy", "1", "5", symbol="NEW-USD")
        stream.follow("book:NEW-USD")
        until(lambda: is_there(stream, running, "book:NEW-USD"), "its book")
        assert "NEW-USD" in [each["symbol"] for each in running.http.get("/api/tickers").json()["data"]]


def test_who_leaves_hears_no_more(running: Running, people: list[Person]) -> None:
    book, trades = "book:ETH-BTC", "trades:ETH-BTC"
    with Stream(running) as stream:
        stream.follow(book, trades)
        assert stream.ask("unsubscribe", channels=[book]) == {"type": "unsubscribed", "channels": [book]}
        heard = len(stream.of(book))
        people[0].order("sell", "1", "0.05", symbol="ETH-BTC")
        people[1].order("buy", "1", "0.05", symbol="ETH-BTC")
        stream.until(lambda: len(stream.of(trades)) > 1, "a trade")
        assert len(stream.of(book)) == heard
        stream.follow(book)
        assert stream.books[book].levels() == rest(running, "ETH-BTC")


WRONG = {
    "no json": ("{", "malformed_json", None),
    "no object": ("[]", "invalid_request", "body"),
    "no op": ("{}", "invalid_request", "op"),
    "an op that there is not": ('{"op": "sing"}', "invalid_request", "op"),
    "a field that there is not": ('{"op": "ping", "loud": true}', "invalid_request", "loud"),
    "no channels": ('{"op": "subscribe", "channels": []}', "invalid_request", "channels"),
    "channels of another type": ('{"op": "subscribe", "channels": "book"}', "invalid_request", "channels"),
    "a channel that there is not": ('{"op": "subscribe", "channels": ["weather"]}', "invalid_request", "channels"),
    "a book of no market": ('{"op": "subscribe", "channels": ["book"]}', "invalid_request", "channels"),
    "a market too many": ('{"op": "subscribe", "channels": ["book:A:B"]}', "invalid_request", "channels"),
    "an interval that there is not": (
        '{"op": "subscribe", "channels": ["candles:BTC-USD:2m"]}', "invalid_request", "channels",
    ),
    "a market that there is not": ('{"op": "subscribe", "channels": ["book:NO-SUCH"]}', "unknown_symbol", "channels"),
    "an own one of nobody": ('{"op": "subscribe", "channels": ["orders"]}', "unauthorized", "channels"),
    "a public one after something": (
        '{"op": "subscribe", "channels": ["book:BTC-USD"], "after": {"book:BTC-USD": 1}}', "invalid_request", "after",
    ),
    "no token": ('{"op": "authenticate", "token": "nothing"}', "unauthorized", None),
}  # fmt: skip


@pytest.mark.parametrize("wrong", WRONG)
def test_what_is_wrong_is_answered_by_name_and_ends_nothing(running: Running, wrong: str) -> None:
    text, code, field = WRONG[wrong]
    with Stream(running) as stream:
        answer = stream.say(text)
        assert (answer["type"], answer["code"], answer.get("field")) == ("error", code, field), answer
        assert stream.ask("ping") == {"type": "pong"}
        assert stream.heard == {}


def test_too_much_that_is_wrong_ends_it(running: Running) -> None:
    with Stream(running) as stream:
        for _ in range(20):
            assert stream.say("{")["code"] == "malformed_json"
        stream.until(lambda: stream.closed, "the end")
        assert stream.closed == (1008, "too many messages that can't be taken")


def test_a_stop_says_that_it_goes(tmp_path: Path) -> None:
    with Running(tmp_path) as running:
        stream = Stream(running).__enter__()
        stream.follow(BOOK)
    stream.until(lambda: stream.closed, "the end")
    assert stream.closed is not None
    assert stream.closed[0] == 1001
    stream.__exit__(None, None, None)


def test_every_message_fits_the_document(running: Running, people: list[Person]) -> None:
    document = running.http.get("/asyncapi.json").json()
    symbol = "SOL-USD"
    with Stream(running, people[0]) as stream:
        stream.follow(*(f"{kind}:{symbol}" for kind in ("book", "trades", "ticker")), f"candles:{symbol}:1s", "orders")
        people[1].post(f"/api/wallets/{people[1].wallet_id}/faucet", {"asset": "SOL", "amount": "10"}, 200)
        people[1].order("sell", "1", "20", symbol=symbol)
        people[0].order("buy", "1", "20", symbol=symbol)
        stream.until(lambda: all(len(messages) > 1 for messages in stream.heard.values()), "changes")
        for name, messages in stream.heard.items():
            kind = "_".join(["stream", name.partition(":")[0]])
            (channel,) = [each for key, each in document["channels"].items() if f"{key}_".startswith(f"{kind}_")]
            for message in messages:
                fits = [
                    jsonschema_rs.Draft202012Validator(
                        {"$ref": f"#/components/messages/{each}/payload", "components": document["components"]}
                    ).is_valid(message)
                    for each in channel["messages"]
                ]
                assert fits.count(True) == 1, message


def test_the_last_change_of_a_quiet_market_may_be_lost(
    running: Running, people: list[Person], monkeypatch: pytest.MonkeyPatch
) -> None:
    with Stream(running) as stream:
        stream.follow("book:SOL-USD")
        stream.until(lambda: "book:SOL-USD" in stream.books, "the snapshot")
        lost: list[object] = []
        monkeypatch.setattr(Followed, "receive", lambda _, moved: lost.append(moved))
        people[0].order("buy", "1", "5", symbol="SOL-USD")
        until(lambda: bool(lost), "the loss")
        monkeypatch.undo()
        stream.until(lambda: "5.00" in stream.books["book:SOL-USD"].bids, "what was lost")
        assert len(lost) == 1
