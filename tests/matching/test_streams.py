"""Random streams of every command: the kernels against the reference, against the invariants, against themselves."""

from collections.abc import Callable
from random import Random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from borsa.matching import Kernel, Result, iter_results

from .conftest import KERNELS
from .reference import Reference, decode
from .streams import MARKETS, random_command, random_stream
from .witness import Witness

# One number a command: a failing stream shrinks by whole commands, which is quick.
commands = st.integers(0, 2**32 - 1).map(lambda seed: random_command(Random(seed)))
# Short ones shrink to something readable, long ones have books with something in them.
streams = st.lists(commands, min_size=1, max_size=20) | st.lists(commands, min_size=40, max_size=80)
each_kernel = pytest.mark.parametrize("make", KERNELS, ids=lambda kernel: kernel.__name__)
quick = settings(
    max_examples=150,
    deadline=None,
    database=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.large_base_example],
)


def results_of(kernel: Kernel, commands: bytes) -> list[Result]:
    """Decoded, for messages that a person can read."""
    return list(iter_results(kernel.process(commands)))


@each_kernel
@quick
@given(stream=streams)
def test_every_result_is_the_one_of_the_reference(make: Callable[[], Kernel], stream: list[bytes]) -> None:
    kernel, reference = make(), Reference()
    commands = b"".join(stream)
    assert results_of(kernel, commands) == reference.process(decode(commands))
    assert list(kernel.open_orders()) == reference.open_orders()
    for market in MARKETS:
        assert kernel.last_price(market) == reference.last.get(market, 0)
        assert kernel.state(market) == reference.states.get(market, 0)


@each_kernel
@pytest.mark.parametrize(("seed", "ids"), [(0, 400), (1, 400), (2, 80), (3, 80), (4, 40), (5, 40)])
def test_a_long_stream_is_the_one_of_the_reference(make: Callable[[], Kernel], seed: int, ids: int) -> None:
    kernel, reference = make(), Reference()
    stream = random_stream(seed, 1600, ids=ids)
    for start in range(0, len(stream), 10):
        commands = b"".join(stream[start : start + 10])
        assert results_of(kernel, commands) == reference.process(decode(commands))
        assert list(kernel.open_orders()) == reference.open_orders()


@each_kernel
@quick
@given(stream=streams)
def test_invariants_hold_after_every_command(make: Callable[[], Kernel], stream: list[bytes]) -> None:
    kernel, witness = make(), Witness()
    for command in stream:
        witness.hear(decode(command)[0], results_of(kernel, command))
        witness.look(kernel, MARKETS)


@each_kernel
@pytest.mark.parametrize("seed", range(10, 14))
def test_invariants_hold_along_a_long_stream(make: Callable[[], Kernel], seed: int) -> None:
    kernel, witness = make(), Witness()
    for number, command in enumerate(random_stream(seed, 5000)):
        witness.hear(decode(command)[0], results_of(kernel, command))
        if number % 50 == 0:
            witness.look(kernel, MARKETS)
    witness.look(kernel, MARKETS)


@each_kernel
@quick
@given(stream=streams, cut=st.integers(0, 40))
def test_a_snapshot_plus_the_tail_is_the_whole(make: Callable[[], Kernel], stream: list[bytes], cut: int) -> None:
    whole, head, tail = make(), make(), make()
    before, after = b"".join(stream[:cut]), b"".join(stream[cut:])
    head.process(before)
    whole.process(before)
    tail.restore(head.snapshot())
    assert tail.snapshot() == head.snapshot()
    assert tail.process(after) == whole.process(after)
    assert tail.state_hash() == whole.state_hash()


@each_kernel
def test_a_snapshot_at_every_so_many_commands_plus_the_tail_is_the_whole(make: Callable[[], Kernel]) -> None:
    stream = random_stream(20, 3000)
    whole = make()
    results = [whole.process(command) for command in stream]
    head = make()
    for cut in range(0, len(stream), 250):
        tail = make()
        tail.restore(head.snapshot())
        assert [tail.process(command) for command in stream[cut:]] == results[cut:]
        assert tail.state_hash() == whole.state_hash()
        head.process(b"".join(stream[cut : cut + 250]))


@each_kernel
def test_batches_change_nothing_but_the_index(make: Callable[[], Kernel]) -> None:
    stream = random_stream(30, 3000)
    single, whole, random = make(), make(), Random(31)
    one_by_one: list[Result] = []
    for number, command in enumerate(stream):
        one_by_one += [result._replace(command_index=number) for result in results_of(single, command)]
    assert one_by_one == results_of(whole, b"".join(stream))
    mixed, in_batches, start = make(), b"", 0
    while start < len(stream):
        size = random.randint(1, 90)
        in_batches += mixed.process(b"".join(stream[start : start + size]))
        start += size
    assert [result._replace(command_index=0) for result in iter_results(in_batches)] == [
        result._replace(command_index=0) for result in one_by_one
    ]
    assert single.state_hash() == whole.state_hash() == mixed.state_hash()


@each_kernel
def test_a_refused_command_changes_nothing(make: Callable[[], Kernel]) -> None:
    kernel, refused = make(), 0
    for command in random_stream(40, 1500, ids=60, prices=12):
        before = kernel.state_hash()
        results = results_of(kernel, command)
        if results and results[0].kind == 5:
            refused += 1
            assert kernel.state_hash() == before
    assert refused > 100


@each_kernel
def test_the_kernels_are_one_and_the_same(make: Callable[[], Kernel]) -> None:
    commands = b"".join(random_stream(50, 5000))
    one, other = KERNELS[0](), make()
    assert one.process(commands) == other.process(commands)
    assert one.snapshot() == other.snapshot()


def test_random_streams_reach_everything() -> None:
    """Otherwise the tests above prove less than they say."""
    kernel = KERNELS[0]()
    seen = {
        (result.kind, result.reason)
        for seed in range(8)
        for result in results_of(kernel, b"".join(random_stream(seed, 4000, ids=(400, 40)[seed % 2])))
    }
    kinds = {kind for kind, _ in seen}
    assert kinds == set(range(1, 8))
    assert {reason for kind, reason in seen if kind == 3} == set(range(1, 12))
    assert {reason for kind, reason in seen if kind == 5} == {6, 16, 17, 18, 19, 20}
