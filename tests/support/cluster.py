"""An exchange of processes apart, on this machine: a private PostgreSQL and NATS, a process for each service, and
gateways. The tests use it; `make cluster` runs it until ctrl-C."""

import argparse
import contextlib
import os
import re
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType, TracebackType
from typing import Self

import httpx

from tests.support.nats import Nats, free_ports
from tests.support.postgres import Postgres
from tests.support.running import ADMIN_PASSWORD, Reached, until

SERVICES = ("users", "orders", "trades", "wallets", "portfolios", "notifications")

_LISTENS = re.compile(r"listens at (http://\S+)")


class Served:
    """A process of `borsa serve`. `output` is what it says; `under` is a command that runs it and becomes it."""

    def __init__(self, name: str, environment: dict[str, str], markets: str = "", under: Sequence[str] = ()) -> None:
        self.name = name
        self.environment = environment
        self.markets = markets
        self.under = under
        self.output: list[str] = []
        self.url = ""
        self._ended = False
        self._listens, self._works = threading.Event(), threading.Event()
        self._process = subprocess.Popen(
            [*under, sys.executable, "-m", "borsa.cli", "serve", name, *(["--markets", markets] if markets else [])],
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            # ctrl-C is for who began it, and ends it then
            start_new_session=True,
        )
        self._listener = threading.Thread(target=self._listen, daemon=True)
        self._listener.start()

    def _listen(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            self.output.append(line)
            if found := _LISTENS.search(line):
                self.url = found[1]
                self._listens.set()
            if "is at work" in line:
                self._works.set()
        self._ended = True

    @property
    def kind(self) -> tuple[str, str]:
        """What it was begun as: the part, and the markets of a shard."""
        return self.name, self.markets

    @property
    def pid(self) -> int:
        """The process id."""
        return self._process.pid

    @property
    def resident_bytes(self) -> int:
        """How much memory it has."""
        return int(Path(f"/proc/{self.pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")

    @property
    def status(self) -> int | None:
        """With what it ended; None while it has not."""
        return self._process.poll()

    @property
    def is_at_work(self) -> bool:
        """Is it the one that works?"""
        return self._works.is_set() and self.status is None

    def listens(self, seconds: float = 60) -> Self:
        """Wait until it can be asked over HTTP."""
        return self._waited(self._listens, seconds)

    def works(self, seconds: float = 60) -> Self:
        """Wait until it is the one that works."""
        return self._waited(self._works, seconds)

    def _waited(self, happened: threading.Event, seconds: float) -> Self:
        end = time.monotonic() + seconds
        while not happened.wait(0.05):
            is_over = self._ended or time.monotonic() > end
            assert not is_over, f"{self.name}: {''.join(self.output)}"
        return self

    def ended(self, seconds: float = 60) -> int:
        """The exit status of one that is about to end by itself."""
        return self._process.wait(seconds)

    def kill(self) -> None:
        """End it at once, as a crash would."""
        self._process.kill()
        self._process.wait(30)

    def send(self, number: signal.Signals) -> None:
        """Send it a signal."""
        self._process.send_signal(number)

    def stop(self) -> int:
        """Ask it to end, and give its exit status."""
        if self._process.poll() is None:
            self._process.terminate()
        return self._process.wait(60)

    def close(self) -> None:
        """See to it that nothing is left of it."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.stop()
        self._process.kill()
        self._process.wait(30)
        self._listener.join(30)
        assert self._process.stdout is not None
        self._process.stdout.close()


class Cluster(Reached):
    """Begins on entry and ends on exit. `processes` are the services by their names, `gateways` the doors. `shards`
    are the markets of each shard of trades beside the first, by the name that it gets."""

    def __init__(
        self,
        folder: Path,
        database: str,
        brokers: Iterable[str],
        gateways: int = 1,
        shards: Mapping[str, str] = MappingProxyType({}),
        **options: str,
    ) -> None:
        given = {f"BORSA_{name.upper()}": value for name, value in options.items()}
        clean = {name: value for name, value in os.environ.items() if not name.startswith("BORSA_")}
        own = {
            "BORSA_DATA": str(folder),
            "BORSA_DATABASE_URL": database,
            "BORSA_NATS_URL": ",".join(brokers),
            "BORSA_PORT": "0",
            "BORSA_ADMIN_PASSWORD": ADMIN_PASSWORD,
            "BORSA_TRADES_SHARDS": str(len(shards)),
        }
        self.environment = clean | own | given
        self._gateways_wanted = gateways
        self._shards = shards
        self._all: list[Served] = []

    def __enter__(self) -> Self:
        try:
            self.processes = {name: self.begin(name) for name in SERVICES}
            self.gateways = [self.begin("gateway") for _ in range(self._gateways_wanted)]
            for each in self.processes.values():
                each.works()
            for each in self.gateways:
                each.listens()
            self.url = self.gateways[0].url
            self.http = httpx.Client(base_url=self.url, timeout=30)
            self._divide()
            if self.environment["BORSA_TRADES_SHARDS"] == str(len(self._shards)):
                # else it waits for shards that somebody is still to begin
                until(lambda: self.http.get("/readyz").status_code == 200, "the cluster", 60)
        except BaseException:
            self._end()
            raise
        return self

    def _divide(self) -> None:
        """Give each shard its markets: halted, and before anybody ordered."""
        for name, markets in self._shards.items():
            self.set_state(markets, "halted")
            self.processes[name] = self.begin("trades", markets).works()
            self.set_state(markets, "open")

    def set_state(self, markets: str, state: str) -> None:
        """Of all these markets."""
        admin = self.admin()
        for market in markets.split(","):
            assert admin.call("PUT", f"/api/markets/{market}", {"state": state}).status_code == 200

    @property
    def all(self) -> list[Served]:
        """Its processes, standbys aside."""
        return [*self.processes.values(), *self.gateways]

    @property
    def database(self) -> str:
        """The name of its database."""
        return self.environment["BORSA_DATABASE_URL"].rpartition("/")[2]

    def begin(self, name: str, markets: str = "", under: Sequence[str] = (), **options: str) -> Served:
        """One more process."""
        given = {f"BORSA_{option.upper()}": value for option, value in options.items()}
        return self._begun(Served(name, self.environment | given, markets, under))

    def _begun(self, served: Served) -> Served:
        self._all.append(served)
        return served

    def replace(self, served: Served) -> None:
        """From now on this is the one of its name, and nothing is left of the one before it."""
        name = next(name for name, each in self.processes.items() if each.kind == served.kind)
        former, self.processes[name] = self.processes[name], served
        self._all.remove(former)
        former.close()

    def again(self, served: Served) -> Served:
        """One that has ended, once more, in its place."""
        begun = self.revive(served)
        if served in self.gateways:
            self.gateways[self.gateways.index(served)] = begun
            self._all.remove(served)
            served.close()
        else:
            self.replace(begun)
        return begun

    def revive(self, served: Served) -> Served:
        """One that has ended, once more, beside who has its place."""
        return self._begun(Served(served.name, served.environment, served.markets, served.under))

    def said(self) -> str:
        """What all of them said."""
        return "".join(f"{each.name}: {line}" for each in self._all for line in each.output)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.http.close()
        self._end()

    def _end(self) -> None:
        for each in reversed(self._all):
            with contextlib.suppress(ProcessLookupError):
                each.send(signal.SIGCONT)
                each.send(signal.SIGTERM)
        for each in reversed(self._all):
            each.close()


class Manager:
    """Begins whatever of a cluster has ended once more, as a service manager does. `ended` has the name and the status
    of each."""

    def __init__(self, cluster: Cluster) -> None:
        self.ended: list[tuple[str, int]] = []
        self._cluster = cluster
        self._enough = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def _run(self) -> None:
        while not self._enough.wait(0.05):
            for each in self._cluster.all:
                if each.status is not None:
                    self.ended.append((each.name, each.status))
                    self._cluster.again(each)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._enough.set()
        self._thread.join(60)


@contextlib.contextmanager
def brokers(count: int) -> Iterator[list[Nats]]:
    """One NATS server, or several that are one cluster."""
    ports = free_ports(2 * count)
    routes = [f"127.0.0.1:{port}" for port in ports[count:]] if count > 1 else []
    with contextlib.ExitStack() as stack:
        yield [stack.enter_context(Nats(ports[at], routes[at] if routes else "", routes)) for at in range(count)]


def _end_once(number: int, _: object) -> None:
    # a second one must not leave processes behind
    for each in (signal.SIGINT, signal.SIGTERM):
        signal.signal(each, signal.SIG_IGN)
    raise KeyboardInterrupt(number)


def main() -> None:
    """Run a cluster until ctrl-C."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--brokers", type=int, choices=(1, 3), default=1)
    parser.add_argument("--gateways", type=int, default=2)
    given = parser.parse_args()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _end_once)
    with (
        contextlib.suppress(KeyboardInterrupt),
        tempfile.TemporaryDirectory(prefix="borsa-cluster-", dir=".") as folder,
        Postgres() as postgres,
        postgres.database() as database,
        brokers(given.brokers) as servers,
        Cluster(Path(folder).absolute(), database, [each.url for each in servers], given.gateways) as cluster,
    ):
        lines = [f"{each.name:14} {each.listens().url}  process {each.pid}" for each in cluster.all]
        lines += [f"{'PostgreSQL':14} {database}", *(f"{'NATS':14} {each.url}" for each in servers)]
        lines += [f"the user admin has the password {ADMIN_PASSWORD}; ctrl-C ends everything"]
        sys.stdout.write("\n".join(lines) + "\n")
        sys.stdout.flush()
        threading.Event().wait()


if __name__ == "__main__":
    main()
