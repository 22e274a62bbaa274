"""The bus over NATS: what becomes of questions and events when processes and the broker come and go."""

from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import apsw
import msgspec
import pytest
from nats.js.errors import NotFoundError

from borsa.runtime.bus import Origin
from borsa.runtime.buses import relay
from borsa.runtime.buses.producers import Take, Work
from borsa.runtime.buses.relay import ANNOUNCE_SECONDS, EVENTS_STREAM, LAST, LOG, LOG_STREAM, Announced, decode_pack
from borsa.runtime.log import Recorded
from borsa.runtime.store import Reader, Row, Statement, Unreadable
from borsa.runtime.writing.inbox import Question
from tests.runtime.apart import JetStreamStage, settle
from tests.runtime.toys import AskBeta, HowOften, Say, Word
from tests.support.cluster import brokers
from tests.support.nats import Nats
from tests.support.running import until


@pytest.fixture
def stage(tmp_path: Path, nats_url: str) -> Iterator[JetStreamStage]:
    with JetStreamStage(tmp_path, nats_url) as stage:
        yield stage


def announce(stage: JetStreamStage, source: str, last: int, epoch: int = 1) -> None:
    """Say so in the name of a source."""
    stage.brokers["door"].send(LAST + source, msgspec.msgpack.encode(Announced(last, epoch)))
    stage.carry()


def lose(stage: JetStreamStage, name: str) -> int:
    """What is on its way to a process never arrives; gives how much it was."""
    for bus in stage.reach.values():
        bus.flush()
        bus.settle()
    for broker in stage.brokers.values():
        settle(broker)
    lost = len(stage.brokers[name].arrived)
    stage.brokers[name].arrived.clear()
    return lost


def lose_nothing(stage: JetStreamStage) -> int:
    """Let everything arrive; gives how many questions beta was sent."""
    stage.reach["alpha"].flush()
    settle(stage.brokers["alpha"])
    settle(stage.brokers["beta"])
    came = len(stage.brokers["beta"].arrived)
    stage.carry()
    return came


# questions ---------------------------------------------------------------------------------------------------------


def test_a_question_waits_until_somebody_is_there(stage: JetStreamStage) -> None:
    stage.reach["beta"].shut()
    stage.ask(HowOften(word="w"), 1)
    stage.settle()
    assert stage.asker.outcomes == []
    stage.reach["beta"].open(stage.relayed["beta"], 2)
    stage.pass_seconds(0.2)
    stage.carry()
    stage.settle()
    assert stage.asker.of(1).code == "not_found"


def test_a_question_that_nobody_took_is_refused_as_not_done(stage: JetStreamStage) -> None:
    stage.reach["beta"].shut()
    stage.ask(HowOften(word="w"), 1)
    stage.settle()
    stage.pass_seconds(stage.settings.ask_seconds_max + 1)
    stage.settle()
    assert stage.asker.of(1).code == "overloaded"


def test_of_a_question_that_somebody_took_and_nobody_answers_nothing_is_known(stage: JetStreamStage) -> None:
    stage.ask(Say(word="w"), 1)
    assert lose(stage, "alpha") > 0
    stage.pass_seconds(stage.settings.ask_seconds_max + 1)
    stage.carry()
    assert (stage.asker.of(1).code, stage.asker.of(1).status) == ("no_answer", 504)


def test_nothing_is_known_as_soon_as_another_process_answers_for_the_service(stage: JetStreamStage) -> None:
    announce(stage, "alpha", 0)
    stage.ask(Say(word="w"), 1)
    assert lose(stage, "alpha") > 0
    announce(stage, "alpha", 0, 2)
    assert stage.asker.of(1).code == "no_answer"


def test_a_process_that_is_replaced_hears_of_it(stage: JetStreamStage) -> None:
    announce(stage, "alpha", 0)
    assert stage.usurpers == []
    announce(stage, "alpha", 0, 2)
    assert stage.usurpers == ["alpha"]


def test_one_that_was_replaced_and_does_not_know_it_yet_is_not_believed(stage: JetStreamStage) -> None:
    announce(stage, "alpha", 0, 2)
    stage.ask(Say(word="w"), 1)
    announce(stage, "alpha", 7, 1)
    announce(stage, "alpha", 0, 2)
    assert stage.asker.outcomes == []


@pytest.mark.parametrize("lost", ["question", "reply"])
def test_a_deed_asks_again_until_it_is_answered(stage: JetStreamStage, lost: str) -> None:
    stage.ask(AskBeta(word="w"), 1)
    stage.carry()
    stage.alpha.step()
    if lost == "reply":
        stage.carry()
        stage.beta.step()
    assert lose(stage, "beta" if lost == "question" else "alpha") > 0
    stage.settle()
    assert stage.asker.outcomes == []
    stage.pass_seconds(6)
    stage.carry()
    stage.settle()
    # its own word has come to beta meanwhile, where the question was lost
    outcome = stage.asker.of(1)
    assert outcome == Word("w", 1) or outcome.code == "not_found"
    assert stage.said() == {"w": 1}


def test_a_question_that_is_asked_again_while_it_is_answered_has_one_answer(stage: JetStreamStage) -> None:
    stage.ask(AskBeta(word="w"), 1)
    stage.carry()
    stage.alpha.step()
    stage.carry()
    stage.pass_seconds(6)
    stage.carry()
    # it looks at what waits when it receives, and puts it again with its next flush
    assert lose_nothing(stage) > 0
    assert len(stage.beta.inbox) == 1
    stage.settle()
    assert stage.asker.of(1) == Word("w", 1)


# events ------------------------------------------------------------------------------------------------------------


def test_a_lost_tail_is_found_by_what_the_producer_announces(stage: JetStreamStage) -> None:
    stage.ask(Say(word="first"), 0)
    stage.settle()
    stage.ask(Say(word="w", events=3), 1)
    stage.carry()
    stage.alpha.step()
    assert lose(stage, "beta") > 0
    stage.settle()
    assert stage.heard() == {"first": 1}
    announce(stage, "alpha", 4)
    stage.pass_seconds(0.2)
    stage.settle()
    assert stage.heard() == {"first": 1, "w": 3}


class Ear:
    """A listener that notes the sequences of what it hears."""

    def __init__(self) -> None:
        self.heard: list[int] = []

    def is_listening(self) -> bool:
        return True

    def observe(self, events: Sequence[Recorded]) -> None:
        self.heard += [each.sequence for each in events]


@pytest.mark.parametrize("meanwhile", ["more_comes", "a_tail_is_lost", "it_fails"])
def test_what_a_listener_missed_is_read_aside_and_heard_in_order_once(stage: JetStreamStage, meanwhile: str) -> None:
    ear, kept = Ear(), list[tuple[Work, Take]]()
    stage.bus.listen("alpha", ear)
    stage.bus.aside = lambda work, take: kept.append((work, take))
    said = 0

    def say() -> None:
        nonlocal said
        said += 1
        stage.ask(Say(word=f"w{said}", events=2), said)
        stage.carry()
        stage.alpha.step()

    say()
    lose(stage, "door")
    say()
    stage.settle()
    assert (ear.heard, len(kept)) == ([], 1), "it is read, and nobody waits for it"
    (work, take), *_ = kept
    say()
    lose(stage, "door") if meanwhile == "a_tail_is_lost" else stage.settle()
    assert (ear.heard, len(kept)) == ([], 1), "once at a time"
    take([] if meanwhile == "it_fails" else work())
    stage.bus.aside = lambda work, take: take(work())
    say()
    stage.settle()
    announce(stage, "alpha", 8)
    stage.pass_seconds(0.2)
    stage.settle()
    assert ear.heard == [1, 2, 3, 4, 5, 6, 7, 8]


def test_the_log_of_a_producer_that_says_nothing_is_looked_at(stage: JetStreamStage) -> None:
    """It may be dead, or the broker: what it committed is there."""
    stage.ask(Say(word="first"), 0)
    stage.settle()
    stage.brokers["alpha"].close()
    stage.alpha.inbox.put(question(stage, Say(word="w", events=3)))
    stage.alpha.step()
    stage.pass_seconds(4)
    stage.reach["beta"].receive()
    stage.beta.step()
    assert stage.heard() == {"first": 1, "w": 3}


def question(stage: JetStreamStage, request: Any) -> Question:
    """One that comes to alpha in its own process."""
    return Question(request, Origin("here"), stage.asker, "here", None)


def sequences(nats: Nats) -> list[int]:
    """Of all events in the broker's copy of alpha's log."""
    try:
        found = [decode_pack(each.data) for each in nats.stored(LOG_STREAM)]
    except NotFoundError:
        return []
    return [sequence for pack in found for sequence in range(pack.first, pack.last + 1)]


def test_the_broker_keeps_a_copy_of_the_log(stage: JetStreamStage, nats: Nats) -> None:
    for at in range(3):
        stage.ask(Say(word=f"w{at}", events=2), at)
        stage.settle()
    until(lambda: sequences(nats) == [1, 2, 3, 4, 5, 6], "the copy")


def test_a_copy_that_was_wiped_is_filled_again(stage: JetStreamStage, nats: Nats) -> None:
    stage.ask(Say(word="w", events=5), 1)
    stage.settle()
    until(lambda: sequences(nats) == [1, 2, 3, 4, 5], "the copy")
    nats.empty()
    stage.ask(Say(word="w", events=2), 2)
    stage.settle()
    # nobody acknowledges the message; a look that comes every ANNOUNCE_SECONDS finds it out
    assert ANNOUNCE_SECONDS <= 1
    until(lambda: sequences(nats) == [1, 2, 3, 4, 5, 6, 7], "the copy")


class AwayAtFirst:
    """A log that can be read the second time."""

    def __init__(self, reader: Reader) -> None:
        self._reader = reader
        self.is_away = False

    def read(self, statement: Statement, **given: Any) -> list[Row]:
        if self.is_away:
            self.is_away = False
            raise Unreadable("the server ended the connection")
        return self._reader.read(statement, **given)

    def close(self) -> None:
        self._reader.close()


def test_a_copy_is_filled_also_where_the_log_could_not_be_read_for_a_while(stage: JetStreamStage, nats: Nats) -> None:
    reader = AwayAtFirst(stage.relayed["alpha"])
    stage.reach["alpha"]._relay.own("alpha", reader, 2)
    stage.ask(Say(word="w", events=2), 1)
    stage.settle()
    until(lambda: sequences(nats) == [1, 2], "the copy")
    reader.is_away = True
    nats.empty()
    stage.ask(Say(word="w", events=1), 2)
    stage.settle()
    until(lambda: sequences(nats) == [1, 2, 3], "the copy")
    assert not reader.is_away


def test_a_copy_that_is_on_one_broker_comes_to_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As one is that was made while others were away."""
    monkeypatch.setattr(relay, "LOOK_AFTER_SECONDS", 0.5)
    with brokers(3) as servers, JetStreamStage(tmp_path, ",".join(each.url for each in servers)) as stage:
        stage.ask(Say(word="w", events=2), 1)
        stage.settle()
        until(lambda: sequences(servers[0]) == [1, 2], "the copy", 60)
        servers[0].keep_on(LOG_STREAM, 1)
        until(lambda: servers[0].replicas(LOG_STREAM) == 3, "two more of it", 60)
        until(lambda: all(each.last(LOG_STREAM, LOG + "alpha") for each in servers), "the copy on all", 60)


def test_outsiders_find_single_events_by_source_type_and_market(tmp_path: Path, nats: Nats, nats_url: str) -> None:
    with JetStreamStage(tmp_path, nats_url, nats_events=True) as stage:
        stage.ask(Say(word="w", events=2), 1)
        stage.settle()
        until(lambda: len(stored_singly(nats)) == 2, "both events")
    found = stored_singly(nats)
    assert [each.subject for each in found] == ["borsa.events.alpha.UserUpdated.-"] * 2
    first = msgspec.json.decode(found[0].data)
    assert (first["id"], first["type"], first["sequence"]) == ("alpha/1", "UserUpdated", 1)
    assert first["data"] == {"userId": "w", "userName": "alpha"}


def stored_singly(nats: Nats) -> list[Any]:
    try:
        return nats.stored(EVENTS_STREAM)
    except NotFoundError:
        return []


@pytest.mark.parametrize("emptied", [False, True], ids=["as it was", "emptied"])
def test_a_broker_that_ends_and_comes_back_loses_nothing(tmp_path: Path, *, emptied: bool) -> None:
    with Nats() as nats, JetStreamStage(tmp_path, nats.url) as stage:
        stage.ask(Say(word="before", events=2), 1)
        stage.settle()
        stage.asker.outcomes.clear()
        until(lambda: sequences(nats) == [1, 2], "the copy")
        nats.kill()
        stage.alpha.inbox.put(question(stage, Say(word="meanwhile", events=2)))
        stage.alpha.step()
        nats.begin_again(emptied=emptied)
        until(lambda: all(each.client.is_connected for each in stage.brokers.values()), "the connections")
        stage.ask(Say(word="after", events=2), 2)

        def settled() -> bool:
            # one may be back before another: then nobody takes the question, and it is put again
            stage.pass_seconds(0.2)
            stage.settle()
            return 2 in [token for token, _ in stage.asker.outcomes]

        until(settled, "the answer")
        stage.pass_seconds(4)
        stage.settle()
        assert stage.asker.of(2) == Word("after", 1)
        assert stage.heard() == {"before": 2, "meanwhile": 2, "after": 2}
        until(lambda: sequences(nats) == [1, 2, 3, 4, 5, 6], "the copy")


def test_a_copy_of_another_history_is_made_anew(stage: JetStreamStage, nats: Nats) -> None:
    for at in range(4):
        stage.ask(Say(word=f"w{at}"), at)
        stage.settle()
    until(lambda: sequences(nats) == [1, 2, 3, 4], "the copy")
    with closing(apsw.Connection(str(stage.databases["alpha"].path))) as connection:
        connection.execute("DELETE FROM log WHERE sequence > 2")
        connection.execute("UPDATE log SET correlation = 'of another history'")
    own = stage.reach["alpha"]._relay
    own._position = 0
    own.own("alpha", stage.relayed["alpha"], 2)
    until(lambda: sequences(nats) == [1, 2], "the copy of the log as it is now")


# a log of another history ------------------------------------------------------------------------------------------


def rewrite(stage: JetStreamStage, sequence: int) -> None:
    """Alpha's log has another event there, as after a restore from another copy."""
    with closing(apsw.Connection(str(stage.databases["alpha"].path))) as connection:
        connection.execute("UPDATE log SET correlation = 'of another history' WHERE sequence = ?", (sequence,))


def follows(stage: JetStreamStage) -> Any:
    (stream,) = stage.writers["beta"].streams
    return stream


@pytest.mark.parametrize("by", ["announcement", "pack"])
def test_who_follows_another_history_than_it_applied_halts(stage: JetStreamStage, by: str) -> None:
    for at in range(3):
        stage.ask(Say(word=f"w{at}"), at)
        stage.settle()
    stream = follows(stage)
    cursor = stream.cursor
    assert cursor >= 3
    # another writer of the same log: nothing is wrong
    announce(stage, "alpha", cursor, epoch=2)
    stage.settle()
    assert not stream.halted
    rewrite(stage, cursor)
    if by == "announcement":
        announce(stage, "alpha", cursor, epoch=3)
    else:
        stage.reach["alpha"]._relay._epoch = 3
        stage.ask(Say(word="later"), 9)
    stage.settle()
    assert stream.halted
    assert stream.cursor == cursor
