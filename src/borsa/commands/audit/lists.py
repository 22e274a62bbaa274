"""The lists by owner: two tables each, in which everything that somebody has is found exactly once."""

from collections.abc import Callable, Iterator

from borsa.commands.audit.check import Check, Look
from borsa.commands.audit.moment import of
from borsa.runtime.shards import known_of

ORDERS = """
    WITH due AS (SELECT user_id AS owner, order_id AS item FROM orders.orders),
    listed AS (
        SELECT user_id AS owner, order_id AS item FROM orders.orders_of_user
        UNION ALL SELECT user_id, order_id FROM orders.orders_of_user_recent)
"""
TRADES = """
    WITH due AS (
        SELECT buyer_id AS owner, trade_id AS item FROM $service.trades
        UNION SELECT seller_id, trade_id FROM $service.trades),
    listed AS (
        SELECT user_id AS owner, trade_id AS item FROM $service.trades_of_user
        UNION ALL SELECT user_id, trade_id FROM $service.trades_of_user_recent)
"""
ENTRIES = """
    WITH due AS (
        SELECT DISTINCT wallet_id AS owner, entry_id AS item FROM wallets.postings
        WHERE wallet_id NOT IN ('world', 'fees')),
    listed AS (
        SELECT wallet_id AS owner, entry_id AS item FROM wallets.entries_of_wallet
        UNION ALL SELECT wallet_id, entry_id FROM wallets.entries_of_wallet_recent)
"""
NOTIFICATIONS = """
    WITH due AS (SELECT user_id AS owner, notification_id AS item FROM notifications.notifications),
    listed AS (
        SELECT user_id AS owner, notification_id AS item FROM notifications.notifications_of_user
        UNION ALL SELECT user_id, notification_id FROM notifications.notifications_of_user_recent)
"""
WRONG = """
    SELECT owner, item, max(due), sum(listed) FROM (
        SELECT owner, item, 1 AS due, 0 AS listed FROM due
        UNION ALL SELECT owner, item, 0, 1 FROM listed)
    GROUP BY owner, item HAVING max(due) != sum(listed)
"""
COUNTED = "SELECT (SELECT count(*) FROM due) + (SELECT count(*) FROM listed)"


def _list_is_complete(service: str, item: str, both: str) -> Callable[[Look], Iterator[str]]:
    wrong, counted = both + WRONG, both + COUNTED

    def breaches(look: Look) -> Iterator[str]:
        for shard in known_of(service, look.moment.services):
            yield from of_shard(look, shard)

    def of_shard(look: Look, shard: str) -> Iterator[str]:
        look.among(of(shard, counted))
        for owner, item_id, due, listed in look.wrong(of(shard, wrong)):
            yield f"{item} {item_id} is {listed} times in the list of {owner}, where it belongs {due} times"

    return breaches


CHECKS = (
    Check("I-33", "every order is in its user's list once", _list_is_complete("orders", "order", ORDERS)),
    Check("I-33", "every trade is in the lists of both its users once", _list_is_complete("trades", "trade", TRADES)),
    Check("I-33", "every entry is in the lists of its wallets once", _list_is_complete("wallets", "entry", ENTRIES)),
    Check(
        "I-33",
        "every notification is in its user's list once",
        _list_is_complete("notifications", "notification", NOTIFICATIONS),
    ),
)
