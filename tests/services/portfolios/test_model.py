"""The law of portfolios: what happened, and what is held of BTC (and of ETH) after it."""

from collections.abc import Callable

import pytest

from borsa.events import WalletUpdated
from borsa.markets import ASSET_SCALE
from borsa.money import parse, write
from borsa.services.portfolios.model import Position, average_cost, moved, moves, unrealized
from tests.services.portfolios.wallet import Wallet

PRICES = {"BTC": parse("50000", 8), "ETH": parse("2500", 8)}

Story = Callable[[Wallet], list[WalletUpdated]]


def fold(events: list[WalletUpdated], prices: dict[str, int] = PRICES) -> dict[str, Position]:
    """What is held after events."""
    held: dict[str, Position] = {}
    for event in events:
        for move in moves(event.changes, event.cause, prices.get):
            held[move.product] = moved(held.get(move.product, Position()), move)
    return held


def seen(position: Position) -> tuple[str, str, str]:
    """Quantity, total cost and realized P&L as texts."""
    return write(position.quantity, 8), write(position.cost, 8), write(position.realized, 8)


def bought(wallet: Wallet, quantity: str, paid: str) -> WalletUpdated:
    return wallet.traded("buy", btc=quantity, usd=f"-{paid}")


def sold(wallet: Wallet, quantity: str, proceeds: str) -> WalletUpdated:
    return wallet.traded("sell", btc=f"-{quantity}", usd=proceeds)


def unbought(wallet: Wallet, quantity: str, paid: str) -> WalletUpdated:
    return wallet.busted("buy", btc=f"-{quantity}", usd=paid)


def unsold(wallet: Wallet, quantity: str, proceeds: str) -> WalletUpdated:
    return wallet.busted("sell", btc=quantity, usd=f"-{proceeds}")


STORIES: dict[str, tuple[Story, tuple[str, str, str]]] = {
    # what happened: quantity, total cost, realized P&L
    "a deposit costs what the market says": (
        lambda w: [w.adjusted(btc="2")],
        ("2", "100000", "0"),
    ),
    "example B of the specification: given 20, sold 5, holds 15": (
        lambda w: [w.adjusted(btc="20"), sold(w, "5", "250000")],
        ("15", "750000", "0"),
    ),
    "two purchases have one average": (
        lambda w: [bought(w, "1", "100"), bought(w, "3", "500")],
        ("4", "600", "0"),
    ),
    "a sale realizes its proceeds less its share of the cost": (
        lambda w: [bought(w, "4", "600"), sold(w, "1", "200")],
        ("3", "450", "50"),
    ),
    "a sale below cost is a loss": (
        lambda w: [bought(w, "4", "600"), sold(w, "2", "100")],
        ("2", "300", "-200"),
    ),
    "what is sold out stays with what it earned": (
        lambda w: [bought(w, "1", "100"), sold(w, "1", "130")],
        ("0", "0", "30"),
    ),
    "a fee in the product raises the average cost": (
        lambda w: [w.traded("buy", btc="0.999", usd="-100")],
        ("0.999", "100", "0"),
    ),
    "a fee in the quote lowers what is realized": (
        lambda w: [bought(w, "1", "100"), sold(w, "1", "149.85")],
        ("0", "0", "49.85"),
    ),
    "an adjustment out goes at average cost and realizes nothing": (
        lambda w: [bought(w, "4", "600"), w.adjusted(btc="-1")],
        ("3", "450", "0"),
    ),
    "a share that is no whole unit is rounded down": (
        lambda w: [bought(w, "0.00000003", "0.00000010"), sold(w, "0.00000001", "0.00000005")],
        ("0.00000002", "0.00000007", "0.00000002"),
    ),
    "the bust of a buy takes its cost back, whatever was held before": (
        lambda w: [bought(w, "1", "100"), bought(w, "1", "300"), unbought(w, "1", "300")],
        ("1", "100", "0"),
    ),
    "the bust of the only buy leaves nothing": (
        lambda w: [bought(w, "1", "100"), unbought(w, "1", "100")],
        ("0", "0", "0"),
    ),
    "the bust of a buy can't make the cost negative": (
        lambda w: [bought(w, "2", "1000"), sold(w, "1", "900"), w.adjusted(btc="2"), unbought(w, "2", "110000")],
        ("1", "0", "9900"),
    ),
    "the bust of a sale goes back at average cost": (
        lambda w: [bought(w, "4", "600"), sold(w, "1", "200"), unsold(w, "1", "200")],
        ("4", "600", "0"),
    ),
    "the bust of a sale of everything remembers the average cost": (
        lambda w: [bought(w, "4", "600"), sold(w, "4", "1000"), unsold(w, "4", "1000")],
        ("4", "600", "0"),
    ),
    "a trade with oneself costs its fees": (
        lambda w: [bought(w, "4", "600"), w.traded("buy", btc="-0.004", usd="-1")],
        ("3.996", "599.4", "-1.6"),
    ),
    "a hold moves nothing": (
        lambda w: [bought(w, "4", "600"), w.held("btc"), w.held("usd")],
        ("4", "600", "0"),
    ),
}


@pytest.mark.parametrize("name", STORIES)
def test_a_story_ends_as_it_should(name: str) -> None:
    story, expected = STORIES[name]
    assert seen(fold(story(Wallet()))["BTC"]) == expected


def test_dollars_are_no_product() -> None:
    wallet = Wallet()
    assert fold([wallet.adjusted(usd="1000"), wallet.held("usd")]) == {}


def test_without_a_price_what_comes_in_costs_nothing() -> None:
    assert seen(fold([Wallet().adjusted(btc="2")], prices={})["BTC"]) == ("2", "0", "0")


def test_both_legs_of_a_trade_for_bitcoin_are_worth_what_bitcoin_is_worth() -> None:
    wallet = Wallet()
    events = [
        wallet.adjusted(btc="1"),
        wallet.traded("buy", "ETH-BTC", "0.05", eth="10", btc="-0.5"),
        wallet.traded("sell", "ETH-BTC", "0.06", eth="-5", btc="0.3"),
    ]
    held = fold(events)
    assert seen(held["BTC"]) == ("0.8", "40000", "0")
    assert seen(held["ETH"]) == ("5", "12500", "2500")


def test_a_trade_for_bitcoin_without_a_price_realizes_nothing() -> None:
    wallet = Wallet()
    events = [wallet.traded("buy", btc="1", usd="-100"), wallet.traded("buy", "ETH-BTC", "0.05", eth="10", btc="-0.5")]
    held = fold(events, prices={})
    assert seen(held["BTC"]) == ("0.5", "50", "0")
    assert seen(held["ETH"]) == ("10", "0", "0")


def test_the_bust_of_a_trade_for_bitcoin_restores_both_legs() -> None:
    wallet = Wallet()
    events = [
        wallet.adjusted(btc="1"),
        wallet.traded("buy", "ETH-BTC", "0.05", eth="10", btc="-0.5"),
        wallet.busted("buy", "ETH-BTC", "0.05", eth="-10", btc="0.5"),
    ]
    held = fold(events)
    assert seen(held["BTC"]) == ("1", "50000", "0")
    assert seen(held["ETH"]) == ("0", "0", "0")


def test_more_can_not_go_out_than_there_is() -> None:
    wallet = Wallet()
    with pytest.raises(ValueError, match="went out of"):
        fold([wallet.adjusted(btc="1"), wallet.adjusted(btc="-2")])


def test_the_average_cost_is_rounded_down_and_zero_for_nothing() -> None:
    assert average_cost(Position(3 * 10**ASSET_SCALE, 10**ASSET_SCALE)) == parse("0.33333333", 8)
    assert average_cost(Position()) == 0


def test_unrealized_is_worth_less_cost() -> None:
    assert unrealized(Position(2 * 10**ASSET_SCALE, parse("90000", 8)), PRICES["BTC"]) == parse("10000", 8)
