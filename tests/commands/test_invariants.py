"""The map of what is proven is whole: each invariant has its checks, its tests, or both."""

from itertools import pairwise

import pytest

from borsa.commands.audit.invariants import INVARIANTS, Invariant
from borsa.commands.verify import CHECKS
from tests.house.source import ROOT

NUMBERS = (
    *(f"I-{number:02d}" for number in (*range(1, 17), *range(20, 25), *range(30, 38), *range(40, 44), 50, 51)),
    "F10",
)

each_invariant = pytest.mark.parametrize("invariant", INVARIANTS, ids=lambda invariant: invariant.id)


def test_every_number_is_there_in_its_order() -> None:
    assert tuple(invariant.id for invariant in INVARIANTS) == NUMBERS


@each_invariant
def test_what_the_data_show_is_checked_and_nothing_else(invariant: Invariant) -> None:
    assert any(invariant.id in check.proves for check in CHECKS) == invariant.in_data


@each_invariant
def test_what_they_do_not_show_is_tested(invariant: Invariant) -> None:
    assert invariant.in_data or invariant.tests
    assert bool(invariant.tests) == bool(invariant.beyond), "say what the tests prove"
    assert not [path for path in invariant.tests if not (ROOT / path).is_file()]


def test_no_check_proves_what_nobody_knows() -> None:
    unknown = {number for check in CHECKS for number in check.proves} - set(NUMBERS)
    assert not unknown


def test_checks_of_one_file_follow_one_another() -> None:
    """So that what verify prints can be found."""
    files = [check.breaches.__module__ for check in CHECKS]
    assert sum(before != after for before, after in pairwise(files)) == len(set(files)) - 1
