"""What the tests of the auditors share."""

from pathlib import Path

import pytest

from borsa.commands import verify
from borsa.settings import Settings
from tests.commands.audited import everything_happens
from tests.support.running import Running


@pytest.fixture(scope="session")
def audited(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, int, int]:
    """A folder in which everything happened, and what verify said of it: running, and stopped."""
    folder = tmp_path_factory.mktemp("verify") / "data"
    with Running(folder, snapshot_events=10, snapshot_piece_bytes=500, price_band_ppm=900_000) as running:
        everything_happens(running)
        said_running = verify.run(running.settings)
    return folder, said_running, verify.run(Settings(data=str(folder)))
