"""What becomes a notification, for whom, and in which words."""

from typing import Any

import msgspec
import pytest

from borsa.events import Event, UserDeleted
from borsa.runtime.bus import Once
from borsa.runtime.http.page import NEWEST
from borsa.services.notifications import store
from borsa.services.notifications.model import (
    ALL,
    BITS,
    KINDS,
    MarkRead,
    Notification,
    Preferences,
    SendMessage,
    SetPreferences,
    bits,
    kinds_in,
    words_of,
)
from tests.services.notifications.facts import closed, ordered, portfolio_moved, registered, traded, wallet_moved
from tests.support.alone import Alone


def told(alone: Alone, user_id: str | None = "ada", unread: bool = False) -> list[Notification]:
    """A user's notifications, oldest first."""
    found = store.notifications_page(alone.reader, user_id, unread, *NEWEST, 1000)
    return [each.notification for each in reversed(found)]


def data(notification: Notification) -> Any:
    return msgspec.json.decode(notification.data)


CASES: list[tuple[Event, str, str, str]] = [
    (ordered(), "order_accepted", "Order 1 accepted", "limit order to buy 0.5 BTC-USD at 50000.00"),
    (
        ordered(order_type="market", quantity=None, price=None, quote_quantity="100"),
        "order_accepted",
        "Order 1 accepted",
        "market order to buy BTC-USD",
    ),
    (traded(), "fill", "Bought 0.5 BTC at 50000.00", "Order 1 in BTC-USD, trade 7000, fee 0.0005 BTC"),
    (traded("bob", "ada"), "fill", "Sold 0.5 BTC at 50000.00", "Order 2 in BTC-USD, trade 7000, fee 25.00 USD"),
    (closed(), "order_closed", "Order 1 closed: filled", "BTC-USD: 0.5 filled, 0 not"),
    (closed(reason="would_cross"), "order_closed", "Order 1 closed: would cross", "BTC-USD: 0.5 filled, 0 not"),
    (
        wallet_moved(usd="-25000.00", btc="0.5"),
        "wallet_changed",
        "Wallet changed: -25000.00 USD, +0.5 BTC",
        "trade 7000; now 10 USD, 10 BTC",
    ),
    (
        portfolio_moved(),
        "portfolio_changed",
        "Holding changed: 15 BTC",
        "average cost 50000.00 USD, realized P&L -1.50 USD",
    ),
    (
        portfolio_moved(product=None, change="renamed"),
        "portfolio_changed",
        "Portfolio renamed",
        "Portfolio p-1 was renamed",
    ),
]


@pytest.mark.parametrize(("event", "kind", "title", "body"), CASES)
def test_a_fact_in_words(alone: Alone, event: Event, kind: str, title: str, body: str) -> None:
    alone.happen(event)
    (notification,) = told(alone)
    assert notification.kind == kind
    assert notification.origin == f"{event.source}/1"
    assert words_of(notification) == (title, body)


def test_each_side_of_a_trade_hears_of_its_own_order_only(alone: Alone) -> None:
    alone.happen(traded())
    (buyer,), (seller,) = told(alone, "ada"), told(alone, "bob")
    assert (data(buyer)["orderId"], data(buyer)["type"], data(buyer)["fee"]) == ("1", "buy", "0.0005")
    assert (data(seller)["orderId"], data(seller)["type"], data(seller)["fee"]) == ("2", "sell", "25.00")
    assert b"bob" not in buyer.data
    assert b"ada" not in seller.data


def test_holds_and_releases_are_no_news(alone: Alone) -> None:
    alone.happen(wallet_moved(usd="0.00"), wallet_moved(btc="0"), wallet_moved(usd="0.00", btc="-1"))
    (only,) = told(alone)
    assert [each["asset"] for each in data(only)["changes"]] == ["BTC"]


def test_an_event_delivered_three_times_is_told_once(alone: Alone) -> None:
    recorded = alone.log(traded())
    for _ in range(3):
        alone.writer.deliver("trades", [recorded])
        alone.settle()
    alone.restart()
    alone.writer.deliver("trades", [recorded])
    alone.settle()
    assert len(told(alone, None)) == 2


def test_a_traded_order_makes_ten_notifications(alone: Alone) -> None:
    alone.happen(ordered("bob", "2", side="sell"), ordered(), traded(), closed(), closed("bob", "2"))
    alone.happen(wallet_moved(usd="-1"), wallet_moved("bob", usd="1"), portfolio_moved(), portfolio_moved("bob"))
    assert [each.kind for each in told(alone)] == [
        "order_accepted",
        "fill",
        "order_closed",
        "wallet_changed",
        "portfolio_changed",
    ]
    assert len(told(alone, None)) == 10


def test_somebody_not_yet_known_is_told(alone: Alone) -> None:
    alone.happen(ordered("eve"), registered("eve"))
    assert len(told(alone, "eve")) == 1


# preferences -------------------------------------------------------------------------------------------------------


def test_kinds_are_sets_of_bits() -> None:
    assert bits(KINDS) == ALL
    assert kinds_in(ALL) == list(KINDS)
    assert kinds_in(bits(["fill", "fill", "message"])) == ["fill", "message"]


def test_what_is_not_wanted_is_not_told(alone: Alone) -> None:
    alone.say(SetPreferences(preferences=Preferences("ada", kinds=BITS["fill"])))
    alone.happen(ordered(), traded(), closed())
    assert [each.kind for each in told(alone)] == ["fill"]


def test_messages_can_not_be_turned_off(alone: Alone) -> None:
    kept = alone.say(SetPreferences(preferences=Preferences("ada", kinds=0)))
    assert kinds_in(kept.preferences.kinds) == ["message"]
    alone.say(SendMessage(user_id="ada", title="Hello", body="there"))
    assert [words_of(each) for each in told(alone)] == [("Hello", "there")]


def test_a_webhook_keeps_its_secret_as_long_as_its_url(alone: Alone) -> None:
    def put(url: str | None, secret: bytes | None) -> Any:
        wanted = Preferences("ada", webhook_url=url, webhook_secret=secret, webhook_kinds=ALL)
        return alone.say(SetPreferences(preferences=wanted))

    first = put("https://a.example/x", b"one")
    assert (first.fresh, first.preferences.webhook_secret) == (True, b"one")
    same = put("https://a.example/x", b"two")
    assert (same.fresh, same.preferences.webhook_secret) == (False, b"one")
    other = put("https://b.example/x", b"three")
    assert (other.fresh, other.preferences.webhook_secret) == (True, b"three")
    none = put(None, None)
    assert (none.fresh, none.preferences.webhook_secret) == (False, None)


def test_somebody_who_left_is_told_nothing_and_leaves_no_address(alone: Alone) -> None:
    wanted = Preferences(
        "ada",
        webhook_url="https://a.example",
        webhook_secret=b"x",
        webhook_kinds=ALL,
        email_address="a@b.c",
        email_kinds=ALL,
    )
    alone.say(SetPreferences(preferences=wanted))
    alone.happen(UserDeleted(user_id="ada"), ordered())
    assert told(alone) == []
    assert alone.rows("SELECT * FROM preferences WHERE user_id = 'ada'") == [("ada", "gone", 0, None, None, 0, None, 0)]
    assert alone.say(SetPreferences(preferences=wanted)).code == "not_found"
    assert alone.say(SendMessage(user_id="ada", title="Hello", body="there")).code == "invalid_request"


# reading and messages ----------------------------------------------------------------------------------------------


def test_reading_once_and_again(alone: Alone) -> None:
    alone.happen(ordered(), closed())
    first = told(alone)[0].notification_id
    read = alone.say(MarkRead(notification_id=first, user_id="ada"))
    alone.clock.advance(60)
    assert alone.say(MarkRead(notification_id=first, user_id="ada")) == read
    assert [each.kind for each in told(alone, unread=True)] == ["order_closed"]
    assert len(told(alone)) == 2


def test_nobody_reads_for_somebody_else(alone: Alone) -> None:
    alone.happen(ordered())
    refused = alone.say(MarkRead(notification_id=told(alone)[0].notification_id, user_id="bob"))
    assert refused.code == "not_found"
    assert len(told(alone, unread=True)) == 1


def test_a_message_needs_somebody_to_read_it(alone: Alone) -> None:
    refused = alone.say(SendMessage(user_id="nobody", title="Hello", body="there"))
    assert (refused.code, refused.field) == ("invalid_request", "userId")
    assert told(alone, None) == []


def test_a_message_with_the_same_key_is_sent_once(alone: Alone) -> None:
    once = Once("admin", "key", b"body")
    message = SendMessage(user_id="ada", title="Hello", body="there")
    assert alone.say(message, once) == alone.say(message, once)
    assert len(told(alone)) == 1


def test_pages_are_newest_first_and_miss_nothing(alone: Alone) -> None:
    for number in range(7):
        alone.happen(ordered(order_id=str(number)))
    before, seen = NEWEST[0], []
    while page := store.notifications_page(alone.reader, "ada", False, before, 3):
        seen += [data(each.notification)["orderId"] for each in page]
        before = page[-1].notification.notification_id
    assert seen == ["6", "5", "4", "3", "2", "1", "0"]
