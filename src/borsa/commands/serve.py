"""borsa serve: one service, or one gateway, in a process of its own."""

import contextlib
import os
from collections.abc import Sequence

import typer
import uvloop

from borsa import app
from borsa.commands.up import begin, die, say, tune
from borsa.errors import CantStart
from borsa.matching import NoSuchKernel, kernel_name
from borsa.settings import Settings, variable_of


def run(settings: Settings, name: str, markets: Sequence[str] = ()) -> int:
    """Serve until SIGTERM or SIGINT; returns the exit status. `markets` are those of a shard of trades."""
    begin(settings)
    try:
        kernel_name(settings.kernel)
        name, served = _served(settings, name, markets)
        tune()
        uvloop.run(app.serve(served, lambda port: say(f"{name} listens at http://{settings.host}:{port}")))
    except (CantStart, NoSuchKernel) as error:
        typer.echo(f"borsa: {error}", err=True)
        return 1
    except OSError as error:
        typer.echo(f"borsa: can't listen on {settings.host}:{settings.port}: {error.strerror}", err=True)
        return 1
    return 0


def _served(settings: Settings, name: str, markets: Sequence[str] = ()) -> tuple[str, app.Served]:
    """What is served, and its name: of a shard its own."""
    for setting, what in (("database_url", "PostgreSQL"), ("nats_url", "NATS")):
        if not getattr(settings, setting):
            raise CantStart(f"borsa serve needs {what}: set {variable_of(setting)}")
    try:
        # only where it is used: it takes packages that a laptop need not have
        from borsa import served
    except ImportError as error:
        raise CantStart(f"borsa serve needs more packages ({error}): install borsa[cluster]") from error
    if name == "gateway":
        return name, served.Gateway(settings)
    if markets:
        name = served.shard_with(settings, markets)
    return name, served.Part(name, settings, _die, lambda password: say(f"{name} is at work", password))


def _die(error: BaseException) -> None:
    """What can't start says why; everything else is a fault."""
    if isinstance(error, CantStart | NoSuchKernel):
        with contextlib.suppress(Exception):
            typer.echo(f"borsa: {error}", err=True)
        os._exit(1)
    die(error)
