"""An order is placed, refused and mended without a mouse, and every stop on the way says what it is."""

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.support.browser import PATIENCE_MS, visiting
from tests.support.running import Running

pytestmark = pytest.mark.xdist_group("browser")

STOPS_MAX = 60


def stop(page: Page, role: str, name: str) -> None:
    """Go on by Tab until something of this role and name has the focus: what a screen reader would say."""
    wanted = page.get_by_role(role, name=name, exact=True)  # type: ignore[arg-type]
    expect(wanted).to_have_count(1)
    for _ in range(STOPS_MAX):
        if wanted.evaluate("element => element === document.activeElement"):
            return
        page.keyboard.press("Tab")
    pytest.fail(f"Tab does not lead to the {role} {name}")


def test_an_order_is_placed_without_a_mouse(browser: Browser, exchange: Running) -> None:
    expect.set_options(timeout=PATIENCE_MS)
    person = exchange.person(USD="10000", BTC="1")
    with visiting(browser, exchange.url) as visitor:
        visitor.sign_in(person.name, person.password)
        visitor.go("trade/BTC-USD")
        page, press = visitor.page, visitor.page.keyboard.press
        expect(page.get_by_role("button", name="Buy BTC")).to_be_visible()
        stop(page, "radio", "Buy")
        press("ArrowRight")
        expect(page.get_by_role("radio", name="Sell")).to_be_focused()
        stop(page, "radio", "Limit")
        stop(page, "textbox", "Price")
        page.keyboard.type("41000")
        stop(page, "textbox", "Quantity")
        page.keyboard.type("0.0000001")
        stop(page, "button", "Sell BTC")
        press("Enter")
        # what is wrong has the focus, and says why
        quantity = page.get_by_role("textbox", name="Quantity")
        expect(quantity).to_be_focused()
        expect(quantity).to_have_accessible_description("Must be a multiple of 0.000001")
        press("Control+a")
        page.keyboard.type("0.5")
        stop(page, "button", "50 %")
        stop(page, "combobox", "Time in force")
        stop(page, "checkbox", "Post-only")
        press("Space")
        stop(page, "button", "Sell BTC")
        press("Enter")
        orders = page.get_by_role("region", name="Open orders", exact=True)
        expect(orders).to_contain_text("Limit post-only")
        expect(page.get_by_role("button", name="Sell BTC")).to_be_focused()
        stop(page, "button", "Cancel")
        press("Enter")
        expect(page.get_by_role("tabpanel")).to_contain_text("No open orders")
        assert visitor.complaints == []
