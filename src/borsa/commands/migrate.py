"""borsa migrate: bring the schemas to this version's, without serving."""

import typer

from borsa import app
from borsa.runtime.migrations import NewerSchema, head
from borsa.settings import Settings


def run(settings: Settings) -> int:
    """Migrate every service's database; returns the exit status."""
    try:
        with app.locked(settings.folder):
            for name, database in app.databases(settings).items():
                database.migrate()
                typer.echo(f"{name}: at {head(name)}")
    except (app.AlreadyRunning, NewerSchema) as error:
        typer.echo(f"borsa: {error}", err=True)
        return 1
    return 0
