"""The books: never crossed, always in turn, and the same again when the log is replayed."""

from collections.abc import Collection, Iterator, Mapping, Sequence

import msgspec

from borsa.commands.audit.check import Check, Look
from borsa.commands.audit.moment import of
from borsa.commands.audit.witness import DECODE
from borsa.events import TradeBusted
from borsa.markets import Market
from borsa.runtime.codec import encode
from borsa.services.trades import publishing
from borsa.services.trades.books import Books, Live
from borsa.services.trades.engine import Engine, Input
from borsa.services.trades.model import Piece, Snapshot
from borsa.services.trades.snapshots import joined

INPUTS_AT_ONCE = 1_000


def never_crossed(look: Look) -> Iterator[str]:
    """After every event, and at the end."""
    yield from look.witnessed("I-20")


def everyone_in_turn(look: Look) -> Iterator[str]:
    """Each maker was first at the best price of its side, by a queue that matches nothing itself."""
    yield from look.witnessed("I-21")


def nothing_empty_waits(look: Look) -> Iterator[str]:
    """Every open order has something left, and is on the book or waits for its price."""
    yield from look.witnessed("I-23")


def kinds_keep_their_word(look: Look) -> Iterator[str]:
    """Market, ioc and fok never rest; fok is all or nothing; post-only never takes; stops fire at their price;
    the price band cuts off only what is beyond it."""
    yield from look.witnessed("I-24")


def replay_is_the_same(look: Look) -> Iterator[str]:
    """The engine itself, from the first event on: the same words, byte for byte, and the same open orders."""
    live: dict[int, tuple[Live, Market]] = {}
    for shard in look.moment.shards:
        engine = Engine(shard=shard)
        yield from _replayed(look, engine)
        live |= {each.order_id: (each, engine.books.market(each.symbol)) for each in engine.books.live.values()}
    yield from _other_orders(look, live)


def _replayed(look: Look, engine: Engine) -> Iterator[str]:
    shard = engine.shard
    told = _told(look, shard)
    snapshots = _snapshots(look, shard)
    for inputs in _batches(look, look.moment.cursor(shard, "orders"), snapshots):
        outcomes = engine.apply(inputs)
        for (sequence, _), said in zip(inputs, outcomes, strict=True):
            for outcome in said:
                event = publishing.event_of(outcome)
                expected = (f"orders/{sequence}", type(event).__name__, encode(event))
                at, *found = next(told, (0, "", "", b""))
                if tuple(found) != expected:
                    yield f"{shard}/{at} is {found}, a replay says {expected}"
                    return
        yield from _unlike_snapshot(look, engine, snapshots.get(inputs[-1][0]))
    for at, *found in told:
        yield f"{shard}/{at} is {found}, a replay does not say so"
        return


_SNAPSHOTS = "SELECT sequence, taken_at, orders, digest FROM $service.snapshots ORDER BY sequence"
_PIECES = "SELECT sequence, number, body FROM $service.snapshot_pieces WHERE sequence = ? ORDER BY number"
_INPUTS = "SELECT sequence, type, data FROM orders.log WHERE sequence <= ? ORDER BY sequence"
_WORDS = "SELECT sequence, causation, type, data FROM $service.log WHERE type != ? ORDER BY sequence"


def _told(look: Look, shard: str) -> Iterator[tuple[int, str, str, bytes]]:
    yield from look.each(of(shard, _WORDS), TradeBusted.__name__)


def _batches(look: Look, last: int, ends: Collection[int]) -> Iterator[Sequence[Input]]:
    """The inputs, cut where a snapshot was taken."""
    inputs = ((sequence, DECODE[kind](data)) for sequence, kind, data in look.each(_INPUTS, last))
    batch: list[Input] = []
    for each in inputs:
        batch.append(each)
        if len(batch) >= INPUTS_AT_ONCE or each[0] in ends:
            yield batch
            batch = []
    if batch:
        yield batch


def _snapshots(look: Look, shard: str) -> dict[int, Snapshot]:
    """By their sequences. What has no head yet is none."""
    return {row[0]: Snapshot(*row) for row in look.each(of(shard, _SNAPSHOTS))}


def _body(look: Look, shard: str, snapshot: Snapshot) -> bytes:
    return joined(snapshot, [Piece(*row) for row in look.each(of(shard, _PIECES), snapshot.sequence)])


def _unlike_snapshot(look: Look, engine: Engine, snapshot: Snapshot | None) -> Iterator[str]:
    if snapshot is None:
        return
    try:
        kernel, books = msgspec.msgpack.decode(_body(look, engine.shard, snapshot), type=tuple[bytes, Books])
    except ValueError as error:
        yield f"the snapshot of {engine.shard} at orders/{snapshot.sequence} is damaged: {error}"
        return
    if kernel != engine.kernel.snapshot() or books != engine.books or len(books.live) != snapshot.orders:
        yield f"the snapshot of {engine.shard} at orders/{snapshot.sequence} has other books than a replay"


def _other_orders(look: Look, live: Mapping[int, tuple[Live, Market]]) -> Iterator[str]:
    for order_id in sorted(live.keys() ^ look.witness.live.keys()):
        yield f"order {order_id} is open in {'a replay' if order_id in live else 'the logs'} only"
    for order_id in live.keys() & look.witness.live.keys():
        (replayed, market), known = live[order_id], look.witness.live[order_id]
        amounts = [each * market.lot for each in (replayed.quantity, replayed.filled, replayed.prevented)]
        if [replayed.price * market.tick, *amounts] != [known.price, known.quantity, known.filled, known.prevented]:
            yield f"order {order_id} is another in a replay than in the logs"


def snapshots_are_whole(look: Look) -> Iterator[str]:
    """Checksums match, and none is ahead of the log."""
    for shard in look.moment.shards:
        taken = look.moment.cursor(shard, "orders")
        for sequence, snapshot in _snapshots(look, shard).items():
            try:
                _body(look, shard, snapshot)
            except ValueError as error:
                yield f"the snapshot of {shard} at orders/{sequence} is damaged: {error}"
            if sequence > taken:
                yield f"the snapshot of {shard} at orders/{sequence} is ahead of the cursor {taken}"


def book_agrees_with_orders(look: Look) -> Iterator[str]:
    """No open order of the table stands against another one that it could trade with."""
    sql = """
        SELECT o.symbol, max(CASE o.side WHEN 'buy' THEN f.price END), min(CASE o.side WHEN 'sell' THEN f.price END),
            count(*)
        FROM orders.orders o JOIN temp.folded f ON f.order_id = o.order_id
        JOIN temp.applied a ON a.consumer = 'orders' AND a.source = f.source
        WHERE o.status IN ('open', 'partially_filled') AND f.reason IS NULL AND o.order_type = 'limit'
            AND f.last <= a.sequence
        GROUP BY o.symbol
    """
    for symbol, bid, ask, orders in look.wrong(sql):
        look.rows_seen += orders
        if bid is not None and ask is not None and bid >= ask:
            yield f"{symbol}: an open bid at {bid} stands against an open ask at {ask}"


CHECKS = (
    Check("I-20", "best bid below best ask after every event", never_crossed),
    Check("I-20", "no two open orders of the table could trade", book_agrees_with_orders),
    Check("I-21", "price-time priority at every trade", everyone_in_turn),
    Check("I-22", "replaying the orders log gives the same trades and the same books", replay_is_the_same, ("I-32",)),
    Check("I-22", "every snapshot of the books is whole", snapshots_are_whole),
    Check("I-23", "no open order is empty or nowhere", nothing_empty_waits),
    Check("I-24", "market, ioc, fok, post-only and stop orders keep their word", kinds_keep_their_word),
)
