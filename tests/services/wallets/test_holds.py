"""Holds, one promise at a time."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from borsa.requests import HoldFunds, HoldPlaced
from borsa.services.wallets import tables
from tests.services.wallets.test_ledger import Order, created
from tests.services.wallets.vault import ONE, Vault, amend_requested, amended, closed, is_refused


@pytest.fixture
def vault(tmp_path: Path) -> Iterator[Vault]:
    with Vault(tmp_path) as vault:
        vault.wallet_id = vault.user("ann")  # type: ignore[attr-defined]
        vault.deposit(vault.wallet_id, "USD", 100 * ONE)  # type: ignore[attr-defined]
        yield vault


def hold(amount: int, hold_id: str = "1", at_most: bool = False) -> HoldFunds:
    return HoldFunds(
        hold_id=hold_id,
        order_id=int(hold_id.partition(":")[0]),
        user_id="ann",
        wallet_id=None,
        asset="USD",
        amount=amount * ONE,
        at_most=at_most,
    )


def balance(vault: Vault) -> tuple[int, int]:
    """Whole dollars available and held."""
    row = next(row for row in vault.rows(tables.BALANCES) if row[0] not in ("world", "fees"))
    return row[2] // ONE, row[3] // ONE


def test_a_hold_cannot_exceed_what_is_available(vault: Vault) -> None:
    assert is_refused(vault.question(hold(101)))
    assert isinstance(vault.question(hold(100, "2")), HoldPlaced)
    assert is_refused(vault.question(hold(1, "3")))
    assert balance(vault) == (0, 100)


def test_two_hundred_holds_of_everything_have_one_winner(vault: Vault) -> None:
    outcomes = [vault.question(hold(100, str(at))) for at in range(1, 201)]
    assert [isinstance(each, HoldPlaced) for each in outcomes].count(True) == 1


def test_holds_asked_together_are_one_entry_and_each_has_its_own_answer(vault: Vault) -> None:
    outcomes = vault.questions(
        [hold(60, "1"), hold(50, "2"), hold(60, "1"), hold(30, "3"), hold(20, "4", at_most=True)]
    )
    held = [outcome.amount // ONE if isinstance(outcome, HoldPlaced) else None for outcome in outcomes]
    assert held == [60, None, 60, 30, 10]
    assert balance(vault) == (0, 100)
    entry = vault.rows(tables.ENTRIES)[-1]
    assert (entry[2], entry[3]) == ("hold", "1 3 4")
    lines = [(row[4], row[5] // ONE) for row in vault.rows(tables.POSTINGS) if row[0] == entry[0]]
    assert lines == [
        ("available", -60),
        ("held", 60),
        ("available", -30),
        ("held", 30),
        ("available", -10),
        ("held", 10),
    ]


def test_a_fault_of_one_of_many_is_not_that_of_the_others(vault: Vault) -> None:
    vault.question(hold(30))
    outcomes = vault.questions([hold(20, "2"), hold(31, "1"), hold(20, "3")])
    assert isinstance(outcomes[0], HoldPlaced)
    assert is_refused(outcomes[1], "internal_error")
    assert isinstance(outcomes[2], HoldPlaced)
    assert balance(vault) == (30, 70)


def test_a_refused_hold_never_succeeds_later(vault: Vault) -> None:
    assert is_refused(vault.question(hold(101)))
    vault.deposit(vault.wallet_id, "USD", 100 * ONE)  # type: ignore[attr-defined]
    assert is_refused(vault.question(hold(101)))
    assert balance(vault) == (200, 0)


def test_a_hold_of_at_most_takes_what_there_is(vault: Vault) -> None:
    first = vault.question(hold(500, at_most=True))
    assert first.amount == 100 * ONE
    assert vault.question(hold(500, at_most=True)) == first
    assert balance(vault) == (0, 100)


def test_a_hold_that_an_amendment_enlarged_is_asked_again_with_the_same_answer(vault: Vault) -> None:
    first = vault.question(hold(30))
    order = Order(1, "ann", "buy", 30, 1)
    vault.tell("orders", created(order))
    assert isinstance(vault.question(hold(20, "1:r1")), HoldPlaced)
    order.price = 50
    vault.tell("orders", amend_requested(order, 1))
    vault.tell("trades", amended(order, 1))
    assert vault.question(hold(30)) == first == HoldPlaced(vault.wallet_id, 30 * ONE)  # type: ignore[attr-defined]
    assert balance(vault) == (50, 50)


def test_a_hold_for_something_else_under_the_same_id_is_a_fault(vault: Vault) -> None:
    vault.question(hold(30))
    assert is_refused(vault.question(hold(31)), "internal_error")
    assert balance(vault) == (70, 30)


def test_a_hold_without_an_order_is_let_go_of_for_good(vault: Vault) -> None:
    vault.question(hold(30))
    vault.clock.microseconds += 10_000_000
    vault.settle()
    assert balance(vault) == (100, 0)
    assert is_refused(vault.question(hold(30)))


def test_a_hold_whose_order_exists_is_kept_also_after_a_restart(vault: Vault) -> None:
    vault.question(hold(30))
    vault.exist.add("1")
    vault.writer.close()
    vault.open()
    vault.clock.microseconds += 10_000_000
    vault.settle()
    assert balance(vault) == (70, 30)
    vault.tell("trades", closed(Order(1, "ann", "buy", 30, 1)), times=3)
    assert balance(vault) == (100, 0)


def test_a_refused_posting_leaves_no_hole_in_the_ledger(vault: Vault) -> None:
    wallet_id = vault.wallet_id  # type: ignore[attr-defined]
    assert is_refused(vault.deposit(wallet_id, "USD", -500 * ONE))
    vault.deposit(wallet_id, "USD", 10 * ONE)
    numbers = [row[0] for row in vault.rows(tables.ENTRIES)]
    assert sorted(numbers) == list(range(1, len(numbers) + 1))
