"""API keys at the door: whose they are, from where they may be used, and what proves that somebody has one.

Three kinds. `bearer`: the client sends the secret; we know its SHA-256. `hmac`: the client signs with the secret
(HMAC-SHA256); we keep it sealed, and only the door opens it. `ed25519`: the client signs with a private key that it
alone has; we know the public one. The door asks `users` once for a key, and again after any end of access.
"""

import hashlib
import hmac
import ipaddress
import secrets
from collections.abc import Callable
from pathlib import Path

import structlog
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from borsa.errors import Refused
from borsa.requests import IdentifyKey, KeyHolder
from borsa.runtime.access.identity import NEVER, Identity
from borsa.runtime.access.signing import Signed, Taken, check_time
from borsa.runtime.access.vault import NotOpened, Vault, vault_in
from borsa.runtime.bus import Origin
from borsa.runtime.clock import Clock
from borsa.runtime.edge import Edge
from borsa.settings import Settings

KEY_PREFIX = "borsa_"
KEY_ID_LENGTH = 36
KEY_FILE = "api-keys.key"
SECRET_BYTES = 32

_log = structlog.get_logger("borsa")


def new_secret() -> str:
    """A fresh secret of 256 bits, in letters, digits, '-' and '_'."""
    return secrets.token_urlsafe(SECRET_BYTES)


def key_vault(folder: Path) -> Vault:
    """What the secrets of `hmac` keys are sealed with."""
    return vault_in(folder, KEY_FILE)


def bearer_credential(key_id: str, secret: str) -> str:
    """What a client sends that has a `bearer` key."""
    return f"{KEY_PREFIX}{key_id}_{secret}"


class Key:
    """A key that somebody holds."""

    def __init__(self, holder: KeyHolder, folder: Path) -> None:
        self.holder = holder
        self.identity = Identity(
            user_id=holder.user_id,
            user_name=holder.user_name,
            role=holder.role,
            session_id=holder.key_id,
            scopes=tuple(holder.scopes),
            expires_at=NEVER,
            token_version=holder.token_version,
        )
        self._networks = [ipaddress.ip_network(each) for each in holder.addresses]
        self.signed = _judge(holder, folder)

    def has_secret(self, secret: str) -> bool:
        """Is this the secret of a `bearer` key?"""
        digest = hashlib.sha256(secret.encode()).digest()
        return self.holder.kind == "bearer" and hmac.compare_digest(self.holder.verifier, digest)

    def check_address(self, address: str) -> None:
        """Refuse whoever is not where the key may be used."""
        if self._networks and not self._reaches(address):
            raise Refused("forbidden", "This API key may not be used from this address")

    def _reaches(self, address: str) -> bool:
        try:
            asked = ipaddress.ip_address(address)
        except ValueError:
            return False
        return any(asked in each for each in self._networks)


def _judge(holder: KeyHolder, folder: Path) -> Callable[[bytes, bytes], bool]:
    """What says whether a text was signed so with a key."""
    if holder.kind == "ed25519":
        public = Ed25519PublicKey.from_public_bytes(holder.verifier)

        def by_private_key(text: bytes, signature: bytes) -> bool:
            try:
                public.verify(signature, text)
            except InvalidSignature:
                return False
            return True

        return by_private_key
    if holder.kind == "hmac":
        try:
            secret = key_vault(folder).open(holder.verifier, holder.user_id).encode()
        except NotOpened:
            _log.error("api_key_not_opened", key_id=holder.key_id, key_file=KEY_FILE)
        else:
            return lambda text, signature: hmac.compare_digest(hmac.digest(secret, text, "sha256"), signature)
    return lambda _text, _signature: False


class Keys:
    """The keys that were used of late."""

    def __init__(self, edge: Edge, settings: Settings, clock: Clock) -> None:
        self._edge = edge
        self._clock = clock
        self._folder = settings.folder
        self._most = settings.verified_tokens_max
        self._taken = Taken(clock, settings.signed_requests_max)
        self._found: dict[str, Key] = {}
        self._bearers: dict[bytes, Key] = {}

    def forget(self) -> None:
        """Some access ended: ask again whose keys these are. On whatever thread."""
        # new ones instead of emptied ones: an answer that is on its way goes where nobody looks
        self._found, self._bearers = {}, {}

    async def of_credential(self, credential: bytes, address: str) -> Identity:
        """Who sends this secret; refused with `unauthorized`, or `forbidden` from elsewhere."""
        key = self._bearers.get(credential) or await self._bearer(credential)
        key.check_address(address)
        return key.identity

    async def of_signature(self, signed: Signed, address: str) -> Identity:
        """Who signed this request; refused with `unauthorized`, `forbidden` from elsewhere, `request_replayed`."""
        check_time(signed, self._clock.now() // 1000)
        key = await self._find(signed.key_id)
        if not key.signed(signed.text, signed.signature):
            raise Refused("unauthorized", "The signature is not right for this key and this request")
        key.check_address(address)
        if signed.changes:
            self._taken.take(signed, key.identity.user_id)
        return key.identity

    async def _bearer(self, credential: bytes) -> Key:
        bearers = self._bearers
        try:
            key_id, _, secret = credential.decode("ascii").removeprefix(KEY_PREFIX).partition("_")
        except UnicodeDecodeError:
            raise Refused("unauthorized") from None
        key = await self._find(key_id)
        if not key.has_secret(secret):
            raise Refused("unauthorized")
        if len(bearers) >= self._most:
            bearers.clear()
        bearers[credential] = key
        return key

    async def _find(self, key_id: str) -> Key:
        found = self._found
        key = found.get(key_id)
        if key is None:
            if len(key_id) != KEY_ID_LENGTH:
                raise Refused("unauthorized")
            key = Key(await self._edge.ask(IdentifyKey(key_id=key_id), Origin("api-key")), self._folder)
            if len(found) >= self._most:
                found.clear()
            found[key_id] = key
        return key
