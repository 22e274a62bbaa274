"""The pictures of the page in docs/page/: `make screenshots` takes them anew, after a day of the demo."""

import tempfile

import msgspec
from playwright.sync_api import Browser

from borsa.demo import history
from borsa.demo.accounts import password
from borsa.runtime.access.vault import key_in
from borsa.settings import Settings
from tests.house.source import ROOT
from tests.support.browser import DESKTOP, PHONE, Theme, chromium, visiting
from tests.support.running import ADMIN_PASSWORD, Person, Running

FOLDER = ROOT / "docs" / "page"
SETTLE_MS = 2500
"""How long a view has for its first data and its chart."""

Pictures = tuple[tuple[str, str, tuple[int, int], Theme], ...]
"""Each: its name, where it is taken, how large, and in which colours."""

PICTURES: Pictures = (
    ("market-dark", "trade/BTC-USD", DESKTOP, "dark"),
    ("market-light", "trade/BTC-USD", DESKTOP, "light"),
    ("market-phone", "trade/BTC-USD", PHONE, "dark"),
    ("wallets-light", "wallets", DESKTOP, "light"),
    ("portfolio-dark", "portfolio", DESKTOP, "dark"),
    ("portfolio-phone", "portfolio", PHONE, "light"),
)
PICTURES_OF_ADMINS: Pictures = (
    ("services-dark", "admin/services", DESKTOP, "dark"),
    ("path-light", "admin/path/{order}", DESKTOP, "light"),
)
PARTICIPANT = "demo-maker-1"
INTERVAL = "5m"


def main() -> None:
    """Let the participants of the demo trade for a day, look, and write."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        settings = msgspec.structs.replace(Settings(), data=folder, port=0, admin_password=ADMIN_PASSWORD)
        history.make(settings, lambda text, password: None)
        secret = password(key_in(settings.folder, history.KEY_FILE), PARTICIPANT)
        with Running(settings.folder) as running, chromium() as browser:
            participant = Person(running, PARTICIPANT, secret).signed_in()
            (trade,) = participant.get("/api/trades?limit=1")["data"]
            take(browser, running, participant, PICTURES)
            take(browser, running, running.admin(), PICTURES_OF_ADMINS, order=trade["buyOrderId"])


def take(browser: Browser, running: Running, person: Person, pictures: Pictures, **named: str) -> None:
    """What somebody sees."""
    for picture, place, size, theme in pictures:
        with visiting(browser, running.url, size, theme) as visitor:
            visitor.page.add_init_script(f"localStorage.setItem('borsa.interval', '{INTERVAL}')")
            visitor.sign_in(person.name, person.password)
            # away from the chart, which would show its crosshair
            visitor.page.mouse.move(0, 0)
            visitor.go(place.format(**named))
            visitor.page.wait_for_timeout(SETTLE_MS)
            while visitor.page.locator(".notice").count():
                visitor.page.get_by_role("button", name="Dismiss").first.click()
            visitor.page.screenshot(path=FOLDER / f"{picture}.png")


if __name__ == "__main__":
    main()
