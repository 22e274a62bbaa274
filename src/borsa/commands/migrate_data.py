"""borsa migrate-data: a data folder's databases into PostgreSQL, every row of every table, proven to be the same."""

import hashlib
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, closing
from typing import TYPE_CHECKING

import apsw
import msgspec
import sqlalchemy as sa
import typer

from borsa import app
from borsa.commands import verify
from borsa.commands.progress import Progress
from borsa.errors import CantStart
from borsa.runtime.databases.lock import locked
from borsa.runtime.databases.moving import MOVED, NO_ROWS, Summary, leave_behind, pages, row_count, summary
from borsa.runtime.store import Reader, StorageBroken, StorageFull
from borsa.settings import Settings

if TYPE_CHECKING:
    from borsa.runtime.databases.postgres_move import PostgresMove

Summaries = dict[tuple[str, str], Summary]
"""By service and table."""

NEXT = """
Next: `borsa up` or `borsa serve` with this BORSA_DATABASE_URL and the same BORSA_DATA, which still has the keys.
The six .db files are used no more, and the folder says so ({mark}): keep them until you have a backup of the database.
"""


def run(settings: Settings) -> int:
    """Move the data; returns the exit status. Killed at any moment it goes on when it is run again."""
    if not settings.database_url:
        typer.echo("borsa: borsa migrate-data needs to know where to: set BORSA_DATABASE_URL", err=True)
        return 2
    # a folder has no shards, and what comes from it has none yet
    settings = msgspec.structs.replace(settings, trades_shards=0)
    here = msgspec.structs.replace(settings, database_url="")
    try:
        _check_there(here)
        with locked(settings.folder):
            return _move(here, settings)
    except CantStart as error:
        typer.echo(f"borsa: {error}", err=True)
    except StorageFull:
        typer.echo(f"borsa: {app.place(settings)} has no room; make some, and run this again", err=True)
    except (StorageBroken, apsw.Error) as error:
        typer.echo(f"borsa: {error}; run this again when it is mended", err=True)
    return 1


def _check_there(here: Settings) -> None:
    if not any(database.exists() for database in app.databases(here).values()):
        raise CantStart(f"{here.folder} has no exchange")


def _move(here: Settings, there: Settings) -> int:
    found = app.complete(here, app.databases(here))
    typer.echo(f"Auditing {app.place(here)}")
    if verify.run(here) != verify.RIGHT:
        typer.echo("borsa: nothing was moved: what is wrong stays wrong elsewhere", err=True)
        return 1
    move = app.move(there)
    with ExitStack() as stack:
        readers = {name: stack.enter_context(closing(database.reader())) for name, database in found.items()}
        so_far = stack.enter_context(move.begin())
        before = _copied(readers, move, so_far)
        typer.echo(f"Auditing {app.place(there)}")
        if not _is_same(before, there) or verify.run(there) != verify.RIGHT:
            typer.echo(f"borsa: {app.place(there)} did not become the same, and is not served; make it anew", err=True)
            return 1
        leave_behind(here.folder, app.place(there))
        move.finish()
    typer.echo(NEXT.format(mark=MOVED))
    return 0


def _copied(
    readers: Mapping[str, Reader], move: "PostgresMove", so_far: Mapping[tuple[str, str], Summary]
) -> Summaries:
    """Copy what is not there yet; gives what the folder has."""
    tables = [(service.name, table) for service in app.SERVICES for table in service.tables.sorted_tables]
    total = sum(readers[service].read(row_count(table))[0][0] for service, table in tables)
    found: Summaries = {}
    with Progress(total, "rows") as progress:
        for service, table in tables:
            there = so_far.get((service, table.name), NO_ROWS)
            copied = NO_ROWS
            for copied in _copy(service, table, readers[service], move, there):
                progress.tell(sum(each.total for each in found.values()) + copied.total)
            found[service, table.name] = copied
    return found


def _copy(service: str, table: sa.Table, reader: Reader, move: "PostgresMove", there: Summary) -> Iterator[Summary]:
    """Pass over the rows that are there already, and copy the others; CantStart where the folder is not what it was."""
    is_new = there == NO_ROWS
    for page in pages(reader, table):
        if is_new:
            move.put(service, table, page)
        found = Summary(page.total, page.digest)
        is_new = is_new or found == there
        yield found
    if not is_new:
        raise CantStart(
            f"{service}.{table.name} is not what it was when this move began: the folder was written meanwhile, or is "
            "another one; make the database anew, and begin again"
        )


def _is_same(before: Summaries, there: Settings) -> bool:
    """Read everything from the database, and say for each service what there is in both."""
    readers = app.readers_of(app.databases(there))
    same = True
    for service in app.SERVICES:
        with closing(readers[service.name]) as reader:
            tables = service.tables.sorted_tables
            after = {(service.name, table.name): summary(reader, table) for table in tables}
        own = {key: before[key] for key in after}
        differing = [name for (_, name), found in after.items() if found != own[service.name, name]]
        same = same and not differing
        verdict = f"differs in {', '.join(differing)}" if differing else "the same in both"
        rows = sum(each.total for each in own.values())
        typer.echo(f"{service.name}: {len(own)} tables, {rows} rows, digest {_digest(own)}, {verdict}")
    return same


def _digest(found: Summaries) -> str:
    """One for all tables of a service."""
    whole = hashlib.sha256()
    for (_, name), each in sorted(found.items()):
        whole.update(f"{name} {each.total} ".encode() + each.digest)
    return whole.hexdigest()
