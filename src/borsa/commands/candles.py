"""borsa candles rebuild: what the trades say, of however many markets, while nobody else writes."""

import typer

from borsa import app
from borsa.errors import CantStart
from borsa.runtime.databases.lock import locked
from borsa.runtime.shards import known_of
from borsa.runtime.store import Database
from borsa.services.trades.store import rebuild_candles
from borsa.settings import Settings


def run(settings: Settings) -> int:
    """Make all candles anew; returns the exit status."""
    try:
        with locked(settings.folder):
            found = app.prepared(settings)
            made = sum(_made(found[shard]) for shard in known_of("trades", found))
    except CantStart as error:
        typer.echo(f"borsa: {error}", err=True)
        return 1
    typer.echo(f"{made} candles")
    return 0


def _made(database: Database) -> int:
    connection = database.connect()
    try:
        return rebuild_candles(connection)
    finally:
        connection.close()
