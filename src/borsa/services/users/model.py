"""The law of users: names, roles, sign-ins and API keys as pure functions. Times are microseconds since 1970 UTC."""

import ipaddress
import re
import unicodedata
from collections.abc import Sequence
from enum import Enum
from typing import ClassVar

import msgspec
from msgspec import UNSET, UnsetType
from msgspec.structs import replace

from borsa.errors import Refused
from borsa.requests import Done, Request
from borsa.runtime.codec import EMAIL_CHARACTERS_MAX, EMAIL_PATTERN

SECOND = 1_000_000
DAY = 86_400 * SECOND

SCOPES = ("read", "trade")

NAME_PATTERN = r"^[A-Za-z0-9._-]{3,40}$"
"""A user's name. ASCII only: so no two names look alike, and none hides a mark that turns the text around."""

LABEL_CHARACTERS_MAX = 64
ADDRESSES_MAX = 50
PUBLIC_KEY_PATTERN = r"^[0-9a-fA-F]{64}$"

_NAME = re.compile(NAME_PATTERN)
_EMAIL = re.compile(EMAIL_PATTERN)
_PUBLIC_KEY = re.compile(PUBLIC_KEY_PATTERN)
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")


# records -----------------------------------------------------------------------------------------------------------


class User(msgspec.Struct, frozen=True):
    """Somebody. `status` is active, closing (on the way out) or deleted; access tokens below `token_version` are void.

    `name_key` is the name as it is compared, None for the deleted.
    """

    user_id: str
    name: str
    name_key: str | None
    email: str | None
    role: str
    status: str
    token_version: int
    created_at: int
    updated_at: int


class Password(msgspec.Struct, frozen=True):
    """What a user's password is checked against: Argon2id in the PHC string format."""

    user_id: str
    hash: str


class SignIn(msgspec.Struct, frozen=True):
    """A session: the family of refresh tokens that one sign-in began.

    `generation` numbers its newest refresh token, `rotated_at` says since when; `token_version` is the user's version
    at the sign-in: a raised one ends the session.
    """

    session_id: str
    user_id: str
    token_version: int
    generation: int
    rotated_at: int
    expires_at: int
    revoked_at: int | None


class ApiKey(msgspec.Struct, frozen=True):
    """A program's credential. Scopes and networks are joined by spaces; no network means any address.

    `verifier` is, by `kind`, the SHA-256 of the secret (bearer), the sealed secret (hmac) or the public key (ed25519).
    """

    key_id: str
    user_id: str
    label: str
    scopes: str
    addresses: str
    kind: str
    verifier: bytes
    created_at: int


# what the door asks ------------------------------------------------------------------------------------------------


class RegisterUser(Request[User], frozen=True, kw_only=True):
    """Make a user. Refused: user_name_taken."""

    answered_by: ClassVar[str] = "users"
    user_name: str
    email: str | None
    password_hash: str


class Tokens(msgspec.Struct, frozen=True):
    """What a sign-in gives. `expires_in` is the access token's life in seconds."""

    access_token: str
    refresh_token: str
    expires_in: int


class OpenSession(Request[Tokens], frozen=True, kw_only=True):
    """Sign a user in whose password was found right against `verified_hash`; `new_hash` replaces an outdated one.

    Refused with invalid_credentials when the password has changed since, or the user is on the way out.
    """

    answered_by: ClassVar[str] = "users"
    user_id: str
    verified_hash: str
    new_hash: str | None


class RefreshSession(Request[Tokens], frozen=True, kw_only=True):
    """Exchange a refresh token for its successor. Refused: invalid_refresh_token."""

    answered_by: ClassVar[str] = "users"
    refresh_token: str


class CloseSession(Request[Done], frozen=True, kw_only=True):
    """Sign out: the family of tokens ends."""

    answered_by: ClassVar[str] = "users"
    session_id: str


class ChangeUser(Request[User], frozen=True, kw_only=True):
    """Change what is not None; an empty e-mail address takes it away. A new password ends all sessions but
    `kept_session_id`, a new role ends all of them; API keys stay (a role that changes is theirs, too), and are ended
    one by one.

    `verified_hash` is what the current password was found right against, None where an admin sets a new one.
    Refused: not_found, user_name_taken, last_admin, forbidden (the password has changed meanwhile).
    """

    answered_by: ClassVar[str] = "users"
    user_id: str
    user_name: str | None = None
    email: str | None = None
    role: str | None = None
    password_hash: str | None = None
    verified_hash: str | None = None
    kept_session_id: str | None = None


class DeleteUser(Request[Done], frozen=True, kw_only=True):
    """Remove a user for good. Refused: not_found, last_admin, user_not_empty."""

    answered_by: ClassVar[str] = "users"
    user_id: str


class CreateApiKey(Request[ApiKey], frozen=True, kw_only=True):
    """Make an API key. Its secret, where there is one, stays at the door. Refused: too_many_api_keys."""

    answered_by: ClassVar[str] = "users"
    user_id: str
    label: str
    scopes: str
    addresses: str
    kind: str
    verifier: bytes


class DeleteApiKey(Request[Done], frozen=True, kw_only=True):
    """End an API key. Refused: not_found, also for somebody else's."""

    answered_by: ClassVar[str] = "users"
    user_id: str
    key_id: str


class PublicKeys(msgspec.Struct, frozen=True):
    """Raw Ed25519 public keys by key id."""

    keys: dict[str, bytes]


class ListPublicKeys(Request[PublicKeys], frozen=True, kw_only=True):
    """Which keys access tokens are signed with."""

    answered_by: ClassVar[str] = "users"


# names, addresses, labels ------------------------------------------------------------------------------------------


def name_key(name: str) -> str:
    """A user's name as it is compared: compatibility forms folded, without case."""
    return unicodedata.normalize("NFKC", name).casefold()


def check_user_name(name: str) -> None:
    """Refuse what can't be a user's name."""
    if not _NAME.fullmatch(name):
        raise Refused("invalid_request", "3 to 40 letters (A-Z), digits, '.', '_' or '-'", field="userName")


def check_email(email: str | None) -> None:
    """Refuse what can't be an e-mail address."""
    if email is not None and (len(email) > EMAIL_CHARACTERS_MAX or not _EMAIL.fullmatch(email)):
        raise Refused("invalid_request", "This is not an e-mail address", field="email")


def check_label(label: str) -> None:
    """Refuse what can't name an API key."""
    if not label.strip() or len(label) > LABEL_CHARACTERS_MAX or _CONTROL.search(label):
        raise Refused("invalid_request", "1 to 64 characters, none of them a control character", field="label")


def scopes_text(scopes: Sequence[str]) -> str:
    """The scopes of an API key in one text; at least one, each of them known."""
    if not scopes or not set(scopes) <= set(SCOPES):
        raise Refused("invalid_request", f"One or more of {', '.join(SCOPES)}", field="scopes")
    return " ".join(scope for scope in SCOPES if scope in scopes)


def addresses_text(addresses: Sequence[str]) -> str:
    """The networks of an API key in one text, each an IP address or a CIDR block without host bits."""
    if len(addresses) > ADDRESSES_MAX:
        raise Refused("invalid_request", f"At most {ADDRESSES_MAX} addresses", field="ipAllowList")
    try:
        return " ".join(str(ipaddress.ip_network(address)) for address in addresses)
    except ValueError as error:
        raise Refused("invalid_request", str(error)[:200], field="ipAllowList") from None


def public_key(kind: str, text: str | UnsetType) -> bytes | None:
    """The public key that belongs to an API key of a kind: 32 bytes of an ed25519 key, and None of every other."""
    if kind != "ed25519":
        if text is not UNSET:
            raise Refused("invalid_request", "Only a key of type ed25519 has a public key", field="publicKey")
        return None
    if text is UNSET or not _PUBLIC_KEY.fullmatch(text):
        raise Refused("invalid_request", "The 32 bytes of an Ed25519 public key in hexadecimal", field="publicKey")
    return bytes.fromhex(text)


# users -------------------------------------------------------------------------------------------------------------


def new_user(user_id: str, name: str, email: str | None, role: str, now: int) -> User:
    """Somebody who just registered."""
    return User(user_id, name, name_key(name), email, role, "active", 0, now, now)


def may_act(user: User | None) -> bool:
    """Is this somebody whose credentials count?"""
    return user is not None and user.status == "active"


def changed(user: User, request: ChangeUser, now: int) -> User:
    """The user with the changes asked for; the same record when there are none.

    A raised token version ends every session: for a new role, and for a password that somebody else set.
    """
    name = user.name if request.user_name is None else request.user_name
    email = user.email if request.email is None else request.email or None
    role = user.role if request.role is None else request.role
    new_password = request.password_hash is not None
    ends_all = role != user.role or (new_password and request.kept_session_id is None)
    version = user.token_version + 1 if ends_all else user.token_version
    after = replace(user, name=name, name_key=name_key(name), email=email, role=role, token_version=version)
    return user if after == user and not new_password else replace(after, updated_at=now)


def what_changed(user: User, after: User, request: ChangeUser) -> dict[str, object]:
    """What an admin changed, for the audit, which is for ever: what is personal is named and not repeated."""
    personal = {
        "userName": after.name != user.name,
        "email": after.email != user.email,
        "password": request.password_hash is not None,
    }
    changes: dict[str, object] = {"changed": [name for name, is_so in personal.items() if is_so]}
    return changes if after.role == user.role else changes | {"role": {"before": user.role, "after": after.role}}


def loses_admin(user: User, after: User) -> bool:
    """Is this an admin who will be one no longer?"""
    return is_acting_admin(user) and not is_acting_admin(after)


def is_acting_admin(user: User) -> bool:
    """Is this an admin who is not on the way out?"""
    return user.role == "admin" and user.status == "active"


def erased(user: User, now: int) -> User:
    """What stays of a deleted user: the id, for the books. No person can have such a name: it is too long for one."""
    return replace(
        user,
        name=f"deleted-{user.user_id}",
        name_key=None,
        email=None,
        status="deleted",
        token_version=user.token_version + 1,
        updated_at=now,
    )


# sessions ----------------------------------------------------------------------------------------------------------


class Refresh(Enum):
    """What to make of a refresh token that is genuine."""

    ROTATE = "the newest of its family: its successor comes"
    REPEAT = "the one before, just rotated: the answer was lost, the same successor comes again"
    REUSE = "an older one: somebody has a copy, the family ends"
    INVALID = "its session is over"


def judge_refresh(sign_in: SignIn | None, user: User | None, generation: int, now: int, grace_seconds: int) -> Refresh:
    """What to make of the refresh token of a generation of a session."""
    if sign_in is None or user is None or not may_act(user):
        return Refresh.INVALID
    over = sign_in.revoked_at is not None or sign_in.expires_at <= now or sign_in.token_version != user.token_version
    if over or generation > sign_in.generation:
        return Refresh.INVALID
    if generation == sign_in.generation:
        return Refresh.ROTATE
    repeated = generation == sign_in.generation - 1 and now <= sign_in.rotated_at + grace_seconds * SECOND
    return Refresh.REPEAT if repeated else Refresh.REUSE


def opened(session_id: str, user: User, now: int, life_days: int) -> SignIn:
    """A session that begins."""
    return SignIn(session_id, user.user_id, user.token_version, 0, now, now + life_days * DAY, None)


def rotated(sign_in: SignIn, now: int, life_days: int) -> SignIn:
    """A session whose refresh token was exchanged; the new one lives as long as the first did."""
    return replace(sign_in, generation=sign_in.generation + 1, rotated_at=now, expires_at=now + life_days * DAY)
