"""Trades: each told once, settled once, for what it says; each bust reversed once; fees where they belong."""

from collections.abc import Iterator
from itertools import groupby
from operator import itemgetter
from typing import Any

from borsa.commands.audit.check import Check, Look, whole
from borsa.commands.audit.witness import ONE

_UNTOLD = """
    SELECT t.trade_id FROM temp.every_trade t LEFT JOIN temp.executed x ON x.trade_id = t.trade_id
    WHERE x.trade_id IS NULL
"""
_COMPARED = """
    SELECT x.trade_id, t.symbol, t.buy_order_id, t.sell_order_id, t.buyer_id, t.seller_id, t.taker_side, t.price,
        t.quantity, t.buyer_fee, t.seller_fee, t.sequence, t.block,
        x.symbol, x.buy_order_id, x.sell_order_id, x.buyer_id, x.seller_id, x.taker_side, x.price,
        x.quantity, x.buyer_fee, x.seller_fee, x.market_sequence, x.block
    FROM temp.executed x LEFT JOIN temp.every_trade t ON t.trade_id = x.trade_id ORDER BY x.trade_id
"""


def rows_are_events(look: Look) -> Iterator[str]:
    """A row for each TradeExecuted and an event for each row, with the same content."""
    for trade_id, *both in look.each(_COMPARED):
        kept, told = both[:12], both[12:]
        if kept[0] is None:
            yield f"trade {trade_id} was told of and is not in the table"
        elif kept != told:
            yield f"trade {trade_id} is {kept}, it was told as {told}"
    for (trade_id,) in look.wrong(_UNTOLD):
        yield f"trade {trade_id} is in the table and was never told of"


def two_legs(look: Look) -> Iterator[str]:
    """Opposite sides of one market, different orders of the users that it names, both there before it."""
    yield from look.witnessed("I-12")
    sql = """
        SELECT t.trade_id, t.buy_order_id, t.sell_order_id,
            b.side, s.side, b.symbol, s.symbol, b.user_id, s.user_id, t.symbol, t.buyer_id, t.seller_id
        FROM temp.every_trade t
        LEFT JOIN orders.orders b ON b.order_id = t.buy_order_id
        LEFT JOIN orders.orders s ON s.order_id = t.sell_order_id
    """
    for trade_id, buy, sell, *found, symbol, buyer_id, seller_id in look.each(sql):
        if buy == sell or found != ["buy", "sell", symbol, symbol, buyer_id, seller_id]:
            yield f"trade {trade_id} of orders {buy} and {sell}: {found}"


def causes_come_first(look: Look) -> Iterator[str]:
    """A trade's id is its cause's sequence times a million; both orders were in the log by then."""
    look.among("SELECT count(*) FROM temp.every_trade")
    sql = """
        SELECT t.trade_id, p.subject, p.sequence FROM orders.log p
        JOIN temp.legs t ON t.order_id = CAST(p.subject AS INTEGER)
        WHERE p.type = 'OrderCreated' AND p.sequence > t.trade_id / 1000000
    """
    look.moment.connection.execute(
        "CREATE TEMP TABLE legs AS SELECT buy_order_id AS order_id, min(trade_id) AS trade_id FROM temp.every_trade"
        " GROUP BY 1 UNION ALL SELECT sell_order_id, min(trade_id) FROM temp.every_trade GROUP BY 1"
    )
    for trade_id, order_id, sequence in look.wrong(sql):
        yield f"trade {trade_id} was made before its order {order_id} was created by orders/{sequence}"
    lost = "SELECT trade_id FROM temp.every_trade WHERE trade_id / 1000000 NOT IN (SELECT sequence FROM orders.log)"
    for (trade_id,) in look.wrong(lost):
        yield f"trade {trade_id} names a cause that is not in the log"


def values_are_exact(look: Look) -> Iterator[str]:
    """notional = price x quantity above zero."""
    yield from look.witnessed("I-15")
    for trade_id, price, quantity, notional in look.each(
        "SELECT trade_id, price, quantity, notional FROM temp.every_trade"
    ):
        if notional <= 0 or price * quantity != notional * ONE:
            yield f"trade {trade_id}: {quantity} at {price} is not {notional}"


def no_self_trades(look: Look) -> Iterator[str]:
    """Unless the order that took said that it may."""
    yield from look.witnessed("I-16")
    sql = """
        SELECT t.trade_id, t.buyer_id FROM temp.every_trade t JOIN orders.orders o
        ON o.order_id = CASE t.taker_side WHEN 'buy' THEN t.buy_order_id ELSE t.sell_order_id END
        WHERE t.buyer_id = t.seller_id AND o.self_trade_prevention != 'none'
    """
    for trade_id, user_id in look.wrong(sql):
        yield f"trade {trade_id}: user {user_id} traded with themselves"


def settled_once(look: Look) -> Iterator[str]:
    """Exactly one entry for each trade that wallets has applied, none for any other, and none without a trade."""
    _settled(look)
    look.among("SELECT count(*) FROM temp.settled WHERE kind = 'trade'")
    counted = """
        SELECT x.trade_id, x.source, x.sequence, a.sequence, count(s.entry_id) FROM temp.executed x
        JOIN temp.applied a ON a.consumer = 'wallets' AND a.source = x.source
        LEFT JOIN temp.settled s ON s.trade_id = x.trade_id AND s.kind = 'trade'
        GROUP BY x.trade_id HAVING count(s.entry_id) != (x.sequence <= a.sequence)
    """
    for trade_id, source, sequence, cursor, entries in look.wrong(counted):
        yield f"trade {trade_id} ({source}/{sequence}, applied up to {cursor}) has {entries} settlement entries"
    strange = """
        SELECT s.trade_id, s.entry_id FROM temp.settled s LEFT JOIN temp.executed x ON x.trade_id = s.trade_id
        WHERE s.kind = 'trade' AND x.trade_id IS NULL
    """
    for trade_id, entry_id in look.wrong(strange):
        yield f"entry {entry_id} settles trade {trade_id}, which was never told of"


def _settled(look: Look) -> None:
    look.moment.connection.execute(
        "CREATE TEMP TABLE IF NOT EXISTS settled AS SELECT CAST(reference AS INTEGER) AS trade_id, entry_id, kind"
        " FROM wallets.entries WHERE kind IN ('trade', 'bust')"
    )
    look.moment.connection.execute("CREATE INDEX IF NOT EXISTS temp.settled_of ON settled (trade_id, kind)")


_SETTLEMENTS = """
    SELECT s.entry_id, s.kind, t.trade_id, t.symbol, t.quantity, t.notional, t.buyer_fee, t.seller_fee,
        b.wallet_id, o.wallet_id, p.wallet_id, p.asset, p.amount
    FROM temp.settled s JOIN temp.every_trade t ON t.trade_id = s.trade_id
    JOIN orders.orders b ON b.order_id = t.buy_order_id JOIN orders.orders o ON o.order_id = t.sell_order_id
    JOIN wallets.postings p ON p.entry_id = s.entry_id ORDER BY s.entry_id
"""


def settlements_are_trades(look: Look) -> Iterator[str]:
    """What an entry moved between the two wallets and the fees is what the trade says, or, for a bust, its reverse."""
    for entry_id, rows in groupby(look.each(_SETTLEMENTS), key=itemgetter(0)):
        lines = list(rows)
        moved: dict[tuple[str, str], int] = {}
        for line in lines:
            key = (line[10], line[11])
            moved[key] = moved.get(key, 0) + line[12]
        due = _due(*lines[0][1:10])
        if {key: amount for key, amount in moved.items() if amount} != due:
            yield f"entry {entry_id} ({lines[0][1]} {lines[0][2]}) moved {moved}, due is {due}"


def _due(
    kind: str,
    _trade_id: int,
    symbol: str,
    quantity: int,
    cost: int,
    buyer_fee: int,
    seller_fee: int,
    buyer: str,
    seller: str,
) -> dict[tuple[str, str], int]:
    base, _, quote = symbol.partition("-")
    sign = 1 if kind == "trade" else -1
    due: dict[tuple[str, str], int] = {}
    for wallet_id, asset, amount in (
        (buyer, quote, -cost),
        (buyer, base, quantity - buyer_fee),
        (seller, base, -quantity),
        (seller, quote, cost - seller_fee),
        ("fees", base, buyer_fee),
        ("fees", quote, seller_fee),
    ):
        due[wallet_id, asset] = due.get((wallet_id, asset), 0) + sign * amount
    return {key: amount for key, amount in due.items() if amount}


_BUSTS = """
    SELECT t.trade_id, t.status,
        (SELECT count(*) FROM temp.settled s WHERE s.trade_id = t.trade_id AND s.kind = 'bust'),
        (SELECT count(*) FROM wallets.reversals r WHERE r.trade_id = t.trade_id),
        (SELECT count(*) FROM temp.told_busts l WHERE l.trade_id = t.trade_id)
    FROM temp.every_trade t WHERE t.status != 'executed'
        OR t.trade_id IN (SELECT trade_id FROM temp.settled WHERE kind = 'bust')
        OR t.trade_id IN (SELECT trade_id FROM wallets.reversals)
        OR t.trade_id IN (SELECT trade_id FROM temp.told_busts)
"""


def busts_are_reversed_once(look: Look) -> Iterator[str]:
    """A busted trade has one reversing entry and was told of once; any other has neither."""
    _settled(look)
    look.moment.connection.execute(
        "CREATE TEMP TABLE told_busts AS SELECT CAST(subject AS INTEGER) AS trade_id"
        " FROM temp.every_word WHERE type = 'TradeBusted'"
    )
    look.among("SELECT count(*) FROM temp.every_trade")
    for trade_id, status, entries, reversals, told in look.wrong(_BUSTS):
        # one that is being busted has its entry or not: a crash may have come between
        due = min(entries, 1) if status == "busting" else int(status == "busted")
        if (entries, reversals, told) != (due, due, int(status == "busted")):
            yield f"trade {trade_id} is {status}: {entries} reversing entries, {reversals} marks, told {told} times"


def fees_arrive(look: Look) -> Iterator[str]:
    """What the fee wallet owns is the sum of all fees, those of busted trades given back."""
    sums = """
        WITH applied AS (
            SELECT x.* FROM temp.executed x
            JOIN temp.applied a ON a.consumer = 'wallets' AND a.source = x.source AND x.sequence <= a.sequence),
        paid AS (
            SELECT substr(x.symbol, 1, instr(x.symbol, '-') - 1) AS asset, x.trade_id, x.buyer_fee AS fee
            FROM applied x
            UNION ALL
            SELECT substr(x.symbol, instr(x.symbol, '-') + 1), x.trade_id, x.seller_fee
            FROM applied x)
        SELECT asset, sum(fee >> 32), sum(fee & 4294967295), count(*) FROM paid
        WHERE trade_id NOT IN (SELECT trade_id FROM wallets.reversals) GROUP BY asset
    """
    yield from look.witnessed("I-14")
    due: dict[str, int] = {}
    for asset, high, low, fees in look.wrong(sums):
        due[asset] = whole(high, low)
        look.rows_seen += fees
    kept: dict[str, Any] = dict(look.wrong("SELECT asset, available FROM wallets.balances WHERE wallet_id = 'fees'"))
    for asset in sorted(due.keys() | kept.keys()):
        if due.get(asset, 0) != kept.get(asset, 0):
            yield f"the fee wallet has {kept.get(asset, 0)} {asset}, the trades paid {due.get(asset, 0)}"


def prices_are_within_limits(look: Look) -> Iterator[str]:
    """The limits at the time, amended orders by their amended ones, market orders by their worst price; and it is the
    maker's price."""
    yield from look.witnessed("I-13")


CHECKS = (
    Check("I-12", "each trade has two legs: opposite sides, different orders, of whom it names", two_legs),
    Check("I-12", "both orders of a trade were in the log before it", causes_come_first, ("I-35",)),
    Check("I-12", "each trade is settled exactly once", settled_once, ("I-30",)),
    Check("I-12", "each settlement and reversal moved what its trade says", settlements_are_trades, ("I-13",)),
    Check("I-12", "each bust has one reversing entry", busts_are_reversed_once),
    Check(
        "I-13",
        "each price is the maker's, within both limits of its time and the worst price",
        prices_are_within_limits,
    ),
    Check("I-14", "fees follow the rates of their time, and the fee wallet has them all", fees_arrive),
    Check("I-15", "no trade is for nothing: notional = price x quantity above 0", values_are_exact),
    Check("I-16", "nobody traded with themselves, unless the order said so", no_self_trades),
    Check("I-31", "each trade's row and its event say the same", rows_are_events, ("I-33",)),
)
