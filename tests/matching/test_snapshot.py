"""Snapshots: everything that can be seen later is in them, and a damaged one is refused."""

import os
import struct
import subprocess
import sys
from collections.abc import Callable
from hashlib import sha256

import pytest

from borsa.matching import Kernel, iter_results, pack_command
from borsa.matching.layout import Kind, Op, OrderType, Reason, SelfTradePrevention, State

from .conftest import ROOT
from .streams import random_stream


def place(order_id: int, side: int, quantity: int, price: int, **fields: int) -> bytes:
    """A limit order of an owner of its own."""
    fields = {"owner": order_id, **fields}
    return pack_command(Op.PLACE, 0, order_id, side=side, quantity=quantity, price=price, **fields)


def stop(order_id: int, side: int, quantity: int, stop_price: int, worst: int = 0, **fields: int) -> bytes:
    """A stop (market) order."""
    return place(order_id, side, quantity, worst, stop_price=stop_price, order_type=OrderType.STOP, **fields)


def restored(new_kernel: Callable[[], Kernel], kernel: Kernel) -> Kernel:
    """Another kernel from its snapshot."""
    other = new_kernel()
    other.restore(kernel.snapshot())
    return other


def test_an_empty_kernel_has_a_snapshot(new_kernel: Callable[[], Kernel]) -> None:
    assert restored(new_kernel, new_kernel()).state_hash() == new_kernel().state_hash()


def test_a_snapshot_has_the_last_price(new_kernel: Callable[[], Kernel]) -> None:
    kernel = new_kernel()
    kernel.process(place(1, 1, 5, 100) + place(2, 0, 5, 100))
    other = restored(new_kernel, kernel)
    assert other.last_price(0) == 100
    kinds = [result.kind for result in iter_results(other.process(stop(3, 0, 1, 100)))]
    assert kinds == [Kind.ACCEPTED, Kind.TRIGGERED, Kind.CLOSED]


def test_a_snapshot_has_armed_stops_in_arming_order(new_kernel: Callable[[], Kernel]) -> None:
    kernel = new_kernel()
    kernel.process(stop(9, 0, 1, 100) + stop(3, 0, 1, 90) + stop(6, 0, 0, 100, budget=50, owner=6))
    other = restored(new_kernel, kernel)
    assert [order.order_id for order in other.open_orders() if order.armed] == [9, 3, 6]
    results = iter_results(other.process(place(1, 1, 5, 100) + place(2, 0, 5, 100)))
    assert [result.order_id for result in results if result.kind == Kind.TRIGGERED] == [9, 3, 6]


def test_a_snapshot_has_the_worst_price_of_a_stop(new_kernel: Callable[[], Kernel]) -> None:
    kernel = new_kernel()
    kernel.process(place(1, 1, 1, 100) + place(2, 1, 5, 120) + place(3, 0, 2, 100))
    kernel.process(stop(4, 0, 1, 110, worst=115))
    other = restored(new_kernel, kernel)
    results = list(iter_results(other.process(place(5, 0, 1, 120))))
    assert [(result.order_id, result.reason) for result in results if result.kind == Kind.CLOSED] == [
        (5, Reason.FILLED),
        (4, Reason.PRICE_BAND),
    ]


@pytest.mark.parametrize("price", [-1, -(2**63)])
def test_a_worst_price_below_zero_is_not_restored(new_kernel: Callable[[], Kernel], price: int) -> None:
    kernel = new_kernel()
    kernel.process(stop(1, 0, 5, 100, worst=77))
    body = kernel.snapshot()[:-32].replace(struct.pack("<q", 77), struct.pack("<q", price))
    with pytest.raises(ValueError, match="no state that a kernel can be in"):
        new_kernel().restore(body + sha256(body).digest())


def test_a_snapshot_has_the_market_state(new_kernel: Callable[[], Kernel]) -> None:
    kernel = new_kernel()
    kernel.process(pack_command(Op.SET_STATE, 0, quantity=State.HALTED))
    other = restored(new_kernel, kernel)
    assert other.state(0) == State.HALTED
    assert list(iter_results(other.process(place(1, 0, 5, 100))))[1].reason == Reason.HALTED


def test_a_snapshot_has_the_order_of_every_queue(new_kernel: Callable[[], Kernel]) -> None:
    kernel = new_kernel()
    kernel.process(place(9, 1, 5, 100) + place(3, 1, 5, 100) + place(6, 1, 5, 100) + place(1, 1, 1, 99))
    kernel.process(pack_command(Op.AMEND, 0, 9, price=100, quantity=6))
    results = iter_results(restored(new_kernel, kernel).process(place(20, 0, 99, 100)))
    assert [result.other_id for result in results if result.kind == Kind.FILLED] == [1, 3, 6, 9]


def test_a_snapshot_has_what_is_filled_and_what_was_prevented(new_kernel: Callable[[], Kernel]) -> None:
    kernel = new_kernel()
    decrement = SelfTradePrevention.DECREMENT
    kernel.process(place(1, 1, 10, 100, owner=1) + place(2, 0, 3, 100, owner=2))
    kernel.process(place(3, 0, 2, 100, owner=1, self_trade_prevention=decrement))
    amend = pack_command(Op.AMEND, 0, 1, price=100, quantity=9)
    (result,) = iter_results(restored(new_kernel, kernel).process(amend))
    assert (result.kind, result.quantity, result.remaining) == (Kind.AMENDED, 9, 4)


def test_a_snapshot_has_what_an_order_does_when_it_takes_later(new_kernel: Callable[[], Kernel]) -> None:
    """A resting order that is amended takes by its own mode; a post_only one is refused."""
    kernel = new_kernel()
    kernel.process(place(1, 1, 5, 100, owner=1) + place(2, 0, 5, 90, post_only=1))
    kernel.process(place(3, 0, 5, 90, owner=1, self_trade_prevention=SelfTradePrevention.CANCEL_OLDEST))
    other = restored(new_kernel, kernel)
    (refused,) = iter_results(other.process(pack_command(Op.AMEND, 0, 2, price=100, quantity=5)))
    assert refused.reason == Reason.WOULD_CROSS
    results = list(iter_results(other.process(pack_command(Op.AMEND, 0, 3, price=100, quantity=5))))
    assert [(result.kind, result.order_id) for result in results] == [
        (Kind.AMENDED, 3),
        (Kind.PREVENTED, 3),
        (Kind.CLOSED, 1),
    ]


def test_a_market_that_is_as_if_never_named_leaves_no_trace(new_kernel: Callable[[], Kernel]) -> None:
    kernel = new_kernel()
    kernel.process(place(1, 0, 5, 100) + pack_command(Op.CANCEL, 0, 1) + pack_command(Op.CANCEL, 5, 1))
    assert kernel.snapshot() == new_kernel().snapshot()


def test_the_way_to_a_state_does_not_show_in_its_hash(new_kernel: Callable[[], Kernel]) -> None:
    one, other = new_kernel(), new_kernel()
    one.process(place(1, 0, 5, 100) + place(2, 0, 5, 101) + stop(3, 1, 1, 50))
    other.process(stop(7, 0, 1, 500) + place(2, 0, 9, 101) + stop(3, 1, 1, 50) + place(4, 0, 1, 100))
    other.process(pack_command(Op.AMEND, 0, 2, price=101, quantity=5) + pack_command(Op.CANCEL, 0, 4))
    assert other.state_hash() != one.state_hash()
    other.process(place(1, 0, 5, 100) + pack_command(Op.CANCEL, 0, 7))
    assert other.state_hash() == one.state_hash()


def test_a_snapshot_with_any_byte_changed_is_refused_and_changes_nothing(
    new_kernel: Callable[[], Kernel],
) -> None:
    kernel = new_kernel()
    kernel.process(b"".join(random_stream(1, 40, ids=20)))
    snapshot, state = kernel.snapshot(), kernel.state_hash()
    for position in range(len(snapshot)):
        damaged = bytearray(snapshot)
        damaged[position] ^= 0x10
        with pytest.raises(ValueError, match="snapshot"):
            kernel.restore(bytes(damaged))
    assert kernel.state_hash() == state


@pytest.mark.parametrize("cut", [0, 1, 31, 32, 40, 100, -1])
def test_half_a_snapshot_is_refused(new_kernel: Callable[[], Kernel], cut: int) -> None:
    kernel = new_kernel()
    kernel.process(b"".join(random_stream(1, 40, ids=20)))
    with pytest.raises(ValueError, match="snapshot"):
        new_kernel().restore(kernel.snapshot()[:cut])


def test_a_snapshot_of_another_version_is_refused(new_kernel: Callable[[], Kernel]) -> None:
    body = bytearray(new_kernel().snapshot()[:-32])
    body[7] += 1
    with pytest.raises(ValueError, match="version"):
        new_kernel().restore(bytes(body) + sha256(body).digest())


def test_the_state_hash_is_the_digest_of_the_snapshot(kernel: Kernel) -> None:
    kernel.process(b"".join(random_stream(2, 200)))
    assert kernel.state_hash() == sha256(kernel.snapshot()[:-32]).hexdigest()


def test_the_hash_seed_of_the_interpreter_changes_nothing() -> None:
    script = (
        "from tests.matching.streams import random_stream; from borsa.matching import open_kernel;"
        "from hashlib import sha256; k = open_kernel(); r = k.process(b''.join(random_stream(3, 3000)));"
        "print(sha256(r).hexdigest(), k.state_hash())"
    ).replace("tests.matching", __package__)
    path = os.pathsep.join([str(ROOT / "src"), str(ROOT), str(ROOT / "tests")])
    said = {
        subprocess.run(
            [sys.executable, "-c", script],
            env={**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": path},
            capture_output=True,
            check=True,
            text=True,
        ).stdout
        for seed in ("0", "1", "4242")
    }
    assert len(said) == 1
    assert len(said.pop().split()) == 2
