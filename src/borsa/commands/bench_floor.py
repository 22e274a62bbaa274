"""borsa bench floor: what the HTTP server allows by itself, to read the figures of `borsa bench orders` against."""

import re
import secrets
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import msgspec
import typer

from borsa.commands.bench import Figures, Pressure, figures_of, say, tell, tell_errors
from borsa.commands.child import stopping_tidily
from borsa.commands.client import Client, Unusable
from borsa.commands.floor import MARKET
from borsa.commands.load import checked, load_of
from borsa.commands.own_server import server_process
from borsa.runtime.access.keys import KEY_PREFIX
from borsa.runtime.clock import SystemClock
from borsa.settings import Settings

ORDERS_PER_SECOND_MAX = 2**31
"""The limit on a user's orders is checked, and never reached: with nothing behind, the floor is above its default."""

_ORDERS = re.compile(r'^borsa_log_sequence\{service="orders"\} (\S+)$', re.MULTILINE)


class Outcome(Figures, frozen=True, kw_only=True):
    """The last line."""

    floor: bool = True


def run(pressure: Pressure) -> int:
    """Measure; returns the exit status: 0 when every order was accepted."""
    try:
        pressure.check()
        outcome = _measure(pressure)
    except (Unusable, ConnectionError) as error:
        typer.echo(f"borsa: {error}", err=True)
        return 2
    typer.echo(msgspec.json.encode(outcome).decode())
    return 0 if outcome.errors == 0 else 1


def _measure(pressure: Pressure) -> Outcome:
    keys = [f"{KEY_PREFIX}{SystemClock().new_id()}_{secrets.token_urlsafe(32)}" for _ in range(pressure.users)]
    with stopping_tidily(), floor_server(keys) as settings, Client(settings) as client:
        say(pressure, f"the orders of `bench orders` in {MARKET.symbol}", "no kernel")
        typer.echo("Durability   none: the exchange's HTTP server alone, every order is answered at once as pending")
        load = load_of(client.host_and_port, MARKET, keys, pressure.connections, pressure.seconds, pressure.batch)
        measured = pressure.apply(load)
        measured = checked(measured, _answered(client))
    outcome = Outcome(**msgspec.structs.asdict(figures_of(pressure, measured)))
    tell(outcome)
    tell_errors(measured)
    return outcome


@contextmanager
def floor_server(keys: Sequence[str]) -> Iterator[Settings]:
    """A running server with nothing behind it, and the settings that lead to it; stopped afterwards."""
    settings = msgspec.structs.replace(Settings(), port=0, orders_per_second=ORDERS_PER_SECOND_MAX)
    told = msgspec.json.encode(keys).decode()
    with server_process(["borsa.commands.floor"], settings, ("host", "port", "orders_per_second"), told) as served:
        yield msgspec.structs.replace(settings, port=served.port)


def _answered(client: Client) -> int:
    """How many orders were answered, with those whose answers nobody waited for."""
    client.wait_until_settled()
    found = _ORDERS.search(client.ask("GET", "/metrics").text)
    return int(float(found[1])) if found else 0
