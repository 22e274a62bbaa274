"""borsa doctor: what is installed, and whether an exchange could run here."""

import contextlib
import fcntl
import os
import platform
import shutil
import socket
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from importlib import metadata
from pathlib import Path

import apsw
import msgspec
import typer
from alembic.script import ScriptDirectory

from borsa import app, settings
from borsa.app import services
from borsa.errors import CantStart
from borsa.matching import NoSuchKernel, kernel_name
from borsa.runtime.databases.migrations import configuration, head
from borsa.settings import Settings

OK, WARN, FAIL = "ok", "warn", "fail"

PYTHON_LEAST = (3, 11)
FREE_BYTES_LEAST = 1024**3
SYNC_SECONDS_MOST = 0.05
PASSWORD_CHARACTERS_LEAST = 15
CONNECTIONS_LEAST = 40
"""So many an exchange of three processes takes of PostgreSQL, and a few for who looks at it."""

BROKER_LEAST = (2, 9)
LAG_EVENTS_MOST = 10_000
"""What a copy may lack at a moment, under load."""

SERVERS = {
    "psql": "only PostgreSQL needs it",
    "postgres": "only PostgreSQL needs it",
    "nats-server": "only services that run apart need it",
}


class Symptom(msgspec.Struct, frozen=True):
    """What was looked at, what was seen, and whether an exchange can live with it."""

    verdict: str
    what: str
    seen: str


def run(settings: Settings) -> int:
    """Look at everything, one line each; returns the exit status."""
    symptoms = [symptom for look in LOOKS for symptom in look(settings)]
    for symptom in symptoms:
        typer.echo(f"{symptom.verdict:4}  {symptom.what}: {symptom.seen}")
    return int(any(symptom.verdict == FAIL for symptom in symptoms))


# what is installed -------------------------------------------------------------------------------------------------


def look_at_python(_: Settings) -> Iterator[Symptom]:
    """The interpreter, and the database that the driver brings."""
    good = sys.version_info[:2] >= PYTHON_LEAST
    yield Symptom(OK if good else FAIL, "python", f"{platform.python_version()} at {sys.executable}")
    yield Symptom(OK, "sqlite", apsw.sqlite_lib_version())


def look_at_kernel(settings: Settings) -> Iterator[Symptom]:
    """The one that would match orders; the plain Python one does too, some forty times slower."""
    try:
        name = kernel_name(settings.kernel)
    except NoSuchKernel as error:
        yield Symptom(FAIL, "matching kernel", str(error))
        return
    slow = name == "naive" and not settings.kernel
    yield Symptom(OK, "matching kernel", f"{name}: there was no C compiler at the installation" if slow else name)


def look_at_packages(_: Settings) -> Iterator[Symptom]:
    """Borsa itself and everything that it requires."""
    for requirement in ["borsa", *(metadata.requires("borsa") or ())]:
        if "extra ==" in requirement:
            continue
        name, _, wanted = requirement.partition("==")
        wanted = wanted.partition(";")[0].strip()
        try:
            found = metadata.version(name)
        except metadata.PackageNotFoundError:
            yield Symptom(FAIL, name, f"not installed, {wanted} is needed")
            continue
        if wanted in ("", found):
            yield Symptom(OK, name, found)
        else:
            yield Symptom(WARN, name, f"{found}, tested with {wanted}")


def look_at_servers(_: Settings) -> Iterator[Symptom]:
    """Servers that the default shape does not need."""
    for name, why in SERVERS.items():
        yield Symptom(OK, name, shutil.which(name) or f"not installed: {why}")


# where it would run ------------------------------------------------------------------------------------------------


def look_at_settings(settings: Settings) -> Iterator[Symptom]:
    """Values that can be read, and still would not do."""
    wrong = list(_wrong_settings(settings))
    yield from wrong
    if not wrong:
        yield Symptom(OK, "settings", f"sane; the address is {settings.address}")


def _wrong_settings(given: Settings) -> Iterator[Symptom]:
    if given.admin_password and len(given.admin_password) < PASSWORD_CHARACTERS_LEAST:
        yield Symptom(FAIL, "BORSA_ADMIN_PASSWORD", f"shorter than {PASSWORD_CHARACTERS_LEAST} characters")
    known = {settings.variable_of(field.name) for field in msgspec.structs.fields(Settings)}
    for variable in sorted(os.environ):
        if variable.startswith("BORSA_") and variable not in known:
            yield Symptom(WARN, variable, "no setting has this name")
    if given.host not in ("127.0.0.1", "::1", "localhost"):
        yield Symptom(WARN, "BORSA_HOST", f"{given.host} is reachable from elsewhere: put TLS in front of it")


def look_at_folder(settings: Settings) -> Iterator[Symptom]:
    """Can the data folder be written, and does it keep what it is told to keep?"""
    folder = settings.folder
    there = next(path for path in (folder, *folder.parents) if path.exists())
    where = str(folder) if there == folder else f"{folder} (it will be made in {there})"
    try:
        seconds = _seconds_to_sync(there)
    except OSError as error:
        yield Symptom(FAIL, "data folder", f"{where} can't be written: {error.strerror}")
        return
    slow = seconds > SYNC_SECONDS_MOST
    yield Symptom(WARN if slow else OK, "data folder", f"{where}, synced in {seconds * 1000:.1f} ms")
    free = shutil.disk_usage(there).free
    yield Symptom(OK if free >= FREE_BYTES_LEAST else WARN, "disk", f"{free // 1024**2} MiB free")
    if _is_in_use(folder):
        yield Symptom(WARN, "data folder", "an exchange is running on it")


def _seconds_to_sync(folder: Path) -> float:
    """Time of one small durable write: file and folder."""
    started = time.perf_counter()
    with tempfile.NamedTemporaryFile(dir=folder, prefix="borsa-doctor-") as file:
        file.write(b"kept")
        file.flush()
        os.fsync(file.fileno())
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
    return time.perf_counter() - started


def _is_in_use(folder: Path) -> bool:
    try:
        with (folder / "borsa.lock").open() as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except FileNotFoundError:
        return False
    except OSError:
        return True
    return False


def look_at_port(settings: Settings) -> Iterator[Symptom]:
    """Is the port free? A running exchange has it, of course."""
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    try:
        with socket.socket(family) as listening:
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listening.bind((settings.host, settings.port))
    except OSError as error:
        verdict = WARN if _is_in_use(settings.folder) else FAIL
        yield Symptom(verdict, "port", f"can't listen on {settings.host}:{settings.port}: {error.strerror or error}")
        return
    yield Symptom(OK, "port", f"{settings.host}:{settings.port} is free")


def look_at_schemas(settings: Settings) -> Iterator[Symptom]:
    """Which schema each database is at."""
    if settings.database_url:
        yield from _look_at_server(settings)
        return
    found = [service.name for service in services(settings) if (settings.folder / f"{service.name}.db").exists()]
    if not found:
        yield Symptom(OK, "databases", "none yet: the first start makes them")
        return
    for service in services(settings):
        yield _schema(settings.folder, service.name)


def _schema(folder: Path, service: str) -> Symptom:
    path = folder / f"{service}.db"
    if not path.exists():
        return Symptom(OK, f"{service}.db", "will be made")
    try:
        with contextlib.closing(apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READONLY)) as connection:
            tables = connection.execute("SELECT name FROM sqlite_master WHERE name = 'alembic_version'").fetchall()
            rows = connection.execute("SELECT version_num FROM alembic_version").fetchall() if tables else []
    except apsw.Error as error:
        return Symptom(FAIL, f"{service}.db", f"can't be read: {error}")
    return _judged(service, f"{service}.db", str(rows[0][0]) if rows else None)


def _judged(service: str, what: str, current: str | None) -> Symptom:
    if current == head(service):
        return Symptom(OK, what, f"at {current}")
    known = {each.revision for each in ScriptDirectory.from_config(configuration(service)).walk_revisions()}
    if current is None or current in known:
        return Symptom(OK, what, f"at {current or 'nothing'}, the next start brings it to {head(service)}")
    return Symptom(FAIL, what, f"at {current}, which this version does not know: it is newer")


def _look_at_server(settings: Settings) -> Iterator[Symptom]:
    """PostgreSQL: is it there, does it keep what it is told to keep, and who writes?"""
    try:
        found = app.examined(settings)
    except (CantStart, ImportError) as error:
        yield Symptom(FAIL, "database", str(error))
        return
    yield Symptom(OK, "database", f"PostgreSQL {found.version} at {app.place(settings)}")
    if not found.good_collation:
        yield Symptom(FAIL, "collation", f"{found.collation}: make the database with createdb -T template0 --locale=C")
    for name, value in found.unsafe.items():
        yield Symptom(WARN, name, f"{value}: what was answered may be lost")
    free = found.connections_max - found.connections
    enough = free >= CONNECTIONS_LEAST
    yield Symptom(OK if enough else WARN, "connections", f"{free} of {found.connections_max} are free")
    for service, revision in found.revisions.items():
        yield _judged(service, f"schema {service}", revision)
    for service, writer in found.writers.items():
        yield Symptom(WARN, f"writer of {service}", writer)


def look_at_broker(settings: Settings) -> Iterator[Symptom]:
    """NATS, where it is asked for: is it there, does it store, and how far behind the logs are its copies of them?"""
    if not settings.nats_url:
        return
    try:
        found = app.seen_broker(settings)
    except (CantStart, ImportError) as error:
        yield Symptom(FAIL, "broker", str(error))
        return
    old = tuple(map(int, found.version.split("."))) < BROKER_LEAST
    yield Symptom(WARN if old else OK, "broker", f"NATS {found.version} at {', '.join(found.places)}")
    if found.missing:
        yield Symptom(WARN, "JetStream", f"{found.missing}: events come from the logs alone, and outsiders get none")
    elif not found.streams:
        yield Symptom(OK, "JetStream", "on; no streams yet: the first service makes them")
    else:
        yield Symptom(OK, "acknowledgement", found.acknowledgement)
    for each in found.streams:
        yield Symptom(
            OK, f"stream {each.name}", f"{each.messages} messages, {each.bytes} bytes, on {each.replicas} servers"
        )
    yield from _lags(settings, found.lasts)


def _lags(settings: Settings, lasts: Mapping[str, int]) -> Iterator[Symptom]:
    """How many events of each log the broker's copy does not have."""
    try:
        logs = app.examined(settings).lasts if settings.database_url and lasts else {}
    except (CantStart, ImportError):
        return  # what is wrong with the database is told with the schemas
    for service, last in logs.items():
        behind = max(0, last - lasts[service])
        verdict = OK if behind <= LAG_EVENTS_MOST else WARN
        yield Symptom(verdict, f"copy of {service}", f"{behind} events behind the log")


LOOKS: tuple[Callable[[Settings], Iterator[Symptom]], ...] = (
    look_at_python,
    look_at_kernel,
    look_at_packages,
    look_at_servers,
    look_at_settings,
    look_at_folder,
    look_at_port,
    look_at_schemas,
    look_at_broker,
)
