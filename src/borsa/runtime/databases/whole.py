"""Do the databases of an exchange belong together? All of them have to be there, and be of one moment."""

from collections.abc import Collection, Mapping
from contextlib import closing

from borsa.errors import CantStart
from borsa.runtime.log import Cursor, cursors, event_at, newest, read_after
from borsa.runtime.shards import is_shard
from borsa.runtime.store import Database, Reader


def make_whole(found: Mapping[str, Database], place: str) -> None:
    """Bring all of them to this version, and make those that were never there; CantStart where one is lost, or is older
    than the others or of another history. `place` is where they are, for people."""
    there = [database for database in found.values() if database.exists()]
    missing = [database for database in found.values() if database not in there]
    for database in there:
        database.migrate()
    _check_complete(there, missing, place)
    for database in missing:
        database.migrate()
    _check_cursors(found)


def _check_complete(there: Collection[Database], missing: Collection[Database], place: str) -> None:
    """What is lost is not made anew in silence. Where nothing ever happened, nothing is lost: the first start was
    killed while it made the databases, and goes on."""
    if missing and not all(is_new(database) for database in there):
        lost = ", ".join(database.name for database in missing if _was_there(database.name, there))
        if lost:
            raise CantStart(f"{place} has lost the database of {lost}; restore all of one moment")


def _was_there(name: str, others: Collection[Database]) -> bool:
    """A shard may be new; of one that ever said something, somebody has a cursor."""
    if not is_shard(name):
        return True
    for database in others:
        with closing(database.reader()) as reader:
            if name in cursors(reader):
                return True
    return False


def is_new(database: Database) -> bool:
    """Did nothing ever happen in it?"""
    reader = database.reader()
    try:
        return newest(reader) == (0, 0) and not cursors(reader)
    finally:
        reader.close()


def _check_cursors(found: Mapping[str, Database]) -> None:
    """A log that ends before what was applied of it has lost its end: nothing new may be written over the loss. One
    that has another event there than the one applied has gone on with another history."""
    readers = {name: database.reader() for name, database in found.items()}
    try:
        for name, reader in readers.items():
            for cursor in cursors(reader).values():
                if cursor.source not in readers:
                    raise CantStart(f"{name} follows {cursor.source}, which is a shard that BORSA_TRADES_SHARDS misses")
                _check_cursor(name, cursor, readers[cursor.source])
    finally:
        for reader in readers.values():
            reader.close()


def _check_cursor(name: str, cursor: Cursor, log: Reader) -> None:
    source, sequence = cursor.source, cursor.sequence
    last = newest(log)[0]
    if sequence > last:
        raise CantStart(
            f"{name} has applied {source}/{sequence}, but that log ends at {last}: "
            f"{source} is older than the rest; restore all databases of one moment"
        )
    if not cursor.fits(event_at(lambda _, after: read_after(log, source, after, 1), source, sequence)):
        raise CantStart(
            f"{name} has applied another {source}/{sequence} than that log has: "
            f"one of the two comes from another copy; restore all databases of one moment"
        )
