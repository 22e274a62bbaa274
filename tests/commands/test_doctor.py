"""borsa doctor: ok where an exchange can run, and the reason where it can't."""

import asyncio
import socket
import sqlite3
from contextlib import closing
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import msgspec
import pytest
import uvloop

from borsa import app
from borsa.commands import doctor
from borsa.runtime.buses.broker import Broker
from borsa.runtime.buses.broker_seen import SeenBroker
from borsa.runtime.buses.relay import LOG, LOG_STREAM, Pack, prepared
from borsa.runtime.databases.lock import locked
from borsa.settings import BadSetting, Settings, load
from tests.runtime.apart import settle
from tests.support.nats import PASSWORD, Nats
from tests.support.running import Running


def diagnosed(capsys: pytest.CaptureFixture[str], folder: Path, **options: Any) -> tuple[int, dict[str, str]]:
    """The exit status, and the line about each thing."""
    status = doctor.run(Settings(data=str(folder), **({"port": 0} | options)))
    lines = capsys.readouterr().out.splitlines()
    return status, {line[6:].partition(":")[0]: line for line in lines}


def test_an_exchange_can_run_in_an_empty_folder(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    status, said = diagnosed(capsys, tmp_path / "not" / "yet")
    assert status == 0
    assert {"python", "sqlite", "matching kernel", "borsa", "msgspec", "psql", "nats-server", "port"} <= said.keys()
    assert not [line for line in said.values() if line.startswith("fail")]
    assert not (tmp_path / "not").exists()
    assert not list(tmp_path.iterdir())


def test_a_busy_port_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        status, said = diagnosed(capsys, tmp_path, port=port)
    assert status == 1
    assert said["port"].startswith("fail")
    assert str(port) in said["port"]


def test_a_running_exchange_may_have_the_port(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with socket.socket() as own, locked(tmp_path):
        own.bind(("127.0.0.1", 0))
        own.listen()
        status, said = diagnosed(capsys, tmp_path, port=own.getsockname()[1])
    assert status == 0
    assert said["port"].startswith("warn")
    assert "an exchange is running" in said["data folder"]


def test_a_folder_that_is_a_file_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "file").write_text("")
    status, said = diagnosed(capsys, tmp_path / "file")
    assert status == 1
    assert said["data folder"].startswith("fail")


def test_schemas_are_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for database in app.databases(Settings(data=str(tmp_path))).values():
        database.migrate()
    status, said = diagnosed(capsys, tmp_path)
    assert status == 0
    assert all(said[f"{service.name}.db"].startswith("ok") for service in app.SERVICES)
    with closing(sqlite3.connect(tmp_path / "wallets.db")) as connection, connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    (tmp_path / "orders.db").write_bytes(b"something else" * 100)
    (tmp_path / "users.db").unlink()
    (tmp_path / "trades.db").write_bytes(b"")
    status, said = diagnosed(capsys, tmp_path)
    assert status == 1
    assert said["wallets.db"].startswith("fail")
    assert "newer" in said["wallets.db"]
    assert said["orders.db"].startswith("fail")
    assert said["users.db"].startswith("ok")
    assert said["trades.db"].startswith("ok")


def test_an_admin_password_that_would_not_do_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    status, said = diagnosed(capsys, tmp_path, admin_password="short")
    assert status == 1
    assert said["BORSA_ADMIN_PASSWORD"].startswith("fail")


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("BORSA_PORT", "x"),
        ("BORSA_PORT", "65536"),
        ("BORSA_FAUCET_MAX", "1e6"),
        ("BORSA_LOG_LEVEL", "loud"),
        ("BORSA_COMMIT_REQUESTS_MAX", "0"),
        ("BORSA_API_KEYS_MAX", "-3"),
    ],
)
def test_a_setting_that_would_not_do_is_named(variable: str, value: str) -> None:
    with pytest.raises(BadSetting, match=variable):
        load({variable: value})


def test_an_unknown_variable_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BORSA_PROT", "8000")
    status, said = diagnosed(capsys, tmp_path, host="0.0.0.0")
    assert status == 0
    assert said["BORSA_PROT"].startswith("warn")
    assert said["BORSA_HOST"].startswith("warn")


def test_a_missing_package_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        doctor.metadata, "requires", lambda _: ["nowhere==1.0", "msgspec==0.0.1", "pytest; extra == 'test'"]
    )
    status, said = diagnosed(capsys, tmp_path)
    assert status == 1
    assert said["nowhere"].startswith("fail")
    assert said["msgspec"].startswith("warn")
    assert "pytest" not in said


def test_a_kernel_that_is_not_installed_is_a_fault(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("borsa.matching._COMPILED", False)
    status, said = diagnosed(capsys, tmp_path, kernel="compiled")
    assert status == 1
    assert said["matching kernel"].startswith("fail  matching kernel: the compiled matching kernel is not installed")
    status, said = diagnosed(capsys, tmp_path)
    assert status == 0
    assert said["matching kernel"] == "ok    matching kernel: naive: there was no C compiler at the installation"


def test_a_kernel_can_be_forced(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert diagnosed(capsys, tmp_path, kernel="naive")[1]["matching kernel"] == "ok    matching kernel: naive"


# the broker --------------------------------------------------------------------------------------------------------


def test_a_broker_is_looked_at(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], nats: Nats, nats_url: str, postgres_url: str
) -> None:
    def looked() -> dict[str, str]:
        return diagnosed(capsys, tmp_path, nats_url=nats_url, database_url=postgres_url)[1]

    said = looked()
    assert f"at 127.0.0.1:{nats.port}" in said["broker"]
    assert said["broker"].startswith("ok    broker: NATS 2.")
    assert said["JetStream"] == "ok    JetStream: on; no streams yet: the first service makes them"
    with Running(tmp_path, database_url=postgres_url) as running:
        running.person(USD="1")
    broker = Broker(nats_url, "test", lambda: None)
    broker.start()
    with closing(broker):
        uvloop.run(made_by(broker))
        broker.send(f"{LOG}users", msgspec.msgpack.encode(Pack(1, 1, msgspec.Raw(msgspec.msgpack.encode([])))))
        settle(broker)
    said = looked()
    assert said["acknowledgement"].startswith("ok    acknowledgement: 1 of its servers")
    assert said[f"stream {LOG_STREAM}"].startswith(f"ok    stream {LOG_STREAM}: 1 messages, ")
    last = app.examined(Settings(database_url=postgres_url)).lasts["users"]
    assert said["copy of users"] == f"ok    copy of users: {last - 1} events behind the log"
    assert PASSWORD not in "".join(said.values())


async def made_by(broker: Broker) -> None:
    """Make the streams, on the broker's own loop."""
    made = asyncio.run_coroutine_threadsafe(prepared(broker, {LOG_STREAM: LOG + "*"}, 1024**2), broker._loop)
    await asyncio.wrap_future(made)


def test_a_copy_that_lacks_much_is_told_of(monkeypatch: pytest.MonkeyPatch) -> None:
    seen = SeenBroker(
        "2.8.4", ["here:4222"], "", "JetStream does not answer: ServiceUnavailableError", [], {"users": 5}
    )
    server = SimpleNamespace(lasts={"users": 20_000})
    monkeypatch.setattr(app, "seen_broker", lambda _: seen)
    monkeypatch.setattr(app, "examined", lambda _: server)
    found = list(doctor.look_at_broker(Settings(nats_url="nats://here", database_url="postgresql://here/borsa")))
    assert [each.verdict for each in found] == ["warn", "warn", "warn"]
    assert found[-1].seen == "19995 events behind the log"


def test_a_broker_that_can_not_be_reached_is_named_without_its_password(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    status, said = diagnosed(capsys, tmp_path, nats_url=f"nats://borsa:{PASSWORD}@127.0.0.1:1")
    assert status == 1
    assert said["broker"].startswith("fail  broker: the broker 127.0.0.1:1 can't be reached")
    assert PASSWORD not in "".join(said.values())
