"""The pictures of the page in docs/page/: `make screenshots` takes them anew, of an exchange that was traded on."""

import random
import tempfile
from pathlib import Path

from tests.house.source import ROOT
from tests.support.browser import DESKTOP, PHONE, Theme, chromium, visiting
from tests.support.running import PASSWORD, Person, Running, until

FOLDER = ROOT / "docs" / "page"
SETTLE_MS = 2500
"""How long a view has for its first data and its chart."""

PICTURES: tuple[tuple[str, str, tuple[int, int], Theme], ...] = (
    ("market-dark", "trade/BTC-USD", DESKTOP, "dark"),
    ("market-light", "trade/BTC-USD", DESKTOP, "light"),
    ("market-phone", "trade/BTC-USD", PHONE, "dark"),
    ("wallets-light", "wallets", DESKTOP, "light"),
    ("portfolio-dark", "portfolio", DESKTOP, "dark"),
    ("portfolio-phone", "portfolio", PHONE, "light"),
)
PICTURES_OF_ADMINS: tuple[tuple[str, str, tuple[int, int], Theme], ...] = (
    ("services-dark", "admin/services", DESKTOP, "dark"),
    ("path-light", "admin/path/{order}", DESKTOP, "light"),
)
ORDERS = 800


def trade(people: list[Person]) -> str:
    """A market that has moved; the id of an order that traded."""
    chance = random.Random(7)
    middle = 50_000.0
    order_id = ""
    for at in range(ORDERS):
        middle *= 1 + chance.gauss(0, 0.0004)
        side = chance.choice(["buy", "sell"])
        away = abs(chance.gauss(0, 0.0012)) * (-0.5 if chance.random() < 0.2 else 1)
        price = middle * (1 - away if side == "buy" else 1 + away)
        quantity = f"{chance.uniform(0.001, 0.6):.6f}"
        body = {"symbol": "BTC-USD", "type": side, "quantity": quantity, "price": f"{price:.2f}"}
        placed = people[at % 2].post("/api/orders", body | {"selfTradePrevention": "cancel_oldest"})
        if placed["status"] in ("pending", "open") and side == "buy":
            order_id = placed["orderId"]
    traded = people[0].get("/api/trades?limit=1")["data"]
    return str(traded[0]["buyOrderId"]) if traded else order_id


def open_market(running: Running) -> None:
    """The first trade: from then on, what comes in has a price."""
    seller, buyer = running.person("cyd", BTC="1"), running.person("dot", USD="1000")
    seller.order("sell", "0.01", "50000.00")
    buyer.order("buy", "0.01", "50000.00")
    until(lambda: buyer.get("/api/portfolios")["data"][0]["holdings"], "the portfolio")


def main() -> None:
    """Trade, look, and write."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder, Running(Path(folder)) as running, chromium() as browser:
        admin = running.admin()
        open_market(running)
        people = [running.person("ada", USD="2000000", BTC="40"), running.person("bob", USD="2000000", BTC="40")]
        order = trade(people)
        for name, password, pictures in (
            ("ada", PASSWORD, PICTURES),
            ("admin", admin.password, PICTURES_OF_ADMINS),
        ):
            for picture, place, size, theme in pictures:
                with visiting(browser, running.url, size, theme) as visitor:
                    visitor.page.add_init_script("localStorage.setItem('borsa.interval', '1s')")
                    visitor.sign_in(name, password)
                    # away from the chart, which would show its crosshair
                    visitor.page.mouse.move(0, 0)
                    visitor.go(place.format(order=order))
                    visitor.page.wait_for_timeout(SETTLE_MS)
                    while visitor.page.locator(".notice").count():
                        visitor.page.get_by_role("button", name="Dismiss").first.click()
                    visitor.page.screenshot(path=FOLDER / f"{picture}.png")


if __name__ == "__main__":
    main()
