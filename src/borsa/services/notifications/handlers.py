"""The deeds of notifications: turn facts into rows, keep preferences, and keep account of what was sent."""

import msgspec

from borsa.errors import Refused
from borsa.events import (
    OrderClosed,
    OrderCreated,
    PortfolioUpdated,
    TradeExecuted,
    UserCreated,
    UserDeleted,
    WalletUpdated,
)
from borsa.requests import Done, FindUser, must_exist
from borsa.runtime.codec import encode
from borsa.runtime.service import Asking
from borsa.runtime.writing.transaction import Transaction
from borsa.services.notifications import model
from borsa.services.notifications.model import (
    Accepted,
    Change,
    Closed,
    Delivery,
    Facts,
    Filled,
    Kind,
    MarkDelivered,
    MarkRead,
    Message,
    Notification,
    PortfolioChanged,
    Preferences,
    PreferencesKept,
    Reading,
    SendMessage,
    SetPreferences,
    Told,
    WalletChanged,
)
from borsa.services.notifications.store import Memory

PENDING_DELIVERIES_MAX = 10_000
"""Deliveries of one user that may wait; beyond, a notification stands in the inbox only."""

DONE = Done()


def notify(tx: Transaction, memory: Memory, user_id: str, kind: Kind, facts: Facts) -> Notification | None:
    """Tell a user, through every channel that is wanted for this kind; None when it is not wanted at all."""
    preferences = memory.preferences.get(user_id)
    if preferences is not None and not preferences.kinds & model.BITS[kind]:
        return None
    told = Notification(tx.new_id(), user_id, kind, encode(facts), tx.causation, tx.now, memory.next_sequence())
    memory.add(told)
    if preferences is not None and (preferences.webhook_kinds or preferences.email_kinds):
        _send_out(tx, memory, preferences, told, kind)
    return told


def _send_out(tx: Transaction, memory: Memory, preferences: Preferences, told: Notification, kind: Kind) -> None:
    """Put a notification into the outbox, in the transaction that made it."""
    for channel in model.channels(preferences, kind, smtp=bool(memory.settings.smtp_url)):
        waiting = memory.pending.get(told.user_id) or 0
        if waiting >= PENDING_DELIVERIES_MAX:
            return
        memory.pending.set(told.user_id, waiting + 1)
        memory.deliveries.add(Delivery(told.notification_id, channel, told.user_id, 0, tx.now, model.PENDING, None))


# what is told ------------------------------------------------------------------------------------------------------


def on_order_created(tx: Transaction, memory: Memory, event: OrderCreated) -> None:
    """An order was accepted."""
    facts = Accepted(
        order_id=event.order_id,
        symbol=event.symbol,
        type=event.side,
        order_type=event.order_type,
        quantity=event.quantity,
        price=event.price,
    )
    notify(tx, memory, event.user_id, model.ORDER_ACCEPTED, facts)


def on_trade(tx: Transaction, memory: Memory, event: TradeExecuted) -> None:
    """Two fills: each side hears of its own order and fee, and nothing of the other's."""
    _fill(tx, memory, event, event.buyer_id, event.buy_order_id, "buy", event.buyer_fee, event.buyer_fee_asset)
    _fill(tx, memory, event, event.seller_id, event.sell_order_id, "sell", event.seller_fee, event.seller_fee_asset)


def _fill(
    tx: Transaction,
    memory: Memory,
    event: TradeExecuted,
    user_id: str,
    order_id: str,
    side: str,
    fee: str,
    fee_asset: str,
) -> None:
    facts = Filled(
        trade_id=event.trade_id,
        order_id=order_id,
        symbol=event.symbol,
        product=event.product,
        type=side,
        quantity=event.quantity,
        price=event.price,
        fee=fee,
        fee_asset=fee_asset,
    )
    notify(tx, memory, user_id, model.FILL, facts)


def on_closed(tx: Transaction, memory: Memory, event: OrderClosed) -> None:
    """An order ended: the engine says so once for each order."""
    facts = Closed(
        order_id=event.order_id,
        symbol=event.symbol,
        reason=event.reason,
        filled_quantity=event.filled_quantity,
        remaining_quantity=event.remaining_quantity,
    )
    notify(tx, memory, event.user_id, model.ORDER_CLOSED, facts)


def on_wallet_updated(tx: Transaction, memory: Memory, event: WalletUpdated) -> None:
    """Totals of a wallet moved; a hold or a release moves none."""
    moved = [each for each in event.changes if each.moves_total]
    if not moved:
        return
    facts = WalletChanged(
        wallet_id=event.wallet_id,
        cause=event.cause.kind,
        reference=event.cause.reference,
        changes=tuple(Change(each.asset, each.delta, each.balance) for each in moved),
    )
    notify(tx, memory, event.user_id, model.WALLET_CHANGED, facts)


def on_portfolio_updated(tx: Transaction, memory: Memory, event: PortfolioUpdated) -> None:
    """A portfolio or a holding changed."""
    facts = PortfolioChanged(
        portfolio_id=event.portfolio_id,
        change=event.change,
        product=event.product,
        quantity=event.quantity,
        average_cost=event.average_cost,
        realized_pnl=event.realized_pnl,
    )
    notify(tx, memory, event.user_id, model.PORTFOLIO_CHANGED, facts)


# users -------------------------------------------------------------------------------------------------------------


def on_user_created(_: Transaction, memory: Memory, event: UserCreated) -> None:
    """Whoever is new is told everything, in the inbox."""
    if memory.preferences.get(event.user_id) is None:
        memory.preferences.add(Preferences(event.user_id))


def on_user_deleted(_: Transaction, memory: Memory, event: UserDeleted) -> None:
    """Forget where and how somebody who left wanted to be told; what still waits to be sent is dropped."""
    memory.preferences.put(model.erased(event.user_id))


def set_preferences(_: Transaction, memory: Memory, request: SetPreferences) -> PreferencesKept:
    """Keep what a user wishes."""
    before = memory.preferences.get(request.preferences.user_id)
    if before is not None and before.state == model.GONE:
        raise Refused("not_found")
    kept = model.keep(before, request.preferences)
    memory.preferences.put(kept.preferences)
    return kept


# what is asked -----------------------------------------------------------------------------------------------------


def send_message(tx: Transaction, memory: Memory, request: SendMessage) -> Asking:
    """An admin's message to a user who exists."""
    yield from must_exist(FindUser(user_id=request.user_id), _no_such_user())
    facts = Message(title=request.title, body=request.body)
    told = notify(tx, memory, request.user_id, model.MESSAGE, facts)
    if told is None:
        raise _no_such_user()
    tx.act("notification.sent", told.notification_id, userId=request.user_id)
    return Told(told, None)


def _no_such_user() -> Refused:
    return Refused("invalid_request", "There is no such user", field="userId")


def mark_read(tx: Transaction, memory: Memory, request: MarkRead) -> Told:
    """A user read a notification of theirs; the first time counts."""
    told = memory.told(request.notification_id)
    if told is None or told.notification.user_id != request.user_id:
        raise Refused("not_found")
    if told.read_at is not None:
        return told
    memory.readings.add(Reading(request.notification_id, tx.now))
    return msgspec.structs.replace(told, read_at=tx.now)


def mark_delivered(tx: Transaction, memory: Memory, request: MarkDelivered) -> Done:
    """Keep account of a try; one that is told twice counts once."""
    delivery = memory.deliveries.get((request.notification_id, request.channel))
    if delivery is None or delivery.status != model.PENDING:
        return DONE
    tries_max = memory.settings.delivery_tries_max
    after = model.after_try(delivery, request.outcome, request.problem, tx.now, tries_max)
    memory.deliveries.put(after)
    if after.status != model.PENDING:
        waiting = (memory.pending.get(delivery.user_id) or 0) - 1
        memory.pending.set(delivery.user_id, waiting if waiting > 0 else None)
    return DONE
