"""Turns of users: nobody waits for what another has asked for in masses, and nobody gets more than others do."""

from typing import NamedTuple

from hypothesis import given
from hypothesis import strategies as st

from borsa.runtime.writing.turns import Turns


class Piece(NamedTuple):
    """Something that waits."""

    line: str
    weight: int
    number: int


def taken_of(turns: Turns[Piece], limit: int) -> list[int]:
    return [piece.number for piece in turns.take(limit)]


def test_alone_it_is_first_come_first_served() -> None:
    turns: Turns[Piece] = Turns()
    for number in range(5):
        turns.join(Piece("ann", 1, number))
    assert taken_of(turns, 3) == [0, 1, 2]
    assert len(turns) == 2
    assert taken_of(turns, 9) == [3, 4]
    assert taken_of(turns, 9) == []


def test_a_small_one_goes_before_the_masses_of_others() -> None:
    turns: Turns[Piece] = Turns()
    for number in range(60):
        turns.join(Piece(f"flooder {number % 20}", 100, number))
    assert taken_of(turns, 100) == [0]
    turns.join(Piece("ann", 1, 99))
    assert taken_of(turns, 100)[0] == 99


def test_whoever_comes_again_and_again_goes_behind_who_waits() -> None:
    turns: Turns[Piece] = Turns()
    turns.join(Piece("ann", 100, 0))
    turns.join(Piece("bob", 100, 1))
    assert taken_of(turns, 100) == [0]
    turns.join(Piece("ann", 100, 2))
    turns.join(Piece("ann", 1, 3))
    assert taken_of(turns, 200) == [1, 2]
    assert taken_of(turns, 1) == [3]


pieces = st.tuples(st.sampled_from("abcd"), st.integers(1, 5))


@given(st.lists(st.one_of(pieces, st.integers(1, 12)), max_size=60))
def test_of_each_line_in_order_and_between_lines_by_what_they_had(steps: list[tuple[str, int] | int]) -> None:
    turns: Turns[Piece] = Turns()
    joined: list[Piece] = []
    taken: list[Piece] = []
    for number, step in enumerate(steps):
        if isinstance(step, int):
            found = turns.take(step)
            assert sum(piece.weight for piece in found[:-1]) < step
            taken += found
        else:
            joined.append(Piece(*step, number))
            turns.join(joined[-1])
        assert len(turns) == len(joined) - len(taken)
    taken += turns.take(10**9)
    for line in "abcd":
        assert [piece for piece in taken if piece.line == line] == [piece for piece in joined if piece.line == line]


@given(st.lists(st.integers(1, 5), min_size=30, max_size=60), st.lists(st.integers(1, 5), min_size=30, max_size=60))
def test_two_who_always_wait_get_the_same(one: list[int], other: list[int]) -> None:
    """Within the weight of one piece each, as far as both have something to wait for."""
    turns: Turns[Piece] = Turns()
    for name, weights in (("a", one), ("b", other)):
        for number, weight in enumerate(weights):
            turns.join(Piece(name, weight, number))
    had = {"a": 0, "b": 0}
    left = {"a": len(one), "b": len(other)}
    while all(left.values()):
        (piece,) = turns.take(1)
        had[piece.line] += piece.weight
        left[piece.line] -= 1
        assert abs(had["a"] - had["b"]) <= 5 + 5
