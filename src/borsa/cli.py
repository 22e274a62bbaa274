"""The command line: borsa up | serve | demo | verify | explain | doctor | migrate | migrate-data | backup | ..."""

import re
import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Literal

import msgspec
import typer

from borsa import __version__, settings

cli = typer.Typer(
    no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False, help="A self-hosted crypto exchange."
)
explain = typer.Typer(no_args_is_help=True, help="Say why something is as it is.")
bench = typer.Typer(no_args_is_help=True, help="Measure this machine.")
candles = typer.Typer(no_args_is_help=True, help="Look after the candles of the markets.")
cli.add_typer(explain, name="explain")
cli.add_typer(candles, name="candles")
cli.add_typer(bench, name="bench")


def main() -> None:
    """Run the command that was asked for; a setting that is wrong is named."""
    try:
        cli()
    except settings.BadSetting as error:
        typer.echo(f"borsa: {error}", err=True)
        sys.exit(2)


def _version(asked: bool) -> None:
    if asked:
        typer.echo(__version__)
        raise typer.Exit


@cli.callback()
def _options(
    version: Annotated[bool, typer.Option("--version", callback=_version, is_eager=True, help="Say which.")] = False,
) -> None:
    """A self-hosted crypto exchange."""


@cli.command()
def up(
    no_demo: Annotated[bool, typer.Option("--no-demo", help="No simulated participants, as BORSA_DEMO=0.")] = False,
) -> None:
    """Run the whole exchange, in one process or a few, until it is told to stop."""
    from borsa.commands.up import run

    found = settings.load()
    sys.exit(run(msgspec.structs.replace(found, demo=False) if no_demo else found))


@cli.command()
def demo(
    url: Annotated[
        str, typer.Option(help="A running exchange; without it the one that BORSA_HOST and _PORT name")
    ] = "",
    parent: Annotated[int, typer.Option(hidden=True, min=0)] = 0,
) -> None:
    """Let simulated participants trade at a running exchange, until told to stop; they need its sandbox."""
    from borsa.commands.demo import run

    sys.exit(run(settings.load(), url, parent))


class Part(StrEnum):
    """What may be served in a process of its own."""

    GATEWAY = "gateway"
    USERS = "users"
    ORDERS = "orders"
    TRADES = "trades"
    WALLETS = "wallets"
    PORTFOLIOS = "portfolios"
    NOTIFICATIONS = "notifications"


@cli.command()
def serve(
    part: Annotated[Part, typer.Argument(help="A service, or a gateway, of which there may be several")],
    markets: Annotated[
        str,
        typer.Option(help="Of trades: match these alone, as BTC-USD,ETH-USD; BORSA_TRADES_SHARDS says how many do so"),
    ] = "",
) -> None:
    """Run one part of an exchange over PostgreSQL and NATS; of a service, the second that is started stands by."""
    from borsa.commands.serve import run

    if markets and part != Part.TRADES:
        raise typer.BadParameter(f"{part.value} has no markets: only trades is divided by them", param_hint="--markets")
    sys.exit(run(settings.load(), part.value, [each.strip() for each in markets.split(",")] if markets else ()))


def _digest(text: str) -> str:
    """A SHA-256 digest, if any, in hexadecimal digits."""
    if text and not re.fullmatch("[0-9a-fA-F]{64}", text):
        raise typer.BadParameter("must be 64 hexadecimal digits")
    return text


@cli.command()
def verify(
    digest: Annotated[
        str, typer.Option(callback=_digest, help="One that verify printed earlier: is it still in the chain?")
    ] = "",
) -> None:
    """Audit the books, of a stopped or a running exchange; exit 1 when anything is wrong."""
    from borsa.commands.verify import run

    sys.exit(run(settings.load(), bytes.fromhex(digest) or None))


@explain.command()
def balance(
    user: Annotated[str, typer.Argument(help="The name or the id of a user")],
    asset: Annotated[str, typer.Argument(help="USD, BTC ...")],
    last: Annotated[int, typer.Option(help="Print so many postings only; 0 is all", min=0)] = 0,
    data: Annotated[str, typer.Option(help="The data folder, where it is not that of BORSA_DATA")] = "",
) -> None:
    """Every posting that a user's balance is the sum of, each with its cause; exit 1 when they don't come to it."""
    from borsa.commands.explain import run

    found = settings.load()
    sys.exit(run(msgspec.structs.replace(found, data=data, database_url="") if data else found, user, asset, last))


@cli.command()
def doctor() -> None:
    """Say what is installed, and whether an exchange could run here."""
    from borsa.commands.doctor import run

    sys.exit(run(settings.load()))


@cli.command()
def migrate() -> None:
    """Bring the databases' schemas to this version's."""
    from borsa.commands.migrate import run

    sys.exit(run(settings.load()))


@candles.command()
def rebuild() -> None:
    """Make all candles anew from the trades, while the exchange is stopped."""
    from borsa.commands.candles import run

    sys.exit(run(settings.load()))


@cli.command()
def migrate_data() -> None:
    """Move the data folder's databases into PostgreSQL (BORSA_DATABASE_URL); killed, it goes on when run again."""
    from borsa.commands.migrate_data import run

    sys.exit(run(settings.load()))


@cli.command()
def backup(folder: Annotated[Path, typer.Argument(help="A folder that is not there yet")]) -> None:
    """Copy the databases and keys of a running or stopped exchange, as of one moment."""
    from borsa.commands.backup import run

    sys.exit(run(settings.load(), folder))


@cli.command()
def openapi() -> None:
    """Print the API as OpenAPI 3.1."""
    from borsa.commands.documents import openapi_text

    typer.echo(openapi_text())


@cli.command()
def asyncapi() -> None:
    """Print every event as AsyncAPI 3.0."""
    from borsa.commands.documents import asyncapi_text

    typer.echo(asyncapi_text())


@cli.command()
def replay(
    file: Annotated[Path, typer.Argument(help="Recorded order flow, FILE.csv.gz with its FILE.json beside it")],
    limit: Annotated[int, typer.Option(help="Play so many rows only; 0 is all", min=0)] = 0,
    speed: Annotated[float, typer.Option(help="Times the recorded pace; 0 is as fast as it goes", min=0)] = 0,
    users: Annotated[int, typer.Option(help="How many users trade", min=2, max=64)] = 8,
) -> None:
    """Trade recorded order flow through the API of a running exchange, and compare the fills."""
    from borsa.commands.replay import run

    sys.exit(run(settings.load(), file, limit, speed, users))


Seconds = Annotated[int, typer.Option(help="How long to place orders", min=1)]
Connections = Annotated[int, typer.Option(help="HTTP connections, each with one request at a time", min=1)]
Batch = Annotated[int, typer.Option(help="Orders in one request; 0 is one by one", min=0, max=500)]
Load = Annotated[Literal["own", "wrk"], typer.Option(help="What places them: Borsa's own load, or wrk (a package)")]


@bench.command()
def orders(
    seconds: Seconds = 15,
    connections: Connections = 64,
    url: Annotated[str, typer.Option(help="A running exchange; without it one is started in a folder of its own")] = "",
    batch: Batch = 0,
    load: Load = "own",
) -> None:
    """Orders a second over real HTTP onto a real disk, and the lag until everything is settled."""
    from borsa.commands.bench import Pressure
    from borsa.commands.bench_orders import run

    pressure = Pressure(seconds=seconds, connections=connections, batch=batch, load=load)
    sys.exit(run(settings.load(), pressure, url))


@bench.command()
def floor(seconds: Seconds = 15, connections: Connections = 64, batch: Batch = 0, load: Load = "own") -> None:
    """Orders a second that the HTTP server answers with nothing behind it: what `orders` can't exceed here."""
    from borsa.commands.bench import Pressure
    from borsa.commands.bench_floor import run

    sys.exit(run(Pressure(seconds=seconds, connections=connections, batch=batch, load=load)))


@bench.command()
def streams(
    seconds: Seconds = 15,
    connections: Connections = 64,
    readers: Annotated[int, typer.Option(help="How many follow the book", min=1, max=50_000)] = 1_000,
    batch: Batch = 0,
    load: Load = "own",
) -> None:
    """How soon those who follow a busy book hear of it, and what that costs the orders."""
    from borsa.commands.bench import Pressure
    from borsa.commands.bench_streams import run

    sys.exit(run(Pressure(seconds=seconds, connections=connections, batch=batch, load=load), readers))


@bench.command()
def hostile(
    seconds: Annotated[int, typer.Option(help="How long the quiet day is, and each attack", min=1)] = 20,
    scale: Annotated[int, typer.Option(help="Attackers and their orders, in hundredths", min=1, max=100)] = 100,
    attack: Annotated[
        list[str], typer.Option(help="One of the attacks only, such as far-levels; may be repeated")
    ] = [],  # noqa: B006 - typer wants a list
) -> None:
    """What honest users feel while others attack, one attack after the other; exit 1 when anything breaks."""
    from borsa.commands.bench_hostile import run
    from borsa.commands.hostile.attacks import size_of

    sys.exit(run(size_of(seconds, scale), attack))


@bench.command()
def kernel(
    file: Annotated[Path, typer.Argument(help="A workload: FILE.bin of 32-byte records")],
    kernel: Annotated[str, typer.Option(help="naive or compiled; empty is what BORSA_KERNEL says")] = "",
    batch: Annotated[int, typer.Option(help="Commands of one call", min=1)] = 1000,
    lat: Annotated[
        bool, typer.Option("--lat", help="Also nanoseconds a command: a batch's time over its size")
    ] = False,
) -> None:
    """Commands a second of the matching kernel alone, as one JSON line."""
    from borsa.commands.bench_kernel import run

    sys.exit(run(file, kernel or settings.load().kernel, batch, lat))


if __name__ == "__main__":
    main()
