"""The memory of orders: orders and markets by key, what must be counted, and what the door reads."""

import collections
import heapq
from collections.abc import Iterable
from typing import Any

import sqlalchemy as sa

from borsa.errors import Refused
from borsa.markets import Market
from borsa.runtime.records.listing import newest
from borsa.runtime.records.session import Remembered, Session
from borsa.runtime.store import Reader, Statement
from borsa.services.orders import tables
from borsa.services.orders.model import Amendment, Counter, LastPrice, Order, ShardOfMarket
from borsa.settings import Settings

_o, _m = tables.ORDERS, tables.MARKETS

IDS_RESERVED = 10_000
"""Order ids that are reserved at once. A crash skips ids, and never uses one twice."""

_OPEN = Statement(sa.select(_o.c.user_id, _o.c.symbol, _o.c.order_id).where(tables.IS_OPEN))
_OPEN_IN = Statement(sa.select(_o.c.order_id).where(_o.c.symbol == sa.bindparam("symbol"), tables.IS_OPEN).limit(1))
_SHARDS = Statement(sa.select(tables.SHARD_OF_MARKETS))
_AMENDING = Statement(sa.select(_o).where(_o.c.amending != 0, tables.IS_OPEN))
_BY_CLIENT_ID = Statement(
    sa.select(_o).where(
        _o.c.user_id == sa.bindparam("user_id"),
        _o.c.client_order_id == sa.bindparam("client_order_id"),
        _o.c.client_order_id.is_not(None),
    )
)
_MARKETS = Statement(sa.select(_m).order_by(_m.c.number))


class Memory:
    """What the handlers work on."""

    def __init__(self, session: Session, settings: Settings) -> None:
        self.settings = settings
        self._session = session
        self.orders = session.records(_o, Order)
        self.amendments = session.records(tables.AMENDMENTS, Amendment)
        self._markets = session.records(_m, Market)
        self._shards = session.records(tables.SHARD_OF_MARKETS, ShardOfMarket)
        self._last_prices = session.records(tables.LAST_PRICES, LastPrice)
        self._counters = session.records(tables.COUNTERS, Counter)
        self._next_id = self._stored_ids_end()
        self._reserved = session.remembered({"ids": self._next_id})
        self._open = session.grouped(((user_id, symbol), order_id) for user_id, symbol, order_id in session.read(_OPEN))
        self._of_user = tables.ORDERS_OF_USER.opened(session)
        self._recent_client_ids: Remembered[tuple[str, str], int] = session.remembered({}, settings.cached_records_max)
        # client ids of orders that wait for their hold, how many of a user and market do (else a batch could open more
        # than are allowed), and holds that will never have an order. All only concern deeds that are under way in this
        # process: a restart ends these, and order ids are never used again.
        self.placing: set[tuple[str, str]] = set()
        self.waiting: collections.Counter[tuple[str, str]] = collections.Counter()
        self.tombstones: set[str] = set()

    def _stored_ids_end(self) -> int:
        counter = self._counters.get("order_id")
        return counter.value if counter else 1

    def next_order_id(self) -> int:
        """A fresh id. The block that it is from is committed before the id is used: whoever takes an id asks for a
        hold next, and no question leaves before the commit."""
        if self._next_id >= (self._reserved.get("ids") or 0):
            end = self._next_id + IDS_RESERVED
            self._reserved.set("ids", end)
            self._counters.put(Counter("order_id", end))
        order_id = self._next_id
        self._next_id += 1
        return order_id

    def markets(self) -> list[Market]:
        """All markets, by number."""
        return [self._markets.load(row) for row in self._session.read(_MARKETS)]

    def find_market(self, symbol: str) -> Market | None:
        """The market of a symbol."""
        return self._markets.get(symbol)

    def market(self, symbol: str) -> Market:
        """The market of a symbol; refused with unknown_symbol."""
        found = self._markets.get(symbol)
        if found is None:
            raise Refused("unknown_symbol", field="symbol")
        return found

    def put_market(self, market: Market) -> None:
        """Admit or change a market."""
        self._markets.put(market)

    def last_price(self, symbol: str) -> int:
        """The last trade of a market in ticks; 0 before the first."""
        found = self._last_prices.get(symbol)
        return found.price if found else 0

    def put_last_price(self, symbol: str, price: int) -> None:
        """A market has traded."""
        self._last_prices.put(LastPrice(symbol, price))

    def shard_of_markets(self) -> dict[str, str]:
        """The shard of each market that was assigned to one."""
        return dict(row for row in self._session.read(_SHARDS))

    def put_shard(self, symbol: str, shard: str) -> None:
        """The book of a market is with a shard."""
        self._shards.put(ShardOfMarket(symbol, shard))

    def is_empty(self, symbol: str) -> bool:
        """Is no order open in a market?"""
        return not self._session.read(_OPEN_IN, symbol=symbol)

    def by_client_id(self, user_id: str, client_order_id: str) -> Order | None:
        """The order that has a user's client id."""
        order_id = self._recent_client_ids.get((user_id, client_order_id))
        if order_id is not None:
            return self.orders.get(order_id)
        # what is staged is among the recent ones: the table need not be brought up to date for each new order
        rows = self._session.peek(_BY_CLIENT_ID, user_id=user_id, client_order_id=client_order_id)
        return self.orders.load(rows[0]) if rows else None

    def add_order(self, order: Order) -> None:
        """A new order, open from now on."""
        self.orders.add(order)
        self._of_user.add(order.order_id, order.user_id)
        self._open.add((order.user_id, order.symbol), order.order_id)
        if order.client_order_id is not None:
            self._recent_client_ids.set((order.user_id, order.client_order_id), order.order_id)

    def end_order(self, order: Order) -> None:
        """An order is not open any more."""
        self._open.discard((order.user_id, order.symbol), order.order_id)

    def open_count(self, user_id: str, symbol: str) -> int:
        """How many orders a user has open in a market."""
        return len(self._open.of((user_id, symbol)))

    @property
    def last_order_id(self) -> int:
        """The newest id that was given."""
        return self._next_id - 1

    def oldest_open_of(self, user_id: str, symbols: Iterable[str] | None, ids: range, limit: int) -> list[Order]:
        """A user's open orders in these markets, or in all (None), that have one of these ids: the oldest ones."""
        places = [market.symbol for market in self.markets()] if symbols is None else symbols
        open_ids = (order_id for symbol in places for order_id in self._open.of((user_id, symbol)) if order_id in ids)
        found = (self.orders.get(order_id) for order_id in heapq.nsmallest(limit, open_ids))
        return [order for order in found if order is not None]

    def amending(self) -> list[Order]:
        """Orders with an amendment in flight."""
        return [self.orders.load(row) for row in self._session.read(_AMENDING)]


# what the door reads -----------------------------------------------------------------------------------------------


def _given(name: str, column: sa.Column[str]) -> sa.ColumnElement[bool]:
    value = sa.bindparam(name, type_=sa.Text)
    return sa.or_(value.is_(None), column == value)


def _filtered(item: sa.Column[int]) -> sa.Select[Any]:
    return (
        sa.select(_o)
        .where(
            item < sa.bindparam("before"),
            _given("symbol", _o.c.symbol),
            _given("status", _o.c.status),
            _given("client_order_id", _o.c.client_order_id),
        )
        .order_by(item.desc())
        .limit(sa.bindparam("limit"))
    )


def _of_user(listed: sa.Table) -> sa.Select[Any]:
    mine = _filtered(listed.c.order_id).where(listed.c.user_id == sa.bindparam("user_id"))
    return mine.join_from(listed, _o, _o.c.order_id == listed.c.order_id)


_ALL_PAGE = Statement(_filtered(_o.c.order_id))
_OWN_PAGES = tables.ORDERS_OF_USER.pages(_of_user)
_ONE = Statement(sa.select(_o).where(_o.c.order_id == sa.bindparam("order_id")))
_MARKET = Statement(sa.select(_m).where(_m.c.symbol == sa.bindparam("symbol")))


def orders_page(
    reader: Reader,
    user_id: str | None,
    symbol: str | None,
    status: str | None,
    client_order_id: str | None,
    before: int,
    limit: int,
) -> list[Order]:
    """Orders of one user, or of all (None), newest first."""
    given = {
        "symbol": symbol,
        "status": status,
        "client_order_id": client_order_id,
        "before": before,
    }
    if user_id is None:
        return [Order(*row) for row in reader.read(_ALL_PAGE, limit=limit, **given)]
    return [Order(*row) for row in newest(reader, _OWN_PAGES, limit, user_id=user_id, **given)]


def order_by_id(reader: Reader, order_id: int) -> Order | None:
    """One order."""
    rows = reader.read(_ONE, order_id=order_id)
    return Order(*rows[0]) if rows else None


def market_by_symbol(reader: Reader, symbol: str) -> Market | None:
    """One market."""
    rows = reader.read(_MARKET, symbol=symbol)
    return Market(*rows[0]) if rows else None


def shard_of_markets(reader: Reader) -> dict[str, str]:
    """The shard of each market that was assigned to one."""
    return dict(row for row in reader.read(_SHARDS))


def all_markets(reader: Reader) -> list[Market]:
    """All markets, by number."""
    return [Market(*row) for row in reader.read(_MARKETS)]
