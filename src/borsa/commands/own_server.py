"""An exchange of a command's own: a process on a free port, with its data in a folder that is gone afterwards."""

import os
import re
import secrets
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

import msgspec

from borsa.commands.client import Unusable
from borsa.settings import Settings

STOP_SECONDS_MAX = 60
"""How long the exchange may take to finish what it accepted."""

_READY = re.compile(r"Borsa is ready at http://(.+):(\d+)")


@contextmanager
def own_folder() -> Iterator[Path]:
    """A folder below the current one, so on its disk, removed afterwards; also when the process is told to stop."""
    with _stopping_tidily(), tempfile.TemporaryDirectory(prefix="borsa-data-bench-", dir=".") as folder:
        yield Path(folder).absolute()


@contextmanager
def own_server(folder: Path) -> Iterator[Settings]:
    """A running exchange, and the settings that lead to it; stopped afterwards, after what it accepted is done."""
    settings = msgspec.structs.replace(
        Settings(), data=str(folder), host="127.0.0.1", port=0, admin_password=secrets.token_urlsafe(24)
    )
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("BORSA_")}
    given = {
        "BORSA_DATA": settings.data,
        "BORSA_HOST": settings.host,
        "BORSA_PORT": "0",
        "BORSA_ADMIN_PASSWORD": settings.admin_password,
    }
    command = [sys.executable, "-m", "borsa.cli", "up"]
    with subprocess.Popen(command, env=inherited | given, stdout=subprocess.PIPE, text=True) as server:  # noqa: S603
        try:
            yield msgspec.structs.replace(settings, port=_port(server))
        finally:
            _stop(server)


def _port(server: "subprocess.Popen[str]") -> int:
    for line in server.stdout or ():
        found = _READY.search(line)
        if found:
            return int(found[2])
    raise Unusable(f"The exchange did not start: exit status {server.wait()}")


def _stop(server: "subprocess.Popen[str]") -> None:
    if server.poll() is not None:
        return
    server.terminate()
    try:
        server.wait(STOP_SECONDS_MAX)
    except subprocess.TimeoutExpired:
        server.kill()


@contextmanager
def _stopping_tidily() -> Iterator[None]:
    """Let SIGTERM unwind as Ctrl-C does, so that neither a process nor a folder is left behind."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    told: list[int] = []

    def stop(number: int, _: FrameType | None) -> None:
        told.append(number)
        raise SystemExit(128 + number)

    before = signal.signal(signal.SIGTERM, stop)
    try:
        yield
    except BaseException:
        # raised inside a callback of the event loop it only breaks a connection, and something else comes out here
        if told:
            raise SystemExit(128 + told[0]) from None
        raise
    finally:
        signal.signal(signal.SIGTERM, before)
