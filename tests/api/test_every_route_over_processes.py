"""Every route, over three processes: what is asked and what is answered goes over a link."""

from collections.abc import Iterator

import pytest

from tests.api.stage import Stage
from tests.security.test_authorization import TABLE, Row, ask, person_headers
from tests.support.process import Process


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    with Process(tmp_path_factory.mktemp("processes") / "data", processes="3") as process:
        yield Stage(process)


@pytest.mark.parametrize("row", TABLE, ids=lambda row: row.call)
def test_it_answers(stage: Stage, row: Row) -> None:
    who, expected = ("own", row.own) if row.own < 300 else ("admin", row.admin)
    answer = ask(stage, row, person_headers(stage, row, who), row.about(stage) if row.about else None)
    assert answer.status_code == expected, answer.text
