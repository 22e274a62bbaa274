"""Databases of earlier versions, as their migrations made them."""

from pathlib import Path
from typing import Any

import sqlalchemy as sa
from alembic.runtime.environment import EnvironmentContext
from alembic.script import ScriptDirectory

from borsa.runtime.databases import migrations
from borsa.runtime.databases.sqlite import engine_of
from borsa.runtime.service import Service

EMPTY = {"TEXT": "x", "INTEGER": 7, "BLOB": b""}


def migrate_to(revision: str, service: Service[Any], path: Path) -> None:
    """Bring a database to an earlier revision."""
    config = migrations.configuration(service.name)
    script = ScriptDirectory.from_config(config)
    engine = engine_of(path)
    with (
        engine.begin() as connection,
        EnvironmentContext(config, script, fn=lambda at, _: script._upgrade_revs(revision, at)) as environment,  # type: ignore[arg-type]
    ):
        environment.configure(connection=connection, target_metadata=service.tables)
        environment.run_migrations()
    engine.dispose()


def insert(path: Path, name: str, *rows: dict[str, Any]) -> None:
    """Rows of a table; a column of which nothing is said has some value of its type."""
    engine = engine_of(path)
    with engine.begin() as connection:
        columns = sa.inspect(connection).get_columns(name)
        some = {each["name"]: EMPTY[str(each["type"])] for each in columns}
        table = sa.table(name, *map(sa.column, some))
        for row in rows:
            assert row.keys() <= some.keys(), row.keys() - some.keys()
            connection.execute(table.insert().values(some | row))
    engine.dispose()
