"""Who calls: access tokens (JWT, EdDSA) and API keys, verified once and remembered until they end or are revoked."""

import base64
import json
from collections.abc import Sequence

import jwt
import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from borsa.errors import Refused
from borsa.events import AccessRevoked
from borsa.requests import AccessState
from borsa.runtime.access.identity import SCOPES, Identity
from borsa.runtime.access.keys import KEY_PREFIX, Keys
from borsa.runtime.access.signing import Signed
from borsa.runtime.clock import Clock
from borsa.runtime.edge import Edge
from borsa.runtime.log import Recorded
from borsa.settings import Settings

ISSUER = "borsa"
AUDIENCE = "borsa-api"
TOKEN_TYPE = "at+jwt"  # noqa: S105
ALGORITHM = "EdDSA"
LEEWAY_SECONDS = 5
_CLAIMS = ["exp", "iat", "iss", "aud", "sub", "sid", "name", "role", "ver"]


class Revocations:
    """What ended before its time: sessions, and the versions below which a user's tokens are void.

    An entry counts as long as a token that it voids can live; older ones are forgotten as new ones come.
    """

    def __init__(self, clock: Clock, life_seconds: int) -> None:
        self._clock = clock
        self._life = (life_seconds + 2 * LEEWAY_SECONDS) * 1_000_000
        self._sessions: dict[str, int] = {}
        self._versions: dict[str, tuple[int, int]] = {}

    def add(self, user_id: str, session_id: str | None, version: int) -> None:
        """A session, or all older tokens of a user, ended now."""
        now = self._clock.now()
        if session_id is not None:
            self._sessions[session_id] = now
        else:
            self._versions[user_id] = (version, now)
        self._forget_before(now - self._life)

    def _forget_before(self, time: int) -> None:
        # both are in the order of their times, but for an entry that was renewed: it only stays longer
        while self._sessions and next(iter(self._sessions.values())) < time:
            del self._sessions[next(iter(self._sessions))]
        while self._versions and next(iter(self._versions.values()))[1] < time:
            del self._versions[next(iter(self._versions))]

    def include(self, identity: Identity) -> bool:
        """Has the access that this identity was given ended?"""
        version, _ = self._versions.get(identity.user_id, (0, 0))
        return identity.session_id in self._sessions or identity.token_version < version


class Authenticator:
    """Judges credentials at the edge. Follows AccessRevoked, so an ended session is over at once."""

    def __init__(self, edge: Edge, settings: Settings, clock: Clock) -> None:
        self._clock = clock
        self._cached_max = settings.verified_tokens_max
        self._header_max = settings.header_bytes_max
        self._keys: dict[str, Ed25519PublicKey] = {}
        self._revocations = Revocations(clock, settings.access_token_seconds)
        self._tokens: dict[bytes, Identity] = {}
        self._api_keys = Keys(edge, settings, clock)

    def begin(self, state: AccessState) -> None:
        """Take over what users knows already: its keys, and what ended while tokens of it may still live."""
        self._keys = {kid: Ed25519PublicKey.from_public_bytes(raw) for kid, raw in state.keys.items()}
        for session_id in state.revoked:
            self._revocations.add("", session_id, 0)
        for user_id, version in state.versions.items():
            self._revocations.add(user_id, None, version)

    def is_listening(self) -> bool:
        """Always: an end of access must not be missed."""
        return True

    def observe(self, events: Sequence[Recorded]) -> None:
        """Take committed events of users, on their writer's thread."""
        for recorded in events:
            event = recorded.event if recorded.type == AccessRevoked.__name__ else None
            if isinstance(event, AccessRevoked):
                self._revocations.add(event.user_id, event.session_id, event.token_version)
                self._api_keys.forget()

    async def identify(self, header: bytes | None, address: str) -> Identity:
        """Who an Authorization header belongs to; refused with `unauthorized`, always in the same words."""
        if header is None or header[:7].lower() != b"bearer ":
            raise Refused("unauthorized")
        if len(header) > self._header_max:
            raise Refused("headers_too_large")
        credential = header[7:]
        if credential.startswith(KEY_PREFIX.encode()):
            return await self._api_keys.of_credential(credential, address)
        identity = self._tokens.get(credential)
        if identity is None:
            identity = self._remember(credential, self.verify(credential))
        if not self.holds(identity):
            raise Refused("unauthorized")
        return identity

    async def identify_signed(self, signed: Signed, address: str) -> Identity:
        """Who signed a request; what changes something is taken once."""
        return await self._api_keys.of_signature(signed, address)

    def verify(self, token: bytes) -> Identity:
        """The identity in a valid access token; refused with `unauthorized` for every other."""
        try:
            header = jwt.get_unverified_header(token)
            # exactly these: a header that brings a key or an extension of its own is none of ours
            if header != {"alg": ALGORITHM, "typ": TOKEN_TYPE, "kid": header["kid"]} or _says_twice(token):
                raise Refused("unauthorized")
            claims = jwt.decode(
                token,
                self._keys[header["kid"]],
                algorithms=[ALGORITHM],
                issuer=ISSUER,
                audience=AUDIENCE,
                leeway=LEEWAY_SECONDS,
                # the clock of this exchange judges times, as `holds` does each time again
                options={"require": _CLAIMS, "verify_exp": False, "verify_iat": False},
            )
            if (int(claims["iat"]) - LEEWAY_SECONDS) * 1_000_000 > self._clock.now():
                raise Refused("unauthorized")
            return msgspec.convert(
                {
                    "user_id": claims["sub"],
                    "user_name": claims["name"],
                    "role": claims["role"],
                    "session_id": claims["sid"],
                    "scopes": SCOPES,
                    "expires_at": claims["exp"],
                    "token_version": claims["ver"],
                },
                Identity,
            )
        except (jwt.PyJWTError, KeyError, TypeError, ValueError, OverflowError, RecursionError):
            raise Refused("unauthorized") from None

    def holds(self, identity: Identity) -> bool:
        """Is what a token said still so?"""
        alive = (identity.expires_at + LEEWAY_SECONDS) * 1_000_000 > self._clock.now()
        return alive and not self._revocations.include(identity)

    def _remember(self, token: bytes, identity: Identity) -> Identity:
        if len(self._tokens) >= self._cached_max:
            self._tokens.clear()
        self._tokens[token] = identity
        return identity


def _says_twice(token: bytes) -> bool:
    """Does the header or the payload name a member twice? Readers disagree on which of the two counts."""
    repeated = False

    def note(members: list[tuple[str, object]]) -> dict[str, object]:
        nonlocal repeated
        repeated = repeated or len(dict(members)) < len(members)
        return dict(members)

    for segment in token.split(b".")[:2]:
        json.loads(base64.urlsafe_b64decode(segment + b"=" * (-len(segment) % 4)), object_pairs_hook=note)
    return repeated
