"""Holds: what is reserved is exactly what the open orders still need."""

from collections.abc import Iterator

from borsa.commands.audit.check import Check, Look

UNCONFIRMED_SECONDS = 60
"""How old a hold without an order or amendment may be: one that a crash left is voided seconds after the next start."""


def held_is_open_holds(look: Look) -> Iterator[str]:
    """For each wallet and asset."""
    wrong = """
        WITH open_holds AS (
            SELECT wallet_id, asset, sum(placed - spent - released) AS total
            FROM wallets.holds WHERE status = 'open' GROUP BY wallet_id, asset)
        SELECT b.wallet_id, b.asset, b.held, coalesce(o.total, 0) FROM wallets.balances b
        LEFT JOIN open_holds o ON o.wallet_id = b.wallet_id AND o.asset = b.asset
        WHERE b.held != coalesce(o.total, 0)
        UNION ALL
        SELECT o.wallet_id, o.asset, 0, o.total FROM open_holds o
        LEFT JOIN wallets.balances b ON o.wallet_id = b.wallet_id AND o.asset = b.asset WHERE b.wallet_id IS NULL
    """
    look.among("SELECT count(*) FROM wallets.balances")
    for wallet_id, asset, held, total in look.wrong(wrong):
        yield f"{wallet_id} has {held} {asset} held, its open holds sum to {total}"


_HOLD_OF_ORDER = """
    SELECT f.order_id, f.side, f.symbol, f.wallet_id, f.user_id, f.needs, f.filled, f.spent, f.reason,
        h.placed - h.spent - h.released, h.spent, h.status, h.asset, h.wallet_id, h.user_id
    FROM temp.folded f JOIN temp.applied a ON a.consumer = 'wallets' AND a.source = f.source
    LEFT JOIN wallets.holds h ON h.hold_id = CAST(f.order_id AS TEXT)
    WHERE f.last <= a.sequence AND (f.reason IS NULL) = ?
"""


def open_orders_are_held_for(look: Look) -> Iterator[str]:
    """The hold of an open order is what the order requires, to the unit: no less, and no more."""
    yield from look.witnessed("I-03")
    for row in look.each(_HOLD_OF_ORDER, 1):
        order_id, side, symbol, wallet_id, user_id, needs, filled, spent, _, remaining, paid, status, asset, *of = row
        base, _, quote = symbol.partition("-")
        if remaining is None:
            yield f"order {order_id} is open without a hold"
            continue
        if (remaining, status) != (needs, "open"):
            yield f"order {order_id} needs {needs}, its hold is {status} with {remaining}"
        if (asset, of) != (base if side == "sell" else quote, [wallet_id, user_id]):
            yield f"order {order_id} ({side}) is held for in {asset} of {of[0]}, its wallet is {wallet_id}"
        if paid != (filled if side == "sell" else spent):
            yield f"order {order_id}: its hold paid {paid}, its trades took {filled if side == 'sell' else spent}"


def closed_orders_hold_nothing(look: Look) -> Iterator[str]:
    """And what their holds paid is what their trades took."""
    for row in look.each(_HOLD_OF_ORDER, 0):
        order_id, side, _, _, _, _, filled, spent, reason, remaining, paid, status, *_ = row
        if remaining is None:
            yield f"order {order_id} ({reason}) never had a hold"
        elif remaining or status == "open":
            yield f"order {order_id} is closed ({reason}), its hold is {status} with {remaining}"
        elif paid != (filled if side == "sell" else spent):
            yield f"order {order_id}: its hold paid {paid}, its trades took {filled if side == 'sell' else spent}"


def holds_add_up(look: Look) -> Iterator[str]:
    """placed = spent + released + remaining, and nothing remains of what is not open."""
    sql = "SELECT hold_id, placed, spent, released, status FROM wallets.holds"
    for hold_id, placed, spent, released, status in look.each(sql):
        remaining = placed - spent - released
        if spent < 0 or released < 0 or remaining < 0:
            yield f"hold {hold_id}: placed {placed}, spent {spent}, released {released}"
        if (remaining > 0) != (status == "open") or status not in ("open", "closed", "void", "refused"):
            yield f"hold {hold_id} is {status} with {remaining}"
        if status == "refused" and placed:
            yield f"hold {hold_id} was refused, and placed {placed}"


_LEDGER_OF_ORDER = """
    WITH moved AS (
        SELECT CAST(e.reference AS INTEGER) AS order_id, p.amount AS amount
        FROM wallets.entries e JOIN wallets.postings p ON p.entry_id = e.entry_id
        WHERE e.kind = 'release' AND p.bucket = 'held'
        UNION ALL
        -- an entry holds for one order or several: two lines for each, in the order in which it names them
        SELECT o.value, p.amount
        FROM wallets.entries e, json_each('[' || replace(e.reference, ' ', ',') || ']') o
        JOIN wallets.postings p ON p.entry_id = e.entry_id AND p.line IN (2 * o.key, 2 * o.key + 1)
        WHERE e.kind = 'hold' AND p.bucket = 'held'
        UNION ALL
        SELECT CASE WHEN p.asset = substr(x.symbol, instr(x.symbol, '-') + 1)
            THEN x.buy_order_id ELSE x.sell_order_id END, p.amount
        FROM wallets.entries e JOIN wallets.postings p ON p.entry_id = e.entry_id
        JOIN temp.executed x ON x.trade_id = CAST(e.reference AS INTEGER)
        WHERE e.kind = 'trade' AND p.bucket = 'held'),
    -- added up together and not joined: no planner can make it quadratic
    both AS (
        SELECT order_id, 1 AS holds, placed - spent - released AS kept, 0 AS folded FROM wallets.holds
        UNION ALL SELECT order_id, 0, 0, amount FROM moved)
    SELECT order_id, sum(kept), sum(folded) FROM both
    GROUP BY order_id HAVING sum(kept) != sum(folded) OR sum(holds) = 0
"""


def holds_are_folds(look: Look) -> Iterator[str]:
    """What remains of an order's holds is what the ledger's entries about it leave held."""
    look.among("SELECT count(*) FROM wallets.holds")
    for order_id, kept, folded in look.wrong(_LEDGER_OF_ORDER):
        yield f"order {order_id} has {kept} on hold, its ledger entries leave {folded}"


def lost_holds_stay_lost(look: Look) -> Iterator[str]:
    """A hold that was refused or voided has no order, and a hold without an order does not last."""
    look.among("SELECT count(*) FROM wallets.holds")
    dead = """
        SELECT h.hold_id, h.status FROM wallets.holds h JOIN temp.folded f ON h.hold_id = CAST(f.order_id AS TEXT)
        WHERE h.status IN ('refused', 'void')
        UNION ALL
        SELECT h.hold_id, h.status FROM wallets.holds h JOIN orders.amendments a
            ON h.hold_id = a.order_id || ':r' || a.revision
        WHERE h.status IN ('refused', 'void')
    """
    for hold_id, status in look.wrong(dead):
        yield f"hold {hold_id} was {status}, and what it was for exists"
    orphans = """
        SELECT h.hold_id, h.placed_at FROM wallets.holds h
        LEFT JOIN temp.folded f ON f.order_id = h.order_id
        LEFT JOIN orders.orders o ON o.order_id = h.order_id
        WHERE h.status = 'open' AND h.placed_at < ? AND CASE
            WHEN instr(h.hold_id, ':') = 0 THEN f.order_id IS NULL
            ELSE f.order_id IS NULL OR h.hold_id != h.order_id || ':r' || coalesce(o.amending, 0) END
    """
    for hold_id, _ in look.wrong(orphans, look.moment.newest_time() - UNCONFIRMED_SECONDS * 1_000_000):
        yield f"hold {hold_id} is open, and nothing that it is for exists"


CHECKS = (
    Check("I-03", "what wallets have held is the sum of their open holds", held_is_open_holds),
    Check("I-03", "the hold of an open order is exactly what the order needs", open_orders_are_held_for, ("I-08",)),
    Check("I-08", "a closed order holds nothing", closed_orders_hold_nothing),
    Check("I-04", "each hold: placed = spent + released + remaining", holds_add_up),
    Check("I-04", "each hold is the fold of the ledger's entries about it", holds_are_folds),
    Check("I-09", "a hold that was lost stays lost", lost_holds_stay_lost),
)
