"""The project's own files, read and parsed once, for tests that judge them."""

import ast
import shutil
import subprocess
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[2]
SRC = ROOT / "src" / "borsa"
SERVICES = SRC / "services"

Function = ast.FunctionDef | ast.AsyncFunctionDef


class Module(NamedTuple):
    """A Python file: its path below src/borsa, its text, and its tree."""

    name: str
    text: str
    tree: ast.Module

    def at(self, node: ast.AST) -> str:
        """Where something stands, as editors understand it."""
        return f"src/borsa/{self.name}:{getattr(node, 'lineno', 1)}"


@cache
def modules(*patterns: str) -> tuple[Module, ...]:
    """The modules of the package whose path fits one of the patterns; all of them without a pattern."""
    found = {path for pattern in patterns or ("**/*.py",) for path in SRC.glob(pattern)}
    return tuple(_module(path) for path in sorted(found))


@cache
def _module(path: Path) -> Module:
    text = path.read_text()
    return Module(path.relative_to(SRC).as_posix(), text, ast.parse(text))


@cache
def tracked() -> tuple[Path, ...]:
    """Every file that is or will be in the repository: known to git, or new and not ignored. Without git: what it
    would be."""
    if shutil.which("git") is None or not (ROOT / ".git").exists():
        folders = [ROOT / name for name in (".ci", "docs", "src", "tests")]
        found = [path for folder in folders for path in folder.rglob("*") if "__pycache__" not in path.parts]
        return tuple(path for path in [*ROOT.iterdir(), *found] if path.is_file())
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    return tuple(path for line in listed.splitlines() if (path := ROOT / line).is_file())


def text_of(path: Path) -> str:
    """A file's text; empty when it is none."""
    try:
        return path.read_text()
    except UnicodeDecodeError:
        return ""


def functions(module: Module) -> Iterator[Function]:
    """Every function and method of a module, nested ones too."""
    for node in ast.walk(module.tree):
        if isinstance(node, Function):
            yield node


def strings(module: Module) -> set[str]:
    """Every string constant of a module."""
    return {node.value for node in ast.walk(module.tree) if isinstance(node, ast.Constant) and type(node.value) is str}


def called(node: ast.Call) -> str:
    """The last part of the name of what is called."""
    if isinstance(node.func, ast.Attribute):
        return node.func.attr
    return node.func.id if isinstance(node.func, ast.Name) else ""


def imported(module: Module) -> Iterator[tuple[ast.AST, str]]:
    """Every name of a module that is imported, anywhere in the file."""
    for node in ast.walk(module.tree):
        if isinstance(node, ast.Import):
            for each in node.names:
                yield node, each.name
        elif isinstance(node, ast.ImportFrom):
            yield node, node.module or ""
