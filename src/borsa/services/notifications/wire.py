"""Notifications on the wire: what the door takes, and what it answers."""

from typing import Annotated

from msgspec import UNSET, Meta, Raw, UnsetType

from borsa.runtime.clock import time_text
from borsa.runtime.codec import EMAIL_CHARACTERS_MAX, EMAIL_PATTERN, Body, Reply, UserId, line
from borsa.runtime.http.page import OwnedQuery
from borsa.services.notifications.model import KINDS, Kind, Preferences, Told, kinds_in, words_of
from borsa.services.notifications.targets import URL_CHARACTERS_MAX

Kinds = Annotated[list[Kind], Meta(max_length=len(KINDS))]
Lines = Annotated[str, Meta(min_length=1, max_length=10_000, pattern=r"^[^\x00-\x08\x0b-\x1f\x7f]+\Z")]
EmailAddress = Annotated[
    str,
    Meta(
        max_length=EMAIL_CHARACTERS_MAX,
        pattern=EMAIL_PATTERN.removesuffix("$") + r"\Z",
        examples=["ada@example.com"],
    ),
]


class NewMessage(Body, frozen=True):
    """What an admin tells a user."""

    user_id: UserId
    title: Annotated[str, line(200)]
    body: Lines


class WebhookWish(Body, frozen=True):
    """A webhook: where to, and for which kinds (all that are told, unless said)."""

    url: Annotated[str, Meta(min_length=1, max_length=URL_CHARACTERS_MAX, examples=["https://example.com/x"])]
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
    data: Raw
    created_at: str
    read_at: str | None


class NotificationPage(Reply, frozen=True):
    """Notifications, newest first."""

    data: list[NotificationReply]
    next_cursor: str | None


class NotificationQuery(OwnedQuery, frozen=True):
    """The query of the list."""

    unread: bool = False


def preferences_reply(kept: Preferences, secret: str | None = None) -> PreferencesReply:
    """Preferences as they are answered; `secret` is the webhook's, when it is new."""
    webhook = email = None
    if kept.webhook_url is not None:
        webhook = WebhookReply(url=kept.webhook_url, kinds=kinds_in(kept.webhook_kinds), secret=secret or UNSET)
    if kept.email_address is not None:
        email = EmailReply(address=kept.email_address, kinds=kinds_in(kept.email_kinds))
    channels = ChannelsReply(inbox=True, webhook=webhook, email=email)
    return PreferencesReply(kinds=kinds_in(kept.kinds), channels=channels)


def notification_reply(told: Told) -> NotificationReply:
    """A notification as it is answered."""
    notification = told.notification
    title, body = words_of(notification)
    return NotificationReply(
        notification_id=notification.notification_id,
        user_id=notification.user_id,
        kind=notification.kind,
        title=title,
        body=body,
        data=Raw(notification.data),
        created_at=time_text(notification.created_at),
        read_at=None if told.read_at is None else time_text(told.read_at),
    )
