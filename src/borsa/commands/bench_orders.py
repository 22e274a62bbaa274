"""borsa bench orders: orders a second over real HTTP onto a real disk, and how long until everything is settled."""

import os
import platform
from pathlib import Path

import msgspec
import typer
import uvloop

from borsa.commands import load, verify
from borsa.commands.client import Client, Participant, Unusable
from borsa.commands.load import Measured
from borsa.commands.own_server import own_folder, own_server
from borsa.commands.recording import market_named
from borsa.markets import ASSET_SCALE, Market
from borsa.settings import Settings

USERS_MAX = 64
"""Users that are made for the connections; more connections share them."""

FUNDS_ALL = 60_000_000
FUNDS_EACH_MAX = 1_000_000
"""Units of the quote asset (buyers) or the base asset (sellers) that all users, and one user, get at most."""


class Outcome(msgspec.Struct, frozen=True):
    """The last line. `traded_share` is the part of the accepted orders that were filled at least in part; `lag_seconds`
    the time from the last answer until no service had anything left to do; `verified` whether the books are right
    (null: not looked at)."""

    seconds: float
    connections: int
    batch: int
    orders: int
    orders_per_second: float
    p50_ms: float
    p99_ms: float
    errors: int
    trades: int
    traded_share: float
    lag_seconds: float
    verified: bool | None
    kernel: str
    python: str
    processor: str
    cores: int


def run(settings: Settings, seconds: float, connections: int, url: str, batch: int) -> int:
    """Measure; returns the exit status: 0 when every order was accepted and the books are right."""
    try:
        outcome = _foreign(settings, seconds, connections, url, batch) if url else _own(seconds, connections, batch)
    except (Unusable, ConnectionError) as error:
        typer.echo(f"borsa: {error}", err=True)
        return 2
    typer.echo(msgspec.json.encode(outcome).decode())
    return 0 if outcome.errors == 0 and outcome.verified is not False else 1


def _foreign(settings: Settings, seconds: float, connections: int, url: str, batch: int) -> Outcome:
    with Client(settings, url) as client:
        return _measure(client, seconds, connections, batch)


def _own(seconds: float, connections: int, batch: int) -> Outcome:
    with own_folder() as folder:
        with own_server(folder) as settings, Client(settings) as client:
            outcome = _measure(client, seconds, connections, batch)
        return msgspec.structs.replace(outcome, verified=_verified(settings))


def _verified(settings: Settings) -> bool:
    return verify.run(settings) == verify.RIGHT


def _measure(client: Client, seconds: float, connections: int, batch: int) -> Outcome:
    host, port = client.host_and_port
    client.sign_in_admin()
    market = client.open_market(market_named("BENCH", "USD", "0.01", "0.000001"))
    players = _players(client, market, connections)
    kernel = client.facts().get("kernel", "unknown")
    _say(market, players, seconds, connections, batch, kernel)
    measured = uvloop.run(load.place(host, port, market, players, connections, seconds, batch))
    lag = client.wait_until_settled()
    outcome = _outcome(client, market, measured, connections, batch, lag, kernel)
    _tell(outcome, measured)
    return outcome


def _players(client: Client, market: Market, connections: int) -> list[Participant]:
    count = min(connections, USERS_MAX)
    units = min(FUNDS_EACH_MAX, FUNDS_ALL // count) * 10**ASSET_SCALE
    players = [client.make_participant() for _ in range(count)]
    for number, player in enumerate(players):
        client.fund(player, market.base if number % 2 else market.quote, units)
    client.wait_until_settled()
    return players


def _outcome(
    client: Client, market: Market, measured: Measured, connections: int, batch: int, lag: float, kernel: str
) -> Outcome:
    trades, traded = 0, set()
    for trade in client.trades(market.symbol):
        trades += 1
        traded |= {trade["buyOrderId"], trade["sellOrderId"]}
    return Outcome(
        seconds=round(measured.seconds, 3),
        connections=connections,
        batch=batch,
        orders=measured.orders,
        orders_per_second=round(measured.orders / measured.seconds, 1),
        p50_ms=round(measured.latency_ms(0.5), 2),
        p99_ms=round(measured.latency_ms(0.99), 2),
        errors=measured.refused.total(),
        trades=trades,
        traded_share=round(len(traded) / measured.orders, 3) if measured.orders else 0.0,
        lag_seconds=round(lag, 3),
        verified=None,
        kernel=kernel,
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


def _say(market: Market, players: list[Participant], seconds: float, connections: int, batch: int, kernel: str) -> None:
    each = f"batches of {batch} orders" if batch else "one order a request"
    typer.echo(f"Workload     {connections} connections of {len(players)} users, {each}, {seconds:g} s;")
    typer.echo(f"             {market.symbol}, limit orders around a middle price, about 70 % of them trade")
    cores = f"{os.cpu_count()} cores, shared with the load generator"
    typer.echo(f"Machine      {_processor()}, {cores}; Python {platform.python_version()}; {kernel} kernel")
    typer.echo("Durability   answered once on disk: SQLite WAL, synchronous=FULL, one fsync a group commit")


def _tell(outcome: Outcome, measured: Measured) -> None:
    typer.echo(f"Orders       {outcome.orders} in {outcome.seconds} s: {outcome.orders_per_second:.0f} a second")
    typer.echo(f"Latency      p50 {outcome.p50_ms} ms, p99 {outcome.p99_ms} ms a request")
    typer.echo(f"Traded       {outcome.traded_share:.1%} of the orders, in {outcome.trades} trades")
    refused = ", ".join(f"{count} of status {status}" for status, count in sorted(measured.refused.items()))
    typer.echo(f"Errors       {refused or 'none'}")
    typer.echo(f"Settled      {outcome.lag_seconds} s after the last answer: wallets, portfolios, notifications, all")
