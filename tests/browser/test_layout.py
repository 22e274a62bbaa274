"""Nothing jumps: what has a place keeps it, from the first paint through a storm of changes."""

import pytest
from playwright.sync_api import Browser, expect

from tests.browser.test_the_book import storm
from tests.support.browser import DESKTOP, PATIENCE_MS, PHONE, TABLET, visiting
from tests.support.running import Running

pytestmark = pytest.mark.xdist_group("browser")

SHIFT_MAX = 0.02
WATCH = """
window.shifts = [];
new PerformanceObserver((list) => {
  for (const each of list.getEntries()) {
    const sources = each.sources.map((source) => source.node?.className ?? String(source.node));
    shifts.push([each.value, sources]);
  }
}).observe({ type: 'layout-shift', buffered: true });
"""


def test_nothing_jumps_while_a_market_moves(browser: Browser, exchange: Running) -> None:
    expect.set_options(timeout=PATIENCE_MS)
    person, *others = (exchange.person(USD="1000000", BTC="50") for _ in range(3))
    with visiting(browser, exchange.url) as visitor:
        visitor.sign_in(person.name, person.password)
        page = visitor.page
        page.add_init_script(WATCH)
        for width, height in (DESKTOP, TABLET, PHONE):
            person.order("buy", "5", "39999.00")
            page.set_viewport_size({"width": width, "height": height})
            page.reload()
            expect(page.locator(".own-body table")).to_be_visible()
            expect(page.locator(".ladder-body:not(.stale)")).to_be_attached()
            rows = page.evaluate("[...document.querySelectorAll('.ladder-body button')].map((row) => row.offsetHeight)")
            assert len(set(rows)) == 1, "one's own order is a row like the others"
            storm(others, 20, seed=width)
            expect(page.locator(".tape li").nth(2)).to_be_attached()
            shifts = page.evaluate("shifts")
            assert sum(value for value, _ in shifts) < SHIFT_MAX, (width, shifts)
