"""The packed records are what the interface says, to the byte."""

import struct
from collections.abc import Callable

import pytest

from borsa.matching import Kernel, iter_results, layout, pack_command
from borsa.matching.layout import COMMAND, RESULT, Kind, Op, Reason


def test_records_are_64_bytes() -> None:
    assert COMMAND.size == layout.COMMAND_BYTES == 64
    assert RESULT.size == layout.RESULT_BYTES == 64
    assert struct.calcsize("<BBBBHHIIQQqqqq") == 64


def test_a_command_is_packed_field_by_field() -> None:
    packed = pack_command(
        Op.PLACE, 65535, 2**64 - 1, side=1, order_type=3, time_in_force=2, post_only=True,
        self_trade_prevention=4, owner=2**64 - 2, price=2**63 - 1, quantity=5, budget=6, stop_price=7,
        other_id=8,
    )  # fmt: skip
    assert struct.unpack("<BBBBBBHQQqqqqQ", packed) == (
        1, 1, 3, 2, 1, 4, 65535, 2**64 - 1, 2**64 - 2, 2**63 - 1, 5, 6, 7, 8,
    )  # fmt: skip


def test_a_result_has_zeros_where_nothing_is(kernel: Kernel) -> None:
    packed = kernel.process(pack_command(Op.PLACE, 3, 9, price=100, quantity=5))
    assert struct.unpack("<BBBBHHIIQQqqqq", packed) == (1, 0, 0, 0, 3, 0, 0, 0, 9, 0, 100, 5, 5, 0)


def test_a_fill_has_every_field(kernel: Kernel) -> None:
    kernel.process(pack_command(Op.PLACE, 3, 9, owner=1, price=100, quantity=5))
    packed = kernel.process(
        pack_command(Op.CANCEL, 3, 8) + pack_command(Op.PLACE, 3, 10, side=1, owner=2, price=90, quantity=7)
    )
    fill = list(iter_results(packed))[2]
    assert fill == (Kind.FILLED, 1, Reason.NONE, layout.FLAG_MAKER_DONE, 3, 1, 10, 9, 100, 5, 2, 0)


def test_the_numbers_and_their_names_agree() -> None:
    prefixes = {
        "OP_": layout.Op, "TYPE_": layout.OrderType, "TIF_": layout.TimeInForce, "STATE_": layout.State,
        "STP_": layout.SelfTradePrevention, "KIND_": layout.Kind, "REASON_": layout.Reason,
    }  # fmt: skip
    for prefix, names in prefixes.items():
        plain = {name.removeprefix(prefix): value for name, value in vars(layout).items() if name.startswith(prefix)}
        assert plain == {member.name: member.value for member in names}
        assert len(set(plain.values())) == len(plain)


@pytest.mark.parametrize("length", [1, 63, 65, 127])
def test_half_a_command_is_an_error_and_nothing_is_applied(kernel: Kernel, length: int) -> None:
    commands = pack_command(Op.PLACE, 0, 1, price=100, quantity=5) * 2
    with pytest.raises(ValueError, match="64 bytes"):
        kernel.process(commands[:length])
    assert list(kernel.open_orders()) == []


@pytest.mark.parametrize("buffer", [bytes, bytearray, memoryview])
def test_any_buffer_will_do(kernel: Kernel, buffer: Callable[[bytes], bytes]) -> None:
    commands = pack_command(Op.PLACE, 0, 1, price=100, quantity=5)
    assert len(kernel.process(buffer(commands))) == 64
    assert kernel.process(buffer(b"")) == b""


def test_an_unknown_op_is_refused(kernel: Kernel) -> None:
    for op in (0, 7, 255):
        (result,) = iter_results(kernel.process(pack_command(op, 0, 5)))
        assert (result.kind, result.reason, result.order_id) == (Kind.REFUSED, Reason.INVALID, 5)


def test_every_single_bit_of_noise_has_an_answer(kernel: Kernel) -> None:
    command = bytearray(pack_command(Op.PLACE, 0, 1, price=100, quantity=5))
    for bit in range(8 * len(command)):
        noisy = bytearray(command)
        noisy[bit // 8] ^= 1 << bit % 8
        kernel.process(noisy)
    kernel.process(b"\xff" * 64)


LIMIT = {"price": 100, "quantity": 5}
MARKET = {"order_type": 1, "quantity": 5}
WORST = {"order_type": 1, "quantity": 5, "price": 110}
STOP = {"order_type": 2, "quantity": 5, "stop_price": 90}
STOP_LIMIT = {"order_type": 3, "quantity": 5, "price": 100, "stop_price": 90}


@pytest.mark.parametrize(
    ("sound", "broken"),
    [
        (LIMIT, {"order_id": 0}),
        (LIMIT, {"side": 2}),
        (LIMIT, {"order_type": 4}),
        (LIMIT, {"time_in_force": 3}),
        (LIMIT, {"post_only": 2}),
        (LIMIT, {"self_trade_prevention": 5}),
        (LIMIT, {"price": 0}),
        (LIMIT, {"price": -1}),
        (LIMIT, {"quantity": 0}),
        (LIMIT, {"quantity": -1}),
        (LIMIT, {"budget": 1}),
        (LIMIT, {"stop_price": 1}),
        (LIMIT, {"post_only": 1, "time_in_force": 1}),
        (LIMIT, {"post_only": 1, "time_in_force": 2}),
        (MARKET, {"price": -1}),
        (MARKET, {"stop_price": 1}),
        (MARKET, {"post_only": 1}),
        (MARKET, {"budget": -1}),
        (MARKET, {"quantity": -1, "budget": 1}),
        (MARKET, {"side": 1, "budget": 1}),
        (WORST, {"side": 1, "budget": 1}),
        (WORST, {"post_only": 1}),
        (WORST, {"stop_price": 1}),
        (STOP, {"price": -1}),
        (STOP, {"stop_price": 0}),
        (STOP, {"stop_price": -1}),
        (STOP, {"post_only": 1}),
        (STOP_LIMIT, {"price": 0}),
        (STOP_LIMIT, {"price": -1}),
        (STOP_LIMIT, {"stop_price": 0}),
        (STOP_LIMIT, {"order_type": 4}),
        (STOP_LIMIT, {"budget": 1}),
    ],
)
def test_a_placing_with_a_field_that_is_not_allowed_is_refused(
    kernel: Kernel, sound: dict[str, int], broken: dict[str, int]
) -> None:
    fields = {"order_id": 1, **sound, **broken}
    (result,) = iter_results(kernel.process(pack_command(Op.PLACE, 0, **fields)))
    assert (result.kind, result.reason) == (Kind.REFUSED, Reason.INVALID)
    accepted = next(iter_results(kernel.process(pack_command(Op.PLACE, 0, 1, **sound))))
    assert accepted.kind == Kind.ACCEPTED


@pytest.mark.parametrize("state", [-1, 3])
def test_an_unknown_state_is_refused(kernel: Kernel, state: int) -> None:
    (result,) = iter_results(kernel.process(pack_command(Op.SET_STATE, 0, quantity=state)))
    assert (result.kind, result.reason, kernel.state(0)) == (Kind.REFUSED, Reason.INVALID, 0)
