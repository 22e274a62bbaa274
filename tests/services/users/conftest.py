"""Fixtures: the users service alone, and somebody new at the shared exchange."""

import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.services.users.bench import Bench
from tests.support.running import Person, Running


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    """The users service on a bench."""
    bench = Bench(tmp_path)
    yield bench
    bench.close()


@pytest.fixture
def person(shared_exchange: Running) -> Person:
    """Somebody new."""
    return shared_exchange.person(f"p-{uuid.uuid4().hex[:12]}")
