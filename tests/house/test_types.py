"""The whole package is typed, strictly."""

import subprocess
import sys

from tests.house.source import ROOT


def mypy(*options: str) -> subprocess.CompletedProcess[str]:
    """What mypy says of the package."""
    command = [sys.executable, "-m", "mypy", "--no-error-summary", *options]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)


def test_mypy_finds_nothing() -> None:
    found = mypy()
    if found.returncode:
        # what it remembers of a module that was not there yet may be wrong: look again without its memory
        found = mypy("--no-incremental")
    assert found.returncode == 0, found.stdout + found.stderr
