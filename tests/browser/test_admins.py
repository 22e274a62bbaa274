"""What admins do at the page, and what others see of it."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, expect

from tests.support.browser import PATIENCE_MS, Visitor, visiting
from tests.support.running import ADMIN_PASSWORD, Running

pytestmark = pytest.mark.xdist_group("browser")


@pytest.fixture
def admin(browser: Browser, exchange: Running) -> Iterator[Visitor]:
    expect.set_options(timeout=PATIENCE_MS)
    with visiting(browser, exchange.url) as somebody:
        somebody.sign_in("admin", ADMIN_PASSWORD)
        yield somebody


def test_a_halted_market_says_so_to_everybody(browser: Browser, exchange: Running, admin: Visitor) -> None:
    person = exchange.person(USD="1000")
    with visiting(browser, exchange.url) as visitor:
        visitor.sign_in(person.name, person.password)
        visitor.go("trade/BTC-USD")
        expect(visitor.page.get_by_role("button", name="Buy BTC")).to_be_visible()
        admin.go("admin/markets")
        admin.page.get_by_role("button", name="Change BTC-USD").click()
        admin.page.get_by_role("dialog").get_by_label("State").select_option("halted")
        admin.page.get_by_role("dialog").get_by_role("button", name="Change").click()
        expect(admin.page.get_by_role("region", name="Markets", exact=True)).to_contain_text("Halted")
        expect(visitor.page.get_by_text("This market is halted: no orders are taken")).to_be_visible()
        assert visitor.complaints == admin.complaints == []


def test_a_trade_is_followed_through_the_services_and_busted(exchange: Running, admin: Visitor) -> None:
    buyer, seller = exchange.person(USD="1000"), exchange.person(BTC="1")
    order = buyer.order("buy", "0.01", "40000.00")
    seller.order("sell", "0.01", "40000.00")
    page = admin.page
    admin.go(f"admin/path/{order['orderId']}")
    steps = page.locator("ol.path")
    for said in ("OrderCreated", "TradeExecuted", "WalletUpdated", "PortfolioUpdated", "Bought 0.01 BTC"):
        expect(steps).to_contain_text(said)
    admin.go("admin/trades")
    page.get_by_role("button", name="Bust trade").first.click()
    page.get_by_role("dialog").get_by_label("Reason").fill("an error of ours")
    page.get_by_role("dialog").get_by_role("button", name="Declare it void").click()
    expect(page.get_by_role("region", name="Trades", exact=True)).to_contain_text("Busted")
    assert buyer.wallet()["balance"]["USD"] == "1000.00"
    admin.go("admin/audit")
    expect(page.get_by_role("region", name="What admins did")).to_contain_text("an error of ours")
    admin.go("admin/services")
    for service in ("users", "orders", "trades", "wallets", "portfolios", "notifications"):
        expect(page.get_by_role("region", name=service, exact=True)).to_contain_text("Working")
    assert admin.complaints == []
