"""One writer of a schema, proven: by its lease, by the epoch in each commit, and by PostgreSQL's clock alone."""

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

import pytest
import sqlalchemy as sa
from structlog.testing import capture_logs

from borsa.errors import CantStart
from borsa.runtime.databases import lease
from borsa.runtime.databases.postgres import PostgresDatabase, take_turn
from borsa.runtime.databases.postgres_server import Server
from borsa.runtime.store import Statement, StorageBroken
from borsa.services.wallets import tables
from tests.support.postgres import Postgres
from tests.support.running import PATIENCE_SECONDS, until

BALANCES = tables.BALANCES
ALL = Statement(sa.select(BALANCES).order_by(BALANCES.c.asset))
INSERT = Statement(sa.insert(BALANCES))
USD, EUR = ("w", "USD", 1, 0, 0), ("w", "EUR", 1, 0, 0)

Sql = Callable[[str], list[tuple[object, ...]]]


@pytest.fixture
def database(postgres_url: str) -> PostgresDatabase:
    found = PostgresDatabase("wallets", Server(postgres_url), tables.METADATA)
    found.migrate()
    return found


@pytest.fixture
def sql(postgres: Postgres, postgres_url: str) -> Sql:
    """What the server knows."""
    return lambda text: postgres.run(text, database=postgres_url.rpartition("/")[2])


@pytest.fixture
def aside() -> Iterator[ThreadPoolExecutor]:
    """For what waits."""
    with ThreadPoolExecutor() as found:
        yield found


def rows(database: PostgresDatabase) -> list[tuple[object, ...]]:
    with closing(database.reader()) as reader:
        return reader.read(ALL)


def test_every_writer_has_a_higher_epoch_than_all_before(database: PostgresDatabase) -> None:
    epochs = []
    for _ in range(3):
        with closing(database.connect()) as connection:
            epochs.append(connection.epoch)
    assert epochs == sorted(set(epochs))


def test_a_lease_of_a_backup_is_taken_under_a_number_that_nobody_had(database: PostgresDatabase, sql: Sql) -> None:
    with closing(database.connect()) as connection:
        before = connection.epoch
    sql("UPDATE wallets.lease SET epoch = 1")
    with closing(database.connect()) as connection:
        assert connection.epoch >= before
    sql("UPDATE wallets.lease SET epoch = 90000000000")
    with closing(database.connect()) as connection:
        assert connection.epoch == 90000000001


def test_a_writer_that_ends_gives_its_lease_back(database: PostgresDatabase, sql: Sql) -> None:
    with closing(database.connect()) as connection:
        connection.write(INSERT, [USD])
        assert sql("SELECT until > clock_timestamp() FROM wallets.lease") == [(True,)]
    assert sql("SELECT until = '-infinity' FROM wallets.lease") == [(True,)]


def test_a_second_writer_waits_until_the_first_gives_back(
    database: PostgresDatabase, sql: Sql, aside: ThreadPoolExecutor
) -> None:
    first = database.connect()
    epoch = first.epoch
    second = aside.submit(database.connect)
    until(lambda: sql("SELECT 1 FROM pg_stat_activity WHERE application_name LIKE '%%writer' OFFSET 1"), "the second")
    first.write(INSERT, [EUR])
    first.commit()
    assert not second.done()
    first.close()
    with closing(second.result()) as connection:
        assert connection.epoch > epoch
        connection.write(INSERT, [USD])
        connection.commit()
    assert rows(database) == [EUR, USD]


def test_a_second_writer_gives_up_and_names_the_first(
    database: PostgresDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lease, "TAKE_SECONDS_MAX", -lease.LEASE_SECONDS)
    with closing(database.connect()) as connection:
        with pytest.raises(CantStart, match=f"wallets is written by {lease.own_name()}"):
            database.connect()
        connection.write(INSERT, [USD])
        connection.commit()


def test_a_writer_whose_connection_is_gone_is_waited_for_no_longer(database: PostgresDatabase, sql: Sql) -> None:
    with closing(database.connect()) as first:
        first.write(INSERT, [EUR])
        sql("SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE application_name LIKE '%%writer'")
        # its time is not over
        assert sql("SELECT until > clock_timestamp() FROM wallets.lease") == [(True,)]
        with closing(database.connect()) as second:
            assert second.epoch > first.epoch
        with pytest.raises(StorageBroken):
            first.commit()
    assert rows(database) == []


def test_who_lost_the_lease_can_not_commit_what_it_had_begun(database: PostgresDatabase, sql: Sql) -> None:
    """The epoch alone, as where a former writer's connection can't be ended."""
    with closing(database.connect()) as first:
        first.write(INSERT, [EUR, USD])
        assert len(first.read(ALL)) == 2
        sql("UPDATE wallets.lease SET epoch = 7, holder = 'another/1'")
        with pytest.raises(StorageBroken, match="written by another/1 in epoch 7; this process had "):
            first.commit()
        for use in (lambda: first.write(INSERT, [EUR]), lambda: first.read(ALL)):
            with pytest.raises(StorageBroken, match="another/1"):
                use()
    assert rows(database) == []
    assert sql("SELECT until > clock_timestamp() FROM wallets.lease") == [(True,)], "it is not its own to give back"


def test_a_takeover_ends_what_the_former_writer_had_begun(database: PostgresDatabase, sql: Sql) -> None:
    """A paused writer's locks would keep the next one from the same rows."""
    with closing(database.connect()) as first:
        # as if it stood still: nobody renews
        first._keeper.drop(first._lease)
        first.write(INSERT, [EUR])
        first.read(ALL)
        sql("UPDATE wallets.lease SET until = clock_timestamp()")
        with closing(database.connect()) as second:
            second.write(INSERT, [EUR])
            second.commit()
        with pytest.raises(StorageBroken):
            first.commit()
    assert rows(database) == [EUR]


def test_a_lease_is_renewed_also_while_a_transaction_is_open(database: PostgresDatabase, sql: Sql) -> None:
    def term() -> object:
        return sql("SELECT until FROM wallets.lease")[0][0]

    with closing(database.connect()) as connection:
        connection.write(INSERT, [USD])
        connection._connection.execute(lease.FENCE, (connection.epoch,))
        connection.read(ALL)
        for _ in range(2):
            before = term()
            until(lambda before=before: term() != before, "a renewal")  # type: ignore[misc]
        connection.commit()
    assert rows(database) == [USD]


def test_an_idle_writer_hears_that_its_lease_is_lost(database: PostgresDatabase, sql: Sql) -> None:
    with closing(database.connect()) as connection:
        sql("UPDATE wallets.lease SET epoch = 7")
        until(lambda: connection._lease.lost, "the renewal that fails")
        with pytest.raises(StorageBroken, match="wallets was taken"):
            connection.read(ALL)


def test_a_commit_and_a_renewal_do_not_wait_for_each_other_and_a_takeover_waits_for_the_commit(
    database: PostgresDatabase, sql: Sql, aside: ThreadPoolExecutor
) -> None:
    with closing(database.connect()) as connection:
        connection.write(INSERT, [USD])
        connection._connection.execute(lease.FENCE, (connection.epoch,))
        connection.read(ALL)
        taking = aside.submit(sql, "UPDATE wallets.lease SET epoch = 7")
        until(lambda: sql("SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock'"), "the one that takes")
        connection._connection.execute("COMMIT")
        taking.result()
    assert rows(database) == [USD]


@pytest.mark.parametrize("place", ["commit", "nothing"])
def test_a_writer_whose_server_stands_still_does_not_wait_longer_than_its_lease(
    place: str, aside: ThreadPoolExecutor
) -> None:
    with Postgres() as server, server.database() as url:
        database = PostgresDatabase("wallets", Server(url), tables.METADATA)
        database.migrate()
        with closing(database.connect()) as connection:
            connection.write(INSERT, [USD])
            with server.standing_still():
                stuck = aside.submit(connection.commit) if place == "commit" else None
                until(lambda: connection._lease.lost, "the end of the lease")
                if stuck is not None:
                    with pytest.raises(StorageBroken, match="wallets could not be renewed for 3 s"):
                        stuck.result(PATIENCE_SECONDS)
                with pytest.raises(StorageBroken, match="wallets could not be renewed for 3 s"):
                    connection.write(INSERT, [EUR])
        # what was sent and not answered may have been done; what came later was not
        assert rows(database) in ([], [USD])


def test_a_writer_whose_keeper_lost_its_connection_goes_on(database: PostgresDatabase, sql: Sql) -> None:
    with closing(database.connect()) as connection:
        cut = "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE application_name LIKE '%%leases'"
        until(lambda: sql(cut), "the keeper")
        until(lambda: sql(cut), "the keeper's next connection")
        connection.write(INSERT, [USD])
        connection.commit()
        assert not connection._lease.lost


def test_the_threads_of_leases_end_with_the_last_of_them(database: PostgresDatabase) -> None:
    def renewing() -> bool:
        return any(thread.name == "borsa-leases" for thread in threading.enumerate())

    with closing(database.connect()):
        assert renewing()
    until(lambda: not renewing(), "their end")


# all schemas at once -----------------------------------------------------------------------------------------------


def test_who_waits_for_all_schemas_gets_all_or_none(
    database: PostgresDatabase, postgres_url: str, sql: Sql, aside: ThreadPoolExecutor
) -> None:
    server = Server(postgres_url)
    with capture_logs() as logs, closing(database.connect()) as connection:
        waiting = aside.submit(take_turn, server, ["orders", "wallets"])
        until(lambda: logs, "the one that waits")
        assert logs[0]["why"] == f"wallets is written by {lease.own_name()}"
        assert sql("SELECT holder FROM orders.lease") == [("nobody",)]
        connection.write(INSERT, [USD])
        connection.commit()
    waiting.result()
    assert sql("SELECT holder FROM orders.lease") == sql("SELECT holder FROM wallets.lease") == [(lease.own_name(),)]
    # it is reserved for connections of this process, and nobody else's
    ((reserved,),) = sql("SELECT epoch FROM wallets.lease")
    with closing(database.connect()) as connection:
        assert connection.epoch > reserved


def test_what_another_process_reserved_is_waited_for(
    database: PostgresDatabase, postgres_url: str, sql: Sql, monkeypatch: pytest.MonkeyPatch
) -> None:
    take_turn(Server(postgres_url), ["wallets"])
    sql("UPDATE wallets.lease SET holder = 'another/1', until = clock_timestamp() + '1 hour'")
    monkeypatch.setattr(lease, "TAKE_SECONDS_MAX", -lease.LEASE_SECONDS)
    with pytest.raises(CantStart, match="another/1"):
        database.connect()


def test_nobody_changes_a_schema_that_is_written(database: PostgresDatabase, sql: Sql) -> None:
    with closing(database.connect()):
        database.migrate()
        sql("UPDATE wallets.alembic_version SET version_num = '0001'")
        with pytest.raises(CantStart, match=f"written by {lease.own_name()}; stop it"):
            database.migrate()
