"""The commands on PostgreSQL: what they say of an exchange in which everything happened."""

from collections.abc import Iterator
from pathlib import Path

import msgspec
import psycopg
import pytest

from borsa.commands import doctor, explain, migrate, verify
from borsa.settings import BadSetting, Settings, load
from tests.commands.audited import everything_happens
from tests.support.postgres import PASSWORD, Postgres
from tests.support.running import Running


@pytest.fixture(scope="module")
def audited(postgres: Postgres, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Settings, int]]:
    """A stopped exchange in which everything happened, and what verify said of it while it ran."""
    folder = tmp_path_factory.mktemp("verify") / "data"
    with postgres.database() as url:
        with Running(folder, snapshot_events=10, price_band_ppm=900_000, database_url=url) as running:
            everything_happens(running)
            said_running = verify.run(running.settings)
        yield running.settings, said_running


def test_a_right_exchange_is_right_running_and_stopped(
    audited: tuple[Settings, int], capsys: pytest.CaptureFixture[str]
) -> None:
    settings, said_running = audited
    assert said_running == verify.RIGHT
    assert verify.run(settings) == verify.RIGHT
    said = capsys.readouterr().out
    assert said.startswith("127.0.0.1/borsa_")
    assert said.rstrip().endswith(", 0 breaches")
    assert " 0 rows, 0 breaches" not in said
    assert PASSWORD not in said


DAMAGES = {
    "balance": ("UPDATE wallets.balances SET available = available + 1 WHERE wallet_id != 'world'", "I-06"),
    "posting": ("UPDATE wallets.postings SET amount = amount + 1 WHERE entry_id = 3 AND line = 0", "I-01"),
    "log": ("DELETE FROM orders.log WHERE sequence = 7", "I-30"),
    "order": ("UPDATE orders.orders SET filled = 0 WHERE status = 'filled'", "I-10"),
    "snapshot": ("UPDATE trades.snapshot_pieces SET body = 'x'", "I-22"),
    "secret": ("UPDATE users.users SET name = '-----BEGIN PRIVATE KEY-----'", "I-51"),
    "negative": (
        "ALTER TABLE wallets.balances DROP CONSTRAINT balances_not_negative;"
        " UPDATE wallets.balances SET held = -1 WHERE wallet_id != 'world'",
        "I-02",
    ),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_what_is_wrong_is_found(
    damage: str,
    audited: tuple[Settings, int],
    postgres: Postgres,
    capsys: pytest.CaptureFixture[str],
) -> None:
    settings, _ = audited
    statement, proof = DAMAGES[damage]
    with postgres.database(template=settings.database_url.rpartition("/")[2]) as url:
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute(statement.encode())
        assert verify.run(msgspec.structs.replace(settings, database_url=url)) == verify.WRONG
    lines = [line for line in capsys.readouterr().out.splitlines() if "WRONG" in line]
    assert any(proof in line.split("  ")[0] for line in lines), lines


def test_a_database_without_an_exchange_is_nothing_to_audit(
    postgres_url: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for url in (postgres_url, postgres_url.replace("127.0.0.1", "127.0.0.2")):
        assert verify.run(Settings(data=str(tmp_path), database_url=url)) == verify.NOTHING
        assert "nothing to audit" in (said := capsys.readouterr().err)
        assert PASSWORD not in said


def test_a_balance_is_explained(audited: tuple[Settings, int], capsys: pytest.CaptureFixture[str]) -> None:
    settings, _ = audited
    assert explain.run(settings, "fees", "USD", 0) == explain.NOTHING
    with psycopg.connect(settings.database_url) as connection:
        (name,) = connection.execute("SELECT name FROM users.users WHERE role = 'user' LIMIT 1").fetchone() or ("",)
    assert explain.run(settings, name, "USD", 0) == explain.REACHED
    assert "exactly the sum of its postings" in capsys.readouterr().out


def test_the_doctor_looks_at_the_server(audited: tuple[Settings, int], capsys: pytest.CaptureFixture[str]) -> None:
    settings, _ = audited
    assert doctor.run(settings) == 0
    said = capsys.readouterr().out
    assert "ok    database: PostgreSQL " in said
    assert "ok    schema wallets: at " in said
    assert "warn  writer" not in said
    with Running(settings.folder, database_url=settings.database_url):
        assert doctor.run(settings) == 0
        assert "warn  writer of wallets: " in capsys.readouterr().out
    gone = msgspec.structs.replace(settings, database_url=f"postgresql://borsa:{PASSWORD}@127.0.0.1:1/borsa")
    assert doctor.run(gone) == 1
    said = capsys.readouterr().out
    assert "fail  database: the database 127.0.0.1/borsa can't be reached" in said
    assert PASSWORD not in said


def test_schemas_are_made_without_serving(
    postgres_url: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    settings = Settings(data=str(tmp_path), database_url=postgres_url)
    for _ in range(2):
        assert migrate.run(settings) == 0
        assert capsys.readouterr().out.count(": at ") == 6
    gone = msgspec.structs.replace(settings, database_url=postgres_url.replace("127.0.0.1", "127.0.0.2"))
    assert migrate.run(gone) == 1


@pytest.mark.parametrize(
    "url",
    [
        f"mysql://borsa:{PASSWORD}@localhost/borsa",
        f"postgresql://borsa:{PASSWORD}@localhost",
        f"postgresql://borsa:{PASSWORD}@localhost:port/borsa",
        f"borsa:{PASSWORD}",
    ],
    ids=["other_kind", "no_name", "bad_port", "no_url"],
)
def test_a_bad_url_is_told_without_its_password(url: str) -> None:
    with pytest.raises(BadSetting, match="BORSA_DATABASE_URL") as refused:
        load({"BORSA_DATABASE_URL": url})
    assert PASSWORD not in str(refused.value)
