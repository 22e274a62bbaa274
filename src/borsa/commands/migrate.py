"""borsa migrate: bring the schemas to this version's, without serving."""

import typer

from borsa import app
from borsa.errors import CantStart
from borsa.runtime.databases.lock import locked
from borsa.runtime.databases.migrations import head
from borsa.settings import Settings


def run(settings: Settings) -> int:
    """Migrate every service's database; returns the exit status."""
    try:
        with locked(settings.folder):
            app.check_moved(settings)
            for name, database in app.databases(settings).items():
                database.migrate()
                typer.echo(f"{name}: at {head(name)}")
    except CantStart as error:
        typer.echo(f"borsa: {error}", err=True)
        return 1
    return 0
