"""A new person signs up, takes play money, trades, and sees what comes of it, without ever reloading."""

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, expect

from tests.support.browser import PATIENCE_MS, Visitor, visiting
from tests.support.running import PASSWORD, Running

pytestmark = pytest.mark.xdist_group("browser")


@pytest.fixture
def visitor(browser: Browser, exchange: Running) -> Iterator[Visitor]:
    expect.set_options(timeout=PATIENCE_MS)
    with visiting(browser, exchange.url) as somebody:
        yield somebody


def sign_up(visitor: Visitor, name: str) -> None:
    page = visitor.page
    visitor.go("sign-up")
    page.get_by_label("User name").fill(name)
    page.get_by_label("Password").fill("short")
    page.get_by_role("main").get_by_role("button", name="Sign up").click()
    expect(page.get_by_label("Password")).to_have_attribute("aria-invalid", "true")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("main").get_by_role("button", name="Sign up").click()
    expect(page.get_by_role("heading", name="Wallets")).to_be_visible()


def take_dollars(visitor: Visitor, amount: str) -> None:
    page = visitor.page
    page.get_by_role("button", name="Take play money").click()
    page.get_by_role("dialog").get_by_label("Amount").fill(amount)
    page.get_by_role("dialog").get_by_role("button", name="Take it").click()
    expect(page.get_by_role("region", name="Balances", exact=True)).to_contain_text("10,000.00")


def test_from_signing_up_to_signing_out(visitor: Visitor, exchange: Running) -> None:
    seller = exchange.person(BTC="5")
    seller.order("sell", "1", "40000.00")
    page = visitor.page
    sign_up(visitor, "newcomer")
    take_dollars(visitor, "10000")

    buy_by_market(visitor)
    page.get_by_role("link", name="Portfolio", exact=True).click()
    expect(page.get_by_role("region", name="Holdings of")).to_contain_text("0.05")
    page.get_by_role("link", name=re.compile("Notifications")).click()
    expect(page.get_by_label("Inbox")).to_contain_text("Bought 0.05 BTC at 40000.00")

    place_amend_and_cancel(visitor)
    stay_signed_in(visitor)
    assert visitor.complaints == []
    assert visitor.hosts == {exchange.url.removeprefix("http://")}


def buy_by_market(visitor: Visitor) -> None:
    page = visitor.page
    page.get_by_role("link", name="Trade", exact=True).click()
    page.get_by_role("radio", name="Market", exact=True).click()
    page.get_by_label("Quantity", exact=True).fill("0.05")
    page.get_by_role("button", name="Buy BTC").click()
    page.get_by_role("tab", name="Fills").click()
    expect(page.get_by_role("region", name="Fills", exact=True)).to_contain_text("40,000.00")
    page.get_by_role("tab", name="Balances").click()
    expect(page.get_by_role("region", name="Balances", exact=True)).to_contain_text("8,000.00")


def place_amend_and_cancel(visitor: Visitor) -> None:
    page = visitor.page
    page.get_by_role("link", name="Trade", exact=True).click()
    page.get_by_role("radio", name="Limit", exact=True).click()
    page.get_by_label("Price", exact=True).fill("39000.005")
    page.get_by_label("Quantity", exact=True).fill("0.1")
    page.get_by_role("button", name="Buy BTC").click()
    expect(page.get_by_text("Must be a multiple of 0.01")).to_be_visible()
    page.get_by_label("Price", exact=True).fill("39000")
    page.get_by_role("button", name="Buy BTC").click()

    orders = page.get_by_role("region", name="Open orders", exact=True)
    expect(orders).to_contain_text("39,000.00")
    expect(page.get_by_role("group", name="Bids, best first").get_by_role("button").first).to_contain_text("39,000.00")
    orders.get_by_role("button", name="Amend").click()
    page.get_by_role("dialog").get_by_label("Price").fill("39500")
    page.get_by_role("dialog").get_by_role("button", name="Amend").click()
    expect(orders).to_contain_text("39,500.00")
    orders.get_by_role("button", name="Cancel").click()
    expect(page.get_by_role("tabpanel")).to_contain_text("No open orders")
    page.get_by_role("tab", name="History").click()
    expect(page.get_by_role("region", name="Order history", exact=True)).to_contain_text("Cancelled")


def stay_signed_in(visitor: Visitor) -> None:
    page, account = visitor.page, "Account of newcomer"
    page.reload()
    expect(page.get_by_role("button", name=account)).to_be_visible()
    other = visitor.opened()
    other.goto(visitor.url)
    expect(other.get_by_role("button", name=account)).to_be_visible()
    assert page.evaluate("document.cookie") == ""
    page.get_by_role("button", name=account).click()
    page.get_by_role("button", name="Sign out").click()
    for tab in (page, other):
        expect(tab.get_by_role("link", name="Sign up")).to_be_visible()
