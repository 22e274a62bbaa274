"""A migrated database has the schema that tables.py describes: types, constraints, indexes, strictness."""

import importlib.util
import shutil
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import sqlalchemy as sa

from borsa.app import SERVICES
from borsa.runtime.databases import migrations, postgres
from borsa.runtime.databases.postgres import PostgresDatabase
from borsa.runtime.databases.postgres_server import Server
from borsa.runtime.databases.sqlite import SqliteDatabase, engine_of
from borsa.runtime.log import runtime_tables
from borsa.runtime.service import Service
from tests.house.source import ROOT

each_service = pytest.mark.parametrize("service", SERVICES, ids=lambda service: service.name)


def drafting() -> ModuleType:
    """docs/draft_migration.py, which is a script and in no package."""
    spec = importlib.util.spec_from_file_location("draft_migration", ROOT / "docs" / "draft_migration.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@each_service
def test_there_is_nothing_to_migrate(service: Service[Any]) -> None:
    assert drafting().draft(service, "anything") is None


@each_service
def test_migrations_and_tables_make_the_same_database(service: Service[Any], tmp_path: Path) -> None:
    """Autogenerate compares neither CHECK constraints nor SQLite's STRICT."""
    database = SqliteDatabase(service.name, tmp_path, service.tables)
    database.migrate()
    migrated = engine_of(database.path)
    described = engine_of(tmp_path / "described.db")
    service.tables.create_all(described)
    assert _schema(migrated) == _schema(described)
    assert _strict(migrated) == _strict(described)
    for engine in (migrated, described):
        engine.dispose()


@each_service
def test_migrations_and_tables_make_the_same_schema_of_postgresql(service: Service[Any], postgres_url: str) -> None:
    server = Server(postgres_url)
    PostgresDatabase(service.name, server, service.tables).migrate()
    migrated, described = (postgres.engine_of(server, schema) for schema in (service.name, "described"))
    with described.begin() as connection:
        connection.execute(sa.schema.CreateSchema("described"))
        service.tables.create_all(connection)
    assert _schema(migrated) == _schema(described)
    assert _schema(migrated).keys() == service.tables.tables.keys()
    for engine in (migrated, described):
        engine.dispose()


def _schema(engine: sa.Engine) -> dict[str, Any]:
    look = sa.inspect(engine)
    return {
        name: {
            "columns": {
                each["name"]: (str(each["type"]), each["nullable"], each["default"]) for each in look.get_columns(name)
            },
            "key": look.get_pk_constraint(name)["constrained_columns"],
            "checks": sorted((str(each["name"]), each["sqltext"]) for each in look.get_check_constraints(name)),
            "indexes": sorted(
                (
                    str(each["name"]),
                    str(each["column_names"]),
                    str(each["unique"]),
                    str(each.get("dialect_options", {}).get("postgresql_where")),
                )
                for each in look.get_indexes(name)
            ),
        }
        for name in look.get_table_names()
        if name not in ("alembic_version", "lease")
    }


def _strict(engine: sa.Engine) -> dict[str, bool]:
    with engine.connect() as connection:
        rows = connection.exec_driver_sql("PRAGMA table_list").mappings().all()
    return {row["name"]: bool(row["strict"]) for row in rows if not row["name"].startswith(("sqlite_", "alembic_"))}


def test_every_table_is_strict(tmp_path: Path) -> None:
    for service in SERVICES:
        database = SqliteDatabase(service.name, tmp_path, service.tables)
        database.migrate()
        engine = engine_of(database.path)
        assert all(_strict(engine).values()), service.name
        engine.dispose()


def coloured() -> Service[Any]:
    """users, with one table more and the others gone."""
    changed = sa.MetaData()
    runtime_tables(changed)
    sa.Table(
        "colours",
        changed,
        sa.Column("colour", sa.Text, primary_key=True),
        sa.Column("number", sa.BigInteger().with_variant(sa.Integer, "sqlite"), nullable=False),
        sqlite_strict=True,
    )
    return Service(name="users", tables=changed, memory=dict, routes=(), answers={})  # type: ignore[arg-type]


def test_a_change_of_the_tables_is_drafted_in_the_form_of_the_others() -> None:
    text = drafting().draft(coloured(), "add_colours")
    assert '"""Add colours."""' in text
    assert 'down_revision = "' in text
    assert "sa.Column('number', INTEGER, nullable=False)" in text
    assert "op.create_table('colours'" in text
    assert "sqlite_strict=True" in text


def test_a_draft_is_written_beside_the_earlier_revisions(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "users" / "migrations"
    shutil.copytree(migrations.SERVICES_FOLDER / "users" / "migrations", folder)
    monkeypatch.setattr(migrations, "SERVICES_FOLDER", tmp_path)
    before = int(migrations.head("users"))
    assert drafting().write(coloured(), "add_colours").startswith("Wrote ")
    text = (folder / f"{before + 1:04d}_add_colours.py").read_text()
    assert f'down_revision = "{before:04d}"' in text
    assert 'op.create_table(\n        "colours",' in text
