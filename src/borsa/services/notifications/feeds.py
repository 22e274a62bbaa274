"""The feeds of notifications: what each user is told."""

from collections import Counter

from borsa.runtime.feeds import OWN, Feeds, Own, Row
from borsa.runtime.store import Reader
from borsa.services.notifications import store
from borsa.services.notifications.wire import NotificationReply, notification_reply

LATE_MS = 2_000
"""A notification's id may be so much older than the time of the commit that made it."""


class Since:
    """What was told after a time, page by page, in the order of the ids.

    There is no log of it: the sequence of a notification is the time of the commit that made it, in microseconds, and
    of several that it made for one user each has one more.
    """

    def __init__(self, after: int) -> None:
        self._after = after
        # ids are UUIDv7: they begin with their time in milliseconds
        first = f"{max(0, after // 1_000 - LATE_MS):012x}"
        self._last_id = f"{first[:8]}-{first[8:]}"
        self._time = 0
        self._of_commit: Counter[str] = Counter()

    def __call__(self, reader: Reader, limit: int) -> list[Row]:
        """The next ones, as (sequence, user, id); they may be fewer than `limit` though there are more."""
        found: list[Row] = []
        for notification_id, user_id, created_at in store.told_since(reader, self._last_id, limit):
            if created_at != self._time:
                self._time = created_at
                self._of_commit.clear()
            sequence = created_at + self._of_commit[user_id]
            self._of_commit[user_id] += 1
            self._last_id = notification_id
            if sequence > self._after:
                found.append((sequence, user_id, notification_id))
        return found


CHANNELS = {"notifications": OWN}


def feeds(_: None) -> Feeds:
    """What notifications has to follow."""
    return Feeds(own={"notifications": Own(data=_notification, since=Since, newest=store.newest_time)})


def _notification(reader: Reader, notification_id: str, _user_id: str) -> NotificationReply | None:
    told = store.notification_by_id(reader, notification_id)
    return notification_reply(told) if told else None
