"""What the order benches have in common: how hard to press, with what, and the figures that come of it."""

import os
import platform
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Literal

import msgspec
import typer

from borsa.commands import own_load, wrk
from borsa.commands.load import NOT_THERE, Load, Measured

LoadName = Literal["own", "wrk"]

_LOADS: Mapping[str, Callable[[Load], Measured]] = {"own": own_load.place, "wrk": wrk.place}

USERS_MAX = 64
"""Users that are made for the connections; more connections share them."""


class Pressure(msgspec.Struct, frozen=True, kw_only=True):
    """How hard to press: for so many seconds, over so many connections, in batches of so many orders (0: one by one),
    with which load."""

    seconds: int
    connections: int
    batch: int = 0
    load: LoadName = "own"

    @property
    def users(self) -> int:
        """How many users to make: two at least, because nobody trades with themselves."""
        return min(max(self.connections, 2), USERS_MAX)

    def check(self) -> None:
        """Unusable when the load can't run here."""
        if self.load == "wrk":
            wrk.program()

    def apply(self, load: Load) -> Measured:
        """Place the orders."""
        return _LOADS[self.load](load)


class Figures(msgspec.Struct, frozen=True, kw_only=True):
    """The last line of a bench. `errors` are orders and requests that were not accepted."""

    seconds: float
    connections: int
    batch: int
    load: str
    orders: int
    orders_per_second: float
    p50_ms: float
    p99_ms: float
    errors: int
    python: str
    processor: str
    cores: int


def figures_of(pressure: Pressure, measured: Measured) -> Figures:
    """What was measured, on what machine."""
    return Figures(
        seconds=round(measured.seconds, 3),
        connections=pressure.connections,
        batch=pressure.batch,
        load=pressure.load,
        orders=measured.orders,
        orders_per_second=round(measured.orders / measured.seconds, 1),
        p50_ms=round(measured.p50_ms, 3),
        p99_ms=round(measured.p99_ms, 3),
        errors=measured.refused.total(),
        python=platform.python_version(),
        processor=_processor(),
        cores=os.cpu_count() or 1,
    )


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "unknown")


# for a person ------------------------------------------------------------------------------------------------------


def say(pressure: Pressure, orders: str, behind: str) -> None:
    """What will be done, on what machine; `orders` says which ones, `behind` what answers them."""
    each = f"batches of {pressure.batch} orders" if pressure.batch else "one order a request"
    load = "wrk" if pressure.load == "wrk" else "the load in Python"
    typer.echo(f"Workload     {pressure.connections} connections of {pressure.users} users, {each},")
    typer.echo(f"             {pressure.seconds} s by {load}; {orders}")
    machine = f"{_processor()}, {os.cpu_count()} cores, shared with the load"
    typer.echo(f"Machine      {machine}; Python {platform.python_version()}; {behind}")


def tell(figures: Figures) -> None:
    """How many, and how soon."""
    typer.echo(f"Orders       {figures.orders} in {figures.seconds} s: {figures.orders_per_second:.0f} a second")
    typer.echo(f"Latency      p50 {figures.p50_ms} ms, p99 {figures.p99_ms} ms a request")


def tell_errors(measured: Measured) -> None:
    """What was not accepted."""
    counts = sorted(measured.refused.items())
    texts = [f"{n} sent and not there" if status == NOT_THERE else f"{n} of status {status}" for status, n in counts]
    typer.echo(f"Errors       {', '.join(texts) or 'none'}")
