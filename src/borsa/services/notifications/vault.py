"""Secrets of webhooks: made once, shown once, and sealed wherever they are kept."""

import base64
import secrets
from pathlib import Path

from borsa.runtime.access import vault
from borsa.runtime.access.vault import Vault

KEY_FILE = "notifications.key"
SECRET_BYTES = 32

PREFIX = "whsec_"
"""How a secret of Standard Webhooks begins; base64 follows."""


def vault_in(folder: Path) -> Vault:
    """The vault of a data folder."""
    return vault.vault_in(folder, KEY_FILE)


def new_secret() -> str:
    """A fresh secret."""
    return PREFIX + base64.b64encode(secrets.token_bytes(SECRET_BYTES)).decode()
