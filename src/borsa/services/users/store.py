"""The memory of users: records by key for the handlers, and what the door reads."""

from collections.abc import Sequence

import sqlalchemy as sa

from borsa.runtime.records.session import Session
from borsa.runtime.store import Reader, Row, Statement
from borsa.services.users import tables
from borsa.services.users.model import ApiKey, Password, SignIn, User, name_key
from borsa.services.users.tokens import Keyring
from borsa.settings import Settings

SWEPT_MAX = 500
"""Records that one sweep takes in hand."""

_u, _p, _s, _k = tables.USERS, tables.PASSWORDS, tables.SIGN_INS, tables.API_KEYS
_limit: sa.BindParameter[int] = sa.bindparam("limit")

_USER = Statement(sa.select(_u).where(_u.c.user_id == sa.bindparam("user_id"), _u.c.status != "deleted"))
_NAMED = Statement(sa.select(_u).where(_u.c.name_key == sa.bindparam("name_key")))
_PASSWORD = Statement(sa.select(_p.c.hash).where(_p.c.user_id == sa.bindparam("user_id")))
_USERS_PAGE = Statement(
    sa.select(_u)
    .where(_u.c.user_id < sa.bindparam("before"), _u.c.status != "deleted")
    .order_by(_u.c.user_id.desc())
    .limit(_limit)
)
_KEYS_PAGE = Statement(
    sa.select(_k)
    .where(_k.c.user_id == sa.bindparam("user_id"), _k.c.key_id < sa.bindparam("before"))
    .order_by(_k.c.key_id.desc())
    .limit(_limit)
)
_KEYS_OF = Statement(sa.select(_k).where(_k.c.user_id == sa.bindparam("user_id")))
_SIGN_INS_OF = Statement(sa.select(_s).where(_s.c.user_id == sa.bindparam("user_id"), _s.c.revoked_at.is_(None)))
_ANYBODY = Statement(sa.select(_u.c.user_id).limit(1))
# said as text, as in the indexes
_ACTING_ADMINS = Statement(sa.select(sa.func.count()).where(sa.text("role = 'admin'"), _u.c.status == "active"))
_CLOSING = Statement(sa.select(_u.c.user_id).where(sa.text("status = 'closing'")).limit(_limit))
_REVOKED = Statement(sa.select(_s.c.session_id).where(_s.c.revoked_at >= sa.bindparam("since")))
_RAISED = Statement(
    sa.select(_u.c.user_id, _u.c.token_version).where(
        sa.text("token_version > 0"), _u.c.updated_at >= sa.bindparam("since")
    )
)
_OVER = Statement(
    sa.select(_s.c.session_id)
    .where(sa.or_(_s.c.expires_at < sa.bindparam("before"), _s.c.revoked_at < sa.bindparam("before")))
    .limit(_limit)
)


class Memory:
    """What the handlers work on.

    `first_password` is the made-up password of the first admin, in the one process that made it, for whoever started
    it to print; it is kept nowhere else.
    """

    def __init__(self, session: Session, settings: Settings) -> None:
        self.settings = settings
        self.keyring = Keyring.open(settings.folder)
        self.first_password = ""
        self._session = session
        self.users = session.records(_u, User)
        self.passwords = session.records(_p, Password)
        self.sign_ins = session.records(_s, SignIn)
        self.api_keys = session.records(_k, ApiKey)

    def user_named(self, name: str) -> User | None:
        """Who has this name, or one that compares equal."""
        rows = self._session.read(_NAMED, name_key=name_key(name))
        return self.users.load(rows[0]) if rows else None

    def is_empty(self) -> bool:
        """Has nobody ever registered?"""
        return not self._session.read(_ANYBODY)

    def acting_admins(self) -> int:
        """How many admins there are that are not on the way out."""
        return int(self._session.read(_ACTING_ADMINS)[0][0])

    def closing(self) -> list[str]:
        """Ids of users on the way out."""
        return _firsts(self._session.read(_CLOSING, limit=SWEPT_MAX))

    def api_keys_of(self, user_id: str) -> list[ApiKey]:
        """Every API key of a user."""
        return [self.api_keys.load(row) for row in self._session.read(_KEYS_OF, user_id=user_id)]

    def sign_ins_of(self, user_id: str) -> list[SignIn]:
        """Every session of a user that is not revoked."""
        return [self.sign_ins.load(row) for row in self._session.read(_SIGN_INS_OF, user_id=user_id)]

    def revoked_since(self, since: int) -> list[str]:
        """Ids of sessions that were revoked at this time (microseconds) or later."""
        return _firsts(self._session.read(_REVOKED, since=since))

    def versions_since(self, since: int) -> dict[str, int]:
        """Token versions of users that changed at this time (microseconds) or later."""
        rows: Sequence[tuple[str, int]] = self._session.read(_RAISED, since=since)
        return dict(rows)

    def sign_ins_over(self, before: int) -> list[str]:
        """Ids of sessions that expired or were revoked before this time (microseconds)."""
        return _firsts(self._session.read(_OVER, before=before, limit=SWEPT_MAX))


def _firsts(rows: Sequence[Row]) -> list[str]:
    return [row[0] for row in rows]


# what the door reads: committed, and not the deleted ---------------------------------------------------------------


def user_by_id(reader: Reader, user_id: str) -> User | None:
    """A user who is not deleted."""
    rows = reader.read(_USER, user_id=user_id)
    return User(*rows[0]) if rows else None


def user_by_name(reader: Reader, name: str) -> User | None:
    """Who has this name, or one that compares equal."""
    rows = reader.read(_NAMED, name_key=name_key(name))
    return User(*rows[0]) if rows else None


def password_hash_of(reader: Reader, user_id: str) -> str | None:
    """What a user's password is checked against."""
    rows = reader.read(_PASSWORD, user_id=user_id)
    return rows[0][0] if rows else None


def users_page(reader: Reader, before: str, limit: int) -> list[User]:
    """Users that registered before the one with an id, newest first."""
    return [User(*row) for row in reader.read(_USERS_PAGE, before=before, limit=limit)]


def api_keys_page(reader: Reader, user_id: str, before: str, limit: int) -> list[ApiKey]:
    """A user's API keys that were made before the one with an id, newest first."""
    return [ApiKey(*row) for row in reader.read(_KEYS_PAGE, user_id=user_id, before=before, limit=limit)]
