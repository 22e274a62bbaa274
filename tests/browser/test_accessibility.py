"""axe finds nothing serious in the main views, in both themes, wide and narrow; nothing is wider than the screen."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, expect

from tests.support.browser import DESKTOP, PATIENCE_MS, PHONE, Theme, Visitor, visiting
from tests.support.node import installed
from tests.support.running import ADMIN_PASSWORD, Person, Running

pytestmark = pytest.mark.xdist_group("browser")

VIEWS = [
    *("trade/BTC-USD", "orders", "wallets", "portfolio", "notifications", "account"),
    *("admin/services", "admin/markets", "admin/users", "admin/approvals", "admin/trades", "admin/path", "admin/audit"),
]
DIALOGS = [
    *(("orders", "Amend"), ("wallets", "Take play money"), ("wallets", "Open a wallet")),
    *(("account", "Account of admin"), ("trade/BTC-USD", "Market BTC-USD, choose another")),
    *(("admin/markets", "Change BTC-USD"), ("admin/users", "Open admin"), ("admin/trades", "Bust trade")),
]
AXE = "axe.run(document, { resultTypes: ['violations'] })"


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """One for all views: what is left open in it would be in the way of others."""
    with Running(tmp_path_factory.mktemp("views") / "data") as running:
        yield running


@pytest.fixture(scope="module")
def busy(running: Running) -> Person:
    """An admin with orders, fills, money and messages."""
    admin = running.admin()
    admin.fund(admin, USD="1000000", BTC="5")
    seller = running.person(BTC="5")
    for price in ("40000.00", "40010.00", "40020.00"):
        seller.order("sell", "0.1", price)
    admin.order("buy", "0.15", "40010.00")
    admin.order("buy", "0.2", "39990.00")
    return admin


@pytest.mark.parametrize(("size", "theme"), [(DESKTOP, "dark"), (PHONE, "light")], ids=["wide dark", "narrow light"])
def test_nothing_serious_is_found(
    browser: Browser, running: Running, busy: Person, size: tuple[int, int], theme: Theme
) -> None:
    expect.set_options(timeout=PATIENCE_MS)
    script = Path(installed("axe-core/axe.min.js")).read_text()
    with visiting(browser, running.url, size, theme) as visitor:
        found = []
        for view in ("sign-in", "sign-up", "nowhere"):
            visitor.go(view)
            found += serious(visitor, script, view)
        visitor.sign_in(busy.name, ADMIN_PASSWORD)
        for view in VIEWS:
            visitor.go(view)
            expect(visitor.page.get_by_role("main")).not_to_contain_text("Loading")
            found += serious(visitor, script, view)
            assert visitor.page.evaluate("document.documentElement.scrollWidth") <= size[0], view
        for view, button in DIALOGS:
            visitor.go(view)
            visitor.page.get_by_role("button", name=button).first.click()
            found += serious(visitor, script, f"{view}: {button}")
            visitor.page.keyboard.press("Escape")
        assert not found, "\n".join(map(str, found))


def serious(visitor: Visitor, script: str, view: str) -> list[tuple[str, str, Any]]:
    """What axe finds that keeps somebody out, by view."""
    visitor.page.evaluate(script)
    violations = visitor.page.evaluate(AXE)["violations"]
    return [
        (view, each["id"], [node["html"][:160] for node in each["nodes"][:3]])
        for each in violations
        if each["impact"] in ("serious", "critical")
    ]
