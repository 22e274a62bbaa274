"""Users: who they are is what was told of them, and what they sign in with is theirs."""

import json
import unicodedata
from collections.abc import Iterator
from typing import Any

import msgspec

from borsa.commands.audit.check import Check, Look
from borsa.commands.audit.moment import of
from borsa.commands.audit.witness import DECODE
from borsa.events import AccessRevoked, UserCreated, UserDeleted, UserUpdated


class _Known(msgspec.Struct):
    """What was told of a user."""

    name: str = ""
    gone: bool = False
    token_version: int = 0


def rows_are_as_told(look: Look) -> Iterator[str]:
    """Each user's row has its event; its name, its status and its token version are those that were last told."""
    known = _known(look)
    rows = "SELECT user_id, name, name_key, status, token_version FROM users.users"
    for user_id, *kept, status, token_version in look.each(rows):
        told = known.pop(user_id, None)
        if told is None:
            yield f"user {user_id} is a row without an event"
            continue
        name, key = _names(user_id, told)
        if kept != [name, key]:
            yield f"user {user_id} is named {kept[0]} (found as {kept[1]}), last told was {name}"
        if (status == "deleted") != told.gone:
            yield f"user {user_id} is {status}, and {'was' if told.gone else 'was never'} told to be deleted"
        if token_version != told.token_version:
            yield f"user {user_id} has the token version {token_version}, last told was {told.token_version}"
    for user_id in known:
        yield f"user {user_id} is an event without a row"


def _known(look: Look) -> dict[str, _Known]:
    known: dict[str, _Known] = {}
    for kind, data in look.each("SELECT type, data FROM users.log ORDER BY sequence"):
        event: Any = DECODE[kind](data)
        if isinstance(event, UserCreated | UserUpdated):
            known.setdefault(event.user_id, _Known()).name = event.user_name
        elif isinstance(event, UserDeleted):
            known.setdefault(event.user_id, _Known()).gone = True
        elif isinstance(event, AccessRevoked) and event.session_id is None:
            known.setdefault(event.user_id, _Known()).token_version = event.token_version
    return known


def _names(user_id: str, told: _Known) -> tuple[str, str | None]:
    """A name, and how it is compared; of who left only an id stays."""
    if told.gone:
        return f"deleted-{user_id}", None
    return told.name, unicodedata.normalize("NFKC", told.name).casefold()


_ROLES = "SELECT target, details FROM users.actions WHERE action = 'user.changed' ORDER BY sequence"
_UNGIVEN = """
    SELECT user_id, role FROM users.users
    WHERE role != 'user' AND created_at >= (SELECT min(time) FROM users.actions)
"""


def roles_are_given(look: Look) -> Iterator[str]:
    """A role is what an admin made it last; nobody came with one since there are actions."""
    given: dict[str, str] = {}
    for user_id, details in look.each(_ROLES):
        if change := json.loads(details).get("role"):
            given[user_id] = change["after"]
    for user_id, role in look.each("SELECT user_id, role FROM users.users"):
        if role != given.get(user_id, role):
            yield f"user {user_id} is {role}, an admin made them {given[user_id]}"
    for user_id, role in look.wrong(_UNGIVEN):
        if user_id not in given:
            yield f"user {user_id} is {role}, and no admin made them so"


_PASSWORDS = """
    SELECT u.user_id, u.status, p.user_id FROM users.users u FULL JOIN users.passwords p ON p.user_id = u.user_id
    WHERE (u.status IS NULL OR u.status = 'deleted') = (p.user_id IS NOT NULL)
"""
_SIGN_INS = """
    SELECT s.session_id, s.user_id, u.user_id FROM users.sign_ins s LEFT JOIN users.users u ON u.user_id = s.user_id
    WHERE u.user_id IS NULL OR s.token_version > u.token_version
"""
_KEYS = """
    SELECT k.key_id, k.user_id FROM users.api_keys k LEFT JOIN users.users u ON u.user_id = k.user_id
    WHERE u.user_id IS NULL OR u.status = 'deleted'
"""


def credentials_are_of_users(look: Look) -> Iterator[str]:
    """Who is there has a password, and nobody else; sessions and keys are of users, and no newer than they are."""
    for table in ("passwords", "sign_ins", "api_keys"):
        look.among(of("users", "SELECT count(*) FROM $service.$table", table=table))
    for user_id, status, holder in look.wrong(_PASSWORDS):
        if holder is None:
            yield f"user {user_id} ({status}) has no password"
        else:
            yield f"there is a password of user {holder}, who is {status or 'nobody'}"
    for session_id, user_id, known in look.wrong(_SIGN_INS):
        yield f"session {session_id} of user {user_id} is {'newer than the user' if known else 'of nobody'}"
    for key_id, user_id in look.wrong(_KEYS):
        yield f"API key {key_id} is of user {user_id}, who is not there"


CHECKS = (
    Check("I-31", "each user's row has its event, and is as it was last told", rows_are_as_told, ("I-33",)),
    Check("I-31", "each role is what an admin made it", roles_are_given),
    Check("F10", "passwords, sessions and API keys are of users who are there", credentials_are_of_users),
)
