"""borsa up: the whole exchange, in one process or a few."""

import contextlib
import gc
import os
import signal
import sys
import traceback
from collections.abc import Callable

import msgspec
import structlog
import typer
import uvloop

from borsa import app, divided
from borsa.commands import demo
from borsa.errors import CantStart
from borsa.matching import NoSuchKernel, kernel_name
from borsa.runtime.observability import telemetry
from borsa.settings import Settings

_log = structlog.get_logger("borsa")

FAILED = 70
"""Exit status after a fault inside (EX_SOFTWARE of sysexits.h)."""


def run(settings: Settings) -> int:
    """Serve until SIGTERM or SIGINT; returns the exit status."""
    begin(settings)
    try:
        kernel_name(settings.kernel)  # before anything is opened
        demo.prepare(settings, say)
        tune()
        exchange = _exchange(settings)
    except (CantStart, NoSuchKernel) as error:
        typer.echo(f"borsa: {error}", err=True)
        return 1
    except OSError as error:
        typer.echo(f"borsa: can't use the data folder {settings.folder}: {error.strerror}", err=True)
        return 1
    try:
        with demo.invited(settings) as invite:
            uvloop.run(app.serve(exchange, lambda port: _say(exchange, port, invite)))
    except CantStart as error:
        typer.echo(f"borsa: {error}", err=True)
        return 1
    except OSError as error:
        typer.echo(f"borsa: can't listen on {settings.host}:{settings.port}: {error.strerror}", err=True)
        return 1
    return 0


def begin(settings: Settings) -> None:
    """What whoever serves does first."""
    for number in (signal.SIGTERM, signal.SIGINT):
        # until it serves: nothing was answered yet, so there is nothing to finish
        signal.signal(number, lambda *_: os._exit(0))
    telemetry.start_logging(settings.log_level)
    os.umask(0o077)  # balances and keys are nobody else's business


def _exchange(settings: Settings) -> app.Exchange | divided.DividedExchange:
    """In as many processes as were asked for."""
    if settings.trades_shards:
        raise CantStart("borsa up has all books in one place: with BORSA_TRADES_SHARDS, run the parts with borsa serve")
    processes = settings.processes or (3 if (os.cpu_count() or 1) > 1 else 1)
    # the broker is for those of `borsa serve`
    settings = msgspec.structs.replace(settings, processes=processes, nats_url="")
    return app.Exchange(settings, die) if processes == 1 else divided.DividedExchange(settings, die)


SWITCH_SECONDS = 0.001
"""How long a thread that wants the interpreter lets another one keep it. Python's 5 ms let HTTP wait for whole batches
of the writers; measured, 1 ms gave a tenth more orders a second, and 0.2 ms a tenth less."""


def tune() -> None:
    """Set the interpreter up for serving, once everything that stays is there."""
    sys.setswitchinterval(SWITCH_SECONDS)
    # what is here now stays for good: the collector need not look at it again
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 50)


def _say(exchange: app.Exchange | divided.DividedExchange, port: int, invite: Callable[[int], None]) -> None:
    say(f"Borsa is ready at http://{exchange.settings.host}:{port}", exchange.first_password)
    invite(port)


def say(text: str, password: str = "") -> None:
    """Tell the operator, at once; before it, the password that a first start made up."""
    if password:
        typer.echo(f"Made the user admin with the password {password} (it is not shown again)")
    typer.echo(text)
    sys.stdout.flush()


def die(error: BaseException) -> None:
    """A commit failed: memory may be ahead of the disk, so nothing more may be said. The next start recovers."""
    with contextlib.suppress(Exception):
        _log.critical("stopped", reason=repr(error))
        traceback.print_exception(error)
        sys.stderr.flush()
    os._exit(FAILED)
