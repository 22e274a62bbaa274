"""When a signed request counts, to the millisecond, and how long it is known."""

import random

import pytest

from borsa.errors import Refused
from borsa.runtime.access.signing import AHEAD_MS_MAX, WINDOW_MS_MAX, Signed, Taken, check_time, signed_request
from tests.support.alone import HandClock

USER = "ada"


def request(time: int, window: int = 5_000, about: str = "") -> Signed:
    return Signed("key", time, window, b"", f"{time} {window} {about}".encode(), True)


def code(act: object, *args: object) -> str:
    """The code that something is refused with; nothing when it is not."""
    try:
        act(*args)  # type: ignore[operator]
    except Refused as refused:
        return refused.code
    return ""


def test_what_is_signed_is_seven_lines() -> None:
    headers = {b"borsa-key": b"k", b"borsa-time": b"1700000000000", b"borsa-signature": b"0" * 64}
    signed = signed_request(headers, "GET", b"/api/orders", b"limit=5&symbol=BTC%2DUSD", b"")
    nothing = b"e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    lines = [b"k", b"1700000000000", b"5000", b"GET", b"/api/orders", b"limit=5&symbol=BTC%2DUSD", nothing]
    assert signed.text.split(b"\n") == lines
    longer = signed_request(headers | {b"borsa-window": b"60000"}, "POST", b"/", b"", b"{}")
    assert (longer.window, longer.changes, signed.changes) == (60_000, True, False)
    assert longer.text.split(b"\n")[2] == b"60000"


@pytest.mark.parametrize(
    ("time", "window", "fine"),
    [
        (1_000_000, 5_000, True),
        (1_000_000 - 5_000, 5_000, True),
        (1_000_000 - 5_001, 5_000, False),
        (1_000_000 - 1, 1, True),
        (1_000_000 - 2, 1, False),
        (1_000_000 - 60_000, 60_000, True),
        (1_000_000 + AHEAD_MS_MAX, 5_000, True),
        (1_000_000 + AHEAD_MS_MAX + 1, 5_000, False),
        (1_000_000 + AHEAD_MS_MAX + 1, 60_000, False),
    ],
)
def test_a_time_counts_to_the_millisecond(time: int, window: int, fine: bool) -> None:
    assert code(check_time, request(time, window), 1_000_000) == ("" if fine else "unauthorized")


def ready(most: int = 1_000) -> tuple[HandClock, Taken]:
    clock = HandClock()
    taken = Taken(clock, most)
    clock.advance(100)
    return clock, taken


def test_what_was_signed_before_it_began_does_not_count() -> None:
    clock = HandClock()
    taken = Taken(clock, 10)
    began = clock.now() // 1000
    for time in (began - 1, began, began + AHEAD_MS_MAX):
        assert code(taken.take, request(time), USER) == "overloaded"
    assert code(taken.take, request(began + AHEAD_MS_MAX + 1), USER) == ""


def test_one_user_has_so_many_within_their_windows_and_no_other_user_pays_for_it() -> None:
    clock, taken = ready(most=3)
    now = clock.now() // 1000
    found = [code(taken.take, request(now, about=str(at)), USER) for at in range(4)]
    assert found == ["", "", "", "too_many_requests"]
    assert code(taken.take, request(now, about="0"), USER) == "request_replayed"
    assert code(taken.take, request(now), "grace") == ""
    clock.advance(7)
    assert code(taken.take, request(clock.now() // 1000), USER) == ""


def test_it_knows_what_a_list_of_everything_would_know_and_forgets_the_rest() -> None:
    """Whatever a door lets through by its time is either new or known."""
    chance = random.Random(7)
    clock, taken = ready(most=1_000_000)
    everything: list[Signed] = []
    for _ in range(4_000):
        now = clock.now() // 1000
        if everything and chance.random() < 0.5:
            signed = chance.choice(everything[-300:])
        else:
            window = chance.choice((1, 999, 5_000, WINDOW_MS_MAX))
            signed = request(now + chance.randint(-window, AHEAD_MS_MAX), window, str(chance.random()))
        if code(check_time, signed, now):
            continue
        expected = "request_replayed" if signed in everything else ""
        assert code(taken.take, signed, USER) == expected
        everything.append(signed)
        clock.advance(chance.choice((0, 0, 0, 0, 1, 7)))
    clock.advance(62)
    assert code(taken.take, request(clock.now() // 1000), USER) == ""
    assert taken.known == 1
