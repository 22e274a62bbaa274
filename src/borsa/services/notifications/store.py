"""The memory of notifications: what is appended, what is kept by key, and what the door and the sender read."""

from collections.abc import Sequence
from typing import Any

import msgspec
import sqlalchemy as sa

from borsa.runtime.records.listing import newest
from borsa.runtime.records.session import Remembered, Session
from borsa.runtime.store import Reader, Row, Statement
from borsa.services.notifications import tables
from borsa.services.notifications.model import (
    PENDING,
    Delivery,
    Notification,
    Preferences,
    Reading,
    Told,
)
from borsa.settings import Settings

_n, _r, _p, _d = tables.NOTIFICATIONS, tables.READINGS, tables.PREFERENCES, tables.DELIVERIES

_TOLD = sa.select(_n, _r.c.read_at).join_from(_n, _r, _r.c.notification_id == _n.c.notification_id, isouter=True)
_ONE = Statement(_TOLD.where(_n.c.notification_id == sa.bindparam("notification_id")))
# a literal, not a parameter: it lets both databases use the partial index
_IS_PENDING = _d.c.status == sa.literal_column(f"'{PENDING}'")
_PENDING_OF_USERS = Statement(sa.select(_d.c.user_id, sa.func.count()).where(_IS_PENDING).group_by(_d.c.user_id))


class Memory:
    """What the handlers work on. `pending` counts the deliveries of each user that are still to be made."""

    def __init__(self, session: Session, settings: Settings) -> None:
        self.settings = settings
        self._session = session
        self._notifications = session.journal_of(_n, _row_of)
        self._of_user = tables.NOTIFICATIONS_OF_USER.opened(session)
        self.readings = session.records(_r, Reading)
        self.preferences = session.records(_p, Preferences)
        self.deliveries = session.records(_d, Delivery)
        self._last = newest_sequence(session)
        self.pending: Remembered[str, int] = session.remembered(dict(session.read(_PENDING_OF_USERS)))

    def next_sequence(self) -> int:
        """That of the next notification. One that is taken back leaves a gap."""
        self._last += 1
        return self._last

    def add(self, notification: Notification) -> None:
        """A user is told something."""
        self._notifications.append(notification)
        self._of_user.add(notification.notification_id, notification.user_id)

    def told(self, notification_id: str) -> Told | None:
        """A notification that was committed before."""
        rows = self._session.read(_ONE, notification_id=notification_id)
        return _told(rows[0]) if rows else None


def _row_of(told: Notification) -> Row:
    return told.notification_id, told.user_id, told.kind, told.data, told.origin, told.created_at, told.sequence


# what the door reads -----------------------------------------------------------------------------------------------


def _page(item: sa.Column[str], unread: bool) -> sa.Select[Any]:
    found = _TOLD.where(item < sa.bindparam("before")).order_by(item.desc()).limit(sa.bindparam("limit"))
    return found.where(_r.c.read_at.is_(None)) if unread else found


def _own(unread: bool) -> Sequence[Statement]:
    def select(listed: sa.Table) -> sa.Select[Any]:
        of_user = listed.c.user_id == sa.bindparam("user_id")
        return _page(listed.c.notification_id, unread).where(of_user, listed.c.notification_id == _n.c.notification_id)

    return tables.NOTIFICATIONS_OF_USER.pages(select)


_ALL_PAGES = {unread: Statement(_page(_n.c.notification_id, unread)) for unread in (False, True)}
_OWN_PAGES = {unread: _own(unread) for unread in (False, True)}
_PREFERENCES = Statement(sa.select(_p).where(_p.c.user_id == sa.bindparam("user_id")))


def notifications_page(reader: Reader, user_id: str | None, unread: bool, before: str, limit: int) -> list[Told]:
    """Notifications, newest first, older than the id `before`; of one user, or of all (None)."""
    if user_id is None:
        return [_told(row) for row in reader.read(_ALL_PAGES[unread], before=before, limit=limit)]
    return [_told(row) for row in newest(reader, _OWN_PAGES[unread], limit, user_id=user_id, before=before)]


def notification_by_id(reader: Reader, notification_id: str) -> Told | None:
    """One notification."""
    rows = reader.read(_ONE, notification_id=notification_id)
    return _told(rows[0]) if rows else None


_SINCE = Statement(
    sa.select(_n.c.sequence, _n.c.user_id, _n.c.notification_id)
    .where(_n.c.sequence > sa.bindparam("after"))
    .order_by(_n.c.sequence)
    .limit(sa.bindparam("limit"))
)
_NEWEST = Statement(sa.select(_n.c.sequence).order_by(_n.c.sequence.desc()).limit(1))


def told_since(reader: Reader, after: int, limit: int) -> list[Row]:
    """Sequence, user and id of the notifications after a sequence, in their order."""
    return reader.read(_SINCE, after=after, limit=limit)


def newest_sequence(reader: Reader | Session) -> int:
    """That of the newest notification."""
    rows = reader.read(_NEWEST)
    return int(rows[0][0]) if rows else 0


def preferences_of(reader: Reader, user_id: str) -> Preferences:
    """How a user wants to be told: everything into the inbox, unless something else was said."""
    rows = reader.read(_PREFERENCES, user_id=user_id)
    return Preferences(*rows[0]) if rows else Preferences(user_id)


def _told(row: tuple[Any, ...]) -> Told:
    return Told(Notification(*row[:-1]), row[-1])


# what the sender reads ---------------------------------------------------------------------------------------------


class Due(msgspec.Struct, frozen=True):
    """A delivery that is to be tried now, with everything that it needs."""

    channel: str
    notification: Notification
    preferences: Preferences


_turn = sa.func.row_number().over(partition_by=(_d.c.user_id, _d.c.channel), order_by=_d.c.next_at).label("turn")
_waiting = (
    sa.select(_d.c.notification_id, _d.c.channel, _d.c.next_at, _turn)
    .where(_IS_PENDING, _d.c.next_at <= sa.bindparam("now"))
    .subquery("waiting")
)
_DUE = Statement(
    sa.select(_waiting.c.channel, _n, _p)
    .join_from(_waiting, _n, _n.c.notification_id == _waiting.c.notification_id)
    .join(_p, _p.c.user_id == _n.c.user_id)
    .where(_waiting.c.turn <= sa.bindparam("each_max"))
    # everybody's first before anybody's second: a slow target delays nobody else
    .order_by(_waiting.c.turn, _waiting.c.next_at)
    .limit(sa.bindparam("limit"))
)
_WIDTH = len(_n.c)


def due(reader: Reader, now: int, each_max: int, limit: int) -> list[Due]:
    """Deliveries whose time has come, at most `each_max` of one user and channel."""
    rows = reader.read(_DUE, now=now, each_max=each_max, limit=limit)
    return [Due(row[0], Notification(*row[1 : _WIDTH + 1]), Preferences(*row[_WIDTH + 1 :])) for row in rows]
