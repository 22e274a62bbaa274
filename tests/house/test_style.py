"""One style, kept by a tool: `make fix` mends what it can."""

import re
import subprocess
import sys
from itertools import pairwise

import pytest

from tests.house.source import ROOT, SRC


@pytest.mark.parametrize("verb", [["check"], ["format", "--check"]], ids=["lint", "format"])
def test_ruff_finds_nothing(verb: list[str]) -> None:
    command = [sys.executable, "-m", "ruff", *verb, "--quiet", "src", "tests", "docs"]
    found = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert found.returncode == 0, found.stdout + found.stderr


def test_bandit_finds_nothing() -> None:
    command = [
        sys.executable,
        "-m",
        "bandit",
        "--quiet",
        "--configfile",
        "pyproject.toml",
        "--recursive",
        "src",
        "docs",
    ]
    found = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert found.returncode == 0, found.stdout + found.stderr


def test_whatever_bandit_passes_over_names_one_rule_and_says_why() -> None:
    silent = []
    for path in [*SRC.rglob("*.py"), *(ROOT / "docs").glob("*.py")]:
        lines = path.read_text().splitlines()
        for before, line in pairwise(lines):
            if "# nosec" in line and not (re.search(r"# nosec B\d{3}$", line) and before.strip().startswith("#")):
                silent.append(f"{path}: {line.strip()}")
    assert not silent
