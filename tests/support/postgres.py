"""A private PostgreSQL server: on a free loopback port, in a temporary folder, gone with the process that began it."""

import os
import pwd
import select
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from itertools import count
from pathlib import Path
from typing import Any, LiteralString, Self

import psycopg
import pytest
from psycopg.sql import SQL, Identifier

from tests.support.kept import Kept

PASSWORD = "canary-of-the-database-51"
"""Stands in every URL, and may stand nowhere else. The server itself asks nobody for one."""

_KEEPER = """
import os, shutil, signal, subprocess, sys
folder, user, *command = sys.argv[1:]
as_user = {"user": user, "extra_groups": []} if user else {}
def begun():
    # what it says is not what this one says
    server = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=sys.stderr, **as_user)
    print(server.pid, flush=True)
    return server
server = begun()
for line in sys.stdin:
    server.wait()
    server = begun()
for number in (signal.SIGCONT, signal.SIGQUIT):
    server.send_signal(number)
server.wait()
shutil.rmtree(folder, ignore_errors=True)
"""
"""Runs the server until its own standard input ends, as it does however the tests end, and removes the folder. A line
tells it to begin again when the server has ended."""

_names = count(1)


def programs() -> Path:
    """Where initdb and postgres are (Debian keeps them out of PATH); where there are none, the test is skipped, and in
    CI it fails."""
    path = shutil.which("postgres")
    if path:
        return Path(path).parent
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/postgres"), key=lambda path: int(path.parts[-3]))
    if found:
        return found[-1].parent
    missing = "needs PostgreSQL: on Debian, sudo apt-get install postgresql"
    if os.environ.get("CI"):
        pytest.fail(missing)
    pytest.skip(missing)


def _nobody() -> str:
    """As whom it runs, when the tests run as root, which PostgreSQL refuses to be; empty for who runs the tests."""
    if os.geteuid() != 0:
        return ""
    known = {entry.pw_name for entry in pwd.getpwall()}
    return next(name for name in ("postgres", "nobody") if name in known)


def _free_port() -> int:
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        return int(listening.getsockname()[1])


class Postgres(Kept):
    """A server. Begins on entry and ends on exit; `settings` are lines of postgresql.conf. `under` is a command that
    runs it at another `host`."""

    def __init__(self, host: str = "127.0.0.1", under: Sequence[str] = (), **settings: str) -> None:
        self._host = host
        self._under = under
        self._settings = {
            "listen_addresses": host,
            "max_connections": "200",
            "shared_buffers": "32MB",
            # nothing of it is outside of its folder
            "shared_memory_type": "mmap",
            "dynamic_shared_memory_type": "mmap",
        } | settings

    def __enter__(self) -> Self:
        programs_folder = programs()
        self.folder = Path(tempfile.mkdtemp(prefix="borsa-postgres-"))
        user = _nobody()
        if user:
            shutil.chown(self.folder, user)
        data = self.folder / "data"
        as_user: Any = {"user": user, "extra_groups": []} if user else {}
        subprocess.run(
            [programs_folder / "initdb", "-D", data, "-U", "borsa", "-A", "trust", "-E", "UTF8", "--locale=C", "-N"],
            check=True,
            capture_output=True,
            cwd=self.folder,
            **as_user,
        )
        self.port = _free_port()
        own = {"port": str(self.port), "unix_socket_directories": str(self.folder)}
        lines = [f"{name} = '{value}'" for name, value in (self._settings | own).items()]
        (data / "postgresql.auto.conf").write_text("\n".join(lines) + "\n")
        with (data / "pg_hba.conf").open("a") as rules:
            rules.write(f"host all all {self._host}/16 trust\n")
        with (self.folder / "output").open("wb") as output:
            self._keeper = subprocess.Popen(
                [
                    *self._under,
                    sys.executable,
                    "-c",
                    _KEEPER,
                    self.folder,
                    user,
                    programs_folder / "postgres",
                    "-D",
                    data,
                ],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=output,
                text=True,
                cwd=self.folder,
                # ctrl-C is for the tests, which end it then
                start_new_session=True,
            )
        self._await()
        return self

    def _await(self) -> None:
        """Until it answers."""
        assert self._keeper.stdout is not None
        self.process_id = int(self._keeper.stdout.readline())
        while True:
            try:
                psycopg.connect(self.url("postgres"), connect_timeout=5).close()
                return
            except psycopg.OperationalError as error:
                if self._keeper.poll() is not None or not _is_coming(error):
                    raise AssertionError((self.folder / "output").read_text()) from error

    def restart(self, number: signal.Signals = signal.SIGQUIT) -> None:
        """End it with a signal (SIGQUIT is its immediate end, SIGINT a fast one, SIGKILL nobody's), and begin again."""
        self.end(number)
        self.begin_again()

    def end(self, number: signal.Signals = signal.SIGQUIT) -> None:
        """End it with a signal."""
        # after a SIGKILL they end by themselves, and until then they keep a new server out
        left = [os.pidfd_open(each) for each in self._backends()]
        os.kill(self.process_id, number)
        for each in left:
            select.select([each], [], [])
            os.close(each)

    def begin_again(self) -> None:
        """After `end`."""
        assert self._keeper.stdin is not None
        self._keeper.stdin.write("again\n")
        self._keeper.stdin.flush()
        self._await()

    @contextmanager
    def standing_still(self) -> Iterator[None]:
        """Every process of it is stopped: what is sent to it arrives, and nothing comes back."""
        stopped = [self.process_id, *(process_id for (process_id,) in self.run("SELECT pid FROM pg_stat_activity"))]
        try:
            for process_id in stopped:
                _send(process_id, signal.SIGSTOP)
            yield
        finally:
            for process_id in stopped:
                _send(process_id, signal.SIGCONT)

    def _backends(self) -> list[int]:
        """Its processes. They end as they like: those that have are left out."""
        children = Path(f"/proc/{self.process_id}/task/{self.process_id}/children").read_text().split()
        return [int(each) for each in children if Path(f"/proc/{each}").exists()]

    def url(self, database: str) -> str:
        """Where a database of it is."""
        return f"postgresql://borsa:{PASSWORD}@{self._host}:{self.port}/{database}"

    def run(self, text: str, *given: Any, database: str = "postgres") -> list[tuple[Any, ...]]:
        """The rows of a statement."""
        with psycopg.connect(self.url(database), autocommit=True) as connection:
            cursor = connection.execute(text.encode(), given)
            return cursor.fetchall() if cursor.description else []

    @contextmanager
    def database(self, options: LiteralString = "", template: str = "template0") -> Iterator[str]:
        """The URL of a new database, which is a copy of the template."""
        name = f"borsa_{next(_names)}"
        made = SQL("CREATE DATABASE {} TEMPLATE {} ").format(Identifier(name), Identifier(template)) + SQL(options)
        with psycopg.connect(self.url("postgres"), autocommit=True) as connection:
            connection.execute(made)
        yield self.url(name)
        with psycopg.connect(self.url("postgres"), autocommit=True) as connection:
            connection.execute(SQL("DROP DATABASE {} WITH (FORCE)").format(Identifier(name)))


def _send(process_id: int, number: signal.Signals) -> None:
    # one that has just asked for these ids has ended since
    with suppress(ProcessLookupError):
        os.kill(process_id, number)


def _is_coming(error: psycopg.OperationalError) -> bool:
    signs = ("refused", "closed the connection", "reset", "timeout", "starting up", "recovery", "shutting down")
    return any(sign in str(error) for sign in signs)
