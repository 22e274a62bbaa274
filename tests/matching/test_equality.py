"""The compiled kernel is the naive one, byte for byte: on streams that Hypothesis makes up, on numbers at the edge of
what 64 bits hold, on snapshots that nobody packed; and it bears loads that the naive one is too slow for."""

import os
import struct
import threading
from collections.abc import Callable
from hashlib import sha256
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from borsa.matching import Kernel, iter_results, kernel_name, open_kernel, pack_command
from borsa.matching.layout import Kind, Op, OrderType, SelfTradePrevention
from borsa.matching.naive import NaiveKernel

from .streams import random_stream

pytestmark = pytest.mark.skipif(kernel_name() != "compiled", reason="nothing was compiled here")

LARGEST = 2**63 - 1
HEAD_BYTES, BOOK_BYTES, DIGEST_BYTES = 12, 20, 32

EXAMPLES = 75 if "ASAN_OPTIONS" in os.environ else 300
"""Under the sanitizer (test_memory.py) each takes four times as long, most of it in the naive kernel."""

ids = st.integers(1, 12) | st.sampled_from([0, 2**31, 2**32 + 1, 2**63, 2**64 - 1])
owners = st.integers(0, 3) | st.just(2**64 - 1)
prices = st.integers(0, 7) | st.sampled_from([-1, 2**32, LARGEST - 1, LARGEST])
amounts = st.integers(0, 30) | st.sampled_from([-1, 2**32, 2**62, LARGEST - 1, LARGEST])
modes = st.sampled_from(list(SelfTradePrevention))

limits = st.builds(
    pack_command,
    st.just(Op.PLACE),
    st.integers(0, 1),
    ids,
    side=st.integers(0, 1),
    time_in_force=st.integers(0, 2),
    post_only=st.integers(0, 1),
    self_trade_prevention=modes,
    owner=owners,
    price=prices,
    quantity=amounts,
)
others = st.builds(
    pack_command,
    st.just(Op.PLACE),
    st.just(0),
    ids,
    side=st.integers(0, 1),
    order_type=st.sampled_from(list(OrderType)),
    time_in_force=st.integers(0, 2),
    self_trade_prevention=modes,
    owner=owners,
    price=st.just(0) | prices,
    quantity=amounts,
    budget=st.just(0) | amounts,
    stop_price=st.just(0) | prices,
)
amendments = st.builds(pack_command, st.just(Op.AMEND), st.integers(0, 1), ids, price=prices, quantity=amounts)
rest = st.builds(
    pack_command,
    st.sampled_from([Op.CANCEL, Op.CROSS, Op.SET_STATE, Op.CANCEL_ALL, 0, 9]),
    st.integers(0, 1),
    ids,
    owner=owners,
    price=prices,
    quantity=st.integers(0, 3),
    other_id=ids,
)
noise = st.binary(min_size=64, max_size=64)
commands = limits | limits | others | amendments | rest | noise


def pair() -> tuple[Kernel, Kernel]:
    """One of each."""
    return NaiveKernel(), open_kernel("compiled")


def assert_same(naive: Kernel, compiled: Kernel) -> None:
    """In everything that can be seen."""
    assert compiled.snapshot() == naive.snapshot()
    assert compiled.state_hash() == naive.state_hash()
    assert list(compiled.open_orders()) == list(naive.open_orders())
    for market in (0, 1, 65535):
        for levels in (-1, 0, 1, 100):
            assert compiled.depth(market, levels) == naive.depth(market, levels)
        assert compiled.last_price(market) == naive.last_price(market)
        assert compiled.state(market) == naive.state(market)


@settings(max_examples=EXAMPLES, deadline=None)
@given(st.lists(st.lists(commands, max_size=25), max_size=6))
def test_any_commands_give_the_same_bytes_and_the_same_state(batches: list[list[bytes]]) -> None:
    naive, compiled = pair()
    for batch in batches:
        assert compiled.process(b"".join(batch)) == naive.process(b"".join(batch))
        assert_same(naive, compiled)
        naive, compiled = exchanged(naive, compiled)


def exchanged(naive: Kernel, compiled: Kernel) -> tuple[Kernel, Kernel]:
    """Each from the other's snapshot."""
    other_naive, other_compiled = pair()
    other_naive.restore(compiled.snapshot())
    other_compiled.restore(naive.snapshot())
    assert_same(other_naive, other_compiled)
    return other_naive, other_compiled


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**32), st.sampled_from([30, 400, 4000]), st.sampled_from([3, 40, 3000]))
def test_long_streams_give_the_same_bytes_and_the_same_state(seed: int, known: int, spread: int) -> None:
    stream = random_stream(seed, 3000, ids=known, prices=spread)
    naive, compiled = pair()
    random, start = Random(seed), 0
    while start < len(stream):
        batch = b"".join(stream[start : start + random.choice([1, 20, 700])])
        start += len(batch) // 64
        assert compiled.process(batch) == naive.process(batch)
        if random.randrange(4) == 0:
            assert_same(naive, compiled)
            naive, compiled = exchanged(naive, compiled)
    assert_same(naive, compiled)


@settings(max_examples=300, deadline=None)
@given(st.integers(0, 2**32), st.data())
def test_a_snapshot_that_no_kernel_packed_is_taken_by_both_or_by_none(seed: int, data: st.DataObject) -> None:
    """Its checksum is right: who made it can do that much. It must not lead outside the compiled kernel's memory."""
    packed = NaiveKernel()
    packed.process(b"".join(random_stream(seed, 60, ids=12, prices=8)))
    body = bytearray(packed.snapshot()[:-DIGEST_BYTES])
    for _ in range(data.draw(st.integers(1, 3))):
        at = data.draw(st.integers(8, len(body) - 1))
        body[at] = data.draw(st.sampled_from([0, 1, 2, 3, 4, 5, 127, 128, 255]))
    if data.draw(st.booleans()):
        body = body[: data.draw(st.integers(8, len(body)))]
    snapshot = bytes(body) + sha256(body).digest()
    naive, compiled = pair()
    taken = [takes(kernel, snapshot) for kernel in (naive, compiled)]
    assert taken in ([True, True], [False, False])
    assert_same(naive, compiled)
    batch = b"".join(random_stream(seed + 1, 60, ids=12, prices=8))
    assert compiled.process(batch) == naive.process(batch)


def takes(kernel: Kernel, snapshot: bytes) -> bool:
    """Whether a kernel restores it."""
    try:
        kernel.restore(snapshot)
    except ValueError:
        return False
    return True


@pytest.mark.parametrize(
    ("offset", "packed"),
    [
        (0, b"\x02"),
        (1, b"\x04"),
        (2, b"\x03"),
        (2, b"\x01"),
        (3, b"\x02"),
        (4, b"\x05"),
        (5, b"\x01"),
        (5, b"\x04"),
        (6, b"\x09"),
        (8, bytes(8)),
        (24, struct.pack("<q", -1)),
        (24, struct.pack("<q", 0)),
        (32, struct.pack("<q", 0)),
        (32, struct.pack("<q", -5)),
        (40, struct.pack("<q", LARGEST)),
        (48, struct.pack("<q", -1)),
        (56, struct.pack("<q", 1)),
        (64, struct.pack("<q", 1)),
    ],
)
def test_an_order_that_no_command_makes_is_not_restored(
    new_kernel: Callable[[], Kernel], offset: int, packed: bytes
) -> None:
    kernel = new_kernel()
    kernel.process(pack_command(Op.PLACE, 0, 7, price=100, quantity=5))
    body = bytearray(kernel.snapshot()[:-DIGEST_BYTES])
    at = HEAD_BYTES + BOOK_BYTES + offset
    body[at : at + len(packed)] = packed
    with pytest.raises(ValueError, match="no state that a kernel can be in"):
        new_kernel().restore(bytes(body) + sha256(body).digest())


def test_a_level_may_hold_more_than_64_bits(new_kernel: Callable[[], Kernel]) -> None:
    kernel = new_kernel()
    kernel.process(b"".join(pack_command(Op.PLACE, 0, each, price=5, quantity=LARGEST) for each in range(1, 6)))
    assert kernel.depth(0, 1) == ([(5, 5 * LARGEST)], [])
    kernel.process(pack_command(Op.CANCEL, 0, 2) + pack_command(Op.AMEND, 0, 3, price=5, quantity=1))
    assert kernel.depth(0, 1) == ([(5, 3 * LARGEST + 1)], [])


def test_a_budget_never_overflows(new_kernel: Callable[[], Kernel]) -> None:
    kernel = new_kernel()
    kernel.process(pack_command(Op.PLACE, 0, 1, side=1, owner=1, price=2**40, quantity=LARGEST))
    spent, capped = (
        next(iter_results(kernel.process(each)[64:128]))
        for each in (
            pack_command(Op.PLACE, 0, 2, owner=2, order_type=OrderType.MARKET, budget=LARGEST),
            pack_command(Op.PLACE, 0, 3, owner=2, order_type=OrderType.MARKET, quantity=LARGEST, budget=2**62),
        )
    )
    assert (spent.kind, spent.quantity, spent.remaining) == (Kind.FILLED, 2**23 - 1, 2**40 - 1)
    assert (capped.kind, capped.quantity) == (Kind.FILLED, 2**22)


def test_ids_far_apart_cost_no_more_than_others() -> None:
    naive, compiled = pair()
    known = [2**64 - 1 - 2**40 * each for each in range(3000)] + [2**each for each in range(24)]
    batch = b"".join(pack_command(Op.PLACE, 0, each, price=1 + each % 50, quantity=3) for each in known)
    assert compiled.process(batch) == naive.process(batch)
    batch = b"".join(pack_command(Op.CANCEL, 0, each) for each in known[::2])
    assert compiled.process(batch) == naive.process(batch)
    assert compiled.snapshot() == naive.snapshot()


@pytest.mark.parametrize("apart", [1, 2**8, 2**16, 2**40])
def test_prices_that_end_alike_have_levels_of_their_own(apart: int) -> None:
    """The compiled kernel looks for a level by the low bits of the price first."""
    naive, compiled = pair()
    random, known = Random(apart), 400
    for _ in range(30):
        batch = b"".join(
            pack_command(Op.CANCEL, 0, random.randint(1, known))
            if random.randrange(2)
            else pack_command(
                Op.PLACE,
                0,
                random.randint(1, known),
                side=random.randrange(2),
                owner=random.randint(1, 9),
                price=7 + apart * random.randint(0, 40),
                quantity=random.randint(1, 9),
            )
            for _ in range(100)
        )
        assert compiled.process(batch) == naive.process(batch)
        assert_same(naive, compiled)


def test_a_hundred_thousand_levels_come_and_go() -> None:
    """Far orders must not slow the book down: with one sorted array this takes minutes."""
    compiled, count = open_kernel("compiled"), 100_000
    random = Random(5)
    known = list(range(1, count + 1))
    random.shuffle(known)
    for side, away in ((1, 1), (0, -1)):
        places = (
            pack_command(Op.PLACE, side, each, side=side, price=10**6 + away * each, quantity=1) for each in known
        )
        compiled.process(b"".join(places))
        assert len(compiled.depth(side, count + 1)[side]) == count
        assert compiled.depth(side, 2)[side] == [(10**6 + away, 1), (10**6 + 2 * away, 1)]
        random.shuffle(known)
        compiled.process(b"".join(pack_command(Op.CANCEL, side, each) for each in known[:-3]))
        left = sorted(each for each in known[-3:])
        assert [price for price, _ in compiled.depth(side, 9)[side]] == [10**6 + away * each for each in left]
        compiled.process(b"".join(pack_command(Op.CANCEL, side, each) for each in left))
    assert compiled.snapshot() == NaiveKernel().snapshot()


def test_fifty_thousand_stops_fire_in_the_order_of_their_arming() -> None:
    compiled, count = open_kernel("compiled"), 50_000
    stops = [
        pack_command(Op.PLACE, 0, 10 + each, order_type=OrderType.STOP, stop_price=1 + each * 7919 % count, quantity=1)
        for each in range(count)
    ]
    compiled.process(b"".join(stops))
    compiled.process(pack_command(Op.PLACE, 0, 1, side=1, owner=1, price=count, quantity=1))
    results = iter_results(compiled.process(pack_command(Op.PLACE, 0, 2, owner=2, price=count, quantity=1)))
    fired = [result.order_id for result in results if result.kind == Kind.TRIGGERED]
    assert fired == list(range(10, 10 + count))
    assert list(compiled.open_orders()) == []


def test_a_kernel_at_work_is_not_to_be_asked_from_another_thread() -> None:
    kernel = open_kernel("compiled")
    batch = b"".join(random_stream(1, 20_000, ids=5000)) * 20
    refused: list[str] = []
    worker = threading.Thread(target=kernel.process, args=(batch,))
    worker.start()
    while worker.is_alive():
        try:
            kernel.last_price(0)
        except RuntimeError as error:
            refused.append(str(error))
    worker.join()
    assert set(refused) == {"the matching kernel is at work in another thread"}
    assert kernel.last_price(0) > 0
