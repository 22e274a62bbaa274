"""Draft a schema change: python docs/draft_migration.py SERVICE NAME (or: make migration service=... name=...).

Migrates a database of its own to the newest revision, compares it with the service's tables.py, and writes what is
missing as the next revision. The draft is to be read and completed by hand: what becomes of the rows that are there?
"""

import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import sqlalchemy as sa
import typer
from alembic.autogenerate import produce_migrations, render_python_code
from alembic.operations.ops import MigrationScript
from alembic.runtime.migration import MigrationContext

from borsa.app import SERVICES
from borsa.runtime.databases import migrations
from borsa.runtime.databases.sqlite import SqliteDatabase, engine_of
from borsa.runtime.service import Service

TEMPLATE = '''"""{title}."""

import sqlalchemy as sa
from alembic import op

from borsa.runtime.log import INTEGER

revision = "{revision}"
down_revision = "{before}"


def upgrade() -> None:
    """{title}."""
    {body}
'''


@contextmanager
def migrated(service: Service[Any]) -> Iterator[sa.Connection]:
    """A fresh database of a service, at its newest revision."""
    with tempfile.TemporaryDirectory() as folder:
        database = SqliteDatabase(service.name, Path(folder), service.tables)
        database.migrate()
        engine = engine_of(database.path)
        with engine.connect() as connection:
            yield connection
        engine.dispose()


def difference(service: Service[Any]) -> MigrationScript:
    """What has to happen to a migrated database, so that it has the schema of tables.py."""
    with migrated(service) as connection:
        options = {"compare_type": True, "compare_server_default": True, "render_item": _render}
        context = MigrationContext.configure(connection, opts=options)
        return produce_migrations(context, service.tables)


def _render(kind: str, thing: Any, _: Any) -> str | bool:
    """Our one integer type has a name."""
    return "INTEGER" if kind == "type" and isinstance(thing, sa.Integer) else False


def draft(service: Service[Any], name: str) -> str | None:
    """The text of the next revision; None when there is nothing to change."""
    operations = difference(service).upgrade_ops
    if operations is None or operations.is_empty():
        return None
    body = render_python_code(operations, render_item=_render)
    body = re.sub(r"^ *# ### .*\n?", "", body, flags=re.MULTILINE).strip()
    title = name.replace("_", " ").capitalize()
    return TEMPLATE.format(title=title, revision=_next(service), before=migrations.head(service.name), body=body)


def _next(service: Service[Any]) -> str:
    return f"{int(migrations.head(service.name)) + 1:04d}"


def write(service: Service[Any], name: str) -> str:
    """Write the draft beside the earlier revisions; returns what was done."""
    text = draft(service, name)
    if text is None:
        return f"{service.name}: the schema is what tables.py says; there is nothing to change"
    path = migrations.SERVICES_FOLDER / service.name / "migrations" / f"{_next(service)}_{name}.py"
    path.write_text(text)
    for verb in (["format", "--quiet"], ["check", "--fix", "--quiet"]):
        # a list of arguments, ours, and no shell
        subprocess.run([sys.executable, "-m", "ruff", *verb, str(path)], check=True)  # noqa: S603  # nosec B603
    return f"Wrote {path}: read it, and say what becomes of the rows that are there"


def main(given: list[str]) -> None:
    """Read the command line."""
    known = {service.name: service for service in SERVICES}
    if len(given) != 2 or given[0] not in known or not re.fullmatch(r"[a-z][a-z0-9_]*", given[1]):
        sys.exit(f"Usage: draft_migration.py SERVICE NAME, where SERVICE is one of {', '.join(known)}")
    typer.echo(write(known[given[0]], given[1]))


if __name__ == "__main__":
    main(sys.argv[1:])
