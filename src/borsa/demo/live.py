"""The participants at a running exchange, over HTTP, until they are told to stop or their parent ends."""

import asyncio
import contextlib
import os
import time
from collections.abc import Callable
from typing import Any, Final

import httpx

from borsa.demo.accounts import Answer, Unwelcome
from borsa.demo.history import KEY_FILE
from borsa.demo.participants import ACTIVITY, MILLION
from borsa.demo.stage import Pace, Stage
from borsa.runtime.access.vault import key_in
from borsa.settings import Settings

TURN_SECONDS: Final = 1.0
"""One turn after the other; what they do in one shares the exchange's commits."""

PATIENCE_SECONDS: Final = 30
AWAY_SECONDS: Final = 2
"""How long one answer may take, and when to try again where nobody answers."""

TAKEN_PPM: Final = 15_000
CHANCE_MAX: Final = 500_000
"""The chance of a noise trader's order in the busiest market, in millionths, for each order that there may be in a
turn, and at most: some six a minute with the default."""

TENDED_PPM: Final = 130_000
"""The chance that its makers look whether something is to be moved, likewise: an order is there for long, and what
makes up a book costs a day of them hundreds of megabytes."""


class Remote:
    """An exchange at an address."""

    def __init__(self, client: httpx.AsyncClient) -> None:
        self._client = client

    async def ask(self, method: str, path: str, credential: str = "", body: Any = None) -> Answer:
        """One request; httpx.HTTPError when there is no answer."""
        headers = {"authorization": f"Bearer {credential}"} if credential else {}
        said = await self._client.request(method, path, json=body, headers=headers)
        try:
            answered = said.json() if said.content else None
        except ValueError:
            raise Unwelcome(f"{self._client.base_url} does not answer as a Borsa does") from None
        waits = said.headers.get("retry-after", "")
        return Answer(said.status_code, answered, int(waits) if waits.isdigit() else 0)


def run(settings: Settings, url: str, goes_on: Callable[[], bool], turns: int = 0) -> None:
    """Trade at an address while it `goes_on`, so many `turns` at most (0: without an end); Unwelcome, and
    httpx.InvalidURL for what is no address."""
    asyncio.run(_trade(settings, url, goes_on, turns))


def until_parent_ends(parent: int) -> Callable[[], bool]:
    """Is the parent there? With 0, nobody is asked for."""
    return lambda: parent in (0, os.getppid())


async def _trade(settings: Settings, url: str, goes_on: Callable[[], bool], turns: int) -> None:
    limits = httpx.Limits(max_connections=8)
    async with httpx.AsyncClient(base_url=url, timeout=PATIENCE_SECONDS, limits=limits) as client:
        while goes_on():
            # what they do depends on when they begin: another run is another day
            stage = Stage(Remote(client), f"{settings.demo_seed} {time.time_ns()}")
            with contextlib.suppress(httpx.TransportError):
                await stage.enter(key_in(settings.folder, KEY_FILE))
                await _turns(stage, settings, goes_on, turns)
                return
            # it is not there, or ended; it may come back
            await asyncio.sleep(AWAY_SECONDS)


def pace_of(orders: int) -> Pace:
    """What so many orders, amendments and cancels a second at most are spent on."""
    return Pace(
        commands=orders,
        changes=max(1, orders // 10),
        chance=min(orders * TAKEN_PPM, CHANCE_MAX),
        tended=min(orders * TENDED_PPM, MILLION),
        share=ACTIVITY,
    )


async def _turns(stage: Stage, settings: Settings, goes_on: Callable[[], bool], turns: int) -> None:
    pace = pace_of(settings.demo_orders_per_second)
    done = 0
    before = time.monotonic_ns()
    while goes_on() and (not turns or done < turns):
        now = time.monotonic_ns()
        passed = min(now - before, 60 * 10**9) // 1_000
        before = now
        pause = await stage.turn(max(1, passed), pace)
        done += 1
        spent = (time.monotonic_ns() - now) / 1e9
        if not turns or done < turns:
            await asyncio.sleep(max(pause, TURN_SECONDS - spent, 0.0))
