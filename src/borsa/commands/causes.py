"""Why a posting was made, in words: the order that was held for, the trade with its price and fee, who gave it."""

from functools import lru_cache

import msgspec

from borsa.commands.audit.moment import Moment
from borsa.markets import amount_text

_ORDER = "SELECT side, symbol, order_type FROM orders.orders WHERE order_id = ?"
_TRADE = """
    SELECT t.symbol, t.price, t.quantity, t.buyer_fee, t.seller_fee, t.buy_order_id, t.sell_order_id,
        b.wallet_id, s.wallet_id
    FROM temp.every_trade t LEFT JOIN orders.orders b ON b.order_id = t.buy_order_id
    LEFT JOIN orders.orders s ON s.order_id = t.sell_order_id WHERE t.trade_id = ?
"""
_NAME = "SELECT name FROM users.users WHERE user_id = ?"

REMEMBERED_MAX = 4_096
"""Orders, trades and names that are not looked up again: neighbouring postings are about the same ones."""


class Line(msgspec.Struct, frozen=True):
    """A posting with its entry; of an entry that does not exist, what it would say is None."""

    entry_id: int
    line: int
    bucket: str
    amount: int
    time: int | None
    kind: str | None
    reference: str | None
    reason: str | None
    author: str | None


class Trade(msgspec.Struct, frozen=True):
    """A trade, with the wallets of both sides."""

    symbol: str
    price: int
    quantity: int
    buyer_fee: int
    seller_fee: int
    buy_order_id: int
    sell_order_id: int
    buyer_wallet: str | None
    seller_wallet: str | None


class Causes:
    """Of the postings in one asset."""

    def __init__(self, moment: Moment, asset: str) -> None:
        self._moment = moment
        self._asset = asset
        self._order = lru_cache(REMEMBERED_MAX)(self._order_text)
        self._trade = lru_cache(REMEMBERED_MAX)(self._trade_of)
        self._name = lru_cache(REMEMBERED_MAX)(self._name_of)

    def of(self, wallet_id: str, line: Line) -> str:
        """Why a wallet got or gave this."""
        reference = line.reference or ""
        if line.kind is None:
            return f"entry {line.entry_id}, which does not exist"
        if line.kind == "hold":
            return f"held for {self._order(_held_for(reference, line.line))}"
        if line.kind == "release":
            return f"released by {self._order(reference)}"
        if line.kind in ("trade", "bust"):
            return self._traded(wallet_id, line, reference)
        who = f" by {self._name(line.author)}" if line.author else ""
        why = f": {line.reason}" if line.reason else ""
        return f"{line.kind}{who}{why}"

    def _order_text(self, order_id: str) -> str:
        found = self._moment.one(_ORDER, order_id)
        if found is None:
            return f"order {order_id}, which never came to be"
        side, symbol, order_type = found
        return f"order {order_id} ({order_type} {side} {symbol})"

    def _name_of(self, user_id: str) -> str:
        found = self._moment.one(_NAME, user_id)
        return str(found[0]) if found else user_id

    def _trade_of(self, trade_id: str) -> Trade | None:
        found = self._moment.one(_TRADE, trade_id)
        return Trade(*found) if found else None

    def _traded(self, wallet_id: str, line: Line, trade_id: str) -> str:
        trade = self._trade(trade_id)
        if trade is None:
            return f"{line.kind} {trade_id}, which does not exist"
        base, _, quote = trade.symbol.partition("-")
        dealt = f"{amount_text(base, trade.quantity)} {base} at {amount_text(quote, trade.price)}"
        sides = _sides(trade, wallet_id)
        text = f"trade {trade_id}: {' and '.join(sides) or 'neither side of'} {dealt}" + self._extra(trade, line)
        return text if line.kind == "trade" else f"bust of {text}: {line.reason}"

    def _extra(self, trade: Trade, line: Line) -> str:
        """The fee that this posting came without, or that it is what a better price saved."""
        base, _, quote = trade.symbol.partition("-")
        if line.kind == "trade" and line.line == IMPROVEMENT and self._asset == quote:
            return ", price improvement"
        if line.bucket == "available" and (line.amount > 0) == (line.kind == "trade"):
            fee = trade.buyer_fee if self._asset == base else trade.seller_fee
            return f", fee {amount_text(self._asset, fee)} {self._asset}"
        return ""


IMPROVEMENT = 4
"""The line of a settlement that gives the buyer what a better price saved, where there is one."""


def _held_for(reference: str, line: int) -> str:
    """An entry holds for one order or several: two lines for each, in the order in which it names them."""
    orders = reference.split()
    return orders[line // 2] if line // 2 < len(orders) else reference


def _sides(trade: Trade, wallet_id: str) -> list[str]:
    sides = (("bought", trade.buyer_wallet, trade.buy_order_id), ("sold", trade.seller_wallet, trade.sell_order_id))
    return [f"order {order_id} {verb}" for verb, of, order_id in sides if of == wallet_id]
