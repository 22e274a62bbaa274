"""Requests with an Idempotency-Key: one effect, the same answer, also after a crash."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from borsa.runtime.bus import Once
from tests.runtime.toys import AskBeta, Say, SayAndFail, Stage, Word

ONCE = Once("user-1", "key-1", b"body-1")


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    with Stage(tmp_path) as stage:
        yield stage


def test_the_same_key_and_body_have_the_same_answer_and_no_second_effect(stage: Stage) -> None:
    stage.ask(Say(word="w"), 1, ONCE)
    stage.settle()
    stage.ask(Say(word="w"), 2, ONCE)
    stage.settle()
    assert stage.asker.of(1) == stage.asker.of(2) == Word("w", 1)
    assert stage.said() == {"w": 1}


def test_both_in_one_batch_have_the_same_answer(stage: Stage) -> None:
    for token in range(5):
        stage.ask(Say(word="w"), token, ONCE)
    stage.alpha.step()
    assert [stage.asker.of(token) for token in range(5)] == [Word("w", 1)] * 5
    assert stage.said() == {"w": 1}


def test_the_answer_outlives_a_crash(tmp_path: Path) -> None:
    with Stage(tmp_path) as stage:
        stage.ask(Say(word="w"), 1, ONCE)
        stage.settle()
    with Stage(tmp_path) as stage:
        stage.ask(Say(word="w"), 2, ONCE)
        stage.settle()
        assert stage.asker.of(2) == Word("w", 1)
        assert stage.said() == {"w": 1}


def test_an_answer_that_was_not_committed_was_not_given(tmp_path: Path) -> None:
    with Stage(tmp_path) as stage:
        stage.ask(Say(word="w"), 1, ONCE)
        stage.connections["alpha"].fails = True
        with pytest.raises(OSError, match="the disk is gone"):
            stage.alpha.step()
    with Stage(tmp_path) as stage:
        stage.ask(Say(word="w"), 2, ONCE)
        stage.settle()
        assert stage.asker.of(2) == Word("w", 1)
        assert stage.said() == {"w": 1}


def test_another_body_under_the_same_key_is_refused(stage: Stage) -> None:
    stage.ask(Say(word="w"), 1, ONCE)
    stage.ask(Say(word="other"), 2, Once("user-1", "key-1", b"body-2"))
    stage.settle()
    assert stage.asker.of(2).code == "idempotency_key_reused"
    assert stage.said() == {"w": 1}


def test_a_key_belongs_to_its_owner(stage: Stage) -> None:
    stage.ask(Say(word="w"), 1, ONCE)
    stage.ask(Say(word="w"), 2, Once("user-2", "key-1", b"body-1"))
    stage.settle()
    assert stage.said() == {"w": 2}


def test_a_key_whose_first_request_still_runs_is_refused_for_now(stage: Stage) -> None:
    stage.ask(AskBeta(word="w"), 1, ONCE)
    stage.alpha.step()
    stage.ask(AskBeta(word="w"), 2, ONCE)
    stage.settle()
    assert stage.asker.of(2).code == "idempotency_key_in_progress"
    assert stage.asker.of(1) == Word("w", 1)
    stage.ask(AskBeta(word="w"), 3, ONCE)
    stage.settle()
    assert stage.asker.of(3) == Word("w", 1)
    assert stage.said() == {"w": 1}


def test_a_refusal_is_repeated(stage: Stage) -> None:
    for token in (1, 2):
        stage.ask(SayAndFail(word="w", code="not_found"), token, ONCE)
        stage.settle()
    first, again = stage.asker.of(1), stage.asker.of(2)
    assert (first.code, first.detail) == (again.code, again.detail) == ("not_found", "as asked")


@pytest.mark.parametrize("code", ["", "overloaded"])
def test_a_fault_is_not_kept(stage: Stage, code: str) -> None:
    stage.ask(SayAndFail(word="w", code=code), 1, ONCE)
    stage.settle()
    assert stage.asker.of(1).status >= 500
    stage.ask(Say(word="w"), 2, ONCE)
    stage.settle()
    assert stage.asker.of(2) == Word("w", 1)
