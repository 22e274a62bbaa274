"""Fixtures of the journeys."""

from collections.abc import Iterator

import pytest

from tests.journeys.floor import Floor
from tests.support.running import Running


@pytest.fixture(scope="session")
def shared_exchange(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """One exchange for all journeys; in the shipped markets they only rest far below the price."""
    with Running(tmp_path_factory.mktemp("journeys") / "data") as running:
        yield running


@pytest.fixture
def floor(shared_exchange: Running) -> Floor:
    """A market of this test's own."""
    return Floor(shared_exchange)
