"""The sources of the page: their types, their own tests, and what they are installed from."""

import json
import re

from tests.house.source import text_of, tracked
from tests.support.node import WEB, ran

LINES_MAX = 300


def test_the_types_are_right() -> None:
    found = ran("typescript/bin/tsc", "--noEmit")
    assert found.returncode == 0, found.stdout + found.stderr


def test_its_own_tests_pass() -> None:
    found = ran("vitest/vitest.mjs", "run", "--reporter=dot", "--no-color")
    assert found.returncode == 0, found.stdout + found.stderr


def test_every_package_is_pinned() -> None:
    package = json.loads((WEB / "package.json").read_text())
    pins = package["dependencies"] | package["devDependencies"]
    assert not [name for name, version in pins.items() if not re.fullmatch(r"\d+\.\d+\.\d+", version)]


def test_the_lock_names_no_registry() -> None:
    lock = json.loads((WEB / "package-lock.json").read_text())
    assert not [name for name, package in lock["packages"].items() if "resolved" in package]


def test_files_are_short_and_say_what_they_are() -> None:
    sources = [path for path in tracked() if path.is_relative_to(WEB / "src") and path.suffix in (".ts", ".tsx")]
    assert sources
    assert not [str(path) for path in sources if text_of(path).count("\n") > LINES_MAX]
    assert not [str(path) for path in sources if not text_of(path).startswith("//")]


def test_no_number_of_money_is_a_float() -> None:
    """Numbers are made of texts of the wire for the charts only, which draw them."""
    drawing = {"trade/candles.ts", "portfolio/CurveChart.tsx", "book/rows.ts"}
    measuring = {"admin/metrics.ts", "admin/OrderPath.tsx"}
    found = [
        path.relative_to(WEB / "src").as_posix()
        for path in tracked()
        if path.is_relative_to(WEB / "src") and re.search(r"\b(parseFloat|Number)\b[(.)]", text_of(path))
    ]
    assert set(found) <= drawing | measuring
