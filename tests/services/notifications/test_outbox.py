"""Mail that leaves, and the account of tries."""

import email
import email.policy
from pathlib import Path

import pytest

from borsa.services.notifications.handlers import PENDING_DELIVERIES_MAX
from borsa.services.notifications.model import (
    ALL,
    Delivery,
    MarkDelivered,
    Preferences,
    SetPreferences,
    after_try,
    backoff_seconds,
)
from tests.services.notifications.facts import ordered, traded
from tests.services.notifications.receiving import Postman
from tests.services.notifications.sending import Sending
from tests.support.alone import Alone

# e-mail ------------------------------------------------------------------------------------------------------------


def test_an_email_arrives(tmp_path: Path) -> None:
    with Postman() as postman:
        sending = Sending(tmp_path / "data", smtp_url=postman.url, smtp_from="borsa@exchange.example")
        sending.wants(address="ada@example.com")
        sending.alone.happen(traded())
        assert sending.until_all("delivered") == [("email", "delivered", 1, None)]
        mail = email.message_from_bytes(postman.mails.get(timeout=10), policy=email.policy.default)
        sending.close()
    assert (mail["To"], mail["From"]) == ("ada@example.com", "borsa@exchange.example")
    assert mail["Subject"] == "Bought 0.5 BTC at 50000.00"
    assert "trade 7000" in mail.get_content()
    assert mail["Auto-Submitted"] == "auto-generated"


def test_a_refused_email_is_tried_again(tmp_path: Path) -> None:
    with Postman() as postman:
        postman.refuse = True
        sending = Sending(tmp_path / "data", smtp_url=postman.url)
        sending.wants(address="ada@example.com")
        sending.alone.happen(traded())
        rows = sending.until(lambda rows: rows[0][2] == 1)
        assert rows[0][1] == "pending"
        postman.refuse = False
        sending.later(backoff_seconds(1))
        sending.until_all("delivered")
        sending.close()


def test_without_a_mail_server_nothing_is_queued(sending: Sending) -> None:
    sending.wants(address="ada@example.com")
    sending.alone.happen(traded())
    assert sending.status() == []


# the account of tries ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("attempts", "outcome", "status", "wait"),
    [
        (0, "delivered", "delivered", 5),
        (0, "dropped", "dropped", 5),
        (0, "failed", "pending", 5),
        (1, "failed", "pending", 20),
        (2, "failed", "failed", 80),
    ],
)
def test_after_a_try(attempts: int, outcome: str, status: str, wait: int) -> None:
    before = Delivery("n-1", "webhook", "ada", attempts, 0, "pending", None)
    after = after_try(before, outcome, "x" * 1000, 1_000_000, 3)
    assert (after.status, after.attempts) == (status, attempts + 1)
    assert after.next_at == (wait + 1) * 1_000_000
    assert len(after.problem or "") == 200


def test_a_try_told_twice_counts_once(alone: Alone) -> None:
    alone.say(SetPreferences(preferences=Preferences("ada", webhook_url="https://a.example", webhook_kinds=ALL)))
    alone.happen(ordered())
    ((notification_id,),) = alone.rows("SELECT notification_id FROM deliveries")
    mark = MarkDelivered(notification_id=notification_id, channel="webhook", outcome="delivered")
    for _ in range(2):
        alone.say(mark)
    assert alone.rows("SELECT status, attempts FROM deliveries") == [("delivered", 1)]
    alone.say(MarkDelivered(notification_id="unknown", channel="webhook", outcome="delivered"))


def test_what_waits_for_one_user_is_bounded(alone: Alone) -> None:
    alone.say(SetPreferences(preferences=Preferences("ada", webhook_url="https://a.example", webhook_kinds=ALL)))
    alone.writer.memory.pending.set("ada", PENDING_DELIVERIES_MAX - 1)
    alone.happen(ordered(), traded())
    assert alone.rows("SELECT count(*) FROM deliveries") == [(1,)]
    assert len(alone.rows("SELECT * FROM notifications WHERE user_id = 'ada'")) == 2
    alone.restart()
    assert dict(alone.writer.memory.pending.items()) == {"ada": 1}
