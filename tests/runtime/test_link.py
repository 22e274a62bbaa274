"""A link: whatever is put at one end arrives at the other, whole and in order, however the bytes are cut."""

import socket
from collections.abc import Iterator
from contextlib import closing

import hypothesis.strategies as st
import pytest
from hypothesis import given, settings

from borsa.errors import Refusal, Refused
from borsa.runtime.bus import Once
from borsa.runtime.buses.link import (
    Asked,
    Declined,
    Language,
    Link,
    Message,
    Published,
    Started,
    Stop,
    Told,
    outcome_message,
)
from tests.runtime.toys import HowOften, Say, SayAndFail, Word

LANGUAGE = Language([Say, SayAndFail, HowOften])

Pair = tuple[Link, Link]

short = st.text(max_size=9)

messages = st.one_of(
    st.builds(Published, st.text(max_size=20), st.integers(0, 2**63 - 1)),
    st.builds(Started, st.text(max_size=200)),
    st.builds(Declined, st.integers(1, 2**40), st.builds(Refusal, short, short, short, st.just({}))),
    st.just(Stop()),
    st.builds(
        Asked,
        st.integers(1, 2**40),
        st.builds(Say, word=st.text(max_size=300), events=st.integers(0, 9)),
        short,
        st.none() | short,
        st.none() | st.builds(Once, short, short, st.binary(max_size=9)),
    ),
)  # fmt: skip


def linked() -> Pair:
    one, other = socket.socketpair()
    return Link(one, LANGUAGE), Link(other, LANGUAGE)


@pytest.fixture
def pair() -> Iterator[Pair]:
    one, other = linked()
    with closing(one), closing(other):
        yield one, other


def as_bytes(batches: list[list[Message]]) -> bytes:
    """What is on the wire when each batch is a frame."""
    sender, receiver = linked()
    with closing(sender), closing(receiver):
        wire = b""
        for batch in batches:
            sender.put_all(batch)
            assert sender.flush()
            wire += receiver.socket.recv(1 << 20) if batch else b""
        return wire


def texts(found: list[Message]) -> list[str]:
    """Messages as they can be compared: a link makes its own kind of question."""
    return [repr(message) for message in found]


@given(st.lists(st.lists(messages, max_size=4), max_size=5), st.data())
@settings(max_examples=150, deadline=None)
def test_frames_that_are_cut_at_any_byte_arrive_whole_and_in_order(
    batches: list[list[Message]], data: st.DataObject
) -> None:
    wire = as_bytes(batches)
    cuts = sorted(data.draw(st.sets(st.integers(0, len(wire)), max_size=12)))
    end, other = socket.socketpair()
    link = Link(other, LANGUAGE)
    came: list[Message] = []
    with closing(end), closing(link):
        for start, stop in zip([0, *cuts], [*cuts, len(wire)], strict=True):
            end.sendall(wire[start:stop])
            came += link.receive()
    assert texts(came) == texts([message for batch in batches for message in batch])


def test_frames_that_come_byte_by_byte_arrive_when_they_are_complete() -> None:
    first, second = as_bytes([[Published("alpha", 7), Stop()]]), as_bytes([[Started("x")]])
    end, other = socket.socketpair()
    link = Link(other, LANGUAGE)
    seen: dict[int, list[str]] = {}
    with closing(end), closing(link):
        for at, byte in enumerate(first + second, start=1):
            end.sendall(bytes([byte]))
            if came := link.receive():
                seen[at] = texts(list(came))
    assert seen == {
        len(first): texts([Published("alpha", 7), Stop()]),
        len(first + second): texts([Started("x")]),
    }


def test_a_request_comes_as_what_it_was(pair: Pair) -> None:
    one, other = pair
    asked = Asked(3, Say(word="hello", events=2), "request-1", "orders/7", Once("somebody", "key", b"digest"))
    one.put(asked)
    one.flush()
    (came,) = other.receive()
    assert type(came) is other.asked
    assert (came.number, came.request, came.correlation) == (3, asked.request, "request-1")
    assert (came.causation, came.once) == ("orders/7", asked.once)


@pytest.mark.parametrize(
    ("outcome", "kind"), [(Word("hello", 2), Told), (Refused("not_found", "gone", field="word", left=3), Declined)]
)
def test_an_outcome_is_a_reply_or_a_refusal(outcome: Word | Refused, kind: type[Message], pair: Pair) -> None:
    one, other = pair
    one.put(outcome_message(9, outcome))
    one.flush()
    (came,) = other.receive()
    assert isinstance(came, kind)
    if isinstance(came, Declined):
        assert came == Declined(9, Refusal("not_found", "gone", "word", {"left": 3}))


def test_what_the_other_end_does_not_read_waits_and_arrives_in_order(pair: Pair) -> None:
    one, other = pair
    said = [f"{at}:" + "x" * 1000 for at in range(2_000)]
    waited = 0
    came: list[str] = []
    for text in said:
        one.put(Started(text))
        waited += not one.flush()
    assert waited, "the socket took everything: this proves nothing"
    while not one.flush():
        came += [message.said for message in other.receive()]
    came += [message.said for message in other.receive()]
    assert came == said


def test_nothing_arrives_before_the_flush_and_the_first_that_is_put_is_told(pair: Pair) -> None:
    one, other = pair
    told: list[str] = []
    one.on_put = lambda: told.append("put")
    one.put(Stop())
    one.put(Stop())
    assert other.receive() == ()
    one.flush()
    one.put(Stop())
    assert told == ["put", "put"]
    assert texts(list(other.receive())) == texts([Stop(), Stop()])


def test_the_last_word_of_an_end_that_is_gone_is_heard(pair: Pair) -> None:
    one, other = pair
    one.put(Started("the last"))
    one.flush()
    assert not other.closed
    one.close()
    assert texts(list(other.receive())) == texts([Started("the last")])
    assert texts(list(other.receive())) == []
    assert other.closed


def test_half_a_frame_of_an_end_that_is_gone_is_nothing() -> None:
    end, other = socket.socketpair()
    with closing(Link(other, LANGUAGE)) as link:
        end.sendall(as_bytes([[Stop()]])[:-1])
        end.close()
        assert [list(link.receive()) for _ in range(2)] == [[], []]
        assert link.closed


def test_a_flush_to_an_end_that_is_gone_ends_this_one(pair: Pair) -> None:
    one, other = pair
    other.close()
    one.put(Stop())
    assert one.flush(), "there is nothing to wait for"
    assert one.closed
    assert list(one.receive()) == []


def test_an_end_that_stands_still_is_told_only_the_newest_of_each_log(pair: Pair) -> None:
    """Otherwise news would heap up at its sender, which everybody else waits for."""
    one, other = pair
    for last in range(1, 5_001):
        one.announce("alpha", last)
        one.announce("beta", 2 * last)
        one.flush()
    came: list[Message] = []
    while not one.flush():
        came += other.receive()
    came += other.receive()
    newest = {message.source: message.last for message in came if isinstance(message, Published)}
    assert newest == {"alpha": 5_000, "beta": 10_000}
    assert 0 < len(came) < 5_000


def test_what_a_commit_published_is_told_before_what_it_answered(pair: Pair) -> None:
    one, other = pair
    told: list[str] = []
    one.on_put = lambda: told.append("put")
    one.announce("alpha", 7)
    one.put(Told(1, Word("hello", 2)))
    one.announce("alpha", 8)
    assert told == ["put"]
    one.flush()
    news, answer = other.receive()
    assert (news.source, news.last, answer.number) == ("alpha", 8, 1)
