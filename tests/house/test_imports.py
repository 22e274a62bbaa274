"""Imports point down, services know nothing of each other, rooms are in their order: see pyproject.toml."""

import shutil
import subprocess
import sys
from pathlib import Path

from tests.house.source import ROOT


def test_the_import_contracts_hold() -> None:
    lint_imports = shutil.which("lint-imports", path=str(Path(sys.executable).parent))
    assert lint_imports, "lint-imports is not installed beside this Python"
    found = subprocess.run([lint_imports], cwd=ROOT, capture_output=True, text=True, check=False)
    assert found.returncode == 0, found.stdout + found.stderr
