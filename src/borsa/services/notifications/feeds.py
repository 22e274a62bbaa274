"""The feeds of notifications: what each user is told."""

from borsa.runtime.feeds import OWN, Feeds, Own, Row
from borsa.runtime.store import Reader
from borsa.services.notifications import store
from borsa.services.notifications.wire import NotificationReply, notification_reply


class Since:
    """What was told after a sequence, page by page. There is no log of it: notifications bear their own sequences."""

    def __init__(self, after: int) -> None:
        self._after = after

    def __call__(self, reader: Reader, limit: int) -> list[Row]:
        """The next ones."""
        found = [(sequence, user, told) for sequence, user, told in store.told_since(reader, self._after, limit)]
        if found:
            self._after = found[-1][0]
        return found


CHANNELS = {"notifications": OWN}


def feeds(_: None) -> Feeds:
    """What notifications has to follow."""
    return Feeds(own={"notifications": Own(data=_notification, since=Since, newest=store.newest_sequence)})


def _notification(reader: Reader, notification_id: str, _user_id: str) -> NotificationReply | None:
    told = store.notification_by_id(reader, notification_id)
    return notification_reply(told) if told else None
