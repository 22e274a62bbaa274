"""The book on the page is the book of the exchange: after a storm of changes, and after the exchange was away."""

import random
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.support.browser import PATIENCE_MS, visiting
from tests.support.running import Person, Running, until

pytestmark = pytest.mark.xdist_group("browser")

SHOWN = """() => {
  const rows = (side) => [...document.querySelectorAll(`.${side} button:not(:disabled)`)]
    .map((row) => [row.dataset.price, row.querySelector('.quantity').textContent.replace(/\\.?0+$/, '')]);
  const body = document.querySelector('.ladder-body');
  return {
    live: !body.classList.contains('stale'), sequence: Number(body.dataset.sequence),
    bids: rows('bids'), asks: rows('asks'),
  };
}"""


def shown(page: Page) -> Any:
    """The book as it is on the page: what a person sees of it."""
    return page.evaluate(SHOWN)


def check_the_book(page: Page, running: Running) -> None:
    """What is shown, as soon as it is of the same moment, is what REST says."""

    def both() -> Any:
        book, seen = running.http.get("/api/markets/BTC-USD/book?depth=100").json(), shown(page)
        return (book, seen) if seen["live"] and seen["sequence"] == book["sequence"] else None

    book, seen = until(both, "the same sequence")
    for side in ("bids", "asks"):
        count = len(seen[side])
        assert count >= min(5, len(book[side]))
        assert seen[side] == [[price, quantity.rstrip("0").rstrip(".")] for price, quantity in book[side][:count]]


def storm(people: list[Person], count: int, seed: int) -> None:
    """Orders around one price, some of which trade, and cancellations."""
    chance = random.Random(seed)
    for _ in range(count):
        person, side = chance.choice(people), chance.choice(["buy", "sell"])
        price = 40_000 + chance.randint(-20, 20) + (-5 if side == "buy" else 5)
        body = {"symbol": "BTC-USD", "type": side, "quantity": f"0.{chance.randint(1, 99):02}", "price": f"{price}.00"}
        placed = person.post("/api/orders", body)
        if chance.random() < 0.2:
            person.call("DELETE", f"/api/orders/{placed['orderId']}")


def test_after_a_storm_of_changes_it_is_what_rest_says(browser: Browser, exchange: Running) -> None:
    people = [exchange.person(USD="1000000", BTC="50") for _ in range(2)]
    with visiting(browser, exchange.url) as visitor:
        visitor.go("trade/BTC-USD")
        until(lambda: shown(visitor.page)["live"], "the book")
        storm(people, 200, seed=1)
        check_the_book(visitor.page, exchange)
        assert visitor.complaints == []


def test_while_the_exchange_is_away_no_book_is_shown_as_live(browser: Browser, tmp_path: Path) -> None:
    expect.set_options(timeout=PATIENCE_MS)
    with Running(tmp_path / "data") as running:
        port = int(running.url.rpartition(":")[2])
        people = [running.person(USD="1000000", BTC="50") for _ in range(2)]
        storm(people, 30, seed=2)
        people[0].order("buy", "1", "39900.00")
        context = visiting(browser, running.url)
        visitor = context.__enter__()
        visitor.go("trade/BTC-USD")
        check_the_book(visitor.page, running)
    try:
        expect(visitor.page.locator(".ladder-body.stale")).to_be_visible()
        expect(visitor.page.get_by_text("Waiting for the book")).to_be_visible()
        with Running(tmp_path / "data", serve_at=port) as running:
            people = [Person(running, person.name, person.password).signed_in() for person in people]
            storm(people, 30, seed=3)
            check_the_book(visitor.page, running)
    finally:
        context.__exit__(None, None, None)
