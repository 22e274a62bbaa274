"""Fixtures: a whole exchange on a free loopback port, and people who use it."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.nats import Nats
from tests.support.postgres import Postgres
from tests.support.running import Running


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What takes longest begins first."""
    items.sort(key=lambda item: item.get_closest_marker("long") is None)


@pytest.fixture
def exchange(tmp_path: Path) -> Iterator[Running]:
    """An exchange of its own for this test."""
    with Running(tmp_path / "data") as running:
        yield running


@pytest.fixture(scope="session")
def shared_exchange(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """One exchange for all tests that leave each other alone."""
    with Running(tmp_path_factory.mktemp("shared") / "data") as running:
        yield running


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """A PostgreSQL server for all tests of this process."""
    with Postgres() as server:
        yield server


@pytest.fixture
def postgres_url(postgres: Postgres) -> Iterator[str]:
    """A new database of it."""
    with postgres.database() as url:
        yield url


@pytest.fixture(scope="session")
def shared_postgres_url(postgres: Postgres) -> Iterator[str]:
    """A database of it for all tests that leave each other alone."""
    with postgres.database() as url:
        yield url


@pytest.fixture(scope="session")
def nats() -> Iterator[Nats]:
    """A NATS server for all tests of this process."""
    with Nats() as server:
        yield server


@pytest.fixture
def nats_url(nats: Nats) -> str:
    """Where it is, with nothing in it."""
    nats.empty()
    return nats.url
