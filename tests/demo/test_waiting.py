"""Participants at an exchange that has too much to do: they wait for as long as it asks, and go on."""

import asyncio
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest

from borsa.demo import live
from borsa.settings import Settings
from tests.support.running import Running

Waits = list[float]

PUT_OFF = [(429, "7"), (503, "3"), (503, "")]
ASKED_FOR = [7, 3, 1]
"""Seconds, and what is waited where no time is said."""


class Busy(httpx.AsyncHTTPTransport):
    """Leads to an exchange that puts off the first requests to some paths, one after the other has been waited for."""

    def __init__(self, put_off: dict[str, list[tuple[int, str]]], waits: Waits) -> None:
        super().__init__()
        self.asked: list[str] = []
        self.put_off: list[str] = []
        self._answers = {path: list(answers) for path, answers in put_off.items()}
        self._waits = waits

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        path = request.url.path
        self.asked.append(path)
        if self._answers.get(path) and len(self.put_off) == len(self._waits):
            status, seconds = self._answers[path].pop(0)
            self.put_off.append(path)
            return httpx.Response(status, headers={"retry-after": seconds} if seconds else {}, request=request)
        return await super().handle_async_request(request)


@pytest.fixture
def waits(monkeypatch: pytest.MonkeyPatch) -> Waits:
    """The seconds that were waited for, in no time."""
    found: Waits = []
    sleep = asyncio.sleep

    async def noted(seconds: float) -> None:
        if seconds >= 1:
            found.append(seconds)
        await sleep(seconds if seconds < 1 else 0)

    monkeypatch.setattr(asyncio, "sleep", noted)
    monkeypatch.setattr(live, "TURN_SECONDS", 0.0)
    return found


def trade(running: Running, folder: Path, busy: Busy, monkeypatch: pytest.MonkeyPatch, turns: int) -> None:
    client = httpx.AsyncClient

    def led(**options: Any) -> httpx.AsyncClient:
        return client(**options, transport=busy)

    monkeypatch.setattr(httpx, "AsyncClient", led)
    settings = msgspec.structs.replace(Settings(), data=str(folder), demo_orders_per_second=100)
    live.run(settings, running.url, lambda: True, turns)


def test_who_is_put_off_while_trading_waits_and_then_goes_on(
    tmp_path: Path, waits: Waits, monkeypatch: pytest.MonkeyPatch
) -> None:
    busy = Busy({"/api/orders/batch": PUT_OFF}, waits)
    with Running(tmp_path / "exchange") as running:
        trade(running, tmp_path / "bots", busy, monkeypatch, 6)
        assert waits == ASKED_FOR
        assert running.http.get("/api/markets/BTC-USD/book").json()["bids"]


def test_who_is_put_off_at_the_entrance_asks_again(
    tmp_path: Path, waits: Waits, monkeypatch: pytest.MonkeyPatch
) -> None:
    entrance = ["/api/markets", "/api/users/register", "/api/users/login", "/api/users/api-keys", "/api/wallets"]
    busy = Busy(dict.fromkeys(entrance, PUT_OFF), waits)
    with Running(tmp_path / "exchange") as running:
        trade(running, tmp_path / "bots", busy, monkeypatch, 1)
        assert len(running.admin().get("/api/users")["data"]) == 6
    assert waits == ASKED_FOR * len(entrance)
    assert busy.put_off == [path for path in entrance for _ in PUT_OFF]
    # each time the same again, and nothing else meanwhile
    for path in entrance:
        at = busy.asked.index(path)
        assert busy.asked[at : at + 4] == [path] * 4
