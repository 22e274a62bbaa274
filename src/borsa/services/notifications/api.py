"""The door of notifications."""

from typing import Annotated

import msgspec
from msgspec import UNSET, Meta, UnsetType

from borsa.errors import Refused
from borsa.runtime.clock import time_text
from borsa.runtime.codec import Body, Reply
from borsa.runtime.http.call import Call
from borsa.runtime.http.page import PageQuery, after_cursor, encode_cursor
from borsa.runtime.http.route import Route
from borsa.services.notifications import model, store, targets
from borsa.services.notifications.model import (
    Kind,
    MarkRead,
    Preferences,
    SendMessage,
    SetPreferences,
    Told,
    bits,
    kinds_in,
    words_of,
)
from borsa.services.notifications.vault import vault_in

Kinds = Annotated[list[Kind], Meta(max_length=len(model.KINDS))]
Line = Annotated[str, Meta(min_length=1, max_length=200, pattern=r"^[^\x00-\x1f\x7f]+\Z")]
Lines = Annotated[str, Meta(min_length=1, max_length=10_000, pattern=r"^[^\x00-\x08\x0b-\x1f\x7f]+\Z")]
EmailAddress = Annotated[
    str,
    Meta(
        max_length=254,
        pattern=r"^[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?"
        r"(\.[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?)*\Z",
        examples=["ada@example.com"],
    ),
]

_lookups = targets.Lookups()


class NewMessage(Body, frozen=True):
    """What an admin tells a user."""

    user_id: Annotated[str, Meta(min_length=1, max_length=64, pattern=r"^[A-Za-z0-9-]+\Z")]
    title: Line
    body: Lines


class WebhookWish(Body, frozen=True):
    """A webhook: where to, and for which kinds (all that are told, unless said)."""

    url: Annotated[str, Meta(min_length=1, max_length=targets.URL_CHARACTERS_MAX, examples=["https://example.com/x"])]
    kinds: Kinds | None = None


class EmailWish(Body, frozen=True):
    """E-mail: where to, and for which kinds (all that are told, unless said)."""

    address: EmailAddress
    kinds: Kinds | None = None


class ChannelsWish(Body, frozen=True):
    """Channels beside the inbox, which is always on."""

    inbox: bool = True
    webhook: WebhookWish | None = None
    email: EmailWish | None = None


class PreferencesWish(Body, frozen=True):
    """All preferences at once: what is left out is as it was at the start (every kind, the inbox only)."""

    kinds: Kinds | None = None
    channels: ChannelsWish = ChannelsWish()


class WebhookReply(Reply, frozen=True):
    """A webhook; `secret` is there only in the answer to the PUT that set this URL, and never again."""

    url: str
    kinds: list[Kind]
    secret: str | UnsetType = UNSET


class EmailReply(Reply, frozen=True):
    """E-mail; it is sent where the exchange has a mail server."""

    address: str
    kinds: list[Kind]


class ChannelsReply(Reply, frozen=True):
    """The channels."""

    inbox: bool
    webhook: WebhookReply | None
    email: EmailReply | None


class PreferencesReply(Reply, frozen=True):
    """Which kinds are told, and through which channels; messages from admins always are."""

    kinds: list[Kind]
    channels: ChannelsReply


class NotificationReply(Reply, frozen=True):
    """A notification: in words, and as data."""

    notification_id: str
    user_id: str
    kind: Kind
    title: str
    body: str
    data: msgspec.Raw
    created_at: str
    read_at: str | None


class NotificationPage(Reply, frozen=True):
    """Notifications, newest first."""

    data: list[NotificationReply]
    next_cursor: str | None


class NotificationQuery(PageQuery, frozen=True):
    """The query of the list."""

    unread: bool = False


async def list_notifications(call: Call) -> NotificationPage:
    """GET /api/notifications"""
    query: NotificationQuery = call.query
    owner = None if call.identity.is_admin else call.identity.user_id
    (before,) = after_cursor(query.cursor, store.FIRST)
    found = store.notifications_page(call.reader, owner, query.unread, before, query.limit)
    more = found and len(found) == query.limit
    cursor = encode_cursor(found[-1].notification.notification_id) if more else None
    return NotificationPage(data=[_reply(each) for each in found], next_cursor=cursor)


async def get_notification(call: Call) -> NotificationReply:
    """GET /api/notifications/{id}"""
    return _reply(_visible(call))


def _visible(call: Call) -> Told:
    found = store.notification_by_id(call.reader, call.path["id"])
    if found is None or not (call.identity.is_admin or found.notification.user_id == call.identity.user_id):
        raise Refused("not_found")
    return found


async def read_notification(call: Call) -> NotificationReply:
    """POST /api/notifications/{id}/read"""
    if _visible(call).notification.user_id != call.identity.user_id:
        raise Refused("forbidden", "Only the one who was told can have read it")
    return _reply(await call.ask(MarkRead(notification_id=call.path["id"], user_id=call.identity.user_id)))


async def send_message(call: Call, body: NewMessage) -> NotificationReply:
    """POST /api/notifications"""
    return _reply(await call.ask(SendMessage(user_id=body.user_id, title=body.title, body=body.body)))


async def get_preferences(call: Call) -> PreferencesReply:
    """GET /api/notifications/preferences"""
    return _preferences(store.preferences_of(call.reader, call.identity.user_id))


async def set_preferences(call: Call, body: PreferencesWish) -> PreferencesReply:
    """PUT /api/notifications/preferences"""
    wish = body.channels
    if not wish.inbox:
        raise Refused("invalid_request", "The inbox is always on", field="channels.inbox")
    user_id = call.identity.user_id
    wanted = Preferences(user_id, kinds=_bits(body.kinds))
    if wish.email is not None:
        wanted = msgspec.structs.replace(wanted, email_address=wish.email.address, email_kinds=_bits(wish.email.kinds))
    vault = vault_in(call.settings.folder)
    if wish.webhook is not None:
        await _check_url(wish.webhook.url, call.settings.webhook_private)
        wanted = msgspec.structs.replace(
            wanted,
            webhook_url=wish.webhook.url,
            webhook_kinds=_bits(wish.webhook.kinds),
            webhook_secret=vault.new_secret(user_id),
        )
    kept = await call.ask(SetPreferences(preferences=wanted))
    sealed = kept.preferences.webhook_secret
    return _preferences(kept.preferences, vault.open(sealed, user_id) if kept.fresh and sealed else None)


async def _check_url(url: str, private: bool) -> None:
    try:
        target = targets.read(url)
        if not private:
            await _lookups.judge(target)
    except targets.NotAllowed as error:
        raise Refused("invalid_request", f"The URL {error}", field="channels.webhook.url") from None


def _bits(kinds: list[Kind] | None) -> int:
    return model.ALL if kinds is None else bits(kinds)


def _preferences(kept: Preferences, secret: str | None = None) -> PreferencesReply:
    webhook = email = None
    if kept.webhook_url is not None:
        webhook = WebhookReply(url=kept.webhook_url, kinds=kinds_in(kept.webhook_kinds), secret=secret or UNSET)
    if kept.email_address is not None:
        email = EmailReply(address=kept.email_address, kinds=kinds_in(kept.email_kinds))
    channels = ChannelsReply(inbox=True, webhook=webhook, email=email)
    return PreferencesReply(kinds=kinds_in(kept.kinds), channels=channels)


def _reply(told: Told) -> NotificationReply:
    notification = told.notification
    title, body = words_of(notification)
    return NotificationReply(
        notification_id=notification.notification_id,
        user_id=notification.user_id,
        kind=notification.kind,
        title=title,
        body=body,
        data=msgspec.Raw(notification.data),
        created_at=time_text(notification.created_at),
        read_at=None if told.read_at is None else time_text(told.read_at),
    )


_PATH = "/api/notifications"

ROUTES = (
    Route(
        method="GET",
        path=_PATH,
        handle=list_notifications,
        access="user",
        summary="Own notifications, newest first; those of all for admins",
        query=NotificationQuery,
        reply=NotificationPage,
    ),
    Route(
        method="POST",
        path=_PATH,
        handle=send_message,
        access="admin",
        summary="Send a message to a user",
        body=NewMessage,
        reply=NotificationReply,
        status=201,
    ),
    Route(
        method="GET",
        path=_PATH + "/preferences",
        handle=get_preferences,
        access="user",
        summary="Own preferences: which kinds, which channels",
        reply=PreferencesReply,
    ),
    Route(
        method="PUT",
        path=_PATH + "/preferences",
        handle=set_preferences,
        access="user",
        summary="Set own preferences; a new webhook's secret is shown once, here",
        body=PreferencesWish,
        reply=PreferencesReply,
        errors=("not_found",),
    ),
    Route(
        method="GET",
        path=_PATH + "/{id}",
        handle=get_notification,
        access="user",
        summary="A notification",
        reply=NotificationReply,
    ),
    Route(
        method="POST",
        path=_PATH + "/{id}/read",
        handle=read_notification,
        access="user",
        summary="Mark a notification as read; again changes nothing",
        reply=NotificationReply,
    ),
)
