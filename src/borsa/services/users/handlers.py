"""The deeds of users. Whatever ends access publishes AccessRevoked in the same transaction, so the edge hears of it.

A deed that must both change something and refuse (a stolen refresh token, a deletion that can't be) returns its
`Refused` instead of raising it: what a raising deed staged is taken back.
"""

import secrets
from collections.abc import Generator
from typing import Any

from msgspec.structs import replace

from borsa.errors import Refused
from borsa.events import AccessRevoked, UserCreated, UserDeleted, UserUpdated
from borsa.requests import (
    AccessState,
    CloseWallets,
    DescribeAccess,
    Done,
    FindUser,
    IdentifyKey,
    KeyHolder,
    Request,
    UserFound,
)
from borsa.runtime.access.auth import LEEWAY_SECONDS
from borsa.runtime.log import Fetch
from borsa.runtime.writing.transaction import Transaction
from borsa.services.users import model, passwords
from borsa.services.users.model import (
    SECOND,
    ApiKey,
    ChangeUser,
    CloseSession,
    CreateApiKey,
    DeleteApiKey,
    DeleteUser,
    ListPublicKeys,
    OpenSession,
    Password,
    PublicKeys,
    Refresh,
    RefreshSession,
    RegisterUser,
    SignIn,
    Tokens,
    User,
)
from borsa.services.users.store import Memory
from borsa.settings import BadSetting, variable_of

ADMIN = "admin"

Deleting = Generator[Request[Any], Any, Done | Refused]
"""A deletion on its way: asks wallets to close, and ends with how it went."""


# users -------------------------------------------------------------------------------------------------------------


def first_start(tx: Transaction, memory: Memory, _fetch: Fetch) -> None:
    """Make the user admin, once: with the password of the settings, or with one that is made up."""
    if not memory.is_empty():
        return
    given = memory.settings.admin_password
    if given:
        _check_given(given)
    else:
        memory.first_password = given = secrets.token_urlsafe(18)
    _create(tx, memory, model.new_user(tx.new_id(), ADMIN, None, "admin", tx.now), passwords.hashed(given))


def _check_given(password: str) -> None:
    try:
        passwords.check_strength(password, ADMIN)
    except Refused as refused:
        raise BadSetting(f"{variable_of('admin_password')}: {refused.detail}") from None


def register_user(tx: Transaction, memory: Memory, request: RegisterUser) -> User:
    """Somebody new."""
    _claim_name(memory, request.user_name)
    user = model.new_user(tx.new_id(), request.user_name, request.email, "user", tx.now)
    return _create(tx, memory, user, request.password_hash)


def _create(tx: Transaction, memory: Memory, user: User, password_hash: str) -> User:
    memory.users.add(user)
    memory.passwords.add(Password(user.user_id, password_hash))
    tx.publish(UserCreated(user_id=user.user_id, user_name=user.name))
    return user


def _claim_name(memory: Memory, name: str, user_id: str = "") -> None:
    holder = memory.user_named(name)
    if holder is not None and holder.user_id != user_id:
        raise Refused("user_name_taken", field="userName")


def change_user(tx: Transaction, memory: Memory, request: ChangeUser) -> User:
    """Another name, e-mail address, password or role. A password or a role that changes ends what was signed in."""
    user = _existing(memory, request.user_id)
    if user.status == "closing":
        # its time names the attempt to leave, until wallets has answered
        raise Refused("overloaded", "The user is leaving: try again when that is decided")
    if request.user_name is not None:
        _claim_name(memory, request.user_name, user.user_id)
    after = model.changed(user, request, tx.now)
    if after is user:
        return user
    _keep_an_admin(memory, user, after)
    if tx.admin is not None:
        tx.act("user.changed", user.user_id, **model.what_changed(user, after, request))
    if request.password_hash is not None:
        _replace_password(memory, user, request.password_hash, request.verified_hash)
    memory.users.put(after)
    tx.publish(UserUpdated(user_id=after.user_id, user_name=after.name))
    if after.token_version != user.token_version:
        _end_all_sessions(tx, after)
    elif request.password_hash is not None:
        _end_other_sessions(tx, memory, after.user_id, request.kept_session_id)
    return after


def _replace_password(memory: Memory, user: User, new_hash: str, verified_hash: str | None) -> None:
    kept = memory.passwords.get(user.user_id)
    if verified_hash is not None and (kept is None or kept.hash != verified_hash):
        raise Refused("forbidden", "The password was changed meanwhile", field="currentPassword")
    memory.passwords.put(Password(user.user_id, new_hash))


def _end_other_sessions(tx: Transaction, memory: Memory, user_id: str, kept_session_id: str | None) -> None:
    alive_since = _tokens_alive_since(tx, memory)
    for sign_in in memory.sign_ins_of(user_id):
        if sign_in.session_id != kept_session_id:
            _revoke(tx, memory, sign_in, tell=sign_in.rotated_at >= alive_since)


def _end_all_sessions(tx: Transaction, user: User) -> None:
    tx.publish(AccessRevoked(user_id=user.user_id, session_id=None, token_version=user.token_version))


def _keep_an_admin(memory: Memory, user: User, after: User) -> None:
    if model.loses_admin(user, after) and memory.acting_admins() == 1:
        raise Refused("last_admin")


def _existing(memory: Memory, user_id: str) -> User:
    user = memory.users.get(user_id)
    if user is None or user.status == "deleted":
        raise Refused("not_found")
    return user


def delete_user(tx: Transaction, memory: Memory, request: DeleteUser) -> Deleting:
    """Close the wallets for good, then erase the person. A crash in between leaves `closing`: the sweep goes on."""
    user = _existing(memory, request.user_id)
    if user.status != "closing":
        # the time names the attempt, so that there is no second one at the same time
        closing = replace(user, status="closing", updated_at=max(tx.now, user.updated_at + 1))
        _keep_an_admin(memory, user, closing)
        memory.users.put(closing)
    if tx.admin is not None:
        tx.act("user.deletion_asked", user.user_id)
    outcome = yield from _close(tx, memory, user.user_id)
    if tx.admin is not None:
        tx.act("user.deletion_refused" if isinstance(outcome, Refused) else "user.deleted", user.user_id)
    return outcome


def resume_deletions(tx: Transaction, memory: Memory) -> Deleting:
    """Go on with deletions that a crash or a fault interrupted. Asking twice does no harm."""
    for user_id in memory.closing():
        yield from _close(tx, memory, user_id)
    return Done()


def _close(tx: Transaction, memory: Memory, user_id: str) -> Deleting:
    leaving = memory.users.get(user_id)
    if leaving is None or leaving.status == "deleted":
        return Done()  # the sweep and the first asker were both at it: nothing to refuse, and nothing to take back
    attempt = leaving.updated_at
    try:
        yield CloseWallets(user_id=user_id, attempt=attempt)
    except Refused as refused:
        if refused.status < 500:
            _stay(tx, memory, user_id, attempt)
        return refused
    user = memory.users.get(user_id)
    if user is not None and user.status != "deleted":
        _erase(tx, memory, user)
    return Done()


def _stay(tx: Transaction, memory: Memory, user_id: str, attempt: int) -> None:
    user = memory.users.get(user_id)
    if user is not None and user.status == "closing" and user.updated_at == attempt:
        memory.users.put(replace(user, status="active", updated_at=max(tx.now, attempt)))


def _erase(tx: Transaction, memory: Memory, user: User) -> None:
    gone = model.erased(user, tx.now)
    memory.users.put(gone)
    memory.passwords.delete(user.user_id)
    for key in memory.api_keys_of(user.user_id):
        memory.api_keys.delete(key.key_id)
    tx.publish(UserDeleted(user_id=user.user_id))
    _end_all_sessions(tx, gone)


def find_user(_: Transaction, memory: Memory, request: FindUser) -> UserFound:
    """Does this user exist?"""
    user = _existing(memory, request.user_id)
    return UserFound(user.user_id, user.name)


# sessions ----------------------------------------------------------------------------------------------------------


def open_session(tx: Transaction, memory: Memory, request: OpenSession) -> Tokens:
    """Sign somebody in, whose password was found right."""
    user = memory.users.get(request.user_id)
    kept = memory.passwords.get(request.user_id)
    if user is None or kept is None or not model.may_act(user) or kept.hash != request.verified_hash:
        raise Refused("invalid_credentials")
    if request.new_hash is not None:
        memory.passwords.put(Password(user.user_id, request.new_hash))
    sign_in = model.opened(tx.new_id(), user, tx.now, memory.settings.refresh_token_days)
    memory.sign_ins.add(sign_in)
    return _tokens(tx, memory, user, sign_in)


def refresh_session(tx: Transaction, memory: Memory, request: RefreshSession) -> Tokens | Refused:
    """The next tokens of a session; a token that was used before ends it."""
    lineage = memory.keyring.lineage(request.refresh_token)
    sign_in = memory.sign_ins.get(lineage.session_id) if lineage else None
    user = memory.users.get(sign_in.user_id) if sign_in else None
    if lineage is None or sign_in is None or user is None:
        raise Refused("invalid_refresh_token")
    settings = memory.settings
    verdict = model.judge_refresh(sign_in, user, lineage.generation, tx.now, settings.refresh_grace_seconds)
    if verdict is Refresh.INVALID:
        raise Refused("invalid_refresh_token")
    if verdict is Refresh.REUSE:
        _revoke(tx, memory, sign_in)
        return Refused("invalid_refresh_token")
    if verdict is Refresh.ROTATE:
        sign_in = model.rotated(sign_in, tx.now, settings.refresh_token_days)
        memory.sign_ins.put(sign_in)
    return _tokens(tx, memory, user, sign_in)


def close_session(tx: Transaction, memory: Memory, request: CloseSession) -> Done:
    """Sign out."""
    sign_in = memory.sign_ins.get(request.session_id)
    if sign_in is not None and sign_in.revoked_at is None:
        _revoke(tx, memory, sign_in)
    return Done()


def _revoke(tx: Transaction, memory: Memory, sign_in: SignIn, *, tell: bool = True) -> None:
    """End a session. `tell` is false where no access token of it can be alive, and the edge need not know."""
    memory.sign_ins.put(replace(sign_in, revoked_at=tx.now))
    if tell:
        version = sign_in.token_version
        tx.publish(AccessRevoked(user_id=sign_in.user_id, session_id=sign_in.session_id, token_version=version))


def _tokens(tx: Transaction, memory: Memory, user: User, sign_in: SignIn) -> Tokens:
    key, life = memory.keyring.signing, memory.settings.access_token_seconds
    # by the clock, as it will be judged: a time that never goes back would be a future one after the clock has
    access = key.access_token(user, sign_in.session_id, tx.new_id(), tx.clock_now, life)
    return Tokens(access, key.refresh_token(sign_in.session_id, sign_in.generation), life)


def forget_sessions(tx: Transaction, memory: Memory) -> None:
    """Remove sessions that are over, once no access token of theirs can live."""
    for session_id in memory.sign_ins_over(_tokens_alive_since(tx, memory)):
        memory.sign_ins.delete(session_id)


def _tokens_alive_since(tx: Transaction, memory: Memory) -> int:
    """The time (microseconds) before which every access token has ended by now."""
    return tx.now - (memory.settings.access_token_seconds + 2 * LEEWAY_SECONDS) * SECOND


# what the edge asks ------------------------------------------------------------------------------------------------


def describe_access(tx: Transaction, memory: Memory, _: DescribeAccess) -> AccessState:
    """What the edge needs to judge access tokens: what was revoked longer ago than one can live is not told."""
    since = _tokens_alive_since(tx, memory)
    return AccessState(memory.keyring.public_keys, memory.revoked_since(since), memory.versions_since(since))


def list_public_keys(_: Transaction, memory: Memory, __: ListPublicKeys) -> PublicKeys:
    """The keys that access tokens are signed with, the newest first."""
    return PublicKeys(memory.keyring.public_keys)


def identify_key(_: Transaction, memory: Memory, request: IdentifyKey) -> KeyHolder:
    """Whose API key this is."""
    key = memory.api_keys.get(request.key_id)
    user = memory.users.get(key.user_id) if key else None
    if key is None or user is None or not model.may_act(user):
        raise Refused("unauthorized")
    return KeyHolder(
        key_id=key.key_id,
        kind=key.kind,
        verifier=key.verifier,
        user_id=user.user_id,
        user_name=user.name,
        role=user.role,
        scopes=key.scopes.split(),
        addresses=key.addresses.split(),
        token_version=user.token_version,
    )


# API keys ----------------------------------------------------------------------------------------------------------


def create_api_key(tx: Transaction, memory: Memory, request: CreateApiKey) -> ApiKey:
    """A credential for a program."""
    user = _existing(memory, request.user_id)
    most = memory.settings.api_keys_max
    if len(memory.api_keys_of(user.user_id)) >= most:
        raise Refused("too_many_api_keys", f"At most {most}")
    key = ApiKey(
        key_id=tx.new_id(),
        user_id=user.user_id,
        label=request.label,
        scopes=request.scopes,
        addresses=request.addresses,
        kind=request.kind,
        verifier=request.verifier,
        created_at=tx.now,
    )
    memory.api_keys.add(key)
    return key


def delete_api_key(tx: Transaction, memory: Memory, request: DeleteApiKey) -> Done:
    """End an API key, at once."""
    key = memory.api_keys.get(request.key_id)
    if key is None or key.user_id != request.user_id:
        raise Refused("not_found")
    user = _existing(memory, request.user_id)
    memory.api_keys.delete(key.key_id)
    tx.publish(AccessRevoked(user_id=user.user_id, session_id=key.key_id, token_version=user.token_version))
    return Done()
