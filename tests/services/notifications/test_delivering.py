"""Webhooks that leave, to a real server on loopback: tries and retries, and what is refused on the way."""

import json
import ssl
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID
from standardwebhooks import Webhook

from borsa.events import UserDeleted
from borsa.services.notifications.model import (
    ALL,
    BITS,
    Preferences,
    SendMessage,
    SetPreferences,
    backoff_seconds,
)
from tests.services.notifications.facts import ordered, traded
from tests.services.notifications.receiving import Receiver
from tests.services.notifications.sending import Sending


def test_a_webhook_is_signed_as_standard_webhooks(sending: Sending, receiver: Receiver) -> None:
    secret = sending.wants(url=receiver.url)
    sending.alone.happen(traded())
    assert sending.until_all("delivered") == [("webhook", "delivered", 1, None)]
    (received,) = receiver.received
    assert received.path == "/hook?x=1"
    assert secret.startswith("whsec_")
    said = Webhook(secret).verify(received.body, dict(received.headers))
    assert said["type"] == "fill"
    assert said["data"]["title"] == "Bought 0.5 BTC at 50000.00"
    assert said["data"]["data"]["tradeId"] == "7000"
    assert received.headers["webhook-id"] == said["data"]["notificationId"]


def test_only_the_wanted_kinds_are_sent(sending: Sending, receiver: Receiver) -> None:
    sending.wants(url=receiver.url, kinds=BITS["fill"])
    sending.alone.happen(ordered(), traded())
    sending.until_all("delivered")
    assert [json.loads(each.body)["type"] for each in receiver.received] == ["fill"]


def test_a_failed_try_is_repeated_with_the_same_id_after_a_growing_while(sending: Sending, receiver: Receiver) -> None:
    secret = sending.wants(url=receiver.url)
    receiver.answers = [500, 429]
    sending.alone.happen(ordered())
    sending.until(lambda rows: rows == [("webhook", "pending", 1, "answered 500")])
    sending.later(backoff_seconds(1))
    sending.until(lambda rows: rows == [("webhook", "pending", 2, "answered 429")])
    sending.later(backoff_seconds(2))
    sending.until_all("delivered")
    assert len({each.headers["webhook-id"] for each in receiver.received}) == 1
    assert len(receiver.received) == 3
    Webhook(secret).verify(receiver.received[-1].body, dict(receiver.received[-1].headers))


def test_a_delivery_is_given_up_after_its_last_try(sending: Sending, receiver: Receiver) -> None:
    sending.wants(url=receiver.url)
    receiver.answers = [500] * 9
    sending.alone.happen(ordered())
    for attempt in (1, 2):
        sending.until(lambda rows, attempt=attempt: rows[0][2] == attempt)  # type: ignore[misc]
        sending.later(backoff_seconds(attempt))
    assert sending.until_all("failed") == [("webhook", "failed", 3, "answered 500")]
    assert not dict(sending.alone.writer.memory.pending.items())


def test_a_target_that_is_gone_is_left_alone(sending: Sending, receiver: Receiver) -> None:
    sending.wants(url=receiver.url)
    receiver.answers = [410]
    sending.alone.happen(ordered())
    assert sending.until_all("dropped") == [("webhook", "dropped", 1, "answered 410")]


def test_a_redirect_is_not_followed(sending: Sending, receiver: Receiver) -> None:
    sending.wants(url=receiver.url)
    receiver.answers = [302]
    receiver.headers = {"location": "/elsewhere"}
    sending.alone.happen(ordered())
    sending.until(lambda rows: rows == [("webhook", "pending", 1, "answered 302")])
    assert [each.path for each in receiver.received] == ["/hook?x=1"]


def test_a_target_that_does_not_answer_is_cut_off(tmp_path: Path, receiver: Receiver) -> None:
    sending = Sending(tmp_path / "data", webhook_private=True, webhook_timeout_seconds=1)
    sending.wants(url=receiver.url)
    receiver.hold.clear()
    sending.alone.happen(ordered())
    rows = sending.until(lambda rows: rows[0][2] == 1)
    assert "Timeout" in str(rows[0][3])
    sending.close()


def test_a_target_that_is_not_there_is_tried_again(sending: Sending, receiver: Receiver) -> None:
    with Receiver() as gone:
        url = gone.url
    sending.wants(url=url)
    sending.alone.happen(ordered())
    rows = sending.until(lambda rows: rows[0][2] == 1)
    assert rows[0][1] == "pending"


def test_what_was_not_sent_before_the_end_is_sent_after_it(sending: Sending, receiver: Receiver) -> None:
    sending.sender.stop()
    sending.wants(url=receiver.url)
    sending.alone.happen(ordered())
    sending.restart()
    sending.until_all("delivered")
    assert len(receiver.received) == 1


def test_what_was_sent_but_not_recorded_is_sent_again(sending: Sending, receiver: Receiver) -> None:
    sending.wants(url=receiver.url)
    arrived = threading.Event()
    receiver.received = _Telling(arrived)
    sending.alone.happen(ordered())
    assert arrived.wait(10)
    sending.sender.stop()
    sending.alone.restart()  # what the sender told the writer was not on disk
    sending._start()
    sending.until_all("delivered")
    assert len({each.headers["webhook-id"] for each in receiver.received}) == 1
    assert len(receiver.received) == 2


class _Telling(list[Any]):
    """A list that says when it gets something."""

    def __init__(self, event: threading.Event) -> None:
        super().__init__()
        self._event = event

    def append(self, item: Any) -> None:
        super().append(item)
        self._event.set()


def test_a_slow_target_does_not_delay_another(sending: Sending, receiver: Receiver) -> None:
    with Receiver() as quick:
        receiver.hold.clear()
        sending.wants("bob", url=receiver.url, kinds=BITS["message"])
        sending.wants("ada", url=quick.url, kinds=BITS["message"])
        for number in range(40):
            sending.alone.say(SendMessage(user_id="bob", title=f"Hello {number}", body="x"))
        sending.alone.say(SendMessage(user_id="ada", title="Hello", body="x"))
        sending.until(lambda rows: any(row[1] == "delivered" for row in rows))
        assert len(quick.received) == 1
        assert len(receiver.received) <= 4
        receiver.hold.set()
        sending.until_all("delivered")


# what is refused on the way ----------------------------------------------------------------------------------------


def test_a_private_address_is_not_connected_to(tmp_path: Path, receiver: Receiver) -> None:
    sending = Sending(tmp_path / "data")
    sending.wants(url=receiver.url)
    sending.alone.happen(ordered())
    rows = sending.until_all("dropped")
    assert "private" in str(rows[0][3])
    assert receiver.received == []
    sending.close()


def test_a_name_that_leads_home_is_not_followed(
    tmp_path: Path, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def home(target: Any) -> list[str]:
        return ["127.0.0.1"]

    monkeypatch.setattr("borsa.services.notifications.targets.addresses_of", home)
    sending = Sending(tmp_path / "data")
    sending.wants(url=receiver.url.replace("127.0.0.1", "rebinding.example.com"))
    sending.alone.happen(ordered())
    sending.until_all("dropped")
    assert receiver.received == []
    sending.close()


def test_the_connection_goes_to_the_judged_address_with_the_name_in_the_host_header(
    sending: Sending, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def here(target: Any) -> list[str]:
        return ["127.0.0.1"]

    monkeypatch.setattr("borsa.services.notifications.targets.addresses_of", here)
    sending.wants(url=receiver.url.replace("127.0.0.1", "hooks.example.com"))
    sending.alone.happen(ordered())
    sending.until_all("delivered")
    assert receiver.received[0].headers["host"].startswith("hooks.example.com:")


def _certificate(folder: Path, name: str) -> tuple[str, ssl.SSLContext]:
    """A certificate that signs itself, for a name: the file to trust, and a server's context."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder(subject, subject, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    trusted, private = folder / "trusted.pem", folder / "private.pem"
    trusted.write_bytes(made.public_bytes(Encoding.PEM))
    private.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(trusted, private)
    return str(trusted), context


@pytest.mark.parametrize(("host", "arrives"), [("hooks.example.com", True), ("other.example.com", False)])
def test_a_certificate_must_be_for_the_name_and_not_for_the_address(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, host: str, arrives: bool
) -> None:
    async def here(target: Any) -> list[str]:
        return ["127.0.0.1"]

    trusted, context = _certificate(tmp_path, "hooks.example.com")
    monkeypatch.setattr("certifi.where", lambda: trusted)
    monkeypatch.setattr("borsa.services.notifications.targets.addresses_of", here)
    with Receiver(context) as receiver:
        sending = Sending(tmp_path / "data", webhook_private=True)
        sending.wants(url=receiver.url.replace("127.0.0.1", host))
        sending.alone.happen(ordered())
        rows = sending.until(lambda rows: rows[0][2] == 1)
        sending.close()
    assert rows[0][1] == ("delivered" if arrives else "pending")
    assert arrives or "CERTIFICATE_VERIFY_FAILED" in str(rows[0][3])


def test_a_webhook_turned_off_meanwhile_is_not_called(sending: Sending, receiver: Receiver) -> None:
    sending.sender.stop()
    sending.wants(url=receiver.url)
    sending.alone.happen(ordered())
    sending.alone.happen(UserDeleted(user_id="ada"))
    sending.restart()
    assert sending.until_all("dropped")[0][3] == "the webhook was turned off"
    assert receiver.received == []


def test_a_secret_of_another_key_is_not_used(sending: Sending, receiver: Receiver) -> None:
    sending.wants(url=receiver.url)
    wanted = Preferences("ada", webhook_url=receiver.url + "2", webhook_secret=b"n" * 60, webhook_kinds=ALL)
    sending.alone.say(SetPreferences(preferences=wanted))
    sending.alone.happen(ordered())
    assert "not the key" in str(sending.until_all("dropped")[0][3])
    assert receiver.received == []
