"""What wallets would say: WalletUpdated events for the things that happen to a user's money."""

import itertools

from borsa.events import BalanceChange, Cause, TradeExecuted, WalletUpdated
from borsa.markets import amount_text, amount_units

_versions = itertools.count(1)


class Wallet:
    """A wallet's totals, and the events that tell of them. Amounts are decimal texts."""

    def __init__(self, user_id: str = "ada", wallet_id: str = "w-1") -> None:
        self.user_id = user_id
        self.wallet_id = wallet_id
        self.units: dict[str, int] = {}

    def change(self, cause: Cause, **deltas: str | int) -> WalletUpdated:
        """Totals move, for a cause."""
        changes = [self._move(asset.upper(), delta) for asset, delta in deltas.items()]
        return WalletUpdated(
            wallet_id=self.wallet_id,
            user_id=self.user_id,
            balance={asset: amount_text(asset, units) for asset, units in self.units.items()},
            changes=changes,
            cause=cause,
            version=next(_versions),
        )

    def _move(self, asset: str, delta: str | int) -> BalanceChange:
        units = delta if isinstance(delta, int) else _signed(delta)
        self.units[asset] = self.units.get(asset, 0) + units
        total = amount_text(asset, self.units[asset])
        return BalanceChange(asset, amount_text(asset, units), total, total, "0")

    def adjusted(self, **deltas: str | int) -> WalletUpdated:
        """An admin's adjustment, or a deposit."""
        return self.change(Cause(kind="adjustment", reference="r", reason="test"), **deltas)

    def held(self, asset: str) -> WalletUpdated:
        """Money is held for an order: no total moves."""
        return self.change(Cause(kind="hold", reference="1"), **{asset: 0})

    def traded(self, side: str, symbol: str = "BTC-USD", price: str = "100", **deltas: str | int) -> WalletUpdated:
        """One side of a trade."""
        return self.change(Cause(kind="trade", reference="7", symbol=symbol, side=side, price=price), **deltas)

    def busted(self, side: str, symbol: str = "BTC-USD", price: str = "100", **deltas: str | int) -> WalletUpdated:
        """One side of a trade, moved back."""
        cause = Cause(kind="bust", reference="7", symbol=symbol, side=side, price=price, reason="test")
        return self.change(cause, **deltas)


def _signed(text: str) -> int:
    units = amount_units(text.lstrip("+-"))
    return -units if text.startswith("-") else units


def printed(price: str, symbol: str = "BTC-USD", block: bool = False) -> TradeExecuted:
    """A trade on the tape, of somebody."""
    base, _, quote = symbol.partition("-")
    return TradeExecuted(
        trade_id="7",
        buy_order_id="1",
        sell_order_id="2",
        product=base,
        symbol=symbol,
        quantity="1",
        price=price,
        buyer_id="somebody",
        seller_id="somebody-else",
        taker_side="buy",
        buyer_fee="0",
        buyer_fee_asset=base,
        seller_fee="0",
        seller_fee_asset=quote,
        buyer_hold="0",
        seller_hold="0",
        sequence=1,
        block=block,
    )
