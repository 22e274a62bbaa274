"""Secrets at rest: sealed wherever they are kept (AES-256-GCM).

A secret that has to be usable can't be kept as a hash. What seals it is a key file in the data folder that only its
owner can read: a database alone, or a backup of it, gives no secret away.
"""

import os
import secrets
from functools import lru_cache
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

KEY_BYTES = 32
NONCE_BYTES = 12


class NotOpened(ValueError):
    """A secret that was not sealed with this key for this user."""


class Vault:
    """Seals and opens secrets; what was sealed for one user opens for no other."""

    def __init__(self, key: bytes) -> None:
        self._cipher = AESGCM(key)

    def seal(self, secret: str, user_id: str) -> bytes:
        """A secret as it may be kept; each time sealed otherwise."""
        nonce = secrets.token_bytes(NONCE_BYTES)
        return nonce + self._cipher.encrypt(nonce, secret.encode(), user_id.encode())

    def open(self, sealed: bytes, user_id: str) -> str:
        """The secret, as its owner was shown it."""
        try:
            opened = self._cipher.decrypt(sealed[:NONCE_BYTES], sealed[NONCE_BYTES:], user_id.encode())
        except (InvalidTag, ValueError):
            raise NotOpened("this is not the key that sealed this secret") from None
        return opened.decode()


@lru_cache(maxsize=16)
def vault_in(folder: Path, key_file: str) -> Vault:
    """The vault of a key file in a data folder; the key is made at the first call."""
    return Vault(key_in(folder, key_file))


def key_in(folder: Path, key_file: str) -> bytes:
    """The key of a file in a data folder, made at the first call."""
    path = folder / key_file
    if not path.exists():
        _make_key(path)
    return path.read_bytes()


def _make_key(path: Path) -> None:
    """Write a new key under a name of its own and link it in place: whole, or not at all, and never over another."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    temporary = path.with_name(f"{path.name}.{os.getpid()}.{secrets.token_hex(4)}")
    with open(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(secrets.token_bytes(KEY_BYTES))
        file.flush()
        os.fsync(file.fileno())
    try:
        os.link(temporary, path)
    except FileExistsError:
        pass
    finally:
        temporary.unlink()
