"""What is sent again because nobody answered happens once."""

import pytest
from playwright.sync_api import Browser, Route, expect

from tests.support.browser import PATIENCE_MS, visiting
from tests.support.running import Running

pytestmark = pytest.mark.xdist_group("browser")


def test_an_order_whose_answer_was_lost_is_placed_once(browser: Browser, exchange: Running) -> None:
    expect.set_options(timeout=PATIENCE_MS)
    person = exchange.person(USD="10000")
    with visiting(browser, exchange.url) as visitor:
        visitor.sign_in(person.name, person.password)
        visitor.go("trade/BTC-USD")
        page = visitor.page
        answers_lost = 3

        def lose(route: Route) -> None:
            """The exchange takes the order, and its answer gets lost on the way, a few times."""
            nonlocal answers_lost
            if answers_lost:
                answers_lost -= 1
                route.fetch()
                route.abort()
            else:
                route.fallback()

        page.route("**/api/orders", lose)
        page.get_by_label("Price", exact=True).fill("39000")
        page.get_by_label("Quantity", exact=True).fill("0.1")
        buy, said = page.get_by_role("button", name="Buy BTC"), page.get_by_text("The exchange can't be reached")
        for _ in range(answers_lost):
            buy.click()
            expect(said).to_be_visible()
            expect(buy).to_have_attribute("aria-disabled", "false")
        buy.click()
        expect(page.get_by_label("Quantity", exact=True)).to_have_value("")
        assert answers_lost == 0
        assert len(person.get("/api/orders")["data"]) == 1
