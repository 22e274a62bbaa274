"""A migration that is killed at any write is done by the next start, wholly, with every row that was there."""

import shutil
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import msgspec
import pytest

from borsa import app
from borsa.settings import Settings
from tests.services.test_list_migrations import KINDS
from tests.support.earlier import insert, migrate_to
from tests.support.injected import killed_at
from tests.support.process import Process

NTH = {"pwrite64": (2, 25, 60, 90), "fdatasync": (1, 9), "unlink": (2,)}

FIRST = "0001"


@pytest.fixture(scope="module")
def earlier(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder as the first version left it."""
    folder = tmp_path_factory.mktemp("earlier")
    for service in app.SERVICES:
        migrate_to(FIRST, service, folder / f"{service.name}.db")
    for kind in KINDS:
        for table, rows in kind.rows.items():
            insert(folder / f"{kind.service}.db", table, *rows)
    return folder


def migrated(folder: Path) -> dict[str, list[str]]:
    """Bring the databases to this version, and give all that is in them."""
    found = {}
    for name, database in app.databases(msgspec.structs.replace(Settings(), data=str(folder))).items():
        database.migrate()
        with closing(sqlite3.connect(database.path)) as connection:
            found[name] = list(connection.iterdump())
    return found


@pytest.mark.parametrize(("call", "nth"), [(call, nth) for call, found in NTH.items() for nth in found])
def test_a_killed_migration_is_done_by_the_next_start(call: str, nth: int, earlier: Path, tmp_path: Path) -> None:
    undisturbed, folder = tmp_path / "undisturbed", tmp_path / "data"
    shutil.copytree(earlier, undisturbed)
    shutil.copytree(earlier, folder)
    command = [*killed_at(call, nth), sys.executable, "-m", "borsa.cli", "migrate"]
    killed = subprocess.run(
        command, env=Process(folder).environment, capture_output=True, text=True, timeout=60, check=False
    )
    assert killed.returncode == -9, f"there is no {call} number {nth}"
    assert migrated(folder) == migrated(undisturbed)
