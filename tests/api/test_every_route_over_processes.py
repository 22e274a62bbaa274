"""Every route, over three processes: what is asked and what is answered goes over a link."""

import os
from collections.abc import Iterator
from pathlib import Path

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


def test_who_the_admin_was_goes_over_the_link(stage: Stage) -> None:
    stage.admin.call("DELETE", f"/api/orders/{stage.order()}")
    stage.portfolio()
    found = stage.admin.get(f"/api/actions?author={stage.admin.user_id}&limit=1000")["data"]
    assert {"orders", "portfolios"} <= {each["service"] for each in found}
    assert {each["author"] for each in stage.admin.get("/api/actions?limit=1000")["data"]} <= {
        stage.admin.user_id,
        stage.second.user_id if stage.second else "",
    }


def test_nothing_but_the_door_can_be_reached(stage: Stage) -> None:
    """What the processes tell each other goes over pairs of sockets, which have no address."""
    process = stage.running
    assert isinstance(process, Process)
    ours = {inode for process_id in [process.pid, *process.children()] for inode in sockets_of(process_id)}
    listening = [address for address, inode in listeners() if inode in ours]
    assert listening == [int(process.url.rpartition(":")[2])]


def sockets_of(process_id: int) -> set[str]:
    """The sockets that a process has open, by their inodes."""
    links = [os.readlink(each) for each in Path(f"/proc/{process_id}/fd").iterdir()]
    return {link[8:-1] for link in links if link.startswith("socket:[")}


def listeners() -> list[tuple[int, str]]:
    """Port and inode of every socket that listens, over both versions of IP."""
    rows = [row.split() for name in ("tcp", "tcp6") for row in Path("/proc/net", name).read_text().splitlines()[1:]]
    return [(int(row[1].rpartition(":")[2], 16), row[9]) for row in rows if row[3] == "0A"]
