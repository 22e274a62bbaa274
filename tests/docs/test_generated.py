"""The tables in docs/ are those of the code."""

import importlib.util
from types import ModuleType

import pytest

from tests.house.source import ROOT


def generator() -> ModuleType:
    """docs/generate.py, which is a script and in no package."""
    spec = importlib.util.spec_from_file_location("generate", ROOT / "docs" / "generate.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("name", ["events.md", "reference.md", "operating/invariants.md"])
def test_a_generated_page_is_up_to_date(name: str) -> None:
    page = generator().PAGES[name]()
    assert (ROOT / "docs" / name).read_text() == page, f"docs/{name} is stale: run `make docs`"
