"""Portfolios: they hold what the wallets hold, and everybody has one."""

from collections.abc import Iterator

import msgspec

from borsa.commands.audit.check import Check, Look
from borsa.commands.audit.witness import units
from borsa.events import PortfolioUpdated

_HELD = """
    WITH moving AS (
        SELECT w.user_id FROM wallets.log l JOIN wallets.wallets w ON w.wallet_id = l.subject
        WHERE l.type = 'WalletUpdated' AND l.sequence > ?),
    held AS (
        SELECT w.user_id, b.asset, sum(b.available + b.held) AS total
        FROM wallets.balances b JOIN wallets.wallets w ON w.wallet_id = b.wallet_id
        WHERE b.asset != 'USD' GROUP BY w.user_id, b.asset),
    kept AS (
        SELECT o.user_id, h.product, h.quantity FROM portfolios.owners o
        JOIN portfolios.holdings h ON h.portfolio_id = o.portfolio_id WHERE o.state = 'open')
    SELECT o.user_id, held.asset, CAST(held.total AS TEXT), coalesce(kept.quantity, '0')
    FROM held JOIN portfolios.owners o ON o.user_id = held.user_id AND o.state = 'open'
    LEFT JOIN kept ON kept.user_id = held.user_id AND kept.product = held.asset
    WHERE held.user_id NOT IN (SELECT user_id FROM moving)
    UNION ALL
    SELECT kept.user_id, kept.product, '0', kept.quantity FROM kept
    LEFT JOIN held ON kept.user_id = held.user_id AND kept.product = held.asset
    WHERE held.user_id IS NULL AND kept.user_id NOT IN (SELECT user_id FROM moving)
"""


def portfolios_hold_what_wallets_hold(look: Look) -> Iterator[str]:
    """The default portfolio of each user, each product."""
    for user_id, product, held, kept in look.each(_HELD, look.moment.cursor("portfolios", "wallets")):
        if held != kept:
            yield f"user {user_id} has {held} {product} in wallets, {kept} in the portfolio"
    strangers = """
        SELECT DISTINCT w.user_id FROM wallets.balances b JOIN wallets.wallets w ON w.wallet_id = b.wallet_id
        LEFT JOIN portfolios.owners o ON o.user_id = w.user_id
        WHERE b.asset != 'USD' AND b.available + b.held > 0 AND o.user_id IS NULL AND NOT EXISTS (
            SELECT 1 FROM wallets.log l WHERE l.sequence > ? AND l.subject = w.wallet_id)
    """
    for (user_id,) in look.wrong(strangers, look.moment.cursor("portfolios", "wallets")):
        yield f"user {user_id} has something in wallets, and no portfolio"


def holdings_are_told(look: Look) -> Iterator[str]:
    """Every portfolio and holding is as its last PortfolioUpdated told, and every one that was told is there."""
    decode = msgspec.json.Decoder(PortfolioUpdated).decode
    newest: dict[tuple[str, str], tuple[int, int]] = {}
    standing: dict[str, tuple[str, int]] = {}
    gone: set[str] = set()
    for (data,) in look.each("SELECT data FROM portfolios.log WHERE type = 'PortfolioUpdated' ORDER BY sequence"):
        event = decode(data)
        if event.product is not None:
            newest[event.portfolio_id, event.product] = (event.version, units(event.quantity))
        elif event.change == "deleted":
            gone.add(event.portfolio_id)
            standing.pop(event.portfolio_id, None)
        else:
            standing[event.portfolio_id] = (event.user_id, event.version)
    due = {key: told for key, told in newest.items() if key[0] not in gone}
    sql = "SELECT portfolio_id, product, version, quantity FROM portfolios.holdings"
    for portfolio_id, product, version, quantity in look.each(sql):
        told = due.pop((portfolio_id, product), None)
        if told != (version, int(quantity)):
            yield f"portfolio {portfolio_id} has {quantity} {product} at version {version}, last told was {told}"
    for (portfolio_id, product), told in due.items():
        yield f"portfolio {portfolio_id} has no {product}, last told was {told}"
    for portfolio_id, *kept in look.each("SELECT portfolio_id, user_id, version FROM portfolios.portfolios"):
        owned = standing.pop(portfolio_id, None)
        if owned != tuple(kept):
            yield f"portfolio {portfolio_id} is {tuple(kept)}, last told was {owned}"
    for portfolio_id, owned in standing.items():
        yield f"portfolio {portfolio_id} is not there, last told was {owned}"


_EVERYBODY = """
    SELECT l.subject, l.sequence <= :wallets, l.sequence <= :portfolios,
        (SELECT count(*) FROM wallets.wallets w WHERE w.user_id = l.subject AND w.is_default = 1),
        (SELECT count(*) FROM portfolios.owners o WHERE o.user_id = l.subject),
        (SELECT count(*) FROM portfolios.owners o JOIN portfolios.portfolios p ON p.portfolio_id = o.portfolio_id
            WHERE o.user_id = l.subject AND p.user_id = o.user_id AND p.is_default = 1 AND o.state = 'open'),
        (SELECT count(*) FROM portfolios.owners o WHERE o.user_id = l.subject AND o.state = 'gone')
    FROM users.log l WHERE l.type = 'UserCreated'
"""


def everybody_has_their_own(look: Look) -> Iterator[str]:
    """Each user has one default wallet for ever, and one default portfolio until they leave."""
    cursors = {name: look.moment.cursor(name, "users") for name in ("wallets", "portfolios")}
    for user_id, *applied, wallets, owners, portfolios, gone in look.named(_EVERYBODY, cursors):
        if applied[0] and wallets != 1:
            yield f"user {user_id} has {wallets} default wallets"
        if applied[1] and (owners != 1 or portfolios + gone != 1):
            yield f"user {user_id} has {portfolios} default portfolios"


def prices_are_told(look: Look) -> Iterator[str]:
    """Portfolios value at the last trade of the tape."""
    sql = """
        SELECT x.symbol, x.price, p.price FROM temp.executed x
        JOIN (SELECT max(e.trade_id) AS trade_id FROM temp.executed e
              JOIN temp.applied a ON a.consumer = 'portfolios' AND a.source = e.source
              WHERE e.block = 0 AND e.sequence <= a.sequence GROUP BY e.symbol) latest ON latest.trade_id = x.trade_id
        LEFT JOIN portfolios.prices p ON p.symbol = x.symbol
    """
    for symbol, told, kept in look.each(sql):
        if told != kept:
            yield f"{symbol}: the price is kept as {kept}, the last trade was at {told}"


CHECKS = (
    Check("I-33", "default portfolios hold what the wallets hold", portfolios_hold_what_wallets_hold),
    Check("I-33", "every portfolio and holding is as it was last told", holdings_are_told, ("I-31",)),
    Check("I-33", "each user has one default wallet and portfolio", everybody_has_their_own),
    Check("I-33", "holdings are valued at the last trade", prices_are_told),
)
