"""What the users' door leans on: delays that grow with failures, and cursors that are what a list gave."""

import base64

import pytest

from borsa.errors import Refused
from borsa.runtime.http import limits
from borsa.runtime.http.limits import Failures
from borsa.runtime.http.page import after_cursor, decode_cursor, encode_cursor, next_cursor
from tests.support.alone import HandClock


def waits(failures: Failures, who: str = "ada") -> int:
    try:
        failures.check(who)
    except Refused as refused:
        return int(refused.extra["retryAfter"])
    return 0


def test_delays_double_up_to_a_minute_and_end() -> None:
    clock = HandClock()
    failures = Failures(clock)
    seen = []
    for _ in range(12):
        failures.add("ada", 3, 600)
        seen.append(waits(failures))
        clock.advance(seen[-1])
        assert waits(failures) == 0
    assert seen == [0, 0, 1, 2, 4, 8, 16, 32, 60, 60, 60, 60]


def test_failures_are_forgotten_after_a_window_without_one_and_when_somebody_succeeds() -> None:
    clock = HandClock()
    failures = Failures(clock)
    for _ in range(3):
        failures.add("ada", 3, 600)
        failures.add("grace", 3, 600)
    failures.forgive("grace")
    assert (waits(failures), waits(failures, "grace")) == (1, 0)
    clock.advance(601)
    failures.add("ada", 3, 600)
    assert waits(failures) == 0


def test_of_too_many_who_fail_the_ones_longest_ago_are_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "TRACKED_MAX", 2)
    failures = Failures(HandClock())
    for who in ("ada", "grace", "ada", "nell"):
        failures.add(who, 1, 600)
    assert [waits(failures, who) > 0 for who in ("ada", "grace", "nell")] == [True, False, True]


@pytest.mark.parametrize(("found", "cursor"), [([], None), ([7], None), ([7, 5], encode_cursor(5))])
def test_only_a_full_page_has_a_next_one(found: list[int], cursor: str | None) -> None:
    assert next_cursor(found, 2, lambda number: (number,)) == cursor


@pytest.mark.parametrize("values", [(0,), (2**63 - 1,), (-5, "ä~"), ("x", "y", 1)])
def test_a_cursor_comes_back_as_it_went(values: tuple[int | str, ...]) -> None:
    assert decode_cursor(encode_cursor(*values)) == values


@pytest.mark.parametrize(
    "raw",
    [b"[]", b"[1, 2]", b"[1.5]", b"[true]", b"[null]", b"[[1]]", b'{"a":1}', b"[9223372036854775808]", b'["\\u0000"]'],
)
def test_what_no_list_gave_is_no_cursor(raw: bytes) -> None:
    with pytest.raises(Refused) as caught:
        decode_cursor(base64.urlsafe_b64encode(raw).rstrip(b"=").decode())
    assert caught.value.field == "cursor"


def test_a_cursor_of_another_list_is_refused() -> None:
    assert after_cursor(None, ("~",)) == ("~",)
    for other in ((1,), ("a", "b")):
        with pytest.raises(Refused):
            after_cursor(encode_cursor(*other), ("~",))
