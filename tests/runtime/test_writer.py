"""The single writer: one commit for many, all or nothing for each, and nobody hears before the disk has it."""

import traceback
from pathlib import Path
from typing import Any

import msgspec
import pytest
import sqlalchemy as sa

from borsa.errors import Refused
from borsa.runtime.log import Recorded, newest
from borsa.runtime.service import Sweep
from borsa.runtime.store import Statement
from borsa.services.orders.model import CancelAll, CancelOrder, PlaceOrder
from tests.runtime.toys import (
    ALPHA_SERVICE,
    BETA,
    BETA_SERVICE,
    HEARD,
    AskBeta,
    HowOften,
    Memory,
    Say,
    SayAndFail,
    Stage,
    Word,
)


@pytest.fixture
def stage(tmp_path: Path):  # type: ignore[no-untyped-def]
    with Stage(tmp_path) as stage:
        yield stage


class Ear:
    """A listener that notes what it hears."""

    def __init__(self, notes: list[str]) -> None:
        self._notes = notes

    def observe(self, events: list[Recorded]) -> None:
        self._notes.append(f"events {[each.sequence for each in events]}")


def test_many_questions_share_one_commit(stage: Stage) -> None:
    for at in range(50):
        stage.ask(Say(word=f"w{at}"), at)
    stage.alpha.step()
    assert stage.notes == ["commit alpha", f"answers {list(range(50))}"]


def test_a_batch_has_a_bound(tmp_path: Path) -> None:
    with Stage(tmp_path, commit_requests_max=3) as stage:
        for at in range(5):
            stage.ask(Say(word=f"w{at}"), at)
        stage.alpha.step()
        assert len(stage.asker.outcomes) == 3


def test_nothing_is_said_before_the_commit(stage: Stage) -> None:
    stage.bus.listen("alpha", Ear(stage.notes))
    stage.ask(Say(word="now", events=2))
    stage.alpha.step()
    assert stage.notes == ["commit alpha", "events [1, 2]", "answers ['it']"]
    assert stage.said() == {"now": 1}


def test_an_idle_writer_commits_nothing(stage: Stage) -> None:
    assert not stage.alpha.step()
    assert stage.notes == []


@pytest.mark.parametrize(("code", "answer"), [("not_found", "not_found"), ("", "internal_error")])
def test_a_handler_that_fails_takes_back_its_own_only(stage: Stage, code: str, answer: str) -> None:
    stage.ask(Say(word="before"), 1)
    stage.ask(SayAndFail(word="before", code=code), 2)
    stage.ask(SayAndFail(word="new", code=code), 3)
    stage.ask(Say(word="after"), 4)
    stage.settle()
    assert stage.asker.of(1) == Word("before", 1)
    assert (stage.asker.of(2).code, stage.asker.of(3).code) == (answer, answer)
    assert stage.asker.of(4) == Word("after", 1)
    assert stage.said() == {"before": 1, "after": 1}
    assert [each.event.subject for each in stage.bus.fetch("alpha", 0)] == ["before", "after"]


def test_a_commit_that_fails_is_told_to_nobody(stage: Stage) -> None:
    stage.ask(Say(word="lost"))
    stage.connections["alpha"].fails = True
    with pytest.raises(OSError, match="the disk is gone"):
        stage.alpha.step()
    assert stage.asker.outcomes == []
    assert stage.notes == []
    stage.alpha.close()
    assert stage.said() == {}
    assert list(stage.bus.fetch("alpha", 0)) == []


def test_a_full_disk_is_no_fault_of_the_deed_that_meets_it(tmp_path: Path) -> None:
    """It concerns everybody in the transaction: no deed goes on, everybody is refused alike, nothing stays."""

    def count_and_look(_: Any, memory: Memory, request: HowOften) -> Word:
        counted = memory.count(request.word)
        memory.words._session.read(Statement(sa.select(HEARD)))
        return counted

    beta = msgspec.structs.replace(BETA_SERVICE, answers={HowOften: count_and_look})
    with Stage(tmp_path, beta) as stage:
        stage.connections["beta"]._connection._connection.execute("PRAGMA max_page_count=1")
        for number, word in enumerate(("before", "much " * 50_000, "after")):
            stage.ask(HowOften(word=word), number)
        stage.beta.step()
        assert [outcome.code for _, outcome in stage.asker.outcomes] == ["storage_full"] * 3
        stage.beta.close()
        assert stage.heard() == {}


def test_what_was_asked_first_leaves_after_the_commit(stage: Stage) -> None:
    """A deed that asks: what it staged before its question is on disk when the question leaves."""
    stage.ask(Say(word="hello"))
    stage.settle()
    stage.notes.clear()
    stage.ask(AskBeta(word="hello"), "asking")
    stage.alpha.step()
    assert stage.notes == ["commit alpha"]
    assert len(stage.beta.inbox) == 1
    stage.settle()
    # beta takes events before questions: it heard what was said in the transaction that asked
    assert stage.asker.of("asking") == Word("hello", 2)


def test_a_refusal_comes_back_into_the_deed_that_asked(tmp_path: Path) -> None:
    deaf = msgspec.structs.replace(BETA_SERVICE, consumes={})
    with Stage(tmp_path, deaf) as stage:
        stage.ask(AskBeta(word="unheard"))
        stage.settle()
        assert stage.asker.of("it").code == "not_found"
        assert stage.said() == {"unheard": 1}


def test_a_full_inbox_refuses_at_once(tmp_path: Path) -> None:
    with Stage(tmp_path, inbox_items_max=2) as stage:
        for at in range(3):
            stage.ask(Say(word="w"), at)
        assert [token for token, _ in stage.asker.outcomes] == [2]
        assert stage.asker.of(2).code == "overloaded"
        stage.settle()
        assert stage.said() == {"w": 2}


def test_refusals_for_overload_keep_nothing_of_those_who_were_told_before(tmp_path: Path) -> None:
    """Raising it leaves the frames that it went through in it: one that all share would keep them for ever."""
    with Stage(tmp_path, inbox_items_max=2) as stage:
        for _ in range(2):
            stage.ask(HowOften(word="w"))
        depths = []
        for at in range(3):
            stage.ask(AskBeta(word="w"), at)
            while stage.alpha.step():
                pass
            refused = stage.asker.of(at)
            assert refused.code == "overloaded"
            depths.append(sum(1 for _ in traceback.walk_tb(refused.__traceback__)))
        assert len(set(depths)) == 1


def test_for_what_passes_there_is_room_in_a_full_inbox_and_not_without_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Stage(tmp_path, inbox_items_max=2) as stage:
        for at in range(3):
            stage.ask(Say(word="w"), at)
        monkeypatch.setattr(Say, "passes", True)
        for at in range(3, 6):
            stage.ask(Say(word="w"), at)
        assert [token for token, _ in stage.asker.outcomes] == [2, 5]
        stage.settle()
        assert stage.said() == {"w": 4}


def test_cancels_pass() -> None:
    assert CancelOrder.passes
    assert CancelAll.passes
    assert not PlaceOrder.passes


def test_the_log_is_dense_and_goes_on_after_a_restart(tmp_path: Path) -> None:
    for _ in range(3):
        with Stage(tmp_path) as stage:
            stage.ask(SayAndFail(word="never"), 0)
            stage.ask(Say(word="w", events=2), 1)
            stage.settle()
    with Stage(tmp_path) as stage:
        events = stage.bus.fetch("alpha", 0)
        assert [each.sequence for each in events] == [1, 2, 3, 4, 5, 6]
        assert {each.correlation for each in events} == {"request-1"}
        assert stage.heard() == {"w": 6}


def test_time_never_goes_back(stage: Stage) -> None:
    stage.ask(Say(word="now"))
    stage.settle()
    stage.clock.microseconds -= 500_000
    stage.ask(Say(word="earlier"), 2)
    stage.settle()
    times = [each.time for each in stage.bus.fetch("alpha", 0)]
    assert times == sorted(times)


# poison ------------------------------------------------------------------------------------------------------------


def test_a_service_that_may_not_skip_stops_at_poison(stage: Stage) -> None:
    stage.beta.memory.poison = {"bad"}
    for word in ("good", "bad", "worse"):
        stage.ask(Say(word=word), word)
    stage.settle()
    assert stage.heard() == {"good": 1}
    assert [(stream.cursor, stream.halted) for stream in stage.beta.streams] == [(1, True)]
    stage.ask(Say(word="more"), "more")
    stage.settle()
    assert stage.heard() == {"good": 1}


def test_a_halted_service_goes_on_after_it_was_mended(tmp_path: Path) -> None:
    with Stage(tmp_path) as stage:
        stage.beta.memory.poison = {"bad"}
        for word in ("good", "bad", "last"):
            stage.ask(Say(word=word), word)
        stage.settle()
    with Stage(tmp_path) as stage:
        stage.settle()
        assert stage.heard() == {"good": 1, "bad": 1, "last": 1}


def skipping(tmp_path: Path, **options: int) -> Stage:
    return Stage(tmp_path, msgspec.structs.replace(BETA_SERVICE, skips_poison=True), **options)


def dead_letters(stage: Stage) -> list[tuple[str, int]]:
    import sqlalchemy as sa

    table = BETA.tables["dead_letters"]
    statement = Statement(sa.select(table.c.source, table.c.sequence).order_by(table.c.sequence))
    return stage.connections["beta"].read(statement)  # type: ignore[return-value]


def test_a_follower_sets_poison_aside_after_some_tries(tmp_path: Path) -> None:
    with skipping(tmp_path, event_tries_max=3) as stage:
        stage.beta.memory.poison = {"bad"}
        for word in ("good", "bad", "last"):
            stage.ask(Say(word=word), word)
        stage.settle()
        assert stage.heard() == {"good": 1, "last": 1}
        # in each of three tries: with those that came with it, and then alone
        assert stage.beta.memory.handled.count("bad") == 2 * 3
        assert dead_letters(stage) == [("alpha", 2)]


def test_tries_are_counted_for_each_event(tmp_path: Path) -> None:
    """Faults that pass do not add up over days until an event is set aside at its first."""
    with skipping(tmp_path, event_tries_max=3) as stage:
        for at in range(6):
            stage.beta.memory.poison = {f"w{at}"}
            stage.ask(Say(word=f"w{at}"), at)
            stage.alpha.step()
            stage.beta.step()
            stage.beta.memory.poison = set()
            stage.settle()
        assert dead_letters(stage) == []
        assert stage.heard() == {f"w{at}": 1 for at in range(6)}


# sweeps ------------------------------------------------------------------------------------------------------------


def test_a_sweep_is_due_every_so_often(tmp_path: Path) -> None:
    swept: list[int] = []
    sweeping = msgspec.structs.replace(
        BETA_SERVICE, sweeps=(Sweep(2, lambda tx, memory: swept.append(memory.count("swept").times)),)
    )
    with Stage(tmp_path, sweeping) as stage:
        stage.settle()
        assert swept == []
        for _ in range(3):
            stage.clock.microseconds += 2_000_000
            stage.settle()
        assert swept == [1, 2, 3]
        assert stage.heard() == {"swept": 3}


def test_a_sweep_that_fails_leaves_nothing(tmp_path: Path) -> None:
    def fail(_: object, memory: object) -> None:
        memory.count("swept")  # type: ignore[attr-defined]
        raise Refused("overloaded")

    with Stage(tmp_path, msgspec.structs.replace(BETA_SERVICE, sweeps=(Sweep(2, fail),))) as stage:
        stage.clock.microseconds += 2_000_000
        stage.settle()
        assert stage.heard() == {}


def test_the_last_sequence_is_that_of_the_log(stage: Stage) -> None:
    assert ALPHA_SERVICE.name == "alpha"
    stage.ask(Say(word="w", events=4))
    stage.settle()
    assert stage.alpha.last_sequence == newest(stage.connections["alpha"])[0] == 4


# hearing -----------------------------------------------------------------------------------------------------------


def test_hearing_answers_requests_and_leaves_events_to_the_next_step(stage: Stage) -> None:
    stage.ask(Say(word="hello", events=2))
    stage.alpha.step()
    stage.ask(HowOften(word="hello"), "before")
    assert stage.beta.hear()
    assert stage.asker.of("before").code == "not_found"
    assert (stage.heard(), [stream.cursor for stream in stage.beta.streams]) == ({}, [0])
    assert not stage.beta.hear(), "events alone are nothing to hear"
    assert stage.beta.step()
    assert (stage.heard(), [stream.cursor for stream in stage.beta.streams]) == ({"hello": 2}, [2])
    stage.ask(HowOften(word="hello"), "after")
    assert stage.beta.hear()
    assert stage.asker.of("after") == Word("hello", 2)


def test_hearing_commits_what_it_changed_and_shares_no_sweep(tmp_path: Path) -> None:
    swept: list[str] = []
    sweeping = msgspec.structs.replace(
        BETA_SERVICE, sweeps=(Sweep(2, lambda _, memory: swept.append(memory.count("swept").word)),)
    )
    with Stage(tmp_path, sweeping) as stage:
        stage.clock.microseconds += 2_000_000
        stage.ask(Say(word="hello"))
        assert stage.alpha.hear()
        assert stage.notes == ["commit alpha", "answers ['it']"]
        assert stage.said() == {"hello": 1}
        assert not stage.beta.hear()
        assert swept == []
        assert stage.beta.step()
        assert swept == ["swept"]
