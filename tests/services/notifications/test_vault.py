"""Secrets at rest."""

import base64
import os
import stat
import threading
from pathlib import Path

import pytest

from borsa.services.notifications.vault import KEY_FILE, NotOpened, Vault, vault_in


def test_a_secret_is_sealed_for_its_user(tmp_path: Path) -> None:
    vault = vault_in(tmp_path)
    sealed = vault.new_secret("ada")
    secret = vault.open(sealed, "ada")
    assert len(base64.b64decode(secret.removeprefix("whsec_"))) == 32
    assert secret.encode() not in sealed
    assert vault.new_secret("ada") != sealed
    with pytest.raises(NotOpened):
        vault.open(sealed, "bob")
    with pytest.raises(NotOpened):
        Vault(os.urandom(32)).open(sealed, "ada")
    with pytest.raises(NotOpened):
        vault.open(b"", "ada")


def test_the_key_is_its_owners_alone_and_stays(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    sealed = vault_in(folder).new_secret("ada")
    assert stat.S_IMODE((folder / KEY_FILE).stat().st_mode) == 0o600
    assert [each.name for each in folder.iterdir()] == [KEY_FILE]
    vault_in.cache_clear()
    assert vault_in(folder).open(sealed, "ada").startswith("whsec_")


def test_many_at_once_make_one_key(tmp_path: Path) -> None:
    ready = threading.Barrier(8)
    vaults: list[Vault] = []

    def make() -> None:
        ready.wait()
        vaults.append(vault_in.__wrapped__(tmp_path))

    threads = [threading.Thread(target=make) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    sealed = vaults[0].new_secret("ada")
    assert len({vault.open(sealed, "ada") for vault in vaults}) == 1
