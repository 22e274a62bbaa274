"""Every user has one default wallet, whatever comes first: their question, or the news that there is such a user."""

from pathlib import Path

from borsa.events import UserCreated
from borsa.requests import CloseWallets
from borsa.services.wallets import tables
from borsa.services.wallets.model import OpenWallet
from tests.services.wallets.vault import Vault


def wallets(vault: Vault) -> list[tuple[int, str]]:
    """Default or not, and the state, of each wallet."""
    return sorted((row[3], row[4]) for row in vault.rows(tables.WALLETS))


def test_a_wallet_that_was_opened_before_the_user_was_heard_of_is_not_the_default(tmp_path: Path) -> None:
    with Vault(tmp_path) as vault:
        vault.question(OpenWallet(user_id="ann", name="second"))
        vault.tell("users", UserCreated(user_id="ann", user_name="ann"))
        assert wallets(vault) == [(0, "open"), (1, "open")]
        default = vault.writer.memory.default_of("ann")
        assert default is not None
        assert default.is_default


def test_who_left_before_being_heard_of_gets_no_open_wallet(tmp_path: Path) -> None:
    with Vault(tmp_path) as vault:
        vault.question(OpenWallet(user_id="ann", name="second"))
        vault.question(CloseWallets(user_id="ann", attempt=1))
        vault.tell("users", UserCreated(user_id="ann", user_name="ann"))
        assert wallets(vault) == [(0, "closed"), (1, "closed")]
