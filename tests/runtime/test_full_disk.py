"""A full disk: nothing of the commit is kept, on disk or in memory, everybody is told so, and room is all it takes."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from borsa.requests import Request
from borsa.runtime.bus import Once
from tests.runtime.toys import AskBeta, Say, Stage, Word

LARGE = "w" * 100_000
"""A word that needs pages of its own."""

A_SECOND = 1_000_000


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    with Stage(tmp_path) as stage:
        stage.ask(Say(word="hello"), "first")
        stage.settle()
        yield stage


def codes(stage: Stage, *tokens: str) -> list[str]:
    return [stage.asker.of(token).code for token in tokens]


def fill(stage: Stage, *with_it: tuple[Request[object], str]) -> None:
    """A commit that finds no room, with these in it."""
    stage.connections["alpha"].fill()
    stage.ask(Say(word=LARGE), "large")
    for request, token in with_it:
        stage.ask(request, token)
    stage.settle()


def free(stage: Stage) -> None:
    """There is room, and it is noticed."""
    stage.connections["alpha"].free()
    stage.clock.microseconds += A_SECOND


def test_nothing_of_the_commit_is_kept_and_everybody_is_told(stage: Stage) -> None:
    fill(stage, (Say(word="hello"), "with it"))
    assert codes(stage, "large", "with it") == ["storage_full"] * 2
    assert stage.said() == stage.heard() == {"hello": 1}
    assert stage.alpha.vital().is_full
    assert not stage.beta.vital().is_full


def test_until_there_is_room_everybody_is_refused_and_then_memory_is_what_the_disk_has(stage: Stage) -> None:
    fill(stage, (Say(word="hello"), "with it"))
    stage.ask(Say(word="hello"), "later")
    stage.settle()
    assert codes(stage, "later") == ["storage_full"]
    free(stage)
    stage.ask(Say(word="hello"), "again")
    stage.ask(Say(word=LARGE), "large again")
    stage.settle()
    assert stage.asker.of("again") == Word("hello", 2)
    assert stage.asker.of("large again") == Word(LARGE, 1)
    assert not stage.alpha.vital().is_full
    assert stage.said() == stage.heard() == {"hello": 2, LARGE: 1}
    assert [each.sequence for each in stage.bus.fetch("alpha", 0)] == [1, 2, 3]


def test_whoever_waited_for_another_service_is_refused_and_leaves_nothing(stage: Stage) -> None:
    stage.ask(AskBeta(word="hello"), "waiting")
    stage.alpha.step()  # what it said so far is on disk, and beta is asked
    fill(stage)
    free(stage)
    stage.settle()
    assert codes(stage, "waiting") == ["storage_full"]
    assert stage.said() == {"hello": 2}


def test_a_deed_of_a_memory_that_was_given_up_does_not_go_on_in_the_next(stage: Stage) -> None:
    stage.ask(AskBeta(word="hello"), "waiting")
    stage.alpha.step()
    stage.connections["alpha"].fill()
    stage.ask(Say(word=LARGE), "large")
    stage.alpha.step()
    free(stage)
    stage.alpha.step()
    stage.settle()  # only now beta answers
    assert codes(stage, "waiting") == ["storage_full"]


def test_the_same_key_is_a_first_time_again(stage: Stage) -> None:
    once = Once("somebody", "key", b"say hello")
    fill(stage)
    stage.ask(Say(word="hello"), "full", once)
    stage.settle()
    assert codes(stage, "full") == ["storage_full"]
    free(stage)
    for token in ("once", "twice"):
        stage.ask(Say(word="hello"), token, once)
        stage.settle()
    assert [stage.asker.of("once"), stage.asker.of("twice")] == [Word("hello", 2)] * 2


def test_a_consumer_without_room_loses_no_event(stage: Stage) -> None:
    stage.connections["beta"].fill()
    stage.ask(Say(word=LARGE), "large")
    stage.ask(Say(word="hello"), "hello")
    stage.settle()
    assert stage.asker.of("hello") == Word("hello", 2), "its producer goes on"
    assert stage.heard() == {"hello": 1}
    stage.connections["beta"].free()
    stage.clock.microseconds += A_SECOND
    stage.settle()
    assert stage.heard() == {"hello": 2, LARGE: 1}
