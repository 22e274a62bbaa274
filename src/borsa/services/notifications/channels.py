"""How a notification leaves the house: as a signed webhook, or as e-mail.

Webhooks follow Standard Webhooks 1.0 (github.com/standard-webhooks/standard-webhooks): the id stays the same at every
try, so that a receiver can tell a repeat. A target gets no redirect followed and none of its answer's body read.
"""

import asyncio
from datetime import UTC, datetime
from email.message import EmailMessage
from email.utils import format_datetime
from types import TracebackType
from typing import Any, Self
from urllib.parse import unquote, urlsplit

import aiosmtplib
import httpx
import msgspec
from standardwebhooks import Webhook

from borsa import __version__
from borsa.runtime.access.vault import NotOpened
from borsa.runtime.clock import Clock, time_text
from borsa.runtime.codec import encode
from borsa.services.notifications import targets
from borsa.services.notifications.model import DELIVERED, DROPPED, FAILED, WEBHOOK, Notification, words_of
from borsa.services.notifications.store import Due
from borsa.services.notifications.vault import vault_in
from borsa.settings import Settings

Outcome = tuple[str, str | None]
"""delivered, failed (worth another try) or dropped (never again); and what was the matter."""

GONE_STATUS = 410
"""A target's word that it wants nothing more (Standard Webhooks: 410 Gone)."""

_SMTP_PORTS = {"smtp": 25, "smtps": 465}


class Channels:
    """The ways out; opened on the event loop that uses them."""

    def __init__(self, settings: Settings, clock: Clock) -> None:
        self._settings = settings
        self._clock = clock
        self._vault = vault_in(settings.folder)
        self._http = httpx.AsyncClient(
            trust_env=False,
            follow_redirects=False,
            timeout=settings.webhook_timeout_seconds,
            # a connection is judged for one host: none is kept for the next
            limits=httpx.Limits(max_keepalive_connections=0),
        )

    async def __aenter__(self) -> Self:
        await self._http.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._http.__aexit__(kind, error, trace)

    async def send(self, due: Due) -> Outcome:
        """Try once; never raises for anything that the other side does."""
        try:
            async with asyncio.timeout(self._settings.webhook_timeout_seconds):
                if due.channel == WEBHOOK:
                    return await self._post(due)
                return await self._mail(due)
        except (targets.NotAllowed, NotOpened) as error:
            return DROPPED, str(error)
        except (OSError, httpx.HTTPError, httpx.InvalidURL, aiosmtplib.SMTPException) as error:
            return FAILED, f"{type(error).__name__}: {error}"

    # webhooks ------------------------------------------------------------------------------------------------------

    async def _post(self, due: Due) -> Outcome:
        preferences = due.preferences
        if preferences.webhook_url is None or preferences.webhook_secret is None:
            return DROPPED, "the webhook was turned off"
        target = targets.read(preferences.webhook_url)
        secret = self._vault.open(preferences.webhook_secret, preferences.user_id)
        address = await targets.judged(target, self._settings.webhook_private)
        body = webhook_body(due.notification)
        headers = self._signed(secret, due.notification.notification_id, body) | {"host": target.host_header}
        tls_name = {"sni_hostname": target.host}
        url = target.url_at(address)
        async with self._http.stream("POST", url, content=body, headers=headers, extensions=tls_name) as answer:
            return _verdict(answer.status_code)

    def _signed(self, secret: str, message_id: str, body: bytes) -> dict[str, str]:
        seconds = self._clock.now() // 1_000_000
        signature = Webhook(secret).sign(message_id, datetime.fromtimestamp(seconds, UTC), body.decode())
        return {
            "content-type": "application/json",
            "user-agent": f"borsa/{__version__}",
            "webhook-id": message_id,
            "webhook-timestamp": str(seconds),
            "webhook-signature": signature,
        }

    # e-mail --------------------------------------------------------------------------------------------------------

    async def _mail(self, due: Due) -> Outcome:
        address = due.preferences.email_address
        if address is None or not self._settings.smtp_url:
            return DROPPED, "e-mail was turned off"
        message = email_message(due.notification, self._settings.smtp_from, address)
        await aiosmtplib.send(message, **_server(self._settings.smtp_url))
        return DELIVERED, None


def _verdict(status: int) -> Outcome:
    if 200 <= status < 300:
        return DELIVERED, None
    return (DROPPED if status == GONE_STATUS else FAILED), f"answered {status}"


def webhook_body(notification: Notification) -> bytes:
    """The payload: type, timestamp and data, as Standard Webhooks has it."""
    title, body = words_of(notification)
    data = {
        "notificationId": notification.notification_id,
        "userId": notification.user_id,
        "title": title,
        "body": body,
        "data": msgspec.Raw(notification.data),
    }
    return encode({"type": notification.kind, "timestamp": time_text(notification.created_at), "data": data})


def email_message(notification: Notification, sender: str, address: str) -> EmailMessage:
    """The e-mail; its Message-ID stays the same at every try."""
    title, body = words_of(notification)
    message = EmailMessage()
    message["From"] = sender
    message["To"] = address
    message["Subject"] = title
    message["Date"] = format_datetime(datetime.fromtimestamp(notification.created_at // 1_000_000, UTC))
    message["Message-ID"] = f"<{notification.notification_id}@{sender.rpartition('@')[2]}>"
    message["Auto-Submitted"] = "auto-generated"
    message.set_content(body)
    return message


def _server(url: str) -> dict[str, Any]:
    """What aiosmtplib needs of smtp://user:password@host:port; smtps:// is TLS from the first byte."""
    parts = urlsplit(url)
    return {
        "hostname": parts.hostname,
        "port": parts.port or _SMTP_PORTS.get(parts.scheme, 25),
        "username": unquote(parts.username) if parts.username else None,
        "password": unquote(parts.password) if parts.password else None,
        "use_tls": parts.scheme == "smtps",
    }
