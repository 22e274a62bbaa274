"""From a data folder to PostgreSQL: everything goes on there, whenever the move is killed, and no half is served."""

import os
import shutil
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from typing import Any

import msgspec
import pytest
import sqlalchemy as sa

from borsa import app
from borsa.commands import migrate, migrate_data, verify
from borsa.errors import CantStart
from borsa.runtime.store import Statement
from borsa.settings import Settings
from tests.crash.session import Session
from tests.support.postgres import PASSWORD, Postgres
from tests.support.process import Process, borsa
from tests.support.running import Running

KILLED = """
import os, signal, sys
from borsa import cli
from borsa.runtime.databases import moving
from borsa.runtime.databases import postgres_move
_, what, left = sys.argv
owner = {"put": postgres_move.PostgresMove, "finish": postgres_move.PostgresMove, "leave_behind": moving}[what]
act = getattr(owner, what)
def counted(*given):
    global left
    left = int(left) - 1
    if left == 0:
        os.kill(os.getpid(), signal.SIGKILL)
    act(*given)
setattr(owner, what, counted)
sys.argv = ["borsa", "migrate-data"]
cli.main()
"""
"""The command, killed when it is about to do something for the n-th time."""

POINTS = ["1", "2", "3", "5", "8", "13", "21"] if os.environ.get("BORSA_TEST_LONG") else ["1", "9"]


class Lived(msgspec.Struct):
    """A stopped exchange in which much happened, and what everybody had."""

    folder: Path
    session: Session
    state: dict[str, Any]
    api_key: str


@pytest.fixture(scope="module")
def lived(tmp_path_factory: pytest.TempPathFactory) -> Lived:
    folder = tmp_path_factory.mktemp("moved") / "data"
    session = Session()
    with Running(folder, snapshot_events=10, snapshot_piece_bytes=500) as running:
        session.go_on(running)
        made = session.people["alice"].post("/api/users/api-keys", {"label": "bot", "scopes": ["read"]})
        state = session.state(running)
    return Lived(folder, session, state, made["secret"])


@pytest.fixture
def settings(lived: Lived, postgres_url: str, tmp_path: Path) -> Settings:
    """A copy of its folder, and an empty database."""
    shutil.copytree(lived.folder, tmp_path / "data")
    return Settings(data=str(tmp_path / "data"), database_url=postgres_url)


def here(settings: Settings) -> Settings:
    return msgspec.structs.replace(settings, database_url="")


def all_rows(settings: Settings) -> dict[str, list[Any]]:
    found = {}
    for service in app.SERVICES:
        with closing(app.databases(settings)[service.name].reader()) as reader:
            for name, table in service.tables.tables.items():
                found[f"{service.name}.{name}"] = sorted(map(repr, reader.read(Statement(sa.select(table)))))
    return found


def environment(settings: Settings) -> dict[str, str]:
    return Process(settings.folder, database_url=settings.database_url).environment


def test_everything_goes_on_where_it_was(lived: Lived, settings: Settings, capsys: pytest.CaptureFixture[str]) -> None:
    before = all_rows(here(settings))
    assert migrate_data.run(settings) == 0
    said = capsys.readouterr().out
    assert said.count("the same in both") == len(app.SERVICES)
    assert said.count(", 0 breaches") == 2
    assert PASSWORD not in said
    assert all_rows(settings) == before
    assert all(before[name] for name in ("trades.snapshots", "wallets.seals", "wallets.answers", "wallets.actions"))
    with Running(settings.folder, database_url=settings.database_url) as running:
        assert lived.session.state(running) == lived.state
        lived.session.repeats(running)
        alice = lived.session.people["alice"]
        assert alice.order("buy", "0.3", "50000")["status"] == "filled"
        key = {"authorization": f"Bearer {lived.api_key}"}
        assert running.http.get("/api/wallets", headers=key).status_code == 200
    assert verify.run(settings) == verify.RIGHT


def test_a_move_that_was_killed_goes_on_and_does_nothing_twice(settings: Settings) -> None:
    before = all_rows(here(settings))
    for what, left in [*(("put", point) for point in POINTS), ("leave_behind", "1"), ("finish", "1")]:
        command = [sys.executable, "-c", KILLED, what, left]
        killed = subprocess.run(command, env=environment(settings), capture_output=True, text=True, check=False)
        assert killed.returncode == -9, (what, left, killed.stdout, killed.stderr)
        with pytest.raises(CantStart, match="only a part of a data folder"):
            app.prepared(settings)
    assert migrate.run(settings) == 1
    refused = borsa("up", environment(settings))
    assert refused.returncode == 1
    assert "has only a part of a data folder: `borsa migrate-data` did not come to its end" in refused.stderr
    assert migrate_data.run(settings) == 0
    assert all_rows(settings) == before
    app.prepared(settings)


def test_a_folder_that_was_moved_is_served_no_more(settings: Settings) -> None:
    assert migrate_data.run(settings) == 0
    refused = borsa("up", environment(settings) | {"BORSA_DATABASE_URL": ""})
    assert refused.returncode == 1
    assert f"the data of {settings.folder} was moved to 127.0.0.1/" in refused.stderr
    assert PASSWORD not in refused.stderr
    (settings.folder / "moved-to").unlink()
    with Running(settings.folder):
        pass


def said_no(settings: Settings, capsys: pytest.CaptureFixture[str], status: int = 1) -> str:
    capsys.readouterr()
    assert migrate_data.run(settings) == status
    said = capsys.readouterr().err
    assert PASSWORD not in said
    return said


def test_a_database_with_an_exchange_is_left_alone(
    settings: Settings, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with Running(tmp_path / "other", database_url=settings.database_url):
        assert "is written by" in said_no(settings, capsys)
        before = all_rows(settings)
    assert "has an exchange already (users.log has rows)" in said_no(settings, capsys)
    assert all_rows(settings) == before


def test_rows_without_an_event_are_other_data_too(settings: Settings, postgres: Postgres, capsys: Any) -> None:
    assert migrate.run(settings) == 0
    database = settings.database_url.rpartition("/")[2]
    postgres.run("INSERT INTO wallets.assets VALUES ('XYZ')", database=database)
    assert "has an exchange already (wallets.assets has rows)" in said_no(settings, capsys)


def test_a_folder_in_use_is_left_alone(settings: Settings, capsys: pytest.CaptureFixture[str]) -> None:
    with Running(settings.folder):
        assert f"{settings.folder} is in use by process {os.getpid()}" in said_no(settings, capsys)


def test_a_folder_that_was_written_meanwhile_is_not_mixed_in(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(*_: object) -> None:
        raise CantStart("here it ended")

    with monkeypatch.context() as patched:
        patched.setattr(migrate_data, "leave_behind", fail)
        assert "here it ended" in said_no(settings, capsys)
    with Running(settings.folder) as running:
        running.person()
    assert "users.log is not what it was when this move began" in said_no(settings, capsys)


def test_a_folder_that_is_wrong_is_not_moved(settings: Settings, capsys: pytest.CaptureFixture[str]) -> None:
    with closing(app.databases(here(settings))["wallets"].connect()) as connection:
        connection.write(Statement(sa.text("UPDATE postings SET amount = amount + 1 WHERE entry_id = ?")), [(3,)])
        connection.commit()
    assert "nothing was moved" in said_no(settings, capsys)


def test_what_is_missing_is_named(settings: Settings, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert "set BORSA_DATABASE_URL" in said_no(here(settings), capsys, 2)
    nowhere = msgspec.structs.replace(settings, data=str(tmp_path / "nowhere"))
    assert "nowhere has no exchange" in said_no(nowhere, capsys)
    assert not nowhere.folder.exists()
    gone = msgspec.structs.replace(settings, database_url=f"postgresql://borsa:{PASSWORD}@127.0.0.1:1/borsa")
    assert "can't be reached" in said_no(gone, capsys)
