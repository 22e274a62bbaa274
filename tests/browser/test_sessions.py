"""A session outlives its access token, and the stream goes on."""

from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from tests.support.browser import PATIENCE_MS, visiting
from tests.support.running import PASSWORD, Running

pytestmark = pytest.mark.xdist_group("browser")


def test_the_token_is_renewed_before_it_ends(browser: Browser, tmp_path: Path) -> None:
    expect.set_options(timeout=PATIENCE_MS)
    with Running(tmp_path / "data", access_token_seconds=6) as running:
        person = running.person()
        with visiting(browser, running.url) as visitor:
            visitor.sign_in(person.name, PASSWORD)
            visitor.go("wallets")
            with visitor.page.expect_response("**/api/users/refresh_token") as renewed:
                pass
            assert renewed.value.status == 200
            running.admin().fund(person, USD="12345")
            expect(visitor.page.get_by_role("region", name="Balances", exact=True)).to_contain_text("12,345.00")
            expect(visitor.page.get_by_role("button", name=f"Account of {person.name}")).to_be_visible()
            assert visitor.complaints == []
