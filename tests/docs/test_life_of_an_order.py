"""docs/life-of-an-order.md names only what exists."""

import ast
import re

import pytest

from tests.house.source import ROOT, SRC

TEXT = (ROOT / "docs" / "life-of-an-order.md").read_text()
NAMED = list(dict.fromkeys(re.findall(r"`([^`\n]+)`", TEXT)))
FILES = [name for name in NAMED if name.endswith(".py")]
FUNCTIONS = [name for name in NAMED if re.fullmatch(r"[a-z_]+", name)]
CLASSES = [name for name in NAMED if re.fullmatch(r"[A-Z][A-Za-z]+", name)]

NO_FUNCTIONS = {"orders", "trades", "wallets", "pending", "open", "expired", "price_band"}
"""Services, and states of an order and why it ended."""


def defined(path: str) -> set[str]:
    """The classes, functions and methods of a file."""
    tree = ast.parse((SRC / path).read_text())
    kinds = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef
    return {node.name for node in ast.walk(tree) if isinstance(node, kinds)}


@pytest.mark.parametrize("path", FILES)
def test_every_file_exists(path: str) -> None:
    assert (SRC / path).is_file()


@pytest.mark.parametrize("name", [name for name in FUNCTIONS + CLASSES if name not in NO_FUNCTIONS])
def test_every_function_and_class_is_in_a_file_that_is_named(name: str) -> None:
    files = [*FILES, "events.py", "requests.py", "services/trades/outcomes.py"]
    assert [path for path in files if name in defined(path)]


@pytest.mark.parametrize(("name", "path"), re.findall(r"`([a-z_]+)`\s+in\s+`([a-z_/]+\.py)`", TEXT))
def test_a_function_is_where_it_is_said_to_be(name: str, path: str) -> None:
    assert name in defined(path)
