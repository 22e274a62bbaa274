"""A day of trading before the first visitor: the whole exchange on a simulated clock, and the participants at its door.

What happens is no imitation: the writers, the door and the requests are those of any other day, and only the clock
says that it was yesterday. Nothing is answered to anybody meanwhile, for nobody listens to the network yet.
"""

import asyncio
import os
import time
from collections.abc import Callable, Coroutine, MutableMapping
from pathlib import Path
from random import Random
from typing import Any, Final, TypeVar

import msgspec
import uuid_utils

from borsa import app
from borsa.demo.accounts import Answer, Unwelcome
from borsa.demo.stage import EVEN, Pace, Stage
from borsa.runtime.access.vault import key_in
from borsa.runtime.http.app import Application
from borsa.settings import Settings

R = TypeVar("R")

KEY_FILE: Final = "demo.key"
"""In the data folder: what the participants' passwords come from."""

PLAN_FILE: Final = "demo-history.json"
"""In the data folder while the history is being made."""

DAY_SECONDS: Final = 86_400
SECOND: Final = 1_000_000

EARLY = Pace(commands=24, changes=2, chance=500_000, share=EVEN, rounds=2, book="coarse", weight=4)
RECENT = Pace(commands=24, changes=2, chance=600_000, share=EVEN, rounds=2, book="coarse")
"""Nearly all of the day: a thin book that follows the price, and those who trade with it. First in few turns and large
orders, then in what a chart of minutes shows."""

LATE = Pace(commands=40, changes=12, chance=200_000, share=EVEN)
"""The last minutes: the book gets its depth."""

EARLY_SECONDS: Final = 270
RECENT_SECONDS: Final = 40
LATE_SECONDS: Final = 10
"""How much time passes in a turn on average: nobody looks at the minutes of yesterday."""

RECENT_TURNS: Final = 180
LATE_TURNS: Final = 16

FOLLOW_TURNS: Final = 10
"""How often portfolios and notifications follow, as they do when there is much else to do."""

IDLE_ROUNDS: Final = 50
IDLE_SECONDS: Final = 0.001


class Plan(msgspec.Struct, frozen=True):
    """From when to when, in microseconds since 1970, and of what seed."""

    began: int
    ends: int
    seed: str


class SimulatedClock:
    """Stands still until it is moved."""

    def __init__(self, now: int) -> None:
        self._now = now

    def now(self) -> int:
        return self._now

    def ticks(self) -> int:
        return self._now * 1_000

    def new_id(self) -> str:
        return str(uuid_utils.uuid7(nanoseconds=self._now * 1_000))

    def move_to(self, now: int) -> None:
        """Never back."""
        self._now = max(self._now, now)


class Past:
    """An exchange on a simulated clock: answers requests of the API, without a network."""

    def __init__(self, settings: Settings, clock: SimulatedClock, failed: Callable[[BaseException], None]) -> None:
        self.exchange = app.Exchange(settings, failed, clock, durable=False)
        self._application: Application
        self._turns = 0

    async def open(self) -> None:
        """Recover, and let the participants in."""
        self._application = await self.settled(self.exchange.start_by_hand())

    async def settled(self, doing: Coroutine[Any, Any, R]) -> R:
        """What this gives, once no writer has anything left to do; followers follow when there is time."""
        task = asyncio.ensure_future(doing)
        await asyncio.sleep(0)
        leading, following = self.exchange.steps()
        idle = 0
        while not task.done() or idle == 0:
            busy = [step() for step in leading]
            if not any(busy) and self._turns % FOLLOW_TURNS == 0:
                busy = [step() for step in following]
            idle = 0 if any(busy) else idle + 1
            # passwords are hashed on threads: nothing else takes longer than a few rounds
            await asyncio.sleep(0 if idle < IDLE_ROUNDS else IDLE_SECONDS)
        self._turns += 1
        return task.result()

    async def ask(self, method: str, path: str, credential: str = "", body: Any = None) -> Answer:
        """One request at the door."""
        bare, _, query = path.partition("?")
        headers = [(b"content-type", b"application/json")]
        if credential:
            headers.append((b"authorization", f"Bearer {credential}".encode()))
        scope = {
            "type": "http",
            "method": method,
            "path": bare,
            "raw_path": bare.encode(),
            "query_string": query.encode(),
            "headers": headers,
            "client": ("demo", 0),
        }
        said: list[MutableMapping[str, Any]] = []

        async def receive() -> MutableMapping[str, Any]:
            return {"type": "http.request", "body": b"" if body is None else msgspec.json.encode(body)}

        async def send(message: MutableMapping[str, Any]) -> None:
            said.append(message)

        await self._application(scope, receive, send)
        answered = said[1]["body"]
        retry_after = int(dict(said[0]["headers"]).get(b"retry-after", 0))
        return Answer(said[0]["status"], msgspec.json.decode(answered) if answered else None, retry_after)


def wanted(settings: Settings) -> bool:
    """Is there a history to be made, or one that was begun and not finished? CantStart."""
    return is_unfinished(settings) or app.is_untouched(settings)


def is_unfinished(settings: Settings) -> bool:
    """Was one begun, before anybody else could come in?"""
    return (settings.folder / PLAN_FILE).exists()


def make(
    settings: Settings,
    say: Callable[[str, str], None],
    done: Callable[[int], None] = lambda hours: None,
    seconds: int = DAY_SECONDS,
) -> None:
    """Make the history of an exchange that has none, or finish it; `say` gets what to tell, and the password that a
    first start made up, and `done` how many hours have passed. CantStart, Unwelcome."""
    plan = _plan(settings, seconds)
    try:
        asyncio.run(_Making(settings, plan, say, done).run())
    except Unwelcome:
        # tried again it would be no better
        (settings.folder / PLAN_FILE).unlink()
        raise
    # everything is on disk: the close of a database waits for it
    (settings.folder / PLAN_FILE).unlink()
    _sync(settings.folder)


def _plan(settings: Settings, seconds: int) -> Plan:
    """Kept before anything happens: whoever goes on after a crash must not begin another day."""
    path = settings.folder / PLAN_FILE
    if path.exists():
        return msgspec.json.decode(path.read_bytes(), type=Plan)
    now = time.time_ns() // 1_000
    plan = Plan(now - seconds * SECOND, now, settings.demo_seed)
    settings.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    new = path.with_suffix(".new")
    with new.open("wb") as file:
        file.write(msgspec.json.encode(plan))
        file.flush()
        os.fsync(file.fileno())
    new.rename(path)
    _sync(settings.folder)
    return plan


def _sync(folder: Path) -> None:
    """What is in a folder, and what is not any more, survives the machine."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


class _Making:
    """From where the exchange stands to the end of the plan."""

    def __init__(
        self, settings: Settings, plan: Plan, say: Callable[[str, str], None], done: Callable[[int], None]
    ) -> None:
        self._settings = settings
        self._plan = plan
        self._say = say
        self._done = done
        self._parent = os.getppid()
        # where another start was killed it goes on
        self._clock = SimulatedClock(max(plan.began, app.latest_time(settings)))
        self._past = Past(settings, self._clock, _fail)

    async def run(self) -> None:
        """All of it."""
        await self._past.open()
        try:
            self._say(
                "Simulated participants trade for a day before this exchange opens", self._past.exchange.first_password
            )
            resumed = self._clock.now() > self._plan.began
            seed = f"{self._plan.seed} {self._clock.now()}" if resumed else self._plan.seed
            stage = Stage(self._past, seed)
            await self._past.settled(stage.enter(key_in(self._settings.folder, KEY_FILE)))
            # a game, no secret
            await self._play(stage, Random(f"{seed} turns"))  # noqa: S311  # nosec B311
        finally:
            await self._past.exchange.stop()

    async def _play(self, stage: Stage, chance: Random) -> None:
        while self._clock.now() < self._plan.ends:
            if os.getppid() != self._parent:
                os._exit(os.EX_UNAVAILABLE)  # whoever waits for it is gone; the next start goes on
            pace, average = self._pace()
            passed = average * SECOND * (800 + chance.randrange(400)) // 1_000
            self._clock.move_to(self._clock.now() + passed)
            await self._past.settled(stage.turn(passed, pace))
            self._done((self._clock.now() - self._plan.began) // (3_600 * SECOND))

    def _pace(self) -> tuple[Pace, int]:
        """How they trade now, and the seconds of a turn on average; a short history has something of each, too."""
        whole, left = (self._plan.ends - moment for moment in (self._plan.began, self._clock.now()))
        if left <= min(LATE_TURNS * LATE_SECONDS * SECOND, whole // 4):
            return LATE, LATE_SECONDS
        if left <= min(RECENT_TURNS * RECENT_SECONDS * SECOND, whole // 2):
            return RECENT, RECENT_SECONDS
        return EARLY, EARLY_SECONDS


def _fail(error: BaseException) -> None:
    raise error
