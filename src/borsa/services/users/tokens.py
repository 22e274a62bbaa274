"""Tokens: access tokens are signed, refresh tokens are derived; the key file is the only secret behind both.

Access tokens are JWTs signed with Ed25519. A refresh token is `<session id>.<generation>.<mac>`, where the mac is 256
bits of HMAC-SHA256 over the two, under a secret that is derived from the key file. So:

- nothing of a refresh token has to be stored, not even a hash: the database knows the newest generation of a session;
- the successor of a token can be told again (a repeat after a lost answer) without having been kept;
- any older generation is recognised as genuine, which is what betrays a stolen copy, and a guess is not.

Whoever reads the databases can make no token from them. The file holds one private key or more, in PEM: the first
signs, all verify. To rotate, put a new key in front and restart; take the old one out when its tokens have ended.
"""

import base64
import hashlib
import hmac
import os
import re
from pathlib import Path
from typing import Self

import jwt
import msgspec
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from borsa.errors import CantStart
from borsa.runtime.access.auth import ALGORITHM, AUDIENCE, ISSUER, TOKEN_TYPE
from borsa.services.users.model import SECOND, User

FILE_NAME = "token-key.pem"

_PEM = re.compile(rb"-----BEGIN PRIVATE KEY-----.+?-----END PRIVATE KEY-----", re.DOTALL)
_REFRESH = re.compile(r"(?P<session>[0-9a-f-]{36})\.(?P<generation>0|[1-9][0-9]{0,11})\.[A-Za-z0-9_-]{43}")


class BadKeyFile(CantStart):
    """The key file can't be used; without it nobody can sign in."""


class Lineage(msgspec.Struct, frozen=True):
    """Which refresh token this is: the how-manieth of which session."""

    session_id: str
    generation: int


class SigningKey:
    """One private key: signs access tokens, and makes the macs of refresh tokens."""

    def __init__(self, private: Ed25519PrivateKey) -> None:
        self._private = private
        self.public = private.public_key().public_bytes_raw()
        self.key_id = thumbprint(self.public)
        derive = HKDF(hashes.SHA256(), length=32, salt=None, info=b"borsa refresh tokens")
        self._refresh_secret = derive.derive(private.private_bytes_raw())

    def access_token(self, user: User, session_id: str, token_id: str, now: int, life_seconds: int) -> str:
        """A JWT that says who its bearer is, for so many seconds; `now` in microseconds."""
        issued = now // SECOND
        claims = {
            "iss": ISSUER,
            "aud": AUDIENCE,
            "sub": user.user_id,
            "sid": session_id,
            "name": user.name,
            "role": user.role,
            "ver": user.token_version,
            "iat": issued,
            "exp": issued + life_seconds,
            "jti": token_id,
        }
        headers = {"typ": TOKEN_TYPE, "kid": self.key_id}
        return jwt.encode(claims, self._private, algorithm=ALGORITHM, headers=headers)

    def refresh_token(self, session_id: str, generation: int) -> str:
        """The refresh token of a generation of a session; always the same one."""
        text = f"{session_id}.{generation}"
        mac = hmac.digest(self._refresh_secret, text.encode(), hashlib.sha256)
        return f"{text}.{_base64(mac)}"


class Keyring:
    """The keys of the file."""

    def __init__(self, keys: list[SigningKey]) -> None:
        self._keys = keys
        self.signing = keys[0]

    @classmethod
    def open(cls, folder: Path) -> Self:
        """The keys of a data folder; the first time one is made, readable by its owner only."""
        path = folder / FILE_NAME
        if not path.exists():
            _create(path)
        return cls([_load(path, pem) for pem in _blocks(path)])

    @property
    def public_keys(self) -> dict[str, bytes]:
        """Raw public keys by key id."""
        return {key.key_id: key.public for key in self._keys}

    def lineage(self, refresh_token: str) -> Lineage | None:
        """Which refresh token this is; None when it is not one of ours."""
        found = _REFRESH.fullmatch(refresh_token)
        if found is None:
            return None
        session_id, generation = found["session"], int(found["generation"])
        made = [key.refresh_token(session_id, generation) for key in self._keys]
        genuine = any(hmac.compare_digest(each, refresh_token) for each in made)
        return Lineage(session_id, generation) if genuine else None


def thumbprint(public: bytes) -> str:
    """The key id of a public key: its RFC 7638 thumbprint."""
    members = msgspec.json.encode({"crv": "Ed25519", "kty": "OKP", "x": _base64(public)})
    return _base64(hashlib.sha256(members).digest())


def _create(path: Path) -> None:
    """Write a new key beside the file and move it there, so that no crash leaves half of one."""
    pem = Ed25519PrivateKey.generate().private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    fresh = path.with_suffix(".new")
    fresh.unlink(missing_ok=True)
    with open(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(pem)
        file.flush()
        os.fsync(file.fileno())
    fresh.rename(path)
    folder = os.open(path.parent, os.O_RDONLY)
    os.fsync(folder)
    os.close(folder)


def _blocks(path: Path) -> list[bytes]:
    blocks: list[bytes] = _PEM.findall(path.read_bytes())
    if not blocks:
        raise BadKeyFile(f"{path}: there is no private key in it")
    return blocks


def _load(path: Path, pem: bytes) -> SigningKey:
    try:
        private = serialization.load_pem_private_key(pem, password=None)
    except (ValueError, TypeError) as error:
        raise BadKeyFile(f"{path}: {error}") from None
    if not isinstance(private, Ed25519PrivateKey):
        raise BadKeyFile(f"{path}: the key is not an Ed25519 key")
    return SigningKey(private)


def _base64(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()
