"""Orders: their fills are their trades, their status only goes forward, and their rows are what the logs say."""

from collections.abc import Iterator

import msgspec

from borsa import money
from borsa.commands.audit.check import Check, Look, Row
from borsa.commands.audit.witness import DECODE, units
from borsa.events import MarketAssigned, MarketEvent, OrderSnapshot

TERMINAL = ("filled", "cancelled", "expired", "rejected")
NEXT = {
    "pending": ("pending", "open", "partially_filled", *TERMINAL),
    "open": ("open", "partially_filled", *TERMINAL),
    "partially_filled": ("partially_filled", *TERMINAL),
}
"""Where an order's status can go; nowhere from a terminal one."""

STATUS = {
    "filled": "filled",
    "amended_down": "filled",
    "cancelled": "cancelled",
    "self_trade": "cancelled",
    "would_cross": "rejected",
    "halted": "rejected",
    "expired_ioc": "expired",
    "expired_fok": "expired",
    "no_liquidity": "expired",
    "budget_spent": "expired",
    "price_band": "expired",
}
"""What an order is after the engine closed it for a reason."""


def fills_are_trades(look: Look) -> Iterator[str]:
    """filled and spent are the sums of the order's trades, busted ones included: they were filled."""
    yield from look.witnessed("I-10")
    sums = """
        WITH fills AS (
            SELECT buy_order_id AS order_id, trade_id, quantity, notional FROM temp.every_trade
            UNION ALL SELECT sell_order_id, trade_id, quantity, notional FROM temp.every_trade),
        sums AS (SELECT order_id, sum(quantity) AS quantity, sum(notional) AS notional FROM fills GROUP BY order_id)
        SELECT o.order_id, o.filled, m.lot, o.spent, o.quantity, o.prevented,
            coalesce(s.quantity, 0), coalesce(s.notional, 0)
        FROM orders.orders o JOIN orders.markets m ON m.symbol = o.symbol
        LEFT JOIN sums s ON s.order_id = o.order_id LEFT JOIN temp.folded f ON f.order_id = o.order_id
        LEFT JOIN temp.applied a ON a.consumer = 'orders' AND a.source = f.source
        WHERE coalesce(f.last, 0) <= coalesce(a.sequence, 0)
    """
    for order_id, filled, lot, spent, quantity, prevented, traded, cost in look.each(sums):
        if (filled * lot, spent) != (traded, cost):
            yield f"order {order_id}: filled {filled * lot} for {spent}, its trades sum to {traded} for {cost}"
        if min(filled, prevented) < 0 or (quantity and filled + prevented > quantity):
            yield f"order {order_id}: {filled} of {quantity} lots filled, {prevented} prevented"


def status_goes_forward(look: Look) -> Iterator[str]:
    """From created to one of its ends, with versions that only grow; the row is what the last event said."""
    decode = msgspec.json.Decoder(OrderSnapshot).decode
    row_of = "SELECT user_id, symbol, side, status, version FROM orders.orders WHERE order_id = ?"
    going: dict[int, tuple[str, int]] = {}
    created = 0
    log = "SELECT type, data FROM orders.log WHERE type IN ('OrderCreated', 'OrderUpdated') ORDER BY sequence"
    last: dict[int, OrderSnapshot] = {}
    for kind, data in look.each(log):
        event = decode(data)
        order_id = int(event.order_id)
        if kind == "OrderCreated":
            created += 1
            wrong = event.status != "pending" or order_id in going
        else:
            status, version = going.get(order_id, ("", 0))
            wrong = event.status not in NEXT.get(status, ()) or event.version <= version
        if wrong:
            yield f"order {order_id} goes from {going.get(order_id, ('nothing', 0))} to {event.status, event.version}"
        going[order_id] = (event.status, event.version)
        last[order_id] = event
        if event.status in TERMINAL:
            del going[order_id], last[order_id]
            yield from _unlike(look, row_of, event)
    for event in last.values():
        yield from _unlike(look, row_of, event)
    for (rows,) in look.wrong("SELECT count(*) FROM orders.orders"):
        if rows != created:
            yield f"there are {rows} orders, and the log created {created}"


def _unlike(look: Look, row_of: str, event: OrderSnapshot) -> Iterator[str]:
    told = (event.user_id, event.symbol, event.side, event.status, event.version)
    for row in look.wrong(row_of, int(event.order_id)):
        if row != told:
            yield f"order {event.order_id} is {row}, its last event says {told}"
        return
    yield f"order {event.order_id} is in the log and not in the table"


_FOLDED = """
    SELECT f.order_id, f.user_id, f.wallet_id, f.symbol, f.side, f.price, f.quantity, f.filled, f.prevented, f.spent,
        f.reason, f.last, m.tick, m.lot,
        o.user_id, o.wallet_id, o.symbol, o.side, o.price, o.quantity, o.filled, o.prevented, o.spent, o.status
    FROM temp.folded f JOIN temp.applied a ON a.consumer = 'orders' AND a.source = f.source
    LEFT JOIN orders.orders o ON o.order_id = f.order_id
    LEFT JOIN orders.markets m ON m.symbol = f.symbol WHERE f.last <= a.sequence
"""


def orders_are_folds(look: Look) -> Iterator[str]:
    """Every row is what the engine's words about it come to."""
    for row in look.each(_FOLDED):
        order_id, *told = row[:10]
        reason, last, tick, lot = row[10:14]
        if row[14] is None or tick is None:
            yield f"order {order_id} is in the log and not in the table"
            continue
        *names, price, quantity, filled, prevented, spent, status = row[14:]
        kept = [*names, price * tick, quantity * lot, filled * lot, prevented * lot, spent]
        if kept != told:
            yield f"order {order_id} is {kept}, the logs fold to {told}"
        due = STATUS.get(reason, reason) if reason else _open_status(filled, last)
        if status != due:
            yield f"order {order_id} is {status}, the logs say {due}"


def _open_status(filled: int, last: int) -> str:
    if filled:
        return "partially_filled"
    return "open" if last else "pending"


_MARKETS = """
    SELECT symbol, base, quote, number, tick, lot, min_notional, maker_fee, taker_fee, price_band_ppm, state
    FROM orders.markets
"""


def markets_are_told(look: Look) -> Iterator[str]:
    """Every market is as it was last told, and each one that was told is there."""
    told: dict[str, MarketEvent] = {}
    sql = "SELECT type, data FROM orders.log WHERE type IN ('MarketCreated', 'MarketUpdated') ORDER BY sequence"
    for kind, data in look.each(sql):
        event = DECODE[kind](data)
        if isinstance(event, MarketEvent):
            told[event.symbol] = event
    for symbol, *kept in look.each(_MARKETS):
        market = told.pop(symbol, None)
        if market is None or _terms(market) != kept:
            yield f"market {symbol} is {kept}, it was last told as {market and _terms(market)}"
    for symbol in told:
        yield f"market {symbol} was told of and is not in the table"


def places_are_told(look: Look) -> Iterator[str]:
    """The book of each market is where it was last told to be; of which nothing was told, with the first shard."""
    sql = "SELECT type, data FROM orders.log WHERE type = 'MarketAssigned' ORDER BY sequence"
    told = {event.symbol: event.shard for event in _assignments(look.each(sql))}
    kept: dict[str, str] = dict(look.each("SELECT symbol, shard FROM orders.shard_of_markets"))
    for symbol in sorted(told.keys() | kept.keys()):
        if told.get(symbol) != kept.get(symbol):
            yield f"{symbol} is with {kept.get(symbol, 'trades')}, it was told to be with {told.get(symbol, 'trades')}"


def _assignments(rows: Iterator[Row]) -> Iterator[MarketAssigned]:
    for kind, data in rows:
        event = DECODE[kind](data)
        if isinstance(event, MarketAssigned):
            yield event


def _terms(event: MarketEvent) -> list[str | int]:
    sizes = [units(text) for text in (event.tick_size, event.lot_size, event.min_notional)]
    rates = [money.parse(text, money.RATE_SCALE) for text in (event.maker_fee, event.taker_fee, event.price_band)]
    return [event.base, event.quote, event.number, *sizes, *rates, event.state]


_WAITING = """
    SELECT o.order_id, CASE
            WHEN o.cancel_requested = 1 THEN 'waits for its cancel'
            WHEN a.revision IS NOT NULL THEN 'waits for its amendment ' || a.revision
            ELSE 'is pending' END
    FROM orders.orders o LEFT JOIN orders.amendments a ON a.order_id = o.order_id AND a.revision = o.amending
    WHERE o.status IN ('pending', 'open', 'partially_filled') AND (o.cancel_requested = 1 OR a.revision IS NOT NULL
        OR (o.status = 'pending' AND o.order_type NOT IN ('stop', 'stop_limit')))
"""


def nobody_waits_for_ever(look: Look) -> Iterator[str]:
    """The engine answered all that was asked of it; and once all logs are applied, no order waits for its word."""
    yield from look.witnessed("I-43")
    if look.moment.is_quiet:
        look.among("SELECT count(*) FROM orders.orders WHERE status IN ('pending', 'open', 'partially_filled')")
        for order_id, waits in look.wrong(_WAITING):
            yield f"order {order_id} {waits}, and nothing is left to be applied"


def last_prices_are_told(look: Look) -> Iterator[str]:
    """The last price of each market is that of its last trade on the tape."""
    sql = """
        SELECT x.symbol, x.price, p.price * m.tick FROM temp.executed x
        JOIN (SELECT max(e.trade_id) AS trade_id FROM temp.executed e
              JOIN temp.applied a ON a.consumer = 'orders' AND a.source = e.source
              WHERE e.block = 0 AND e.sequence <= a.sequence GROUP BY e.symbol) latest ON latest.trade_id = x.trade_id
        JOIN orders.markets m ON m.symbol = x.symbol LEFT JOIN orders.last_prices p ON p.symbol = x.symbol
    """
    for symbol, told, kept in look.each(sql):
        if told != kept:
            yield f"{symbol}: the last price is kept as {kept}, the last trade was at {told}"


CHECKS = (
    Check("I-10", "what an order filled is the sum of its trades", fills_are_trades),
    Check("I-11", "an order's status only goes forward, and its row says the same", status_goes_forward),
    Check("I-33", "every order is the fold of the engine's words", orders_are_folds),
    Check("I-33", "every market is as it was last told", markets_are_told, ("I-31",)),
    Check("I-33", "every market is matched where it was told to be", places_are_told),
    Check("I-33", "the last price of a market is that of its last trade", last_prices_are_told),
    Check("I-43", "whatever was asked of the engine was answered", nobody_waits_for_ever),
)
