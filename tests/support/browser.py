"""A real browser: the system's Chromium, driven by Playwright, at the page of a running exchange."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Literal

import pytest
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, sync_playwright

from borsa.web import BUILT
from tests.support.injected import needed

PATIENCE_MS = 15_000
DESKTOP, TABLET, PHONE = (1440, 900), (820, 1180), (390, 844)
Theme = Literal["dark", "light"]


@contextmanager
def chromium() -> Iterator[Browser]:
    """The browser; where there is none, or no page, the test is skipped, and in CI it fails."""
    needed("chromium")
    if not (BUILT / "index.html").exists():
        pytest.skip("the page is not built here: it takes Node at the installation")
    with sync_playwright() as playwright:
        # root may not have a sandbox, and what is looked at is our own
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        try:
            yield browser
        finally:
            browser.close()


class Visitor:
    """Somebody at the page, with what the browser complained about."""

    def __init__(self, context: BrowserContext, url: str) -> None:
        self.context = context
        self.url = url
        self.complaints: list[str] = []
        self.hosts: set[str] = set()
        self.page = self.opened()

    def opened(self) -> Page:
        """A further tab."""
        page = self.context.new_page()
        page.set_default_timeout(PATIENCE_MS)
        page.on("console", self._hear)
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.on("request", lambda request: self.hosts.add(request.url.split("/")[2]))
        return page

    def _hear(self, message: ConsoleMessage) -> None:
        # what was refused or could not be reached is told to the person, and is no fault of the page
        if message.type == "error" and "Failed to load resource" not in message.text and "/ws" not in message.text:
            self.complaints.append(message.text)

    def go(self, place: str) -> None:
        """Go to a view."""
        self.page.goto(f"{self.url}/#/{place}")

    def sign_in(self, name: str, password: str) -> None:
        """Sign in by the form."""
        self.go("sign-in")
        self.page.get_by_label("User name").fill(name)
        self.page.get_by_label("Password").fill(password)
        self.page.get_by_role("main").get_by_role("button", name="Sign in").click()
        self.page.get_by_role("button", name=f"Account of {name}").wait_for()


@contextmanager
def visiting(browser: Browser, url: str, size: tuple[int, int] = DESKTOP, theme: Theme = "dark") -> Iterator[Visitor]:
    """Somebody new at the page, who knows nothing of those before."""
    context = browser.new_context(viewport={"width": size[0], "height": size[1]}, color_scheme=theme)
    try:
        yield Visitor(context, url)
    finally:
        context.close()
