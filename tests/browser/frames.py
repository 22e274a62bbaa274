"""How smoothly the page draws: `python -m tests.browser.frames` trades in a market and watches its frames.

It prints what was done and seen. Nothing is asserted: what a frame takes depends on the machine.
"""

import json
import random
import statistics
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

import typer
from playwright.sync_api import CDPSession, Page

from tests.support.browser import DESKTOP, PHONE, chromium, visiting
from tests.support.running import Person, Running

SECONDS = 20
CHANGES_PER_SECOND = 200
BATCHES_PER_SECOND = 20
TRADES_PER_SECOND = 5
LEVELS = 40
"""Prices of each side: most changes are seen in the ladder."""
FRAMES = """seconds => new Promise((done) => {
  const times = [];
  const next = (time) => {
    times.push(time);
    if (time - times[0] < seconds * 1000) requestAnimationFrame(next);
    else done(times.slice(1).map((each, at) => each - times[at]));
  };
  requestAnimationFrame(next);
})"""
SHIFTS = """
window.shift = 0;
new PerformanceObserver((list) => list.getEntries().forEach((each) => (window.shift += each.value)))
  .observe({ type: 'layout-shift', buffered: true });
"""


class Storm:
    """Orders that change a level each, and some that trade, on a thread of their own."""

    def __init__(self, maker: Person, taker: Person) -> None:
        self._maker, self._taker = maker, taker
        self._chance = random.Random(11)
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._blow, daemon=True)

    def __enter__(self) -> None:
        self._thread.start()

    def __exit__(self, *_: object) -> None:
        self._end.set()
        self._thread.join()

    def _blow(self) -> None:
        begin, beat = time.monotonic(), 0
        while not self._end.is_set():
            orders = [self._order() for _ in range(CHANGES_PER_SECOND // BATCHES_PER_SECOND)]
            self._maker.post("/api/orders/batch", {"orders": orders}, 200)
            if beat % (BATCHES_PER_SECOND // TRADES_PER_SECOND) == 0:
                side = self._chance.choice(["buy", "sell"])
                body = {"symbol": "BTC-USD", "type": side, "orderType": "market", "quantity": "0.001"}
                self._taker.post("/api/orders", body)
            if beat % (5 * BATCHES_PER_SECOND) == 0 and beat:
                self._maker.call("DELETE", "/api/orders?symbol=BTC-USD")
            beat += 1
            self._end.wait(max(0.0, begin + beat / BATCHES_PER_SECOND - time.monotonic()))

    def _order(self) -> dict[str, str]:
        side = self._chance.choice(["buy", "sell"])
        away = 1 + self._chance.randrange(LEVELS)
        price = 50_000 + (-away if side == "buy" else away) * 0.25
        quantity = f"0.{self._chance.randrange(1, 1000):03}"
        return {"symbol": "BTC-USD", "type": side, "quantity": quantity, "price": f"{price:.2f}"}


class Changes:
    """How many levels of the book the page was told of."""

    def __init__(self, page: Page) -> None:
        self.count = 0
        page.on("websocket", lambda socket: socket.on("framereceived", self._take))

    def _take(self, text: Any) -> None:
        message = json.loads(text)
        if message.get("channel", "").startswith("book:") and message["type"] == "change":
            self.count += len(message["bids"]) + len(message["asks"])


def work(session: CDPSession) -> dict[str, float]:
    """Seconds that the page's main thread worked so far, by what for."""
    found = {each["name"]: each["value"] for each in session.send("Performance.getMetrics")["metrics"]}
    return {name: found[f"{name}Duration"] for name in ("Task", "Script", "Layout", "RecalcStyle")}


def watch(page: Page, changes: Changes) -> str:
    """One line: the frames of so many seconds."""
    session = page.context.new_cdp_session(page)
    session.send("Performance.enable")
    before, told = work(session), changes.count
    gaps = sorted(page.evaluate(FRAMES, SECONDS))
    spent = {name: value - before[name] for name, value in work(session).items()}
    told = changes.count - told
    late = sum(gap > 25 for gap in gaps)
    at = {share: gaps[int(len(gaps) * share)] for share in (0.5, 0.95, 0.99)}
    return (
        f"{told / SECONDS:.0f} changes a second; {len(gaps) / SECONDS:.1f} frames a second; gaps p50 {at[0.5]:.1f}, "
        f"p95 {at[0.95]:.1f}, p99 {at[0.99]:.1f}, most {gaps[-1]:.1f} ms (mean {statistics.mean(gaps):.2f}), "
        f"{late} of {len(gaps)} over 25 ms; main thread busy {spent['Task'] / SECONDS:.1%}: "
        f"scripts {spent['Script'] / SECONDS:.1%}, style {spent['RecalcStyle'] / SECONDS:.1%}, "
        f"layout {spent['Layout'] / SECONDS:.1%}; layout shift {page.evaluate('shift'):.4f}"
    )


def main() -> None:
    """Trade and watch, wide and narrow."""
    with tempfile.TemporaryDirectory() as folder, Running(Path(folder)) as running, chromium() as browser:
        maker, taker = (running.person(USD="40000000", BTC="10000") for _ in range(2))
        maker.order("buy", "1", "49999.00")
        for name, size in (("desktop", DESKTOP), ("phone, its book", PHONE)):
            with visiting(browser, running.url, size) as visitor:
                changes = Changes(visitor.page)
                visitor.page.add_init_script(SHIFTS)
                visitor.go("trade/BTC-USD")
                visitor.page.locator(".ladder-body:not(.stale)").wait_for(state="attached")
                if size == PHONE:
                    visitor.page.get_by_role("radio", name="Book").click()
                with Storm(maker, taker):
                    visitor.page.wait_for_timeout(2000)
                    typer.echo(f"{name}: {watch(visitor.page, changes)}")


if __name__ == "__main__":
    main()
