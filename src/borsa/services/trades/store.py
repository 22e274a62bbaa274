"""The memory of trades: the engine, the rows of its trades, their candles, its snapshots, and what the door reads."""

from collections.abc import Iterator, Sequence
from typing import Any, Protocol

import msgspec
import sqlalchemy as sa
import structlog

from borsa.money import UNITS_MAX
from borsa.runtime.records.listing import newest
from borsa.runtime.records.session import Session
from borsa.runtime.store import Connection, Reader, Row, Statement, insert_row
from borsa.services.trades import tables
from borsa.services.trades.candles import DAY, INTERVALS, MINUTE, SECOND, candle_of, folded, joined, moved
from borsa.services.trades.engine import FIRST, Engine
from borsa.services.trades.model import (
    BOOK_LEVELS_MAX,
    TAPE_TRADES_MAX,
    Candle,
    MarketSeen,
    OnTape,
    Snapshot,
    Trade,
    trade_id_of,
)
from borsa.services.trades.publishing import on_tape
from borsa.services.trades.snapshots import Snapshots
from borsa.settings import Settings

_log = structlog.get_logger("borsa")

_t, _c = tables.TRADES, tables.CANDLES

# said as text, as in the index
_BUSTING = Statement(sa.select(_t.c.trade_id).where(sa.text("status = 'busting'")))
_CURSOR = Statement(
    sa.select(tables.METADATA.tables["cursors"].c.sequence).where(
        tables.METADATA.tables["cursors"].c.source == "orders"
    )
)
_EXECUTED_BETWEEN = Statement(
    sa.select(_t)
    .where(_t.c.trade_id >= sa.bindparam("first"), _t.c.trade_id < sa.bindparam("end"))
    .order_by(_t.c.trade_id)
)

_OLD = (_c.c.symbol == sa.bindparam("symbol"), _c.c.interval == SECOND, _c.c.start < sa.bindparam("before"))
_OLD_SECONDS = Statement(sa.select(_c.c.start).where(*_OLD).limit(1))
_FORGET_SECONDS = Statement(sa.delete(_c).where(*_OLD))


class Memory:
    """What the handlers work on."""

    def __init__(self, session: Session, settings: Settings, shard: str = FIRST) -> None:
        self.settings = settings
        self._shard = shard
        self.engine = Engine(settings.kernel, shard)
        self.applied = 0
        self.saved = 0
        self.moved: dict[str, int] = {}
        """How often it is still to be told how far a market is that moved."""
        self._half: tuple[int, bytes] | None = None
        self.trades = session.records(_t, Trade)
        self.candles = session.records(_c, Candle)
        self.snapshots = Snapshots(session, settings)
        self._session = session
        self._of_user = tables.TRADES_OF_USER.opened(session)

    def add_trade(self, trade: Trade) -> None:
        """A new trade, in the lists of both its users."""
        self.trades.add(trade)
        for user_id in {trade.buyer_id, trade.seller_id}:
            self._of_user.add(trade.trade_id, user_id)

    def add_to_candles(self, trades: Sequence[Trade]) -> None:
        """Trades of one market that were made at one time: what a commit brings is folded once, not trade by trade."""
        part = candle_of(trades[0].symbol, trades, SECOND)
        for interval in INTERVALS.values():
            fresh = moved(part, interval)
            known = self.candles.get((fresh.symbol, interval, fresh.start))
            if known is None:
                self.candles.add(fresh)
            else:
                self.candles.put(joined(known, fresh))

    def seen(self, symbol: str, now: int) -> MarketSeen:
        """What everybody may see of a market, staged changes included."""
        book = self.engine.book(symbol, BOOK_LEVELS_MAX)
        return MarketSeen(self.engine.books.markets[symbol], *book, *traded(self._session, symbol, now))

    def forget_candles(self, before: int) -> None:
        """Remove the candles of a second that began before a time."""
        for symbol in self.engine.books.markets:
            if self._session.peek(_OLD_SECONDS, symbol=symbol, before=before):
                self._session.run(_FORGET_SECONDS, symbol=symbol, before=before)

    @property
    def cursor(self) -> int:
        """The last event of the orders log whose outcomes are committed."""
        rows = self._session.read(_CURSOR)
        return int(rows[0][0]) if rows else 0

    def load_newest_snapshot(self) -> None:
        """Take over the newest snapshot that verifies; one that does not is passed over with a warning."""
        for snapshot in self.snapshots.newest_first():
            try:
                self._load(snapshot)
                return
            except ValueError as error:
                _log.warning("snapshot_passed_over", sequence=snapshot.sequence, error=str(error))
        self.engine = Engine(self.settings.kernel, self._shard)

    def _load(self, snapshot: Snapshot) -> None:
        if snapshot.sequence > self.cursor:
            raise ValueError("it is newer than the cursor")
        engine = Engine(self.settings.kernel, self._shard)
        engine.load(self.snapshots.body_of(snapshot))
        if len(engine.books.live) != snapshot.orders:
            raise ValueError("the number of orders does not match")
        self.engine = engine
        self.applied = self.saved = snapshot.sequence

    def is_snapshot_due(self) -> bool:
        """Would a start replay too much? The more orders are open, the more a snapshot costs, and the rarer it is."""
        apart = max(self.settings.snapshot_events, len(self.engine.books.live) // 2)
        return self.applied - self.saved >= apart and self._half is None and not self.snapshots.is_writing

    def take_snapshot(self, now: int) -> None:
        """Take the engine's state as it is now. Both halves of it in one step would keep everybody waiting for twice as
        long: `complete_snapshot` takes the other one, before anything changes it."""
        self._half = now, self.engine.kernel.snapshot()
        self.saved = self.applied

    def complete_snapshot(self) -> None:
        """Take what is left to take, if a snapshot was begun; from now on it is written piece by piece."""
        if self._half is not None:
            (now, kernel), self._half = self._half, None
            self.snapshots.take(self.applied, now, len(self.engine.books.live), self.engine.save(kernel))

    def executed_between(self, first: int, end: int) -> list[Trade]:
        """The trades with ids from `first` to before `end`."""
        return [Trade(*row) for row in self._session.read(_EXECUTED_BETWEEN, first=first, end=end)]

    def busting(self) -> list[int]:
        """Trades whose bust was begun and not finished."""
        return [row[0] for row in self._session.read(_BUSTING)]


# what the door reads -----------------------------------------------------------------------------------------------


def _page(item: sa.Column[int], *where: sa.ColumnElement[bool]) -> sa.Select[Any]:
    return sa.select(_t).where(item < sa.bindparam("before"), *where).order_by(item.desc()).limit(sa.bindparam("limit"))


def _of_user(listed: sa.Table) -> sa.Select[Any]:
    mine = _page(listed.c.trade_id, listed.c.user_id == sa.bindparam("user_id"), _SYMBOL, _ORDER)
    return mine.join_from(listed, _t, _t.c.trade_id == listed.c.trade_id)


_symbol = sa.bindparam("symbol", type_=sa.Text)
_order = sa.bindparam("order_id", type_=sa.BigInteger)
_SYMBOL = sa.or_(_symbol.is_(None), _t.c.symbol == _symbol)
_ORDER = sa.or_(_order.is_(None), _t.c.buy_order_id == _order, _t.c.sell_order_id == _order)
_ALL = Statement(_page(_t.c.trade_id, _SYMBOL, _ORDER))
_OWN = tables.TRADES_OF_USER.pages(_of_user)
_TAPE = Statement(_page(_t.c.trade_id, _t.c.symbol == sa.bindparam("symbol"), _t.c.block == 0))
_ONE = Statement(sa.select(_t).where(_t.c.trade_id == sa.bindparam("trade_id")))


def trades_page(
    reader: Reader, user_id: str | None, symbol: str | None, order_id: int | None, before: int, limit: int
) -> list[Trade]:
    """Trades of one user, or of all (None), newest first."""
    given = {"symbol": symbol, "order_id": order_id, "before": before}
    if user_id is None:
        return [Trade(*row) for row in reader.read(_ALL, limit=limit, **given)]
    return [Trade(*row) for row in newest(reader, _OWN, limit, user_id=user_id, **given)]


def trade_by_id(reader: Reader, trade_id: int) -> Trade | None:
    """One trade."""
    rows = reader.read(_ONE, trade_id=trade_id)
    return Trade(*rows[0]) if rows else None


def tape_page(reader: Reader, symbol: str, before: int, limit: int) -> list[Trade]:
    """A market's trades, newest first, negotiated ones left out."""
    return [Trade(*row) for row in reader.read(_TAPE, symbol=symbol, before=before, limit=limit)]


class Reads(Protocol):
    """Who reads rows: a reader, or a session, which has the staged ones, too."""

    def read(self, statement: Statement, **given: Any) -> list[Row]:
        """The rows of a select."""


def traded(reader: Reads, symbol: str, now: int) -> tuple[list[OnTape], list[Candle], list[Candle]]:
    """What `MarketSeen` has of a market's trades: its tape, minutes and candles."""
    tape = reader.read(_TAPE, symbol=symbol, before=UNITS_MAX, limit=TAPE_TRADES_MAX)
    minutes = reader.read(_CANDLES, symbol=symbol, interval=MINUTE, start=now - DAY, end=UNITS_MAX)
    candles = [
        Candle(*row)
        for interval in INTERVALS.values()
        for row in reversed(reader.read(_LAST_CANDLES, symbol=symbol, interval=interval))
    ]
    return [on_tape(Trade(*row)) for row in reversed(tape)], [Candle(*row) for row in minutes], candles


def trade_caused_by(reader: Reader, sequence: int) -> Trade | None:
    """The first trade that an event of the orders log caused."""
    first = trade_id_of(sequence, 0)
    rows = reader.read(_EXECUTED_BETWEEN, first=first, end=first + 1)
    return Trade(*rows[0]) if rows else None


_OF_CANDLES = (_c.c.symbol == sa.bindparam("symbol"), _c.c.interval == sa.bindparam("interval"))
_CANDLES = Statement(
    sa.select(_c)
    .where(*_OF_CANDLES, _c.c.start >= sa.bindparam("start"), _c.c.start < sa.bindparam("end"))
    .order_by(_c.c.start)
)
_LAST_CANDLES = Statement(sa.select(_c).where(*_OF_CANDLES).order_by(_c.c.start.desc()).limit(2))
_CANDLE_BEFORE = Statement(
    sa.select(_c).where(*_OF_CANDLES, _c.c.start < sa.bindparam("start")).order_by(_c.c.start.desc()).limit(1)
)


def candles_between(reader: Reader, symbol: str, interval: int, start: int, end: int) -> list[Candle]:
    """A market's candles that begin from `start` to before `end`, oldest first; none where nothing was traded."""
    rows = reader.read(_CANDLES, symbol=symbol, interval=interval, start=start, end=end)
    return [Candle(*row) for row in rows]


def candle_before(reader: Reader, symbol: str, interval: int, start: int) -> Candle | None:
    """A market's last candle that begins before a time."""
    rows = reader.read(_CANDLE_BEFORE, symbol=symbol, interval=interval, start=start)
    return Candle(*rows[0]) if rows else None


# what a command does -----------------------------------------------------------------------------------------------

ROWS_AT_ONCE = 10_000


def rebuild_candles(connection: Connection) -> int:
    """Make all candles anew from the trades, in one transaction; returns how many there are."""
    connection.write(Statement(sa.delete(_c)), [()])
    rows: list[Any] = []
    made = 0
    for candle in folded(_all_trades(connection)):
        rows.append(msgspec.structs.astuple(candle))
        if len(rows) == ROWS_AT_ONCE:
            connection.write(insert_row(_c), rows)
            made, rows = made + len(rows), []
    if rows:
        connection.write(insert_row(_c), rows)
    connection.commit()
    return made + len(rows)


_NEXT_TRADES = Statement(
    sa.select(_t).where(_t.c.trade_id > sa.bindparam("after")).order_by(_t.c.trade_id).limit(ROWS_AT_ONCE)
)


def _all_trades(connection: Connection) -> Iterator[Trade]:
    after = -1
    while rows := connection.read(_NEXT_TRADES, after=after):
        yield from (Trade(*row) for row in rows)
        after = rows[-1][0]
