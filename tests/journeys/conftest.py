"""Fixtures of the journeys."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.journeys.floor import Floor
from tests.support.cluster import Cluster
from tests.support.nats import Nats
from tests.support.postgres import Postgres
from tests.support.running import Reached, Running

ON_BOTH = (
    *("test_user_registration_and_order_placement", "test_wallet_management", "test_portfolio_management"),
    *("test_order_types", "test_cancelling", "test_amending"),
)
"""Journeys that are made on PostgreSQL too, and those who share an exchange on a cluster. Who has an exchange of their
own has it on SQLite only, unless BORSA_TEST_LONG is set (`make crash`)."""


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Tests of some modules are run on an exchange of each kind."""
    if metafunc.module.__name__.rpartition(".")[2] in ON_BOTH:
        for name, scope in (("exchange", "function"), ("shared_exchange", "session")):
            if name in metafunc.fixturenames:
                # a database of its own for each test takes its time, too
                on_both = name == "shared_exchange" or os.environ.get("BORSA_TEST_LONG")
                kinds = ["sqlite", "postgresql"] if on_both else ["sqlite"]
                if name == "shared_exchange":
                    # one cluster for all of them: it takes its time to begin
                    kinds.append(pytest.param("cluster", marks=pytest.mark.xdist_group("cluster")))  # type: ignore[arg-type]
                metafunc.parametrize(name, kinds, indirect=True, scope=scope)


@pytest.fixture(scope="session")
def shared_exchange(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Reached]:
    """One exchange for all journeys; in the shipped markets they only rest far below the price."""
    kind = getattr(request, "param", "sqlite")
    if kind == "cluster":
        yield request.getfixturevalue("cluster")
        return
    url = request.getfixturevalue("shared_postgres_url") if kind == "postgresql" else ""
    with Running(tmp_path_factory.mktemp("journeys") / "data", database_url=url) as running:
        yield running


@pytest.fixture(scope="session")
def cluster(tmp_path_factory: pytest.TempPathFactory, postgres: Postgres) -> Iterator[Cluster]:
    """A cluster for all journeys."""
    folder = tmp_path_factory.mktemp("cluster") / "data"
    with Nats() as nats, postgres.database() as url, Cluster(folder, url, [nats.url]) as running:
        yield running


@pytest.fixture
def exchange(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Running]:
    """An exchange of its own for this test."""
    on_postgresql = getattr(request, "param", "sqlite") == "postgresql"
    url = request.getfixturevalue("postgres_url") if on_postgresql else ""
    with Running(tmp_path / "data", database_url=url) as running:
        yield running


@pytest.fixture
def floor(shared_exchange: Running) -> Floor:
    """A market of this test's own."""
    return Floor(shared_exchange)
