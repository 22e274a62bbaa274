"""borsa bench streams: how soon those who follow a busy book hear of it, and what that costs the orders."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import msgspec
import typer

from borsa.commands.audience import Asked, Heard
from borsa.commands.bench import Pressure, say
from borsa.commands.bench_orders import players
from borsa.commands.child import child
from borsa.commands.client import Client, Unusable
from borsa.commands.load import load_of
from borsa.commands.own_server import own_folder, own_server
from borsa.commands.recording import market_named
from borsa.commands.sockets import allow_many_sockets


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """The last line. Latencies are from the time at which a trade's commit began to the socket of who follows."""

    readers: int
    lost: int
    orders_per_second_alone: float
    orders_per_second: float
    p50_ms: float
    p99_ms: float
    trades_looked_at: int
    messages: int
    megabytes: float
    errors: int


def run(pressure: Pressure, readers: int) -> int:
    """Measure; returns the exit status: 0 when nobody was lost and every order was accepted."""
    allow_many_sockets()
    try:
        pressure.check()
        with own_folder() as folder, own_server(folder) as settings, Client(settings) as client:
            outcome = _measure(client, pressure, readers)
    except (Unusable, ConnectionError) as error:
        typer.echo(f"borsa: {error}", err=True)
        return 2
    typer.echo(msgspec.json.encode(outcome).decode())
    return 1 if outcome.lost or outcome.errors else 0


def _measure(client: Client, pressure: Pressure, readers: int) -> Outcome:
    client.sign_in_admin()
    market = client.open_market(market_named("BENCH", "USD", "0.01", "0.000001"))
    keys = [player.key for player in players(client, market, pressure.users)]
    say(pressure, f"{market.symbol}, with nobody and then with {readers} who follow its book", "borsa up")
    host, port = client.host_and_port
    load = load_of((host, port), market, keys, pressure.connections, pressure.seconds, pressure.batch)
    alone = pressure.apply(load)
    client.wait_until_settled()
    with _audience(Asked(host, port, market.symbol, readers)) as audience:
        watched = pressure.apply(load)
        heard = _heard(audience)
    outcome = Outcome(
        readers=readers,
        lost=heard.lost,
        orders_per_second_alone=round(alone.orders / alone.seconds, 1),
        orders_per_second=round(watched.orders / watched.seconds, 1),
        p50_ms=heard.p50_ms,
        p99_ms=heard.p99_ms,
        trades_looked_at=heard.trades_looked_at,
        messages=heard.messages,
        megabytes=round(heard.bytes / 1e6, 1),
        errors=alone.refused.total() + watched.refused.total(),
    )
    typer.echo(f"Orders       {outcome.orders_per_second_alone} a second alone, {outcome.orders_per_second} watched")
    typer.echo(f"Told after   p50 {outcome.p50_ms} ms, p99 {outcome.p99_ms} ms from the beginning of the commit")
    typer.echo(
        f"Audience     {readers}, {outcome.lost} of them lost, {outcome.messages} messages, {outcome.megabytes} MB"
    )
    return outcome


@contextmanager
def _audience(asked: Asked) -> Iterator["subprocess.Popen[str]"]:
    pipe = subprocess.PIPE
    with child([sys.executable, "-m", "borsa.commands.audience"], stdin=pipe, stdout=pipe) as process:
        if process.stdin is None or process.stdout is None:
            raise Unusable("the audience has no pipes")
        process.stdin.write(msgspec.json.encode(asked).decode() + "\n")
        process.stdin.flush()
        if process.stdout.readline().strip() != "there":
            raise Unusable(f"the audience did not come: exit status {process.wait()}")
        yield process


def _heard(audience: "subprocess.Popen[str]") -> Heard:
    """What it heard, once it is told that this is the end."""
    said, _ = audience.communicate()
    return msgspec.json.decode(said, type=Heard)
