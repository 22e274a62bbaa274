"""Fixtures: notifications alone, with people to tell; and a place that takes webhooks."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from borsa.services.notifications import NOTIFICATIONS
from tests.services.notifications.facts import registered
from tests.services.notifications.receiving import Receiver
from tests.services.notifications.sending import Sending
from tests.support.alone import Alone


@pytest.fixture
def alone(tmp_path: Path) -> Iterator[Alone]:
    """The service without mail, knowing ada and bob."""
    service = Alone(NOTIFICATIONS, tmp_path / "data")
    service.users.update(("ada", "bob"))
    service.happen(registered("ada"), registered("bob"))
    yield service
    service.close()


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    """An HTTP server on a free loopback port."""
    with Receiver() as running:
        yield running


@pytest.fixture
def sending(tmp_path: Path) -> Iterator[Sending]:
    running = Sending(tmp_path / "data", webhook_private=True, delivery_tries_max=3)
    yield running
    running.close()
