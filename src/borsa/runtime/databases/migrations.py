"""Schema changes: Alembic revisions in `migrations/` of each service, applied at start, all or nothing."""

from functools import cache
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from alembic.config import Config
from alembic.runtime.environment import EnvironmentContext
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory

from borsa.errors import CantStart
from borsa.runtime.shards import service_of

SERVICES_FOLDER = Path(__file__).parents[2] / "services"


class NewerSchema(CantStart):
    """The database was written by a newer Borsa: going back is refused."""


def configuration(service: str) -> Config:
    """Where Alembic finds the revisions of a service, or of a shard of it."""
    config = Config()
    folder = str(SERVICES_FOLDER / service_of(service) / "migrations")
    config.set_main_option("script_location", folder)
    config.set_main_option("version_locations", folder)
    config.set_main_option("path_separator", "os")
    return config


def migrate(service: str, engine: sa.Engine, metadata: sa.MetaData) -> None:
    """Bring a service's schema to this version's, in one transaction; a newer schema is refused."""
    config = configuration(service)
    script = ScriptDirectory.from_config(config)

    def upgrade(revision: Any, _: MigrationContext) -> Any:
        return script._upgrade_revs("head", revision)

    with engine.begin() as connection:
        current = MigrationContext.configure(connection).get_current_revision()
        if current == script.get_current_head():
            return
        if current is not None and current not in {each.revision for each in script.walk_revisions()}:
            raise NewerSchema(f"{service}: the schema is at {current}, which this version does not know")
        with EnvironmentContext(config, script, fn=upgrade) as environment:
            environment.configure(connection=connection, target_metadata=metadata)
            environment.run_migrations()


@cache
def head(service: str) -> str:
    """The newest revision of a service."""
    return ScriptDirectory.from_config(configuration(service)).get_current_head() or ""
