"""The feeds of wallets: each user's own wallets."""

from borsa.runtime.feeds import OWN, Feeds, Own, owner
from borsa.runtime.store import Reader
from borsa.services.wallets import store
from borsa.services.wallets.wire import WalletReply, wallet_reply

CHANNELS = {"wallets": OWN}


def feeds(_: None) -> Feeds:
    """What wallets has to follow."""
    return Feeds(own={"wallets": Own(kinds=frozenset({"WalletUpdated"}), owners=owner, data=_wallet)})


def _wallet(reader: Reader, wallet_id: str, _user_id: str) -> WalletReply | None:
    wallet = store.wallet_by_id(reader, wallet_id)
    return wallet_reply(wallet, store.balances_of(reader, wallet_id)) if wallet else None
