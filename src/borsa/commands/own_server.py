"""An exchange of a command's own: a process on a free port, with its data in a folder that is gone afterwards; and
other servers that are started and stopped in the same way."""

import contextlib
import os
import re
import secrets
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import msgspec

from borsa.commands.child import child, stopping_tidily
from borsa.commands.client import Unusable
from borsa.settings import Settings, variable_of

_READY = re.compile(r"Borsa is ready at http://(.+):(\d+)")


@contextmanager
def own_folder() -> Iterator[Path]:
    """A folder below the current one, so on its disk, removed afterwards; also when the process is told to stop."""
    with stopping_tidily(), tempfile.TemporaryDirectory(prefix="borsa-data-bench-", dir=".") as folder:
        yield Path(folder).absolute()


@contextmanager
def own_server(folder: Path) -> Iterator[Settings]:
    """A running exchange, and the settings that lead to it; stopped afterwards, after what it accepted is done."""
    settings = msgspec.structs.replace(
        Settings(), data=str(folder), host="127.0.0.1", port=0, admin_password=secrets.token_urlsafe(24), demo=False
    )
    with server_process(["borsa.cli", "up"], settings, ("data", "host", "port", "admin_password", "demo")) as served:
        yield msgspec.structs.replace(settings, port=served.port)


class ServerProcess(msgspec.Struct, frozen=True):
    """A server that runs: where it listens, and its process id."""

    port: int
    process_id: int


@contextmanager
def server_process(
    module: Sequence[str], settings: Settings, given: Sequence[str], told: str = ""
) -> Iterator[ServerProcess]:
    """A Python module that runs as a server, with the named settings and the defaults of all others, and is `told`
    something on standard input; stopped afterwards."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("BORSA_")}
    environment |= {variable_of(name): str(getattr(settings, name)) for name in given}
    pipe = subprocess.PIPE
    with child([sys.executable, "-m", *module], env=environment, stdin=pipe, stdout=pipe) as server:
        _tell(server, told)
        yield ServerProcess(_port(server), server.pid)


def _tell(server: "subprocess.Popen[str]", text: str) -> None:
    with contextlib.suppress(BrokenPipeError):  # it ended: its exit status says more
        if server.stdin is not None:
            server.stdin.write(text)
            server.stdin.close()


def _port(server: "subprocess.Popen[str]") -> int:
    for line in server.stdout or ():
        found = _READY.search(line)
        if found:
            return int(found[2])
    raise Unusable(f"The server did not start: exit status {server.wait()}")
