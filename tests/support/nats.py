"""A private NATS server with JetStream: on a free loopback port, in a temporary folder, gone with the process that
began it."""

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Self

import nats as nats_py
import pytest
import uvloop

from tests.support.kept import Kept
from tests.support.running import PATIENCE_SECONDS

PASSWORD = "canary-of-the-broker-52"
"""Stands in every URL, and may stand nowhere else but in the server's own configuration."""

_KEEPER = """
import shutil, subprocess, sys
folder, *command = sys.argv[1:]
def begun():
    server = subprocess.Popen(command, stdin=subprocess.DEVNULL)
    print(server.pid, flush=True)
    return server
server = begun()
for line in sys.stdin:
    server.wait()
    if line == "emptied\\n":
        shutil.rmtree(folder + "/store", ignore_errors=True)
    server = begun()
server.kill()
server.wait()
shutil.rmtree(folder, ignore_errors=True)
"""
"""Runs the server until its own standard input ends, as it does however the tests end, and removes the folder. A line
tells it to begin again when the server has ended, with what it stored or `emptied`."""

_CONFIGURATION = """
listen: "{host}:{port}"
authorization {{ user: borsa, password: "{password}" }}
jetstream {{ store_dir: "{folder}/store", max_file_store: 4GB }}
server_name: {name}
{cluster}
"""


def program() -> str:
    """Where nats-server is; where there is none, the test is skipped, and in CI it fails."""
    path = shutil.which("nats-server")
    if path:
        return path
    missing = "needs NATS: on Debian, sudo apt-get install nats-server"
    if os.environ.get("CI"):
        pytest.fail(missing)
    pytest.skip(missing)


def free_ports(count: int) -> list[int]:
    """As many ports of the loopback as nobody listens on."""
    with contextlib.ExitStack() as listening:
        sockets = [listening.enter_context(socket.socket()) for _ in range(count)]
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [int(each.getsockname()[1]) for each in sockets]


class Nats(Kept):
    """A server. Begins on entry and ends on exit. `port`, and the addresses in `routes`, of which `route` is its own,
    make it one of several. `under` is a command that runs it at another `host`."""

    def __init__(
        self,
        port: int = 0,
        route: str = "",
        routes: Sequence[str] = (),
        host: str = "127.0.0.1",
        under: Sequence[str] = (),
    ) -> None:
        self.port = port
        self._route = route
        self._routes = routes
        self._host = host
        self._under = under

    def __enter__(self) -> Self:
        command = program()
        self.port = self.port or free_ports(1)[0]
        self.folder = Path(tempfile.mkdtemp(prefix="borsa-nats-"))
        configuration = self.folder / "configuration"
        configuration.write_text(self._configuration())
        with (self.folder / "output").open("wb") as output:
            self._keeper = subprocess.Popen(
                [*self._under, sys.executable, "-c", _KEEPER, self.folder, command, "-c", configuration],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=output,
                text=True,
                # ctrl-C is for the tests, which end it then
                start_new_session=True,
            )
        self._await()
        return self

    def _configuration(self) -> str:
        cluster = ""
        if self._routes:
            routes = ", ".join(f'"nats://{address}"' for address in self._routes)
            cluster = f'cluster {{ name: borsa, listen: "{self._route}", routes: [{routes}] }}'
        return _CONFIGURATION.format(
            host=self._host, port=self.port, password=PASSWORD, folder=self.folder, name=self.name, cluster=cluster
        )

    def _await(self) -> None:
        """Until it listens."""
        assert self._keeper.stdout is not None
        self.process_id = int(self._keeper.stdout.readline())
        end = time.monotonic() + PATIENCE_SECONDS
        while True:
            with contextlib.suppress(OSError), socket.create_connection((self._host, self.port), 1) as reached:
                # the first that it says
                if reached.recv(4) == b"INFO":
                    return
            assert time.monotonic() < end, (self.folder / "output").read_text()

    @property
    def url(self) -> str:
        """Where it is."""
        return f"nats://borsa:{PASSWORD}@{self._host}:{self.port}"

    @property
    def name(self) -> str:
        """What the others call it."""
        return f"borsa-{self._host}-{self.port}"

    def kill(self) -> None:
        """End it at once."""
        self.send(signal.SIGKILL)

    def send(self, number: signal.Signals) -> None:
        """Send it a signal."""
        os.kill(self.process_id, number)

    def begin_again(self, *, emptied: bool = False) -> None:
        """After `kill`: with what it had stored, or without."""
        assert self._keeper.stdin is not None
        self._keeper.stdin.write("emptied\n" if emptied else "again\n")
        self._keeper.stdin.flush()
        self._await()

    def empty(self) -> None:
        """Forget every stream."""
        uvloop.run(self._empty())

    async def _empty(self) -> None:
        async with await nats_py.connect(self.url) as client:
            stream = client.jetstream()
            for each in await stream.streams_info():
                await stream.delete_stream(each.config.name or "")

    def damage(self, stream: str) -> None:
        """After `kill`: turn a bit in the middle of all that it stored of a stream."""
        for block in self.folder.glob(f"store/jetstream/*/streams/{stream}/msgs/*.blk"):
            stored = bytearray(block.read_bytes())
            if stored:
                stored[len(stored) // 2] ^= 1
                block.write_bytes(stored)

    def leader(self, stream: str) -> str:
        """The name of the server that leads a stream; empty while there is none."""
        return uvloop.run(self._leader(stream))

    async def _leader(self, name: str) -> str:
        async with await nats_py.connect(self.url) as client:
            with contextlib.suppress(nats_py.errors.Error, TimeoutError):
                cluster = (await client.jetstream().stream_info(name)).cluster
                return cluster.leader or "" if cluster else ""
            return ""

    def replicas(self, stream: str) -> int:
        """On how many servers a stream is to be; 0 while that can't be had."""
        return uvloop.run(self._replicas(stream))

    async def _replicas(self, name: str) -> int:
        async with await nats_py.connect(self.url) as client:
            with contextlib.suppress(nats_py.errors.Error, TimeoutError):
                return (await client.jetstream().stream_info(name)).config.num_replicas or 1
            return 0

    def keep_on(self, stream: str, servers: int) -> None:
        """Have a stream on so many servers from now on."""
        uvloop.run(self._keep_on(stream, servers))

    async def _keep_on(self, name: str, servers: int) -> None:
        async with await nats_py.connect(self.url) as client:
            found = (await client.jetstream().stream_info(name)).config
            await client.jetstream().update_stream(found.evolve(num_replicas=servers))

    def delete(self, stream: str) -> bool:
        """Forget the message in the middle of a stream; False while there is none to forget."""
        return uvloop.run(self._delete(stream))

    async def _delete(self, name: str) -> bool:
        async with await nats_py.connect(self.url) as client:
            with contextlib.suppress(nats_py.errors.Error, TimeoutError):
                state = (await client.jetstream().stream_info(name)).state
                middle = (state.first_seq + state.last_seq) // 2
                return state.messages > 2 and await client.jetstream().delete_msg(name, middle)
            return False

    def last(self, stream: str, subject: str) -> bytes:
        """The last message of a stream on a subject; empty while it can't be had."""
        return uvloop.run(self._last(stream, subject))

    async def _last(self, name: str, subject: str) -> bytes:
        async with await nats_py.connect(self.url) as client:
            with contextlib.suppress(nats_py.errors.Error, TimeoutError):
                return (await client.jetstream().get_last_msg(name, subject)).data or b""
            return b""

    def stored(self, stream: str) -> list[Any]:
        """The messages of a stream."""
        return uvloop.run(self._stored(stream))

    async def _stored(self, name: str) -> list[Any]:
        async with await nats_py.connect(self.url) as client:
            stream = client.jetstream()
            state = (await stream.stream_info(name)).state
            return [await stream.get_msg(name, at) for at in range(max(state.first_seq, 1), state.last_seq + 1)]
