"""The deeds of trades: match what the orders log brings, replay it at a start, and undo what an admin declares void."""

from collections.abc import Mapping, Sequence

import msgspec
import structlog

from borsa.errors import CantStart, Refused
from borsa.events import MarketAssigned, MarketCreated, TradeBusted
from borsa.markets import amount_text
from borsa.requests import Done, ReverseTrade
from borsa.runtime.log import Fetch, Recorded
from borsa.runtime.service import Asking
from borsa.runtime.writing.transaction import Transaction
from borsa.services.trades import publishing
from borsa.services.trades.engine import inputs_of
from borsa.services.trades.model import (
    BUSTED,
    BUSTING,
    EXECUTED,
    FILLS_PER_INPUT_MAX,
    Annotate,
    BustTrade,
    ListMarkets,
    LookAtMarket,
    MarketMade,
    MarketMoved,
    MarketsAt,
    MarketSeen,
    Symbols,
    Trade,
    TradeVoid,
)
from borsa.services.trades.outcomes import Fill
from borsa.services.trades.snapshots import EVENTS_A_PIECE, PIECES_WRITTEN_A_SWEEP
from borsa.services.trades.store import Memory

_log = structlog.get_logger("borsa")

_encode = msgspec.msgpack.Encoder().encode

_NEWS_OF_MARKETS = (MarketCreated.__name__, MarketAssigned.__name__)

TOLD_TIMES = 2
"""How often it is told how far a market is that moved no more: what tells it may be lost, too."""

HOUR = 3_600_000_000
"""In microseconds."""


class Nondeterministic(CantStart):
    """A replay gave other trades than those that were committed: the books can't be trusted, so nothing starts."""


def match(tx: Transaction, memory: Memory, events: Sequence[Recorded]) -> None:
    """Apply events of the orders log to the books, and publish what came of each."""
    if events[0].sequence != memory.applied + 1:
        raise ValueError(f"the books are at {memory.applied}, the next event is {events[0].sequence}")
    memory.complete_snapshot()
    outcomes = memory.engine.apply(inputs_of(events))
    memory.applied = events[-1].sequence
    on_tape: dict[str, list[Trade]] = {}
    for recorded, told in zip(events, outcomes, strict=True):
        tx.for_event(recorded)
        for outcome in told:
            if isinstance(outcome, Fill):
                trade = publishing.row_of(outcome, tx.now)
                memory.add_trade(trade)
                if not outcome.block:
                    on_tape.setdefault(trade.symbol, []).append(trade)
            tx.publish(publishing.event_of(outcome))
    _show(tx, memory, events, on_tape)
    if memory.is_snapshot_due():
        memory.take_snapshot(tx.now)
    memory.snapshots.write(1 + len(events) // EVENTS_A_PIECE)


def _show(tx: Transaction, memory: Memory, events: Sequence[Recorded], on_tape: Mapping[str, Sequence[Trade]]) -> None:
    """What everybody may see of it: the candles, and what is broadcast."""
    for trades in on_tape.values():
        memory.add_to_candles(trades)
    for recorded in events:
        if recorded.type in _NEWS_OF_MARKETS:
            tx.broadcast(_encode(MarketMade(recorded.subject)))
            memory.moved[recorded.subject] = TOLD_TIMES
    for change in memory.engine.changes():
        public = [publishing.on_tape(trade) for trade in on_tape.get(change.symbol, ())]
        tx.broadcast(_encode(MarketMoved(change, public)))
        memory.moved[change.symbol] = TOLD_TIMES


def tell_where_markets_are(tx: Transaction, memory: Memory) -> None:
    """Tell how far the markets are that moved not long ago: who lost the last that was broadcast of one sees it."""
    if memory.moved:
        sequences = memory.engine.books.sequences
        tx.broadcast(_encode(MarketsAt({symbol: sequences.get(symbol, 0) for symbol in memory.moved})))
        memory.moved = {symbol: times - 1 for symbol, times in memory.moved.items() if times > 1}


def keep_snapshots(_: Transaction, memory: Memory) -> None:
    """Go on with a snapshot although nobody orders, and remove what is left of the oldest ones."""
    # first: it spares the one that was taken last, which may have got its head in this very transaction
    memory.snapshots.forget()
    memory.complete_snapshot()
    memory.snapshots.write(PIECES_WRITTEN_A_SWEEP)


def forget_candles(tx: Transaction, memory: Memory) -> None:
    """Remove the candles of a second that are too old; all others stay."""
    hours = memory.settings.second_candles_hours
    if hours:
        memory.forget_candles(tx.now - hours * HOUR)


def recover(_: Transaction, memory: Memory, fetch: Fetch) -> None:
    """Rebuild the books: the newest snapshot that verifies, and the log from there to the cursor.

    The outcomes are committed already; they are only compared.
    """
    memory.load_newest_snapshot()
    cursor = memory.cursor
    while memory.applied < cursor:
        events = [recorded for recorded in fetch("orders", memory.applied) if recorded.sequence <= cursor]
        if not events:
            raise Nondeterministic(f"the orders log ends at {memory.applied}, before the cursor {cursor}")
        _replay(memory, events)


def _replay(memory: Memory, events: Sequence[Recorded]) -> None:
    first, last = events[0].sequence, events[-1].sequence
    outcomes = memory.engine.apply(inputs_of(events))
    memory.applied = last
    again = [publishing.row_of(each, 0) for told in outcomes for each in told if isinstance(each, Fill)]
    kept = memory.executed_between(first * FILLS_PER_INPUT_MAX, (last + 1) * FILLS_PER_INPUT_MAX)
    if [_essence(trade) for trade in again] != [_essence(trade) for trade in kept]:
        raise Nondeterministic(f"replaying the orders log from {first} to {last} gives other trades than were made")


def _essence(trade: Trade) -> tuple[object, ...]:
    return msgspec.structs.astuple(trade)[: Trade.__struct_fields__.index("status")]


def look_at_market(tx: Transaction, memory: Memory, request: LookAtMarket) -> MarketSeen:
    """What everybody may see of a market."""
    if request.symbol in memory.engine.books.elsewhere:
        # whoever asks looks again where it is
        raise Refused("overloaded")
    if request.symbol not in memory.engine.books.markets:
        raise Refused("unknown_symbol")
    return memory.seen(request.symbol, tx.now)


def list_markets(_: Transaction, memory: Memory, __: ListMarkets) -> Symbols:
    """Which markets there are."""
    return Symbols([market.symbol for market in memory.engine.books.known()])


def annotate(tx: Transaction, memory: Memory, request: Annotate) -> Trade:
    """Change the note or the tags of a trade."""
    trade = _trade(memory, request.trade_id)
    if request.note is not None:
        trade = msgspec.structs.replace(trade, note=request.note)
    if request.tags is not None:
        trade = msgspec.structs.replace(trade, tags="\n".join(request.tags))
    memory.trades.put(trade)
    tx.act("trade.annotated", str(trade.trade_id), note=trade.note, tags=trade.tags.splitlines())
    return trade


def bust_trade(tx: Transaction, memory: Memory, request: BustTrade) -> Asking:
    """Have the money moved back, then declare the trade void. That it was begun is on disk before wallets is asked."""
    trade = _trade(memory, request.trade_id)
    if trade.status != EXECUTED:
        raise Refused("already_busted")
    attempt = trade.bust_attempts + 1
    memory.trades.put(msgspec.structs.replace(trade, status=BUSTING, bust_reason=request.reason, bust_attempts=attempt))
    tx.act("trade.bust_asked", str(request.trade_id), reason=request.reason)
    outcome = yield from _reverse(tx, memory, request.trade_id)
    if not isinstance(outcome, Refused):
        tx.act("trade.busted", str(request.trade_id), reason=request.reason)
    elif outcome.status < 500:
        # else nobody knows yet: the sweep finishes what was asked
        tx.act("trade.bust_refused", str(request.trade_id), reason=request.reason)
    return outcome


def finish_busts(tx: Transaction, memory: Memory) -> Asking:
    """Finish busts that a crash cut off: wallets gives the same answer again."""
    for trade_id in memory.busting():
        try:
            yield from _reverse(tx, memory, trade_id)
        except Refused as refused:
            _log.warning("bust_refused", trade_id=trade_id, code=refused.code)


def _reverse(tx: Transaction, memory: Memory, trade_id: int) -> Asking:
    trade = _trade(memory, trade_id)
    try:
        _done: Done = yield _reversal(trade)
    except Refused as refused:
        if refused.status >= 500:
            # nobody knows whether the money moved: the sweep asks again, and wallets says the same as the first time
            return refused
        attempt, trade = trade.bust_attempts, _trade(memory, trade_id)
        if trade.status == BUSTING and trade.bust_attempts == attempt:
            # returned, not raised: that the trade stands again is kept
            memory.trades.put(msgspec.structs.replace(trade, status=EXECUTED, bust_reason=None))
        return Refused("funds_gone", refused.detail) if refused.code == "insufficient_funds" else refused
    trade = _trade(memory, trade_id)
    if trade.status == BUSTED:
        return trade  # the sweep and the first asker were both waiting
    trade = msgspec.structs.replace(trade, status=BUSTED)
    memory.trades.put(trade)
    tx.publish(_busted(trade))
    if not trade.block:
        tx.broadcast(_encode(TradeVoid(trade.symbol, publishing.on_tape(trade))))
    return trade


def _trade(memory: Memory, trade_id: int) -> Trade:
    trade = memory.trades.get(trade_id)
    if trade is None:
        raise Refused("not_found")
    return trade


def _reversal(trade: Trade) -> ReverseTrade:
    base, _, quote = trade.symbol.partition("-")
    return ReverseTrade(
        trade_id=trade.trade_id,
        symbol=trade.symbol,
        base=base,
        quote=quote,
        buyer_id=trade.buyer_id,
        seller_id=trade.seller_id,
        buyer_order_id=trade.buy_order_id,
        seller_order_id=trade.sell_order_id,
        price=amount_text(quote, trade.price),
        quantity=trade.quantity,
        notional=trade.notional,
        buyer_fee=trade.buyer_fee,
        seller_fee=trade.seller_fee,
        reason=trade.bust_reason or "",
        attempt=trade.bust_attempts,
    )


def _busted(trade: Trade) -> TradeBusted:
    base, _, quote = trade.symbol.partition("-")
    return TradeBusted(
        trade_id=str(trade.trade_id),
        buy_order_id=str(trade.buy_order_id),
        sell_order_id=str(trade.sell_order_id),
        product=base,
        symbol=trade.symbol,
        quantity=amount_text(base, trade.quantity),
        price=amount_text(quote, trade.price),
        buyer_id=trade.buyer_id,
        seller_id=trade.seller_id,
        reason=trade.bust_reason or "",
    )
