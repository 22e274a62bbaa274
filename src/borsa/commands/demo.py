"""borsa demo: simulated participants at a running exchange; and those that `borsa up` brings along."""

import contextlib
import os
import subprocess
import sys
import traceback
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from urllib.parse import urlsplit

import typer

from borsa.commands.child import child
from borsa.commands.progress import Progress
from borsa.demo import history, live
from borsa.demo.accounts import Unwelcome
from borsa.errors import CantStart
from borsa.settings import Settings

HOURS = 24


def run(settings: Settings, url: str, parent: int) -> int:
    """Trade at an address until told to stop, or until the parent ends (0: whoever it is); returns the exit status."""
    try:
        live.run(settings, _address(url or settings.address), live.until_parent_ends(parent))
    except Unwelcome as error:
        typer.echo(f"borsa: no simulated participants: {error}", err=True)
        return 1
    except KeyboardInterrupt:
        pass
    return 0


def _address(url: str) -> str:
    with contextlib.suppress(ValueError):
        parts = urlsplit(url)
        # a port that is none is a ValueError
        if parts.scheme in ("http", "https") and parts.hostname and parts.port != 0:
            return url
    raise Unwelcome(f"{url} is no address like http://127.0.0.1:8000")


# with `borsa up` ---------------------------------------------------------------------------------------------------


def is_on(settings: Settings) -> bool:
    """Play money is what they trade with."""
    return settings.demo and settings.sandbox


def prepare(settings: Settings, say: Callable[[str, str], None]) -> None:
    """Where nothing ever happened: a day of trading, made by a process of its own, of which nothing stays behind."""
    with contextlib.suppress(CantStart):  # the start that follows says so
        if not is_on(settings) or not history.wanted(settings):
            return
        process_id = os.fork()
        if process_id == 0:
            _make(settings, say)
        os.waitpid(process_id, 0)


def _make(settings: Settings, say: Callable[[str, str], None]) -> None:
    status = os.EX_SOFTWARE
    try:
        with Progress(HOURS, "hours of a simulated day") as progress:
            history.make(settings, say, progress.tell)
        status = os.EX_OK
    except CantStart:
        # why, the start that follows says
        if history.is_unfinished(settings):
            typer.echo(f"borsa: nobody but simulated participants ever used {settings.folder}", err=True)
    except Unwelcome as error:
        typer.echo(f"borsa: no simulated day: {error}", err=True)
    except OSError as error:
        # where the folder can't be used at all, the start that follows says so, too
        typer.echo(f"borsa: no simulated day: {error.filename or settings.folder}: {error.strerror}", err=True)
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stderr.flush()
        os._exit(status)


@contextmanager
def invited(settings: Settings) -> Iterator[Callable[[int], None]]:
    """Gives what to call with the port where the exchange listens; whoever came then goes at the end."""
    with ExitStack() as guests:

        def invite(port: int) -> None:
            if is_on(settings):
                url = f"http://{_reachable(settings.host)}:{port}"
                command = [sys.executable, "-m", "borsa.cli", "demo", "--url", url, "--parent", str(os.getpid())]
                guests.enter_context(child(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL))
                typer.echo("Simulated participants trade here with play money; `borsa up --no-demo` goes without them")
                sys.stdout.flush()

        yield invite


def _reachable(host: str) -> str:
    """Of the address that is listened on: one that leads there."""
    # where everybody may reach it, this machine does, too
    found = {"0.0.0.0": "127.0.0.1", "::": "::1", "": "127.0.0.1"}.get(host, host)  # noqa: S104  # nosec B104
    return f"[{found}]" if ":" in found else found
