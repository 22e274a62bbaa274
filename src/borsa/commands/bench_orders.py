"""borsa bench orders: orders a second over real HTTP onto a real disk, and how long until everything is settled."""

import msgspec
import typer

from borsa.commands import verify
from borsa.commands.bench import Figures, Pressure, figures_of, say, tell, tell_errors
from borsa.commands.client import Client, Participant, Unusable
from borsa.commands.load import checked, load_of
from borsa.commands.own_server import own_folder, own_server
from borsa.commands.recording import market_named
from borsa.markets import ASSET_SCALE, Market
from borsa.settings import Settings

FUNDS_ALL = 60_000_000
FUNDS_EACH_MAX = 1_000_000
"""Units of the quote asset (buyers) or the base asset (sellers) that all users, and one user, get at most."""


class Outcome(Figures, frozen=True, kw_only=True):
    """The last line. `traded_share` is the part of all orders that were filled at least in part; `lag_seconds` the time
    from the end of the load until no service had anything left to do; `verified` whether the books are right (null: not
    looked at)."""

    trades: int
    traded_share: float
    lag_seconds: float
    verified: bool | None = None
    kernel: str


DURABILITY = {
    "sqlite": "SQLite WAL, synchronous=FULL, one fsync a group commit",
    "postgresql": "PostgreSQL, synchronous_commit=on, one round trip and one flush a group commit",
}


def run(settings: Settings, pressure: Pressure, url: str) -> int:
    """Measure; returns the exit status: 0 when every order was accepted and the books are right."""
    try:
        pressure.check()
        outcome = _foreign(settings, pressure, url) if url else _own(pressure)
    except (Unusable, ConnectionError) as error:
        typer.echo(f"borsa: {error}", err=True)
        return 2
    typer.echo(msgspec.json.encode(outcome).decode())
    return 0 if outcome.errors == 0 and outcome.verified is not False else 1


def _foreign(settings: Settings, pressure: Pressure, url: str) -> Outcome:
    with Client(settings, url) as client:
        return _measure(client, pressure, tidy=True)


def _own(pressure: Pressure) -> Outcome:
    with own_folder() as folder:
        with own_server(folder) as settings, Client(settings) as client:
            outcome = _measure(client, pressure)
        return msgspec.structs.replace(outcome, verified=_verified(settings))


def _verified(settings: Settings) -> bool:
    return verify.run(settings) == verify.RIGHT


def _measure(client: Client, pressure: Pressure, *, tidy: bool = False) -> Outcome:
    """Measure; `tidy` leaves no order open behind."""
    client.sign_in_admin()
    market = client.open_market(market_named("BENCH", "USD", "0.01", "0.000001"))
    keys = [player.key for player in players(client, market, pressure.users)]
    facts = client.facts()
    kernel = facts.get("kernel", "unknown")
    say(pressure, f"{market.symbol}, limit orders around a middle price, about 70 % of them trade", f"{kernel} kernel")
    typer.echo(f"Durability   answered once on disk: {DURABILITY[facts.get('store', 'sqlite')]}")
    load = load_of(client.host_and_port, market, keys, pressure.connections, pressure.seconds, pressure.batch)
    measured = pressure.apply(load)
    lag = client.wait_until_settled()
    placed = sum(1 for _ in client.orders(market.symbol))
    trades, traded = _traded(client, market)
    measured = checked(measured, placed)
    for key in keys if tidy else ():
        client.told("DELETE", "/api/orders", key)
    outcome = Outcome(
        **msgspec.structs.asdict(figures_of(pressure, measured)),
        trades=trades,
        traded_share=round(traded / placed, 3) if placed else 0.0,
        lag_seconds=round(lag, 3),
        kernel=kernel,
    )
    tell(outcome)
    typer.echo(f"Traded       {outcome.traded_share:.1%} of the orders, in {outcome.trades} trades")
    tell_errors(measured)
    typer.echo(f"Settled      {outcome.lag_seconds} s after the load ended: wallets, portfolios, notifications, all")
    return outcome


def players(client: Client, market: Market, count: int) -> list[Participant]:
    """Users with funds: one buys, the next one sells."""
    units = min(FUNDS_EACH_MAX, FUNDS_ALL // count) * 10**ASSET_SCALE
    players = [client.make_participant() for _ in range(count)]
    for number, player in enumerate(players):
        client.fund(player, market.base if number % 2 else market.quote, units)
    client.wait_until_settled()
    return players


def _traded(client: Client, market: Market) -> tuple[int, int]:
    """(trades, orders that are part of one) of a market."""
    trades, traded = 0, set()
    for trade in client.trades(market.symbol):
        trades += 1
        traded |= {trade["buyOrderId"], trade["sellOrderId"]}
    return trades, len(traded)
