"""One style, kept by a tool: `make fix` mends what it can."""

import subprocess
import sys

import pytest

from tests.house.source import ROOT


@pytest.mark.parametrize("verb", [["check"], ["format", "--check"]], ids=["lint", "format"])
def test_ruff_finds_nothing(verb: list[str]) -> None:
    command = [sys.executable, "-m", "ruff", *verb, "--quiet", "src", "tests", "docs"]
    found = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert found.returncode == 0, found.stdout + found.stderr
