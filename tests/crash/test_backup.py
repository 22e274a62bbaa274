"""Copies of an exchange at work: each is of one moment, and goes on. A service of another copy is found out."""

import os
import shutil
import subprocess
import threading
import uuid
from contextlib import closing
from pathlib import Path
from typing import Self

import apsw
import msgspec
import pytest

from borsa import app
from borsa.commands import backup, verify
from borsa.errors import CantStart
from borsa.settings import Settings
from tests.support.postgres import Postgres, programs
from tests.support.process import Process, borsa
from tests.support.running import Person, Reached, Running, until

COPIES = 12 if os.environ.get("BORSA_TEST_LONG") else 1

pytestmark = pytest.mark.timeout(300)


class Load:
    """Two who trade with each other until it ends. `acknowledged` are the orders by their client ids."""

    def __init__(self, running: Reached) -> None:
        self.acknowledged: dict[str, list[str]] = {}
        self._ending = threading.Event()
        self._faults: list[BaseException] = []
        people = [running.person(f"load-{at}", USD="1000000", BTC="100") for at in range(2)]
        self._threads = [
            threading.Thread(target=self._trade, args=each) for each in zip(people, ("buy", "sell"), strict=True)
        ]

    def _trade(self, person: Person, side: str) -> None:
        mine = self.acknowledged.setdefault(person.name, [])
        try:
            while not self._ending.is_set():
                name = uuid.uuid4().hex
                body = {"symbol": "BTC-USD", "type": side, "quantity": "0.001", "price": "50000", "clientOrderId": name}
                person.post("/api/orders", body)
                mine.append(name)
        except BaseException as error:
            self._faults.append(error)

    def known(self) -> dict[str, list[str]]:
        """What was acknowledged by now."""
        return {name: list(found) for name, found in self.acknowledged.items()}

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        until(lambda: all(len(found) > 20 for found in self.known().values()) and self.known(), "the load")
        return self

    def __exit__(self, *_: object) -> None:
        self._ending.set()
        for thread in self._threads:
            thread.join(30)
        assert not self._faults, self._faults


def has_all(running: Reached, known: dict[str, list[str]]) -> None:
    """Every order that was acknowledged is there, once."""
    for name, client_ids in known.items():
        person = Person(running, name, "copper-meadow-thistle-19").signed_in()
        for client_id in client_ids[-5:]:
            (order,) = person.get(f"/api/orders?clientOrderId={client_id}")["data"]
            assert order["status"] != "pending"
        assert len(person.get("/api/orders?limit=1000")["data"]) >= min(1000, len(client_ids))


def is_right(settings: Settings) -> None:
    audit = borsa("verify", Process(settings.folder, database_url=settings.database_url).environment)
    assert audit.returncode == 0, audit.stdout + audit.stderr


def test_a_copy_of_an_exchange_at_work_is_of_one_moment(tmp_path: Path) -> None:
    copies = []
    with Process(tmp_path / "data", processes="3", snapshot_events="50") as running, Load(running) as load:
        for at in range(COPIES):
            known, copy = load.known(), tmp_path / f"copy-{at}"
            said = borsa(f"backup {copy}", running.environment)
            assert said.returncode == 0, said.stderr
            assert said.stdout.startswith(f"{copy}, at notifications/0, orders/")
            copies.append((copy, known))
    for copy, known in copies:
        is_right(Settings(data=str(copy)))
        assert (copy / "token-key.pem").stat().st_mode & 0o777 == 0o600
        with Running(copy) as restored:
            has_all(restored, known)
        is_right(Settings(data=str(copy)))


def test_a_dump_of_an_exchange_at_work_is_of_one_moment(tmp_path: Path, postgres: Postgres) -> None:
    dump = tmp_path / "borsa.dump"
    server = (programs() / "postgres").resolve().parent
    with postgres.database() as url, postgres.database() as restored_url:
        with Running(tmp_path / "data", database_url=url) as running, Load(running) as load:
            known = load.known()
            subprocess.run([server / "pg_dump", "--format=custom", f"--file={dump}", url], check=True)
        command = [server / "pg_restore", f"--dbname={restored_url}", "--exit-on-error", dump]
        subprocess.run(command, check=True)
        settings = Settings(data=str(tmp_path / "data"), database_url=restored_url)
        is_right(settings)
        with Running(tmp_path / "data", database_url=restored_url) as restored:
            has_all(restored, known)
        is_right(settings)


# one of another copy ------------------------------------------------------------------------------------------------


def trades_more(folder: Path, times: int, database_url: str = "") -> None:
    with Running(folder, database_url=database_url) as running:
        person = running.person(USD="1000", BTC="10")
        for _ in range(times):
            person.order("sell", "0.1", "50000")


@pytest.fixture(scope="module")
def forked(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Two folders that were one once; the second has gone further."""
    one, other = (tmp_path_factory.mktemp("forked") / name for name in ("one", "other"))
    trades_more(one, 1)
    shutil.copytree(one, other)
    trades_more(one, 2)
    trades_more(other, 9)
    return one, other


@pytest.fixture
def one(forked: tuple[Path, Path], tmp_path: Path) -> Path:
    return Path(shutil.copytree(forked[0], tmp_path / "one"))


@pytest.mark.parametrize("service", ["users", "trades"])
def test_a_log_of_another_history_is_refused(service: str, one: Path, forked: tuple[Path, Path]) -> None:
    """It has grown past all that was applied of the one that it replaces."""
    shutil.copy(forked[1] / f"{service}.db", one / f"{service}.db")
    is_refused(one, f"has applied another {service}/\\d+ than that log has: one of the two comes from another copy")


@pytest.mark.parametrize("service", ["notifications", "portfolios"])
def test_who_followed_another_history_is_refused(service: str, forked: tuple[Path, Path], tmp_path: Path) -> None:
    other = Path(shutil.copytree(forked[1], tmp_path / "other"))
    shutil.copy(forked[0] / f"{service}.db", other / f"{service}.db")
    is_refused(other, f"{service} has applied another ")


def is_refused(folder: Path, said: str) -> None:
    settings = Settings(data=str(folder))
    with pytest.raises(CantStart, match=said):
        app.prepared(settings)
    audit = borsa("verify", Process(folder).environment)
    assert audit.returncode == verify.WRONG
    assert "has applied another " in audit.stdout


def test_what_an_earlier_version_applied_is_taken_as_it_is(one: Path) -> None:
    for service in app.SERVICES:
        with closing(apsw.Connection(str(one / f"{service.name}.db"))) as connection:
            connection.execute("UPDATE cursors SET digest = NULL")
    trades_more(one, 1)
    assert verify.run(Settings(data=str(one))) == verify.RIGHT


def failing(_: int) -> None:
    raise OSError("the disk is gone")


# what backup refuses -----------------------------------------------------------------------------------------------


def test_a_copy_is_made_whole_or_not_at_all(
    one: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    settings, copy = Settings(data=str(one)), tmp_path / "copy"
    with monkeypatch.context() as patched:
        patched.setattr(os, "fsync", failing)
        assert backup.run(settings, copy) == 1
    assert "the disk is gone" in capsys.readouterr().err
    assert not copy.exists()
    assert backup.run(settings, copy) == 0
    assert {path.name for path in copy.iterdir()} == {
        path.name for path in one.iterdir() if path.suffix in (".db", ".pem", ".key")
    }
    assert backup.run(settings, copy) == 1
    assert f"{copy} is there already" in capsys.readouterr().err
    assert backup.run(Settings(data=str(tmp_path / "nowhere")), tmp_path / "other") == 1
    assert not (tmp_path / "other").exists()
    url = msgspec.structs.replace(settings, database_url="postgresql://borsa@127.0.0.1/borsa")
    assert backup.run(url, tmp_path / "other") == 2
