"""Fixtures of the journeys."""

import pytest

from tests.journeys.floor import Floor
from tests.support.running import Running


@pytest.fixture
def floor(shared_exchange: Running) -> Floor:
    """A market of this test's own."""
    return Floor(shared_exchange)
