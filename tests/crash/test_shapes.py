"""The same session, and the same scenario files, on an exchange of each shape: the same answers, the same events, the
same state."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.crash.load import is_right
from tests.crash.played import Stage, playable
from tests.crash.session import Session
from tests.crash.state import come_to, differences, state_hash
from tests.support.cluster import Cluster
from tests.support.postgres import Postgres
from tests.support.process import Process
from tests.support.running import until

pytestmark = [pytest.mark.long, pytest.mark.timeout(900)]

SCENARIOS = (
    playable("limit", "market", "stops", "amend", "self_trade")
    if os.environ.get("BORSA_TEST_LONG")
    else playable("limit", "stops")[::8]
)


def lives(running: Any) -> list[Any]:
    """It goes through all of it; gives what was answered."""
    Session().go_on(running)
    stage = Stage(running)
    for number, scenario in enumerate(SCENARIOS):
        stage.play(number, scenario)
    return stage.said


@contextmanager
def shape(name: str, folder: Path, postgres: Postgres, nats_url: str) -> Iterator[Any]:
    """An exchange of this shape."""
    with postgres.database() as url:
        made = {
            "postgresql": lambda: Process(folder, processes="3", database_url=url),
            "cluster": lambda: Cluster(folder, url, [nats_url]),
        }
        with made[name]() as running:
            yield running


def test_every_shape_gives_the_same_answers_events_and_state(tmp_path: Path, postgres: Postgres, nats_url: str) -> None:
    with Process(tmp_path / "sqlite", processes="3") as sqlite:
        said = lives(sqlite)
        # which waits until everybody has followed to the end
        assert sqlite.stop() == 0
    state = come_to(sqlite.environment)
    is_right(sqlite)
    for name in ("postgresql", "cluster"):
        with shape(name, tmp_path / name, postgres, nats_url) as running:
            assert lives(running) == said, name
            try:
                until(lambda: come_to(running.environment) == state, "it to be settled")
            except AssertionError:
                assert differences(come_to(running.environment), state) == {}, name
                raise
            assert state_hash(come_to(running.environment)) == state_hash(state)
            is_right(running)
