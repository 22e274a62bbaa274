"""Secrets at rest."""

import os
import stat
import threading
from pathlib import Path

import pytest

from borsa.runtime.access.vault import NotOpened, Vault, vault_in

KEY_FILE = "some.key"
SECRET = "a secret, of whatever length"


def test_a_secret_is_sealed_for_its_user(tmp_path: Path) -> None:
    vault = vault_in(tmp_path, KEY_FILE)
    sealed = vault.seal(SECRET, "ada")
    assert vault.open(sealed, "ada") == SECRET
    assert SECRET.encode() not in sealed
    assert vault.seal(SECRET, "ada") != sealed
    with pytest.raises(NotOpened):
        vault.open(sealed, "bob")
    with pytest.raises(NotOpened):
        Vault(os.urandom(32)).open(sealed, "ada")
    with pytest.raises(NotOpened):
        vault.open(b"", "ada")
    with pytest.raises(NotOpened):
        vault_in(tmp_path, "another.key").open(sealed, "ada")


def test_the_key_is_its_owners_alone_and_stays(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    sealed = vault_in(folder, KEY_FILE).seal(SECRET, "ada")
    assert stat.S_IMODE((folder / KEY_FILE).stat().st_mode) == 0o600
    assert [each.name for each in folder.iterdir()] == [KEY_FILE]
    vault_in.cache_clear()
    assert vault_in(folder, KEY_FILE).open(sealed, "ada") == SECRET


def test_many_at_once_make_one_key(tmp_path: Path) -> None:
    ready = threading.Barrier(8)
    vaults: list[Vault] = []

    def make() -> None:
        ready.wait()
        vaults.append(vault_in.__wrapped__(tmp_path, KEY_FILE))

    threads = [threading.Thread(target=make) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    sealed = vaults[0].seal(SECRET, "ada")
    assert {vault.open(sealed, "ada") for vault in vaults} == {SECRET}
