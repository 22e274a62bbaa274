"""The door of notifications."""

from msgspec.structs import replace

from borsa.errors import Refused
from borsa.runtime.http.call import Call
from borsa.runtime.http.page import NEWEST, after_cursor, next_cursor
from borsa.runtime.http.route import Route
from borsa.services.notifications import model, store, targets
from borsa.services.notifications.model import Kind, MarkRead, Preferences, SendMessage, SetPreferences, Told
from borsa.services.notifications.vault import new_secret, vault_in
from borsa.services.notifications.wire import (
    NewMessage,
    NotificationPage,
    NotificationQuery,
    NotificationReply,
    PreferencesReply,
    PreferencesWish,
    notification_reply,
    preferences_reply,
)

_lookups = targets.Lookups()


async def list_notifications(call: Call) -> NotificationPage:
    """GET /api/notifications"""
    query: NotificationQuery = call.query
    (before,) = after_cursor(query.cursor, NEWEST)
    found = await call.read(store.notifications_page, call.listed, query.unread, before, query.limit)
    cursor = next_cursor(found, query.limit, lambda told: (told.notification.notification_id,))
    return NotificationPage(data=[notification_reply(each) for each in found], next_cursor=cursor)


async def get_notification(call: Call) -> NotificationReply:
    """GET /api/notifications/{id}"""
    return notification_reply(await _visible(call))


async def _visible(call: Call) -> Told:
    found = await call.read(store.notification_by_id, call.path["id"])
    if found is None or not call.identity.may_see(found.notification.user_id):
        raise Refused("not_found")
    return found


async def read_notification(call: Call) -> NotificationReply:
    """POST /api/notifications/{id}/read"""
    if (await _visible(call)).notification.user_id != call.identity.user_id:
        raise Refused("forbidden", "Only the one who was told can have read it")
    return notification_reply(await call.ask(MarkRead(notification_id=call.path["id"], user_id=call.identity.user_id)))


async def send_message(call: Call, body: NewMessage) -> NotificationReply:
    """POST /api/notifications"""
    return notification_reply(await call.ask(SendMessage(user_id=body.user_id, title=body.title, body=body.body)))


async def get_preferences(call: Call) -> PreferencesReply:
    """GET /api/notifications/preferences"""
    return preferences_reply(await call.read(store.preferences_of, call.identity.user_id))


async def set_preferences(call: Call, body: PreferencesWish) -> PreferencesReply:
    """PUT /api/notifications/preferences"""
    wish = body.channels
    if not wish.inbox:
        raise Refused("invalid_request", "The inbox is always on", field="channels.inbox")
    user_id = call.identity.user_id
    wanted = Preferences(user_id, kinds=_bits(body.kinds))
    if wish.email is not None:
        wanted = replace(wanted, email_address=wish.email.address, email_kinds=_bits(wish.email.kinds))
    vault = vault_in(call.settings.folder)
    if wish.webhook is not None:
        await _check_url(wish.webhook.url, call.settings.webhook_private)
        wanted = replace(
            wanted,
            webhook_url=wish.webhook.url,
            webhook_kinds=_bits(wish.webhook.kinds),
            webhook_secret=vault.seal(new_secret(), user_id),
        )
    kept = await call.ask(SetPreferences(preferences=wanted))
    sealed = kept.preferences.webhook_secret
    return preferences_reply(kept.preferences, vault.open(sealed, user_id) if kept.fresh and sealed else None)


async def _check_url(url: str, private: bool) -> None:
    try:
        target = targets.read(url)
        if not private:
            await _lookups.judge(target)
    except targets.NotAllowed as error:
        raise Refused("invalid_request", f"The URL {error}", field="channels.webhook.url") from None


def _bits(kinds: list[Kind] | None) -> int:
    return model.ALL if kinds is None else model.bits(kinds)


_PATH = "/api/notifications"

ROUTES = (
    Route(
        "GET",
        _PATH,
        list_notifications,
        "user",
        "Own notifications, newest first; those of all for admins",
        query=NotificationQuery,
        reply=NotificationPage,
    ),
    Route(
        "POST",
        _PATH,
        send_message,
        "admin",
        "Send a message to a user",
        body=NewMessage,
        reply=NotificationReply,
        status=201,
    ),
    Route(
        "GET",
        _PATH + "/preferences",
        get_preferences,
        "user",
        "Own preferences: which kinds, which channels",
        reply=PreferencesReply,
    ),
    Route(
        "PUT",
        _PATH + "/preferences",
        set_preferences,
        "user",
        "Set own preferences; a new webhook's secret is shown once, here",
        body=PreferencesWish,
        reply=PreferencesReply,
        errors=("not_found",),
    ),
    Route("GET", _PATH + "/{id}", get_notification, "user", "A notification", reply=NotificationReply),
    Route(
        "POST",
        _PATH + "/{id}/read",
        read_notification,
        "user",
        "Mark a notification as read; again changes nothing",
        reply=NotificationReply,
    ),
)
