"""The memory of trades: the engine, the rows of its trades, its snapshots, and what the door reads."""

from typing import Any

import sqlalchemy as sa
import structlog

from borsa.runtime.listing import newest
from borsa.runtime.session import Session
from borsa.runtime.store import Reader, Statement
from borsa.services.trades import tables
from borsa.services.trades.engine import Engine
from borsa.services.trades.model import Snapshot, Trade, trade_id_of
from borsa.services.trades.snapshots import Snapshots
from borsa.settings import Settings

_log = structlog.get_logger("borsa")

_t = tables.TRADES

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


class Memory:
    """What the handlers work on."""

    def __init__(self, session: Session, settings: Settings) -> None:
        self.settings = settings
        self.engine = Engine(self.settings.kernel)
        self.applied = 0
        self.saved = 0
        self._half: tuple[int, bytes] | None = None
        self.trades = session.records(_t, Trade)
        self.snapshots = Snapshots(session, settings)
        self._session = session
        self._of_user = tables.TRADES_OF_USER.opened(session)

    def add_trade(self, trade: Trade) -> None:
        """A new trade, in the lists of both its users."""
        self.trades.add(trade)
        for user_id in {trade.buyer_id, trade.seller_id}:
            self._of_user.add(trade.trade_id, user_id)

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
        self.engine = Engine(self.settings.kernel)

    def _load(self, snapshot: Snapshot) -> None:
        if snapshot.sequence > self.cursor:
            raise ValueError("it is newer than the cursor")
        engine = Engine(self.settings.kernel)
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


def trade_caused_by(reader: Reader, sequence: int) -> Trade | None:
    """The first trade that an event of the orders log caused."""
    first = trade_id_of(sequence, 0)
    rows = reader.read(_EXECUTED_BETWEEN, first=first, end=first + 1)
    return Trade(*rows[0]) if rows else None
