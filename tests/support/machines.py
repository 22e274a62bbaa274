"""Machines in networks of their own, as far as a process can tell: namespaces of the kernel, linked by bridges. A link
can be cut, and then what is sent over it is lost, and nobody is told so.

It takes root, or what root may do with networks; where that is not so, the test is skipped.
"""

import contextlib
import itertools
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple, Self

import pytest

from tests.support.cluster import Cluster, Served
from tests.support.kept import Kept
from tests.support.nats import Nats
from tests.support.postgres import Postgres

NETWORKS = ("data", "bus", "routes", "front")
"""What leads to PostgreSQL, what to the brokers, what is between them, and what leads from clients to gateways."""

_KEEPER = """
import subprocess, sys
def ip(*words):
    return subprocess.run(["ip", *words], capture_output=True, text=True)
# the first bridge, which nobody else can make then, claims the number
for number in range(60):
    made = ip("link", "add", f"borsa{number}-0", "type", "bridge")
    if not made.returncode:
        break
else:
    sys.exit(made.stderr)
print(number, flush=True)
sys.stdin.read()
own = f"borsa{number}-"
for line in ip("netns", "list").stdout.splitlines():
    if line.startswith(own):
        name = line.split()[0]
        for process in ip("netns", "pids", name).stdout.split():
            subprocess.run(["kill", "-9", process], capture_output=True)
        ip("netns", "delete", name)
for line in ip("-oneline", "link", "show").stdout.splitlines():
    name = line.split(": ")[1].split("@")[0]
    if name.startswith(own):
        ip("link", "delete", name)
"""
"""Claims a number of its own. When its own standard input ends, as it does however the tests end, it removes what has
that number in its name, and ends who is in there."""


def _ip(*words: str, given: str = "") -> None:
    done = subprocess.run(["ip", *words], input=given, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"ip {' '.join(words)}: {given} {done.stderr}"


class Machine:
    """One of them; `under` is the command that runs another one on it."""

    def __init__(self, number: int, at: int, networks: Sequence[str]) -> None:
        self._namespace = f"borsa{number}-{at}"
        self._number = number
        self._at = at
        self.under = ("ip", "netns", "exec", self._namespace)
        _ip("netns", "add", self._namespace)
        known = [NETWORKS.index(name) for name in networks]
        outside = [
            f"link add {self._link(each)} type veth peer name {NETWORKS[each]} netns {self._namespace}\n"
            f"link set {self._link(each)} master borsa{number}-{each} up\n"
            for each in known
        ]
        _ip("-batch", "-", given="".join(outside))
        inside = [
            f"addr add {_address(number, each, at)}/24 dev {NETWORKS[each]}\nlink set {NETWORKS[each]} up\n"
            for each in known
        ]
        _ip("-n", self._namespace, "-batch", "-", given="link set lo up\n" + "".join(inside))

    def _link(self, network: int) -> str:
        return f"borsa{self._number}-{network}-{self._at}"

    def address(self, network: str) -> str:
        """Where it is found in a network."""
        return _address(self._number, NETWORKS.index(network), self._at)

    @contextlib.contextmanager
    def cut_from(self, *networks: str) -> Iterator[None]:
        """Nothing gets from it into these networks, nor from there to it."""
        try:
            self._set(networks, "down")
            yield
        finally:
            self._set(networks, "up")

    def _set(self, networks: Sequence[str], state: str) -> None:
        for each in networks:
            _ip("link", "set", self._link(NETWORKS.index(each)), state)

    @contextlib.contextmanager
    def unanswered_by(self, other: "Machine", network: str) -> Iterator[None]:
        """What it sends arrives there, and nothing comes back from there."""
        lost = ("blackhole", f"{self.address(network)}/32")
        try:
            other._route("add", *lost)
            yield
        finally:
            other._route("delete", *lost)

    def _route(self, *words: str) -> None:
        _ip("-n", self._namespace, "route", *words)


def _address(number: int, network: int, at: int) -> str:
    # 198.18.0.0/15 is for tests of networks (RFC 2544)
    return f"198.18.{number * len(NETWORKS) + network}.{at}"


class Machines(Kept):
    """The bridges of NETWORKS, which this process has a link to, too. Begins on entry and ends on exit, with all
    machines."""

    def __enter__(self) -> Self:
        if not shutil.which("ip"):
            pytest.skip("needs ip: on Debian, sudo apt-get install iproute2")
        self._keeper = subprocess.Popen(
            [sys.executable, "-c", _KEEPER],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            # ctrl-C is for the tests, which end it then
            start_new_session=True,
        )
        assert self._keeper.stdout is not None
        claimed = self._keeper.stdout.readline()
        if not claimed:
            why = self._keeper.communicate()[1]
            pytest.skip(f"needs namespaces of the network, which only root may make: {why.strip()}")
        self._number = int(claimed)
        self._at = itertools.count(2)
        try:
            self._bridge()
        except BaseException:
            self.__exit__(None, None, None)
            raise
        return self

    def _bridge(self) -> None:
        for each in range(len(NETWORKS)):
            name = f"borsa{self._number}-{each}"
            if each > 0:
                _ip("link", "add", name, "type", "bridge")
            # else it takes that of one of its links, another one whenever a machine comes or goes
            _ip("link", "set", name, "address", f"02:00:00:00:{self._number:02x}:{each:02x}")
            _ip("addr", "add", f"{_address(self._number, each, 1)}/24", "dev", name)
            _ip("link", "set", name, "up")

    def machine(self, *networks: str) -> Machine:
        """One more, which is in these."""
        return Machine(self._number, next(self._at), networks)


class Spread(Cluster):
    """Each of its processes is on a machine of its own. The services in `apart`, and the second gateway, know the last
    of the brokers, everybody else the others."""

    def __init__(
        self, machines: Machines, folder: Path, database: str, brokers: Sequence[str], apart: Sequence[str], **more: str
    ) -> None:
        super().__init__(folder, database, brokers[:-1], gateways=2, **more)
        self._machines = machines
        self._machine_of: dict[Sequence[str], Machine] = {}
        self._last_broker = brokers[-1]
        self._apart = set(apart)

    def begin(self, name: str, markets: str = "", under: Sequence[str] = (), **options: str) -> Served:
        networks = ("front", "data", "bus") if name == "gateway" else ("data", "bus")
        machine = self._machines.machine(*networks)
        self._machine_of[machine.under] = machine
        if name in self._apart:
            options["nats_url"] = self._last_broker
        if name == "gateway":
            # the next one is the second
            self._apart.add(name)
        return super().begin(name, markets, machine.under, host=machine.address(networks[0]), **options)

    def machine_of(self, served: Served) -> Machine:
        """Where it runs."""
        return self._machine_of[served.under]


class Site(NamedTuple):
    """A cluster, and what is under it, each on a machine of its own."""

    machines: Machines
    cluster: Spread
    postgres: Postgres
    postgres_machine: Machine
    broker_machines: Sequence[Machine]


@contextlib.contextmanager
def site(folder: Path, apart: Sequence[str] = (), **options: str) -> Iterator[Site]:
    """PostgreSQL, three brokers, the services, and two gateways."""
    with contextlib.ExitStack() as stack:
        machines = stack.enter_context(Machines())
        postgres_machine = machines.machine("data")
        postgres = stack.enter_context(Postgres(postgres_machine.address("data"), postgres_machine.under))
        broker_machines = [machines.machine("bus", "routes") for _ in range(3)]
        routes = [f"{each.address('routes')}:6222" for each in broker_machines]
        brokers = [
            stack.enter_context(Nats(4222, route, routes, each.address("bus"), each.under)).url
            for each, route in zip(broker_machines, routes, strict=True)
        ]
        database = stack.enter_context(postgres.database())
        cluster = Spread(machines, folder, database, brokers, apart, **options)
        yield Site(machines, stack.enter_context(cluster), postgres, postgres_machine, broker_machines)
