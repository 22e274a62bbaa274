"""The whole package is typed, strictly."""

import subprocess
import sys

from tests.house.source import ROOT


def test_mypy_finds_nothing() -> None:
    command = [sys.executable, "-m", "mypy", "--no-error-summary"]
    found = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert found.returncode == 0, found.stdout + found.stderr
