"""The door of API keys: an account's own, managed by its user, signed in.

The secrets are made here, and shown; the command has what is kept of them.
"""

import hashlib
import re

from msgspec import UNSET

from borsa.errors import Refused
from borsa.runtime.access import keys
from borsa.runtime.access.identity import Identity
from borsa.runtime.http.call import Call
from borsa.runtime.http.page import NEWEST, PageQuery, after_cursor, next_cursor
from borsa.runtime.http.route import Route
from borsa.services.users import model, store
from borsa.services.users.model import CreateApiKey, DeleteApiKey
from borsa.services.users.wire import KeyPage, KeyReply, KeyWanted, key_reply

_ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


async def create_api_key(call: Call, body: KeyWanted) -> KeyReply:
    """POST /api/users/api-keys"""
    identity = signed_in(call)
    model.check_label(body.label)
    public, secret = model.public_key(body.type, body.public_key), keys.new_secret()
    request = CreateApiKey(
        user_id=identity.user_id,
        label=body.label,
        scopes=model.scopes_text(body.scopes),
        addresses=model.addresses_text(body.ip_allow_list),
        kind=body.type,
        verifier=public or _verifier(call, body.type, secret),
    )
    made = await call.ask(request, keyed=False)
    if body.type == "bearer":
        secret = keys.bearer_credential(made.key_id, secret)
    return key_reply(made, UNSET if public else secret)


def _verifier(call: Call, kind: str, secret: str) -> bytes:
    """What is kept of a secret, which itself goes no further than this."""
    if kind == "hmac":
        return keys.key_vault(call.settings.folder).seal(secret, call.identity.user_id)
    return hashlib.sha256(secret.encode()).digest()


async def list_api_keys(call: Call) -> KeyPage:
    """GET /api/users/api-keys"""
    identity = signed_in(call)
    query: PageQuery = call.query
    (before,) = after_cursor(query.cursor, NEWEST)
    found = await call.read(store.api_keys_page, identity.user_id, before, query.limit)
    cursor = next_cursor(found, query.limit, lambda key: (key.key_id,))
    return KeyPage(data=[key_reply(each) for each in found], next_cursor=cursor)


async def delete_api_key(call: Call) -> None:
    """DELETE /api/users/api-keys/{id}"""
    await call.ask(DeleteApiKey(user_id=signed_in(call).user_id, key_id=id_in_path(call)))


def signed_in(call: Call) -> Identity:
    """Who calls, in a session; an API key is refused."""
    if call.identity.by_api_key:
        raise Refused("forbidden", "An API key can't manage an account: sign in")
    return call.identity


def id_in_path(call: Call) -> str:
    """The id in the path; what can't be one is not there."""
    if not _ID.fullmatch(call.path["id"]):
        raise Refused("not_found")
    return call.path["id"]


ROUTES = (
    Route(
        "POST",
        "/api/users/api-keys",
        create_api_key,
        "user",
        "Make an API key",
        body=KeyWanted,
        reply=KeyReply,
        status=201,
        errors=("too_many_api_keys",),
    ),
    Route("GET", "/api/users/api-keys", list_api_keys, "user", "My API keys", query=PageQuery, reply=KeyPage),
    Route("DELETE", "/api/users/api-keys/{id}", delete_api_key, "user", "End an API key", status=204),
)
