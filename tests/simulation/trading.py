"""What traders want, at random: they place orders, one or many at a time, amend and cancel them."""

import random
from collections import deque
from collections.abc import Mapping
from typing import Any

import msgspec

from borsa.markets import SHIPPED, Market, amount_text
from borsa.requests import Request
from borsa.services.orders.model import AmendOrder, CancelAll, CancelOrder, PlaceOrder, PlaceOrders
from tests.simulation.invariants import Watch, WatchedOrders, WatchedTrades, WatchedWallets

MIDDLE = {"BTC-USD": 10_000, "ETH-USD": 4_000, "SOL-USD": 2_000, "ETH-BTC": 5_000}
"""Around which price they trade, in ticks."""

LOTS = {"BTC-USD": 50_000, "ETH-USD": 10_000, "SOL-USD": 200, "ETH-BTC": 50}
"""What one piece is, in lots."""

REMEMBERED = 150
BATCH_MAX = 25

PREVENTIONS = ("cancel_newest", "cancel_newest", "cancel_oldest", "cancel_both", "decrement", "none")
KINDS = ("limit",) * 14 + ("market", "market", "stop", "stop_limit", "stop_limit")
TIMES = ("gtc",) * 7 + ("ioc", "fok")


class Placed(msgspec.Struct, frozen=True):
    """Which order, whose, and where."""

    order_id: int
    user_id: str
    symbol: str


class Trading:
    """Somebody's next order, and what it takes to have one: whom and what there is, as far as people know."""

    def __init__(self, chance: random.Random, watches: Mapping[str, Watch], admin_id: str) -> None:
        self.placed = 0
        self.users: list[str] = []
        self._chance = chance
        self._admin_id = admin_id
        wallets, orders, trades = watches["wallets"], watches["orders"], watches["trades"]
        assert isinstance(wallets, WatchedWallets)
        assert isinstance(orders, WatchedOrders)
        assert isinstance(trades, WatchedTrades)
        self._wallets, self._orders, self._trades = wallets, orders, trades
        markets = list(SHIPPED)
        chance.shuffle(markets)
        self._markets: list[Market] = markets[: chance.choice((1, 1, 2, 3))]
        self._width = chance.choice((4, 12, 40))
        self._mine: deque[Placed] = deque(maxlen=REMEMBERED)
        self._extra_wallets: deque[tuple[str, str]] = deque(maxlen=10)
        self._number = 0

    def _ask(self, request: Request[Any], *, keyed: bool = False) -> None:
        """Put a question; `keyed`: under a new Idempotency-Key."""
        raise NotImplementedError

    # placing -------------------------------------------------------------------------------------------------------

    def _somebody(self) -> str:
        return self._chance.choice(self.users) if self.users else self._admin_id

    def _price(self, market: Market) -> int:
        return max(1, MIDDLE[market.symbol] + self._chance.randrange(-self._width, self._width + 1))

    def _quantity(self, market: Market) -> int:
        chance = self._chance
        lots = chance.randrange(1, 12) * LOTS[market.symbol]
        return lots + chance.randrange(LOTS[market.symbol]) if chance.random() < 0.1 else lots

    def _place(self) -> None:
        self._ask(self._some_order(self._somebody(), self._chance.random() < 0.3))

    def _place_many(self) -> None:
        """A batch of one user's. Only where each order has an id of its own may all be asked for again."""
        chance, user_id = self._chance, self._somebody()
        number, named = chance.randrange(2, BATCH_MAX + 1), chance.random() < 0.5
        self._ask(PlaceOrders(orders=[self._some_order(user_id, named) for _ in range(number)]))

    def _some_order(self, user_id: str, named: bool) -> PlaceOrder:
        chance = self._chance
        self.placed += 1
        market = chance.choice(self._markets)
        kind = chance.choice(KINDS)
        limited = kind in ("limit", "stop_limit")
        side = chance.choice(("buy", "sell"))
        wallet_id = None
        if self._extra_wallets and chance.random() < 0.03:
            wallet_id, user_id = chance.choice(self._extra_wallets)
        by_budget = not limited and side == "buy" and chance.random() < 0.8
        post_only = limited and chance.random() < 0.08
        client_id = None
        if named:
            self._number += 1
            client_id = f"c{self._number}"
        quantity = self._quantity(market)
        return PlaceOrder(
            user_id=user_id,
            symbol=market.symbol,
            side=side,
            order_type=kind,
            time_in_force="gtc" if post_only else chance.choice(TIMES),
            post_only=post_only,
            self_trade_prevention=chance.choice(PREVENTIONS),
            quantity=None if by_budget else market.quantity_text(quantity),
            price=market.price_text(self._price(market)) if limited else None,
            stop_price=market.price_text(self._price(market)) if kind in ("stop", "stop_limit") else None,
            quote_quantity=amount_text(market.quote, market.notional(self._price(market), quantity))
            if by_budget
            else None,
            client_order_id=client_id,
            wallet_id=wallet_id,
            digest=client_id.encode() if client_id else None,
        )

    def _cancel(self) -> None:
        if self._mine:
            order = self._chance.choice(self._mine)
            self._ask(CancelOrder(order_id=order.order_id, user_id=self._chance.choice((order.user_id, None))))

    def _cancel_all(self) -> None:
        market = self._chance.choice([*self._markets, None])
        self._ask(CancelAll(user_id=self._somebody(), symbol=market.symbol if market else None))

    def _amend(self) -> None:
        if not self._mine:
            return
        order = self._chance.choice(self._mine)
        market = next(each for each in SHIPPED if each.symbol == order.symbol)
        what = self._chance.randrange(3)
        request = AmendOrder(
            order_id=order.order_id,
            user_id=order.user_id,
            quantity=market.quantity_text(self._quantity(market)) if what else None,
            price=market.price_text(self._price(market)) if what != 1 else None,
            version=None,
        )
        self._ask(request)
