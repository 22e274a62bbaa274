"""What PostgreSQL adds to the store seam: connections that are lost, and a server that is not to be trusted."""

import subprocess
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from pathlib import Path

import psycopg
import pytest
import sqlalchemy as sa
from structlog.testing import capture_logs

from borsa.errors import CantStart
from borsa.runtime.databases.postgres import PostgresConnection, PostgresDatabase
from borsa.runtime.databases.postgres_server import Server
from borsa.runtime.store import Statement, StorageBroken, StorageFull
from borsa.services.wallets import tables
from tests.support.postgres import PASSWORD, Postgres
from tests.support.wire import Wire

BALANCES = tables.BALANCES
ALL = Statement(sa.select(BALANCES).order_by(BALANCES.c.asset))
INSERT = Statement(sa.insert(BALANCES))
USD, EUR = ("w", "USD", 1, 0, 0), ("w", "EUR", 1, 0, 0)


def database_at(url: str) -> PostgresDatabase:
    return PostgresDatabase("wallets", Server(url), tables.METADATA)


@pytest.fixture
def database(postgres_url: str) -> PostgresDatabase:
    found = database_at(postgres_url)
    found.migrate()
    return found


@pytest.fixture
def connection(database: PostgresDatabase) -> Iterator[PostgresConnection]:
    with closing(database.connect()) as connection:
        yield connection


@pytest.fixture
def cut(postgres: Postgres) -> Callable[[str], None]:
    """Ends the connections of a kind, as an operator or a crash of their backends would."""
    ending = "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE application_name = %s"
    return lambda name: bool(postgres.run(ending, name))


def rows(database: PostgresDatabase) -> list[tuple[object, ...]]:
    with closing(database.reader()) as reader:
        return reader.read(ALL)


# lost connections --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("place", ["write", "commit", "read", "read_of_it", "has_room"])
def test_a_writer_that_lost_its_connection_says_so_and_nothing_is_half_done(
    place: str, database: PostgresDatabase, connection: PostgresConnection, cut: Callable[[str], None]
) -> None:
    if place in ("commit", "read_of_it"):
        connection.write(INSERT, [USD, EUR])
        connection.read(ALL)
    cut("borsa wallets writer")
    with pytest.raises(StorageBroken):  # noqa: PT012 - a write may find out only at its commit
        match place:
            case "write":
                connection.write(INSERT, [USD, EUR])
                connection.commit()
            case "commit":
                connection.commit()
            case "has_room":
                connection.has_room()
            case _:
                connection.read(ALL)
    assert rows(database) == []


@pytest.mark.parametrize(("where", "kept"), [("cut_before", []), ("cut_after", [EUR, USD])])
def test_who_does_not_hear_of_a_commit_does_not_claim_to_know(
    where: str, kept: list[object], postgres: Postgres, postgres_url: str
) -> None:
    database_at(postgres_url).migrate()
    with Wire(postgres.port) as wire:
        apart = database_at(postgres_url.replace(str(postgres.port), str(wire.port)))
        with closing(apart.connect()) as connection:
            connection.write(INSERT, [USD, EUR])
            setattr(wire, where, b"COMMIT")
            with pytest.raises(StorageBroken):
                connection.commit()
            # and it stays so
            with pytest.raises(StorageBroken):
                connection.write(INSERT, [USD, EUR])
    assert rows(database_at(postgres_url)) == kept


def test_a_reader_that_lost_its_connection_makes_another(
    database: PostgresDatabase, connection: PostgresConnection, cut: Callable[[str], None]
) -> None:
    connection.write(INSERT, [USD])
    connection.commit()
    with closing(database.reader()) as reader:
        for _ in range(2):
            cut("borsa wallets reader")
            assert reader.read(ALL) == [USD]
        with pytest.raises(psycopg.errors.ReadOnlySqlTransaction):
            reader.read(Statement(sa.text("DELETE FROM balances")))


def test_a_server_that_restarts_ends_writers_and_keeps_readers() -> None:
    with Postgres() as server, server.database() as url:
        database = database_at(url)
        database.migrate()
        with closing(database.connect()) as connection, closing(database.reader()) as reader:
            connection.write(INSERT, [USD])
            connection.commit()
            connection.write(INSERT, [EUR])
            server.restart()
            with pytest.raises(StorageBroken):
                connection.commit()
            assert reader.read(ALL) == [USD]
        with closing(database.connect()) as again:
            again.write(INSERT, [EUR])
            again.commit()
        assert rows(database) == [EUR, USD]


def test_a_constraint_ends_the_whole_transaction_and_the_connection_goes_on(
    database: PostgresDatabase, connection: PostgresConnection
) -> None:
    connection.write(INSERT, [EUR])
    connection.write(INSERT, [("w", "BTC", -1, 0, 0)])
    with pytest.raises(StorageBroken, match="balances_not_negative"):
        connection.commit()
    connection.commit()
    assert rows(database) == []
    connection.write(INSERT, [USD])
    connection.commit()
    assert rows(database) == [USD]


# a full disk -------------------------------------------------------------------------------------------------------


@pytest.fixture
def small_disk(postgres: Postgres) -> Iterator[Path]:
    """A file system of its own, in memory, on which databases may be."""
    folder = postgres.folder / "small"
    folder.mkdir(exist_ok=True)
    user = f"uid={postgres.folder.stat().st_uid},mode=700,size=32m"
    mount = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", user, "none", folder], capture_output=True, text=True, check=False
    )
    if mount.returncode:
        pytest.skip(f"no small disk, it takes root and the right to mount: {mount.stderr.strip()}")
    try:
        postgres.run(f"CREATE TABLESPACE small LOCATION '{folder}'")
        yield folder
        postgres.run("DROP TABLESPACE small")
    finally:
        subprocess.run(["umount", "-l", folder], check=True)


def test_a_full_disk_takes_back_the_commit_and_is_waited_for(small_disk: Path, postgres: Postgres) -> None:
    large = [("w" * 1_000, f"{at:06d}", 0, 0, 0) for at in range(5_000)]
    with postgres.database("TABLESPACE small") as url:
        database = database_at(url)
        database.migrate()
        with closing(database.connect()) as connection:
            connection.write(INSERT, [USD])
            connection.commit()
            ballast = small_disk / "ballast"
            with suppress(OSError), ballast.open("wb", buffering=0) as file:
                while True:
                    file.write(bytes(4096))
            connection.write(INSERT, [EUR])
            with pytest.raises(StorageFull):  # noqa: PT012 - which of them finds out is the server's
                connection.write(INSERT, large)
                connection.commit()
            assert not connection.has_room()
            assert connection.read(ALL) == rows(database) == [USD]
            ballast.unlink()
            assert connection.has_room()
            connection.write(INSERT, [EUR])
            connection.commit()
        assert rows(database) == [EUR, USD]


# a server that will not do -----------------------------------------------------------------------------------------


def test_a_database_that_orders_texts_otherwise_is_refused(postgres: Postgres) -> None:
    with postgres.database("ENCODING 'SQL_ASCII'") as url, pytest.raises(CantStart, match="createdb"):
        database_at(url).migrate()


@pytest.mark.parametrize("name", ["synchronous_commit", "fsync", "full_page_writes"])
def test_a_server_that_may_lose_commits_is_told_of(name: str) -> None:
    with Postgres(**{name: "off"}) as server, server.database() as url:
        database = database_at(url)
        database.migrate()
        with capture_logs() as logs, closing(database.connect()) as connection:
            own = connection.read(Statement(sa.text("SELECT current_setting('synchronous_commit')")))
        assert [each["setting"] for each in logs if each["event"] == "database_not_durable"] == [name]
        assert own == [("on",)]


def test_a_durable_server_is_not_warned_of(database: PostgresDatabase) -> None:
    with capture_logs() as logs:
        database.connect().close()
    assert logs == []


@pytest.mark.parametrize(
    "url",
    [
        f"postgresql://borsa:{PASSWORD}@127.0.0.1:1/borsa",
        f"postgresql://borsa:{PASSWORD}@127.0.0.1:1/borsa?sslmode=perhaps",
        f"postgresql://borsa:{PASSWORD}@127.0.0.1:1/borsa?nothing={PASSWORD}",
        f"postgresql://borsa:{PASSWORD}%zz@127.0.0.1:1/borsa",
    ],
    ids=["nobody_there", "bad_value", "unknown_option", "bad_escape"],
)
def test_a_server_that_can_not_be_reached_is_named_without_its_password(url: str) -> None:
    with pytest.raises(CantStart) as refused:
        database_at(url).migrate()
    assert "127.0.0.1/borsa" in str(refused.value) or "BORSA_DATABASE_URL" in str(refused.value)
    assert PASSWORD not in str(refused.value)
