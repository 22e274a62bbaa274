"""A past that several tests look at."""

from pathlib import Path
from typing import Any

import msgspec
import pytest

from borsa.demo import history
from borsa.settings import Settings
from tests.support.running import ADMIN_PASSWORD

HOUR = 3_600
SYMBOLS = {"BTC-USD", "ETH-USD", "SOL-USD", "ETH-BTC"}


def settings_of(folder: Path, **options: Any) -> Settings:
    return msgspec.structs.replace(Settings(), data=str(folder), port=0, admin_password=ADMIN_PASSWORD, **options)


def made(folder: Path, seconds: int, **options: Any) -> Settings:
    settings = settings_of(folder, **options)
    history.make(settings, lambda text, password: None, seconds=seconds)
    return settings


@pytest.fixture(scope="session")
def past(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The data folder of an exchange with a past of two hours; to be copied where it is opened."""
    folder = tmp_path_factory.mktemp("past") / "data"
    made(folder, 2 * HOUR)
    return folder
