"""Notifications: what users were told is what the events say, each once, and to nobody but them."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import msgspec

from borsa.commands.audit.check import Check, Look
from borsa.commands.audit.moment import of
from borsa.commands.audit.witness import DECODE
from borsa.events import OrderClosed, OrderCreated, PortfolioUpdated, TradeExecuted, WalletUpdated

MESSAGE_BIT = 32
"""In the sum of the kinds that a user is told: messages of admins, which can't be turned off."""

Facts = Iterator[tuple[str, dict[str, Any]]]
"""Whom an event concerns, and what they are told of it."""


def _accepted(event: OrderCreated) -> Facts:
    yield (
        event.user_id,
        {
            "orderId": event.order_id,
            "symbol": event.symbol,
            "type": event.side,
            "orderType": event.order_type,
            "quantity": event.quantity,
            "price": event.price,
        },
    )


def _fills(event: TradeExecuted) -> Facts:
    shared = {
        "tradeId": event.trade_id,
        "symbol": event.symbol,
        "product": event.product,
        "quantity": event.quantity,
        "price": event.price,
    }
    bought = {"orderId": event.buy_order_id, "type": "buy", "fee": event.buyer_fee, "feeAsset": event.buyer_fee_asset}
    sold = {"orderId": event.sell_order_id, "type": "sell", "fee": event.seller_fee, "feeAsset": event.seller_fee_asset}
    yield event.buyer_id, shared | bought
    yield event.seller_id, shared | sold


def _closed(event: OrderClosed) -> Facts:
    yield (
        event.user_id,
        {
            "orderId": event.order_id,
            "symbol": event.symbol,
            "reason": event.reason,
            "filledQuantity": event.filled_quantity,
            "remainingQuantity": event.remaining_quantity,
        },
    )


def _wallet(event: WalletUpdated) -> Facts:
    moved = [each for each in event.changes if each.delta.strip("0.")]
    changes = [{"asset": each.asset, "delta": each.delta, "balance": each.balance} for each in moved]
    cause = event.cause
    if changes:
        said = {"cause": cause.kind, "reference": cause.reference, "changes": changes}
        yield event.user_id, {"walletId": event.wallet_id} | said


def _portfolio(event: PortfolioUpdated) -> Facts:
    yield (
        event.user_id,
        {
            "portfolioId": event.portfolio_id,
            "change": event.change,
            "product": event.product,
            "quantity": event.quantity,
            "averageCost": event.average_cost,
            "realizedPnl": event.realized_pnl,
        },
    )


TELLS: Mapping[str, tuple[str, Callable[[Any], Facts]]] = {
    "OrderCreated": ("order_accepted", _accepted),
    "TradeExecuted": ("fill", _fills),
    "OrderClosed": ("order_closed", _closed),
    "WalletUpdated": ("wallet_changed", _wallet),
    "PortfolioUpdated": ("portfolio_changed", _portfolio),
}
"""Of which kind a notification of an event is, and what it says."""

_TOLD = """
    SELECT n.notification_id, n.user_id, n.kind, n.data, n.origin, l.type, l.data FROM notifications.notifications n
    LEFT JOIN $service.log l ON l.sequence = CAST(substr(n.origin, $begins) AS INTEGER)
        AND n.origin = '$service/' || l.sequence
    WHERE substr(n.origin, 1, $begins - 1) = '$service/'
"""
_OF_NOBODY = """
    SELECT notification_id, user_id, kind, origin FROM notifications.notifications
    WHERE origin IS NOT NULL AND substr(origin, 1, instr(origin, '/')) NOT IN ($sources)
"""


def what_is_told_was_logged(look: Look) -> Iterator[str]:
    """Each notification of an event is one that the event gives, of that kind and for that user, word for word."""
    for service in look.moment.services:
        told = of(service, _TOLD, begins=str(len(service) + 2))
        for notification_id, user_id, kind, data, origin, *logged in look.each(told):
            if (user_id, kind, msgspec.json.decode(data)) not in _due(*logged):
                yield _untold(notification_id, user_id, origin, kind)
    sources = ", ".join(f"'{service}/'" for service in look.moment.services)
    for notification_id, user_id, kind, origin in look.wrong(of("notifications", _OF_NOBODY, sources=sources)):
        yield _untold(notification_id, user_id, origin, kind)


def _untold(notification_id: str, user_id: str, origin: str, kind: str) -> str:
    return f"{notification_id} tells user {user_id} of {origin} ({kind}) what the event does not say"


def _due(logged_as: str | None, data: bytes) -> list[tuple[str, str, dict[str, Any]]]:
    """What is to be told of an event, and to whom; None is no event."""
    if logged_as is None or logged_as not in TELLS:
        return []
    kind, facts_of = TELLS[logged_as]
    return [(user_id, kind, facts) for user_id, facts in facts_of(DECODE[logged_as](data))]


_REPEATED = """
    SELECT n.origin, n.user_id, n.kind, count(*) FROM notifications.notifications n
    WHERE n.origin IS NOT NULL GROUP BY n.origin, n.user_id, n.kind HAVING count(*) > 1
"""
_OF_ONE_USER = "SELECT count(*) FROM temp.executed WHERE source || '/' || sequence = ? AND buyer_id = seller_id"


def users_are_told_once(look: Look) -> Iterator[str]:
    """One notification for each event, user and kind; two fills where both sides were the same user's."""
    look.among("SELECT count(*) FROM notifications.notifications")
    for origin, user_id, kind, told in look.wrong(_REPEATED):
        if kind == "fill" and told == 2 and _is_of_one_user(look, origin):
            continue
        yield f"user {user_id} was told {told} times of {origin} ({kind})"


def _is_of_one_user(look: Look, origin: Any) -> bool:
    return bool(next(look.wrong(_OF_ONE_USER, origin))[0])


_MESSAGES = """
    WITH acts AS (
        SELECT target, sequence, json_extract(CAST(details AS TEXT), '$$.userId') AS receiver
        FROM notifications.actions WHERE action = 'notification.sent'),
    messages AS (
        SELECT notification_id, user_id FROM notifications.notifications
        WHERE kind = 'message' AND notification_id >= (SELECT min(target) FROM acts))
    SELECT notification_id, sequence FROM messages FULL JOIN acts ON target = notification_id AND receiver = user_id
    WHERE notification_id IS NULL OR sequence IS NULL
"""


def messages_are_acts(look: Look) -> Iterator[str]:
    """Each message is an act of an admin, to that user; those from before there were actions are not asked about."""
    look.among("SELECT count(*) FROM notifications.notifications WHERE kind = 'message'")
    for notification_id, sequence in look.wrong(of("notifications", _MESSAGES)):
        if sequence is None:
            yield f"{notification_id} is a message that no admin sent to its user"
        else:
            yield f"action notifications/{sequence} names a message that its user does not have"


def readings_are_of_notifications(look: Look) -> Iterator[str]:
    """Nobody read what nobody was told."""
    look.among("SELECT count(*) FROM notifications.readings")
    unknown = """
        SELECT notification_id FROM notifications.readings
        WHERE notification_id NOT IN (SELECT notification_id FROM notifications.notifications)
    """
    for (notification_id,) in look.wrong(unknown):
        yield f"{notification_id} was read, and is no notification"


def deliveries_are_of_notifications(look: Look) -> Iterator[str]:
    """Whatever is sent to a user is a notification of theirs: its key has at most one for each channel."""
    sql = """
        SELECT d.notification_id, d.channel, d.user_id, n.user_id FROM notifications.deliveries d
        LEFT JOIN notifications.notifications n ON n.notification_id = d.notification_id
    """
    for notification_id, channel, receiver, user_id in look.each(sql):
        if receiver != user_id:
            yield f"{notification_id} goes by {channel} to user {receiver}, and is told to {user_id or 'nobody'}"


def nobody_is_told_early(look: Look) -> Iterator[str]:
    """No notification of an event that was not applied."""
    look.among("SELECT count(*) FROM notifications.notifications WHERE origin IS NOT NULL")
    early = """
        SELECT substr(origin, 1, instr(origin, '/') - 1), max(CAST(substr(origin, instr(origin, '/') + 1) AS INTEGER))
        FROM notifications.notifications WHERE origin IS NOT NULL GROUP BY 1
    """
    for source, newest in look.wrong(early):
        cursor = look.moment.cursor("notifications", source)
        if newest > cursor:
            yield f"somebody was told of {source}/{newest}, only {source}/{cursor} was applied"


_PREFERENCES = """
    SELECT l.subject, EXISTS (
            SELECT 1 FROM users.log d
            WHERE d.type = 'UserDeleted' AND d.subject = l.subject AND d.sequence <= :applied),
        p.state, p.kinds, p.webhook_url, p.webhook_secret, p.webhook_kinds, p.email_address, p.email_kinds
    FROM users.log l LEFT JOIN notifications.preferences p ON p.user_id = l.subject
    WHERE l.type = 'UserCreated' AND l.sequence <= :applied
"""


def everybody_can_be_told(look: Look) -> Iterator[str]:
    """Each user has preferences, which let messages of admins through; of who left nothing is kept."""
    applied = {"applied": look.moment.cursor("notifications", "users")}
    for user_id, is_gone, state, kinds, *ways in look.named(_PREFERENCES, applied):
        if state is None:
            yield f"user {user_id} has no preferences"
        elif is_gone and (state != "gone" or kinds or any(ways)):
            yield f"user {user_id} has left, and how they wanted to be told is still kept"
        elif not is_gone and (state != "open" or not kinds & MESSAGE_BIT):
            yield f"user {user_id} is there, and is not told what admins write"


CHECKS = (
    Check("I-33", "notifications of events say what the events say", what_is_told_was_logged, ("I-36",)),
    Check("I-36", "one notification for each event, user and kind", users_are_told_once),
    Check("I-31", "each message is an act of an admin", messages_are_acts),
    Check("I-36", "what was read is a notification", readings_are_of_notifications),
    Check("I-36", "what is sent is a notification of who gets it", deliveries_are_of_notifications),
    Check("I-36", "nobody was told of what was not applied", nobody_is_told_early),
    Check("I-33", "everybody who is there can be told, and of who left nothing is kept", everybody_can_be_told),
)
