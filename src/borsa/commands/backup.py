"""borsa backup: the data folder as of one moment, of a running exchange too."""

import os
import shutil
from contextlib import closing
from pathlib import Path

import apsw
import typer

from borsa.commands import verify
from borsa.commands.audit.moment import Moment, NothingToAudit
from borsa.settings import Settings

KEYS = ("*.pem", "*.key")
"""What beside the databases belongs to a copy."""


class NoMoment(RuntimeError):
    """Nothing can be copied now."""


def run(settings: Settings, folder: Path) -> int:
    """Copy to a new folder; returns the exit status."""
    if settings.database_url:
        typer.echo("borsa: borsa backup copies a data folder; of PostgreSQL, pg_dump makes the copy", err=True)
        return 2
    if folder.exists():
        typer.echo(f"borsa: {folder} is there already", err=True)
        return 1
    os.umask(0o077)
    unfinished = folder.with_name(f"{folder.name}.part")
    try:
        # of one that was killed
        shutil.rmtree(unfinished, ignore_errors=True)
        unfinished.mkdir(parents=True)
        last = _copy(settings, unfinished)
        unfinished.rename(folder)
        _sync(folder.parent)
    except (NothingToAudit, NoMoment, apsw.Error, OSError) as error:
        typer.echo(f"borsa: {settings.folder} was not copied: {error}", err=True)
        return 1
    typer.echo(f"{folder}, at {', '.join(f'{name}/{at}' for name, at in sorted(last.items()))}")
    return 0


def _copy(settings: Settings, target: Path) -> dict[str, int]:
    """All databases and keys; gives how far each log goes in the copy."""
    source = settings.folder
    with Moment(source, verify.follows(settings)) as moment:
        moment.fix()
        if moment.is_ahead:
            raise NoMoment("no moment was found in which no consumer is ahead of its source; try again")
        for service in moment.services:
            _copy_database(moment, service, target / f"{service}.db")
    # after the databases: what is sealed in them has its key by now
    for pattern in KEYS:
        for path in source.glob(pattern):
            _sync(Path(shutil.copy2(path, target)))
    _sync(target)
    return moment.last


def _copy_database(moment: Moment, service: str, path: Path) -> None:
    with closing(apsw.Connection(str(path))) as copy:
        # of the open read transaction: what is committed meanwhile is not in it
        with copy.backup("main", moment.connection, service) as pages:
            pages.step(-1)
        for (said,) in copy.execute("PRAGMA quick_check(1)"):
            if said != "ok":
                raise NoMoment(f"{service}.db is damaged: {said}; borsa verify says more")
    _sync(path)


def _sync(path: Path) -> None:
    """On disk before this returns."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
