"""The door of users.

Passwords are judged and hashed here, at the edge, so that the writer never waits for it and no command carries one.
Whoever comes with an API key may read the profile, and nothing else here: an account is managed by its user, signed in.
"""

import structlog
from msgspec import UNSET, UnsetType
from msgspec.structs import replace

from borsa.errors import Refused
from borsa.runtime.clock import time_text
from borsa.runtime.http.call import Call
from borsa.runtime.http.cookies import kept_cookie
from borsa.runtime.http.limits import network_of
from borsa.runtime.http.page import NEWEST, PageQuery, after_cursor, next_cursor
from borsa.runtime.http.route import Answered, Route
from borsa.services.users import keys_api, model, passwords, store
from borsa.services.users.keys_api import id_in_path, signed_in
from borsa.services.users.model import (
    ChangeUser,
    CloseSession,
    DeleteUser,
    ListPublicKeys,
    OpenSession,
    RefreshSession,
    RegisterUser,
    Tokens,
    User,
)
from borsa.services.users.wire import (
    AccessToken,
    Credentials,
    Jwks,
    ProfileChange,
    RefreshToken,
    Registration,
    TokensReply,
    UserChange,
    UserPage,
    UserReply,
    Validity,
    jwk,
    tokens_reply,
    user_reply,
)

REFRESH_COOKIE = "borsa_refresh"
COOKIE_PATH = "/api/users"
"""The cookie is sent to the account's own paths, by the page of this server only."""

DAY_SECONDS = 24 * 60 * 60

_log = structlog.get_logger("borsa")


# signing up, in and out --------------------------------------------------------------------------------------------


async def register(call: Call, body: Registration) -> UserReply:
    """POST /api/users/register and POST /api/users. Names that are taken can be found out, so slowly."""
    call.means.limits.registrations_of_address.take(network_of(call.address))
    model.check_user_name(body.user_name)
    model.check_email(body.email)
    # a repeat with its Idempotency-Key finds its own name taken: the deed will know it
    if call.once is None and await call.read(store.user_by_name, body.user_name) is not None:
        raise Refused("user_name_taken", field="userName")
    hashed = await _new_hash(call, body.password, body.user_name)
    return user_reply(await call.ask(RegisterUser(user_name=body.user_name, email=body.email, password_hash=hashed)))


async def login(call: Call, body: Credentials) -> Answered:
    """POST /api/users/login"""
    user = await call.read(store.user_by_name, body.user_name)
    kept = await call.read(store.password_hash_of, user.user_id if user else "")
    right = await _is_right(call, body.user_name, kept, body.password)
    if user is None or kept is None or not right:
        _log.info("sign_in_failed", user_id=user.user_id if user else None, address=call.address)
        raise Refused("invalid_credentials")
    new_hash = await _hashed(call, body.password) if passwords.is_outdated(kept) else None
    request = OpenSession(user_id=user.user_id, verified_hash=kept, new_hash=new_hash)
    return _answered(call, await call.ask(request, keyed=False), by_cookie=body.cookie)


async def refresh(call: Call, body: RefreshToken) -> Answered:
    """POST /api/users/refresh_token"""
    tokens = await call.ask(RefreshSession(refresh_token=_refresh_token(call, body)), keyed=False)
    return _answered(call, tokens, by_cookie=body.cookie)


def _refresh_token(call: Call, body: RefreshToken) -> str:
    if body.cookie:
        if body.refresh_token is not UNSET:
            raise Refused("invalid_request", "Either refreshToken or cookie", field="refreshToken")
        kept = call.cookie(REFRESH_COOKIE)
        if kept is None:
            raise Refused("invalid_refresh_token")
        return kept
    if body.refresh_token is UNSET:
        raise Refused("invalid_request", "refreshToken is missing", field="refreshToken")
    return body.refresh_token


def _answered(call: Call, tokens: Tokens, *, by_cookie: bool) -> Answered:
    headers = {}
    if by_cookie:
        headers["set-cookie"] = _cookie(call, tokens.refresh_token, call.settings.refresh_token_days * DAY_SECONDS)
    return Answered(tokens_reply(tokens, by_cookie=by_cookie), 200, headers)


def _cookie(call: Call, value: str, seconds: int) -> str:
    return kept_cookie(REFRESH_COOKIE, value, COOKIE_PATH, seconds, encrypted=call.is_encrypted)


async def validate(call: Call, body: AccessToken) -> Validity:
    """POST /api/users/validate"""
    authenticator = call.means.authenticator
    try:
        identity = authenticator.verify(body.token.encode())
    except Refused:
        return Validity(valid=False)
    if not authenticator.holds(identity):
        return Validity(valid=False)
    return Validity(
        valid=True,
        user_id=identity.user_id,
        user_name=identity.user_name,
        role=identity.role,
        expires_at=time_text(identity.expires_at * model.SECOND),
    )


async def logout(call: Call) -> Answered:
    """POST /api/users/logout"""
    await call.ask(CloseSession(session_id=signed_in(call).session_id))
    ended = {} if call.cookie(REFRESH_COOKIE) is None else {"set-cookie": _cookie(call, "", 0)}
    return Answered(b"", 204, ended)


async def list_public_keys(call: Call) -> Jwks:
    """GET /.well-known/jwks.json"""
    found = await call.ask(ListPublicKeys())
    return Jwks(keys=[jwk(key_id, raw) for key_id, raw in found.keys.items()])


# users -------------------------------------------------------------------------------------------------------------


async def get_profile(call: Call) -> UserReply:
    """GET /api/users/profile"""
    return user_reply(await _found(call, call.identity.user_id))


async def change_profile(call: Call, body: ProfileChange) -> UserReply:
    """PUT /api/users/profile"""
    identity = signed_in(call)
    user = await _found(call, identity.user_id)
    verified = None
    if body.password is not UNSET or body.current_password is not UNSET:
        verified = await _current_hash(call, user, body.current_password)
    hashed = await _changes(call, user, body)
    change = replace(_change(user, body), password_hash=hashed)
    return user_reply(await call.ask(replace(change, verified_hash=verified, kept_session_id=identity.session_id)))


def _change(user: User, body: ProfileChange | UserChange) -> ChangeUser:
    name = None if body.user_name is UNSET else body.user_name
    email = None if body.email is UNSET else body.email or ""
    return ChangeUser(user_id=user.user_id, user_name=name, email=email)


async def delete_profile(call: Call) -> None:
    """DELETE /api/users/profile"""
    await call.ask(DeleteUser(user_id=signed_in(call).user_id))


async def list_users(call: Call) -> UserPage:
    """GET /api/users"""
    signed_in(call)
    query: PageQuery = call.query
    (before,) = after_cursor(query.cursor, NEWEST)
    found = await call.read(store.users_page, before, query.limit)
    cursor = next_cursor(found, query.limit, lambda user: (user.user_id,))
    return UserPage(data=[user_reply(each) for each in found], next_cursor=cursor)


async def get_user(call: Call) -> UserReply:
    """GET /api/users/{id}"""
    signed_in(call)
    return user_reply(await _found(call, id_in_path(call)))


async def change_user(call: Call, body: UserChange) -> UserReply:
    """PUT /api/users/{id}"""
    identity = signed_in(call)
    user = await _found(call, id_in_path(call))
    if body.password is not UNSET and user.user_id == identity.user_id:
        raise Refused("forbidden", "Your own password is changed in your profile, with the current one")
    hashed = await _changes(call, user, body)
    role = None if body.role is UNSET else body.role
    return user_reply(await call.ask(replace(_change(user, body), role=role, password_hash=hashed)))


async def delete_user(call: Call) -> None:
    """DELETE /api/users/{id}"""
    signed_in(call)
    await call.ask(DeleteUser(user_id=id_in_path(call)))


# passwords ---------------------------------------------------------------------------------------------------------


async def _is_right(call: Call, user_name: str, kept: str | None, password: str) -> bool:
    """Is this the password? Wrong ones count for the name, known or not, and for the address: the next one waits."""
    settings, failures = call.settings, call.means.limits.failures
    who, where = f"name {model.name_key(user_name)}", f"address {network_of(call.address)}"

    def attempt() -> bool:
        # once more, where there is only one at a time: guesses that were sent all at once don't pass the count
        failures.check(who, where)
        right = passwords.matches(kept, password)
        if right:
            failures.forgive(who)
        else:
            failures.add(who, settings.sign_in_failures_max, settings.sign_in_window_seconds)
            failures.add(where, settings.address_sign_in_failures_max, settings.sign_in_window_seconds)
        return right

    failures.check(who, where)
    return await passwords.SLOW.run(settings.password_queue_max, attempt)


async def _current_hash(call: Call, user: User, password: str | UnsetType) -> str | None:
    """What the user's password is kept as, once the current one is proven."""
    if password is UNSET:
        raise Refused("invalid_request", "A new password needs the current one", field="currentPassword")
    kept = await call.read(store.password_hash_of, user.user_id)
    if not await _is_right(call, user.name, kept, password):
        raise Refused("forbidden", "The current password is wrong", field="currentPassword")
    return kept


async def _changes(call: Call, user: User, body: ProfileChange | UserChange) -> str | None:
    """The hash of the new password, if there is one, when all that is to change is as it must be."""
    if body.user_name is not UNSET:
        model.check_user_name(body.user_name)
    if body.email is not UNSET:
        model.check_email(body.email)
    if body.password is UNSET:
        return None
    return await _new_hash(call, body.password, user.name if body.user_name is UNSET else body.user_name)


async def _new_hash(call: Call, password: str, user_name: str) -> str:
    """The hash of a password that is good enough."""
    passwords.check_strength(password, user_name)
    if call.once is not None:
        call.once = await passwords.SLOW.run(call.settings.password_queue_max, passwords.stretched, call.once)
    return await _hashed(call, password)


async def _hashed(call: Call, password: str) -> str:
    return await passwords.SLOW.run(call.settings.password_queue_max, passwords.hashed, password)


# whom ---------------------------------------------------------------------------------------------------------------


async def _found(call: Call, user_id: str) -> User:
    user = await call.read(store.user_by_id, user_id)
    if user is None:
        raise Refused("not_found")
    return user


_CHANGE = ("not_found", "user_name_taken", "weak_password")
_LEAVING = ("not_found", "user_not_empty", "last_admin")


def _sign_up(path: str) -> Route:
    """Signing up, at one of its two paths: the specification has both."""
    errors = ("user_name_taken", "weak_password", "too_many_requests")
    return Route(
        "POST", path, register, "public", "Sign up", body=Registration, reply=UserReply, status=201, errors=errors
    )


ROUTES = (
    _sign_up("/api/users/register"),
    _sign_up("/api/users"),
    Route(
        "POST",
        "/api/users/login",
        login,
        "public",
        "Sign in",
        body=Credentials,
        reply=TokensReply,
        errors=("invalid_credentials", "too_many_requests"),
    ),
    Route(
        "POST",
        "/api/users/refresh_token",
        refresh,
        "public",
        "Exchange a refresh token for the next tokens",
        body=RefreshToken,
        reply=TokensReply,
        errors=("invalid_refresh_token",),
    ),
    Route(
        "POST",
        "/api/users/validate",
        validate,
        "public",
        "Is this access token valid, and whose is it?",
        body=AccessToken,
        reply=Validity,
    ),
    Route("POST", "/api/users/logout", logout, "user", "Sign out", status=204),
    Route("GET", "/api/users/profile", get_profile, "user", "Who I am", reply=UserReply, errors=("not_found",)),
    Route(
        "PUT",
        "/api/users/profile",
        change_profile,
        "user",
        "Change my name, e-mail address or password",
        body=ProfileChange,
        reply=UserReply,
        errors=(*_CHANGE, "too_many_requests"),
    ),
    Route("DELETE", "/api/users/profile", delete_profile, "user", "Leave for good", status=204, errors=_LEAVING),
    *keys_api.ROUTES,
    Route("GET", "/api/users", list_users, "admin", "Users, newest first", query=PageQuery, reply=UserPage),
    Route("GET", "/api/users/{id}", get_user, "admin", "A user", reply=UserReply),
    Route(
        "PUT",
        "/api/users/{id}",
        change_user,
        "admin",
        "Change a user's name, e-mail address, role or password",
        body=UserChange,
        reply=UserReply,
        errors=(*_CHANGE, "last_admin"),
    ),
    Route("DELETE", "/api/users/{id}", delete_user, "admin", "Remove a user for good", status=204, errors=_LEAVING),
    Route("GET", "/.well-known/jwks.json", list_public_keys, "public", "Public keys of access tokens", reply=Jwks),
)
