"""Streams against a bus that repeats, reorders, drops and is late: everything is applied once, in order."""

from contextlib import closing

import hypothesis.strategies as st
import pytest
from hypothesis import HealthCheck, given, settings

from borsa.events import UserUpdated
from borsa.runtime.log import Cursor, Recorded, recorded
from borsa.runtime.records.session import Session
from borsa.runtime.writing.streams import Stream, Streams
from tests.runtime.toys import BETA, made

LOG = [recorded("alpha", at, at, "c", None, UserUpdated(user_id=str(at), user_name="")) for at in range(1, 31)]

deliveries = st.lists(
    st.tuples(st.integers(0, 29), st.integers(1, 8), st.booleans()).map(
        lambda drawn: (LOG[drawn[0] : drawn[0] + drawn[1]], drawn[2])
    ),
    max_size=25,
)
"""Parts of the log in any order and number, some of them followed by a look at what is next."""


class Source:
    """A log that grows with what was delivered from it: a delivery comes after its commit."""

    def __init__(self, page: int) -> None:
        self._page = page
        self.last = 0

    def fetch(self, source: str, after: int) -> list[Recorded]:
        return [event for event in LOG[: self.last] if event.sequence > after][: self._page]


def taken(stream: Stream, source: Source, limit: int) -> list[int]:
    events = stream.take(limit, source.fetch)
    if events:
        stream.cursor = events[-1].sequence
    return [event.sequence for event in events]


@given(deliveries, st.integers(1, 7), st.integers(1, 10), st.integers(1, 12))
@settings(max_examples=400, deadline=None)
def test_each_event_is_taken_once_and_in_order(
    parts: list[tuple[list[Recorded], bool]], page: int, limit: int, bound: int
) -> None:
    source, stream = Source(page), Stream(Cursor("alpha", 0), bound)
    applied: list[int] = []
    for events, looks in parts:
        source.last = max(source.last, events[-1].sequence)
        stream.deliver(events)
        assert len(stream) <= bound
        if looks:
            applied += taken(stream, source, limit)
    # producers announce their last event: the end of the log arrives some time
    source.last = len(LOG)
    stream.deliver(LOG[-1:])
    while more := taken(stream, source, limit):
        applied += more
    assert applied == list(range(1, len(LOG) + 1))


@given(deliveries, st.data())
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_crash_at_any_time_repeats_nothing(
    tmp_path_factory: pytest.TempPathFactory, parts: list[tuple[list[Recorded], bool]], data: st.DataObject
) -> None:
    """The cursor is committed with the effects; what was in memory is read from the log again."""
    database = made(tmp_path_factory.mktemp("streams"), "beta", BETA)
    source = Source(5)
    applied: list[int] = []
    uncommitted: list[int] = []

    def opened() -> tuple[Session, Streams]:
        session = Session(database.connect(), 100)
        return session, Streams(session, BETA.tables["cursors"], ["alpha"], 8, source.fetch)

    session, streams = opened()
    for events, looks in [*parts, (LOG[-1:], True), *[([], True)] * 10]:
        if events:
            source.last = max(source.last, events[-1].sequence)
            streams.deliver("alpha", events)
        if looks:
            for stream, next_ones in streams.take(4):
                uncommitted += [event.sequence for event in next_ones]
                stream.applied(next_ones[-1])
                streams.store(stream)
        end = data.draw(st.sampled_from(["commit", "go on", "crash"])) if events else "commit"
        if end == "commit":
            session.commit()
            applied += uncommitted
            uncommitted = []
        elif end == "crash":
            session.close()
            uncommitted = []
            session, streams = opened()
    with closing(session):
        assert applied == list(range(1, len(LOG) + 1))


def test_a_halted_stream_gives_nothing() -> None:
    source, stream = Source(5), Stream(Cursor("alpha", 0), 100)
    source.last = 3
    stream.deliver(LOG[:3])
    stream.halted = True
    assert stream.take(10, source.fetch) == []


def test_what_was_taken_and_not_applied_is_taken_again() -> None:
    source, stream = Source(5), Stream(Cursor("alpha", 0), 100)
    source.last = 3
    stream.deliver(LOG[:3])
    assert [event.sequence for event in stream.take(10, source.fetch)] == [1, 2, 3]
    stream.rewind()
    assert taken(stream, source, 10) == [1, 2, 3]


def test_deliveries_are_taken_whole_until_the_limit_is_reached() -> None:
    source, stream = Source(5), Stream(Cursor("alpha", 0), 100)
    source.last = 9
    for at in range(0, 9, 3):
        stream.deliver(LOG[at : at + 3])
    assert taken(stream, source, 4) == [1, 2, 3, 4, 5, 6]
    assert taken(stream, source, 4) == [7, 8, 9]


def test_a_delivery_with_a_gap_of_its_own_is_read_from_the_log_instead() -> None:
    source, stream = Source(9), Stream(Cursor("alpha", 0), 100)
    source.last = 9
    assert taken(stream, source, 9) == list(range(1, 10))
    source.last = 14
    stream.deliver([LOG[9], LOG[12], LOG[13]])
    assert taken(stream, source, 9) == [10, 11, 12, 13, 14]
