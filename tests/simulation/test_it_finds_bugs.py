"""The simulator finds bugs: each of these is put in on purpose, and within a few seeds something breaks.

A simulation that nothing can fail is worth nothing. Each case is a mistake that somebody could make.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import msgspec
import pytest

from borsa.errors import Refusal
from borsa.events import OrderClosed
from borsa.runtime.log import Recorded
from borsa.runtime.writing.streams import Stream
from borsa.runtime.writing.transaction import Transaction
from borsa.runtime.writing.writer import Writer
from borsa.services.orders import ORDERS, placing
from borsa.services.orders import handlers as orders
from borsa.services.trades import handlers as trades
from borsa.services.users import handlers as users
from borsa.services.users import model as accounts
from borsa.services.wallets import WALLETS, model
from borsa.services.wallets import handlers as wallets
from tests.simulation import chunks

SEEDS_MAX = 25
ORDERS_EACH = 600

Break = Callable[[pytest.MonkeyPatch], None]


def nothing(*_: Any) -> None:
    """A step that was left out."""


def no_tombstone_of_orders(patch: pytest.MonkeyPatch) -> None:
    """`orders` says that it does not know a hold, and forgets that it said so: the order comes all the same."""

    def confirm_holds(tx: Transaction, memory: Any, request: Any) -> Any:
        known = orders.confirm_holds(tx, memory, request)
        memory.tombstones.clear()
        return known

    patch.setitem(ORDERS.answers, orders.ConfirmHolds, confirm_holds)  # type: ignore[arg-type]


def lost_holds_come_back(patch: pytest.MonkeyPatch) -> None:
    """A hold that was refused or voided is not remembered: asked for again, it may succeed."""
    held = wallets.Memory.known_hold

    def forgetful(memory: Any, hold_id: str, order_id: int) -> Any:
        hold = held(memory, hold_id, order_id)
        return None if hold is not None and hold.status in (model.REFUSED, model.VOID) else hold

    patch.setattr(wallets.Memory, "known_hold", forgetful)


def repeated_events_are_applied(patch: pytest.MonkeyPatch) -> None:
    """What was delivered twice is applied twice."""

    def take(stream: Stream, cursor: int, limit: int) -> Sequence[Recorded]:
        ready: list[Recorded] = []
        while stream._queue and stream._queue[0][0].sequence <= cursor + 1 and len(ready) < limit:
            events = stream._queue.popleft()
            stream._taken += len(events)
            ready.extend(events)
            cursor = events[-1].sequence
        return ready

    patch.setattr(Stream, "_from_memory", take)


def gaps_are_not_noticed(patch: pytest.MonkeyPatch) -> None:
    """What comes is taken as the next, whatever is missing before it."""

    def take(stream: Stream, cursor: int, limit: int) -> Sequence[Recorded]:
        ready: list[Recorded] = []
        while stream._queue and len(ready) < limit:
            events = stream._queue.popleft()
            stream._taken += len(events)
            fresh = [each for each in events if each.sequence > cursor]
            ready.extend(fresh)
            cursor = max(cursor, events[-1].sequence)
        return ready

    patch.setattr(Stream, "_from_memory", take)


def ended_orders_keep_their_holds(patch: pytest.MonkeyPatch) -> None:
    """Nothing is released when an order ends."""
    takes = {**WALLETS.consumes["trades"], OrderClosed: nothing}  # type: ignore[dict-item]
    patch.setitem(WALLETS.consumes, "trades", takes)  # type: ignore[arg-type]


def answers_come_before_the_commit(patch: pytest.MonkeyPatch) -> None:
    """Who asked hears of it before it is on disk."""
    commit = Writer._commit

    def early(writer: Writer) -> None:
        for table in writer._session._records:
            table.flush()
        outcomes, writer._outcomes = writer._outcomes, {}
        for replies, said in outcomes.items():
            replies.deliver(said)
        commit(writer)

    patch.setattr(Writer, "_commit", early)


def events_leave_before_the_commit(patch: pytest.MonkeyPatch) -> None:
    """Who follows hears of it before it is on disk."""
    commit = Writer._commit

    def early(writer: Writer) -> None:
        if writer._tx.events:
            writer._bus.publish(writer.service.name, list(writer._tx.events))
        commit(writer)

    patch.setattr(Writer, "_commit", early)


def savings_of_buyers_stay_held(patch: pytest.MonkeyPatch) -> None:
    """A buyer who pays less than the limit does not get the difference back."""
    spend = model.spend

    def mean(hold: model.Hold, amount: int, needed: int) -> tuple[model.Hold, int]:
        after, released = spend(hold, amount, needed)
        if amount and released and needed:
            return msgspec.structs.replace(after, released=hold.released), 0
        return after, released

    patch.setattr(model, "spend", mean)


def busts_are_given_up(patch: pytest.MonkeyPatch) -> None:
    """A bust that nobody answered in time is taken for refused, though the money may have moved."""
    reverse = trades._reverse

    def hasty(tx: Transaction, memory: Any, trade_id: int) -> Any:
        outcome = yield from reverse(tx, memory, trade_id)
        trade = memory.trades.get(trade_id)
        if isinstance(outcome, trades.Refused) and trade.status == trades.BUSTING:
            memory.trades.put(msgspec.structs.replace(trade, status=trades.EXECUTED, bust_reason=None))
        return outcome

    patch.setattr(trades, "_reverse", hasty)


def holds_of_a_batch_are_mixed_up(patch: pytest.MonkeyPatch) -> None:
    """Each order of a batch gets the hold of another one."""
    held = placing._held

    def mixed(begun: Any) -> Any:
        outcomes = yield from held(begun)
        return outcomes[::-1]

    patch.setattr(placing, "_held", mixed)


def one_refusal_spoils_a_batch(patch: pytest.MonkeyPatch) -> None:
    """What is refused of one order is told to all of them."""
    conclude = placing._conclude

    def strict(tx: Transaction, memory: Any, begun: Any, answer: Any) -> Any:
        if isinstance(answer, Refusal):
            raise answer.refused
        return conclude(tx, memory, begun, answer)

    patch.setattr(placing, "_conclude", strict)


def stolen_tokens_are_taken(patch: pytest.MonkeyPatch) -> None:
    """Whatever refresh token a session ever had, it gives the next one."""
    judge = accounts.judge_refresh

    def kind(*given: Any) -> accounts.Refresh:
        verdict = judge(*given)
        return accounts.Refresh.REPEAT if verdict is accounts.Refresh.REUSE else verdict

    patch.setattr(accounts, "judge_refresh", kind)


def stolen_tokens_are_only_refused(patch: pytest.MonkeyPatch) -> None:
    """A token that two people show does not end the session."""
    judge = accounts.judge_refresh

    def lenient(*given: Any) -> accounts.Refresh:
        verdict = judge(*given)
        return accounts.Refresh.INVALID if verdict is accounts.Refresh.REUSE else verdict

    patch.setattr(accounts, "judge_refresh", lenient)


def nobody_is_told_who_signed_out(patch: pytest.MonkeyPatch) -> None:
    """A session ends, and the door goes on to believe in its access token."""
    revoke = users._revoke

    def silent(tx: Transaction, memory: Any, sign_in: Any, *, tell: bool = True) -> None:
        revoke(tx, memory, sign_in, tell=False)

    patch.setattr(users, "_revoke", silent)


BUGS: Mapping[Break, str] = {
    no_tombstone_of_orders: "I-09|I-08|stream_halted in wallets|P0",
    lost_holds_come_back: "I-09|UNIQUE constraint failed: holds",
    repeated_events_are_applied: "stream_halted|I-",
    gaps_are_not_noticed: "the books are at|I-33",
    ended_orders_keep_their_holds: "I-08",
    answers_come_before_the_commit: "answered before its commit",
    events_leave_before_the_commit: "published before it was committed",
    savings_of_buyers_stay_held: "stream_halted in wallets|I-0[38]",
    holds_of_a_batch_are_mixed_up: "I-03|I-08|P0|stream_halted",
    one_refusal_spoils_a_batch: "a batch was refused for one of its orders",
    stolen_tokens_are_taken: "a session that had ended went on|one that does not follow",
    stolen_tokens_are_only_refused: "a token of a session that goes on was refused",
    nobody_is_told_who_signed_out: "I-31: sessions ended, and nobody was told",
    busts_are_given_up: "I-12: each bust has one reversing entry",
}
"""Each with what is said when it is found."""


@pytest.mark.timeout(300)
@pytest.mark.parametrize(("put_in", "said"), BUGS.items(), ids=lambda each: getattr(each, "__name__", ""))
def test_a_bug_is_found(put_in: Break, said: str, monkeypatch: pytest.MonkeyPatch) -> None:
    put_in(monkeypatch)
    for seed in range(1, SEEDS_MAX + 1):
        _, broken = chunks.run([seed], ORDERS_EACH)
        if broken:
            assert re.search(said, broken[0][1]), broken
            return
    raise AssertionError(f"it went unnoticed in {SEEDS_MAX} seeds")


def test_without_them_the_same_seeds_break_nothing() -> None:
    _, broken = chunks.run(range(1, SEEDS_MAX + 1), ORDERS_EACH)
    assert not broken
