"""The bus seam: however events travel, each has its effect once and in order. Every bus passes the same suite."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from borsa.runtime.log import Recorded
from tests.runtime.apart import JetStreamStage
from tests.runtime.toys import AskBeta, HowOften, LinkedStage, Say, SayAndFail, Stage, Word


class Ear:
    """A listener."""

    def __init__(self) -> None:
        self.sequences: list[int] = []

    def is_listening(self) -> bool:
        return True

    def observe(self, events: list[Recorded]) -> None:
        self.sequences += [each.sequence for each in events]


class Radio:
    """A receiver."""

    def __init__(self) -> None:
        self.heard: list[bytes] = []
        self.missed = 0

    def receive(self, message: bytes) -> None:
        self.heard.append(message)

    def miss(self) -> None:
        self.missed += 1


class BusSuite:
    """What a bus has to do. A subclass brings `stage`: the toys on the bus under test, stepped by the test."""

    def test_a_question_has_one_answer(self, stage: Stage) -> None:
        stage.ask(Say(word="hello"), "first")
        stage.settle()
        assert stage.asker.of("first") == Word("hello", 1)

    def test_a_question_goes_to_whom_it_is_for(self, stage: Stage) -> None:
        stage.ask(Say(word="hello", events=3), 1)
        stage.settle()
        stage.ask(HowOften(word="hello"), 2)
        stage.ask(HowOften(word="other"), 3)
        stage.settle()
        assert stage.asker.of(2) == Word("hello", 3)
        assert stage.asker.of(3).code == "not_found"

    def test_committed_events_reach_their_consumers(self, stage: Stage) -> None:
        for at in range(5):
            stage.ask(Say(word=f"w{at}"), at)
        stage.settle()
        assert stage.beta.memory.handled == [f"w{at}" for at in range(5)]

    def test_listeners_hear_from_now_on(self, stage: Stage) -> None:
        stage.ask(Say(word="before"), 1)
        stage.settle()
        ear = Ear()
        stage.bus.listen("alpha", ear)
        stage.ask(Say(word="after", events=2), 2)
        stage.settle()
        assert ear.sequences == [2, 3]

    def test_what_is_broadcast_comes_in_its_order_to_everybody_who_is_there(self, stage: Stage) -> None:
        stage.ask(Say(word="before", aloud=True), 1)
        stage.settle()
        radios = [Radio(), Radio()]
        for radio in radios:
            stage.bus.tune("alpha", radio)
        for word in ("one", "two", "three"):
            stage.ask(Say(word=word, aloud=True), word)
        stage.settle()
        stage.ask(Say(word="four", events=0, aloud=True), 5)
        stage.settle()
        assert [radio.heard for radio in radios] == [[b"one", b"two", b"three", b"four"]] * 2

    def test_what_is_not_committed_is_not_broadcast(self, stage: Stage) -> None:
        radio = Radio()
        stage.bus.tune("alpha", radio)
        stage.ask(Say(word="one", aloud=True), 1)
        stage.ask(SayAndFail(word="never", code="wallet_closed"), 2)
        stage.ask(SayAndFail(word="never"), 3)
        stage.ask(Say(word="two", aloud=True), 4)
        stage.settle()
        assert radio.heard == [b"one", b"two"]

    def test_who_hears_an_event_has_heard_what_was_broadcast_with_it(self, stage: Stage) -> None:
        heard: list[Any] = []
        radio, ear = Radio(), Ear()
        radio.heard = ear.sequences = heard
        stage.bus.tune("alpha", radio)
        stage.bus.listen("alpha", ear)
        stage.ask(Say(word="w", aloud=True))
        stage.settle()
        assert sorted(map(str, heard)) == ["1", "b'w'"]

    def test_the_log_is_read_after_a_sequence(self, stage: Stage) -> None:
        stage.ask(Say(word="w", events=8))
        stage.settle()
        assert [each.sequence for each in stage.bus.fetch("alpha", 5)] == [6, 7, 8]
        assert [each.sequence for each in stage.bus.fetch("alpha", 0)][:3] == [1, 2, 3]
        assert list(stage.bus.fetch("alpha", 8)) == []

    def test_an_event_delivered_three_times_has_one_effect(self, stage: Stage) -> None:
        stage.ask(Say(word="w", events=3))
        stage.settle()
        events = list(stage.bus.fetch("alpha", 0))
        for _ in range(3):
            stage.bus.publish("alpha", events)
            stage.settle()
        assert stage.heard() == {"w": 3}

    def test_a_gap_is_read_from_the_log(self, stage: Stage) -> None:
        for at in range(6):
            stage.ask(Say(word=f"w{at}"), at)
        stage.carry()
        stage.carry()
        stage.alpha.step()
        events = list(stage.bus.fetch("alpha", 0))
        queue = next(iter(stage.beta.streams))._queue
        queue.clear()
        stage.bus.publish("alpha", events[4:])
        stage.settle()
        assert stage.beta.memory.handled == [f"w{at}" for at in range(6)]

    def test_reordered_events_are_handled_in_order(self, stage: Stage) -> None:
        for at in range(6):
            stage.ask(Say(word=f"w{at}"), at)
        stage.carry()
        stage.carry()
        stage.alpha.step()
        events = list(stage.bus.fetch("alpha", 0))
        next(iter(stage.beta.streams))._queue.clear()
        for event in reversed(events):
            stage.bus.publish("alpha", [event])
        stage.settle()
        assert stage.beta.memory.handled == [f"w{at}" for at in range(6)]

    def test_what_does_not_fit_into_memory_is_read_from_the_log(self, stage: Stage) -> None:
        bound = stage.settings.stream_events_max
        for at in range(3):
            stage.ask(Say(word=f"w{at}", events=bound - 1), at)
            stage.carry()
            stage.carry()
            stage.alpha.step()
            assert len(next(iter(stage.beta.streams))) <= bound
        stage.settle()
        assert stage.heard() == {f"w{at}": bound - 1 for at in range(3)}


class TestEmbeddedBus(BusSuite):
    """The bus of one process."""

    @pytest.fixture
    def stage(self, tmp_path: Path) -> Iterator[Stage]:
        with Stage(tmp_path, stream_events_max=10, fetch_events_max=8) as stage:
            yield stage


class ApartSuite(BusSuite):
    """What a bus between processes has to do besides."""

    def test_a_deed_may_ask_a_service_in_another_process(self, stage: Stage) -> None:
        stage.ask(AskBeta(word="hello"), 1)
        stage.settle()
        stage.ask(AskBeta(word="hello"), 2)
        stage.settle()
        # what alpha said before it asked is on its way before the question
        assert stage.asker.of(1) == Word("hello", 1)
        assert stage.asker.of(2) == Word("hello", 2)

    def test_a_refusal_travels_whole(self, stage: Stage) -> None:
        stage.ask(SayAndFail(word="hello", code="wallet_closed"), 1)
        stage.settle()
        assert (stage.asker.of(1).code, stage.asker.of(1).detail) == ("wallet_closed", "as asked")

    def test_thousands_of_requests_at_once_are_all_answered(self, stage: Stage) -> None:
        """More than the sockets hold: what does not fit waits at its sender."""
        words = [f"{at:05d}" + "x" * 500 for at in range(3_000)]
        for word in words:
            stage.ask(Say(word=word, events=0), word)
        stage.settle()
        assert {token: outcome.times for token, outcome in stage.asker.outcomes} == dict.fromkeys(words, 1)


class TestLinkedBus(ApartSuite):
    """The bus of several processes, all of them on the test's thread."""

    @pytest.fixture
    def stage(self, tmp_path: Path) -> Iterator[Stage]:
        with LinkedStage(tmp_path, stream_events_max=10, fetch_events_max=8) as stage:
            yield stage

    def test_what_is_broadcast_goes_to_no_process_where_nobody_hears_it(self, stage: LinkedStage) -> None:
        there, elsewhere = Radio(), Radio()
        stage.bus.tune("alpha", there)
        stage.local["beta"].tune("alpha", elsewhere)
        stage.settle()
        stage.ask(Say(word="one", aloud=True), 1)
        stage.settle()
        assert (there.heard, elsewhere.heard) == ([b"one"], [])


class TestJetStreamBus(ApartSuite):
    """The bus of processes apart, over a real broker."""

    @pytest.fixture
    def stage(self, tmp_path: Path, nats_url: str) -> Iterator[Stage]:
        with JetStreamStage(tmp_path, nats_url, stream_events_max=10, fetch_events_max=8) as stage:
            yield stage
