"""Fixtures: the users service alone."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.services.users.bench import Bench


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    """The users service on a bench."""
    bench = Bench(tmp_path)
    yield bench
    bench.close()
