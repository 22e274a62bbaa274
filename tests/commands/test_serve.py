"""borsa serve: what it does before it serves."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import msgspec
import psycopg
import pytest
from typer.testing import CliRunner

from borsa import app, served
from borsa.cli import cli
from borsa.commands import serve, up
from borsa.runtime.databases import postgres_server
from borsa.settings import Settings

DATABASE = "postgresql://borsa:secret@127.0.0.1:1/borsa"


@pytest.mark.parametrize(
    ("given", "missing"),
    [({}, "BORSA_DATABASE_URL"), ({"database_url": DATABASE}, "BORSA_NATS_URL")],
    ids=["database", "broker"],
)
def test_a_setting_that_is_missing_is_named(given: dict[str, str], missing: str, tmp_path: Path) -> None:
    settings = msgspec.structs.replace(Settings(), data=str(tmp_path), **given)
    with pytest.raises(serve.CantStart, match=f"set {missing}"):
        serve._served(settings, "users")


def test_who_starts_waits_for_who_makes_the_schemas_as_long_as_it_takes(
    postgres_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(postgres_server, "LOCK_SECONDS_MAX", 1)
    settings = msgspec.structs.replace(Settings(), data=str(tmp_path), database_url=postgres_url)
    with psycopg.connect(postgres_url, autocommit=True) as other, ThreadPoolExecutor() as aside:
        other.execute("SELECT pg_advisory_lock(7311)")
        waiting = aside.submit(served.prepared, settings)
        with pytest.raises(TimeoutError):
            waiting.result(2)
        other.execute("SELECT pg_advisory_unlock(7311)")
        assert waiting.result(60).keys() == {service.name for service in app.SERVICES}


def test_only_trades_is_divided_by_markets() -> None:
    refused = CliRunner().invoke(cli, ["serve", "users", "--markets", "BTC-USD"])
    assert refused.exit_code == 2
    assert "--markets" in refused.output
    assert "users has no markets" in refused.output


def test_what_runs_in_one_place_takes_no_shards(tmp_path: Path) -> None:
    settings = msgspec.structs.replace(Settings(), data=str(tmp_path), trades_shards=1)
    with pytest.raises(serve.CantStart, match="BORSA_TRADES_SHARDS"):
        up._exchange(settings)
    assert not list(tmp_path.iterdir())
