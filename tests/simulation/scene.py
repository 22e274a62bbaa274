"""What every world begins with: a folder in memory, the data of a first start, and an ear for what services say."""

import atexit
import gc
import shutil
import tempfile
import traceback
from collections.abc import Iterator
from contextlib import closing, contextmanager
from functools import lru_cache
from pathlib import Path
from typing import Any

import apsw
import structlog

from borsa import app
from borsa.runtime.buses.embedded import EmbeddedBus
from borsa.runtime.writing.writer import Writer
from borsa.settings import Settings
from tests.simulation.clock import SimClock, SimTime

IN_MEMORY = Path("/dev/shm")
PASSWORD = "quiet-harbour-lantern-42"


def folder() -> Path:
    """A new folder, in memory where the machine has such a place."""
    return Path(tempfile.mkdtemp(prefix="borsa-simulation-", dir=IN_MEMORY if IN_MEMORY.is_dir() else None))


@contextmanager
def heard() -> Iterator[list[dict[str, Any]]]:
    """What the services say of themselves, with the traceback where there is one."""
    said: list[dict[str, Any]] = []

    def keep(_: Any, __: str, entry: dict[str, Any]) -> Any:
        said.append(entry | {"trace": traceback.format_exc()} if entry.get("exc_info") else entry)
        raise structlog.DropEvent

    # in place, as `capture_logs` does: loggers that were used before know this very list
    processors = structlog.get_config()["processors"]
    before = list(processors)
    processors[:] = [keep]
    try:
        yield said
    finally:
        processors[:] = before


@lru_cache(maxsize=1)
def template() -> Path:
    """The data of an exchange that was started once, which every world begins with."""
    made = folder()
    atexit.register(shutil.rmtree, made, ignore_errors=True)
    settings = Settings(admin_password=PASSWORD, data=str(made))
    databases = app.prepared(settings)
    time = SimTime()
    bus = EmbeddedBus(settings.fetch_events_max, app.readers_of(databases))
    writers = [
        Writer(service, databases[service.name].connect(), bus, SimClock(time, 0), settings, lambda: None)
        for service in app.SERVICES
    ]
    for writer in writers:
        bus.attach(writer)
    for writer in writers:
        writer.start()
    while sum([writer.step() for writer in writers]):
        pass
    for writer in writers:
        writer.close()
    bus.close()
    for path in made.glob("*.db"):
        with closing(apsw.Connection(str(path))) as connection:
            # SQLite's memory has no write-ahead logs; in files every writer begins one
            connection.execute("PRAGMA journal_mode=DELETE")
    # whatever is here by now stays: collecting the garbage of a world need not look at it
    gc.freeze()
    return made
