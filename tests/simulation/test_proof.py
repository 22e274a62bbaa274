"""The record of soaks and its page agree, and a soak adds to them what it did."""

from pathlib import Path

import pytest

from tests.simulation import proof, soak


def test_the_page_is_made_of_the_record() -> None:
    assert proof.PAGE.read_text() == proof.page(proof.read())


def test_a_soak_goes_on_where_the_last_one_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(proof, "RECORD", tmp_path / "proof.json")
    monkeypatch.setattr(proof, "PAGE", tmp_path / "proof.md")
    first = soak.run(0.01, 1)
    second = soak.run(0.01, 1)
    assert (first.broken, second.broken) == ([], [])
    assert second.first == first.next > first.first == proof.FIRST_SEED
    kept = proof.read()
    assert [each["seeds"][0] for each in kept] == [first.first, second.first]
    orders = sum(each["totals"]["orders"] for each in kept)
    assert orders == first.total.totals["orders"] + second.total.totals["orders"] >= 2_000
    assert f"| {orders:,} |" in proof.PAGE.read_text()
