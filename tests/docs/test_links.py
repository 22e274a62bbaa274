"""No page leads nowhere, decisions are numbered and of one form, and nothing is left unexplained."""

import re
from pathlib import Path

import pytest

from borsa.settings import describe
from tests.house.source import ROOT

PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")])
DECISIONS = sorted(ROOT.glob("docs/decisions/*.md"))
PARTS = ["## Context", "## Decision", "## Consequences", "## Alternatives"]
DECISION_LINES_MAX = 60


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_every_link_leads_somewhere(page: Path) -> None:
    links = re.findall(r"\]\((?!https?:|#)([^)#\s]+)(?:#([^)\s]+))?\)", page.read_text())
    broken = [link for link, _ in links if not (page.parent / link).exists()]
    broken += [f"{link}#{part}" for link, part in links if part and part not in anchors(page.parent / link)]
    assert not broken


def anchors(page: Path) -> set[str]:
    """The headings of a page, as links name them."""
    headings = re.findall(r"^#+ (.+)$", page.read_text(), re.MULTILINE) if page.is_file() else []
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_decisions_are_numbered_without_a_gap() -> None:
    assert [page.name[:4] for page in DECISIONS] == [f"{number:04d}" for number in range(1, len(DECISIONS) + 1)]


@pytest.mark.parametrize("page", DECISIONS, ids=lambda page: page.stem)
def test_a_decision_says_why_in_a_page(page: Path) -> None:
    lines = page.read_text().splitlines()
    assert [line for line in lines if line.startswith("## ")] == PARTS
    assert len(lines) <= DECISION_LINES_MAX


def test_every_word_of_the_glossary_is_explained_once() -> None:
    glossary = (ROOT / "docs" / "glossary.md").read_text()
    words = re.findall(r"^\| \*\*(.+?)\*\* \|", glossary, re.MULTILINE)
    assert words
    assert len(words) == len(set(words))


def test_every_setting_that_a_page_names_exists() -> None:
    known = {variable for variable, _, _ in describe()}
    for page in PAGES:
        named = set(re.findall(r"\bBORSA_[A-Z]+(?:_[A-Z]+)*\b", page.read_text()))
        assert named <= known, page
