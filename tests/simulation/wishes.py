"""What people want, at random: they trade, pay in, come and leave; admins halt, cross, bust and adjust."""

import random
from collections import deque
from collections.abc import Callable, Mapping
from typing import Any

from borsa.markets import SHIPPED
from borsa.requests import AgreeBlockTrade, CrossOrders
from borsa.services.notifications.model import MarkRead, Preferences, SendMessage, SetPreferences
from borsa.services.orders.model import CancelAll, ChangeMarket
from borsa.services.portfolios.model import CreatePortfolio, DeletePortfolio, RenamePortfolio
from borsa.services.trades.model import Annotate, BustTrade, LookAtMarket
from borsa.services.users.model import ChangeUser, DeleteUser, RegisterUser
from borsa.services.wallets.model import Adjust, CloseWallet, Deposit, OpenWallet
from tests.simulation.access import WatchedUsers
from tests.simulation.coverage import Coverage
from tests.simulation.invariants import Watch
from tests.simulation.sessions import Sessions
from tests.simulation.trading import Trading

UNIT = 10**8

NO_PASSWORD = "$argon2id$v=19$m=8,t=1,p=1$none$fits"
"""What is kept of passwords: nobody shows one here, and to hash them would take most of the time."""


class Wishes(Trading):
    """Somebody's next wish."""

    def __init__(self, chance: random.Random, coverage: Coverage, watches: Mapping[str, Watch], admin_id: str) -> None:
        super().__init__(chance, watches, admin_id)
        users = watches["users"]
        assert isinstance(users, WatchedUsers)
        self.sessions = Sessions(chance, coverage, users, self._ask, self._somebody)
        self._wealth = chance.choice(((100, 1_000, 50_000), (1_000, 50_000), (4, 30, 200)))
        self._portfolios: deque[str] = deque(maxlen=10)
        self._poor: list[str] = []
        self._leaving: list[str] = []
        self._halted: list[str] = []
        deeds = self._deeds()
        self._acts = list(deeds)
        self._weights = [sum(list(deeds.values())[: at + 1]) for at in range(len(deeds))]

    def _repeat(self) -> None:
        """Ask something again."""
        raise NotImplementedError

    def _deeds(self) -> dict[Callable[[], None], int]:
        style = self._chance.choice((1, 1, 3))
        return {
            self._place: 620,
            self._place_many: 30,
            self._cancel: 130 * style,
            self._amend: 90 * style,
            self._repeat: 20,
            self._cancel_all: 3,
            self._pay_in: 25,
            self._adjust: 10,
            self._change_market: 12,
            self._bust: 6,
            self._cross: 12,
            self._block: 6,
            self._register: 3,
            self._leave: 8,
            self._open_wallet: 3,
            self._close_wallet: 4,
            self._portfolio: 4,
            self._notice: 4,
            self._annotate: 3,
            self.sessions.sign_in: 8,
            self.sessions.refresh: 14,
            self.sessions.sign_out: 2,
            self.sessions.change_password: 3,
            self.sessions.change_role: 1,
        }

    def begin(self, number: int) -> None:
        """So many users come, and take play money."""
        for _ in range(number):
            self._register()

    def pay_in_all(self) -> None:
        """Whoever is new, and has a wallet by now, gets some of everything."""
        for user_id in [user_id for user_id in self._poor if user_id in self._wallets.default_of]:
            self._poor.remove(user_id)
            wallet_id = self._wallets.default_of[user_id]
            for asset in sorted({asset for market in self._markets for asset in (market.base, market.quote)}):
                amount = self._chance.choice(self._wealth) * UNIT
                self._pay(wallet_id, user_id, asset, amount)

    def act(self, number: int) -> None:
        """Put so many questions."""
        if self._poor:
            self.pay_in_all()
        if self._halted and self._chance.random() < 0.2:
            self._change_market()
        for deed in self._chance.choices(self._acts, cum_weights=self._weights, k=number):
            deed()

    # money ---------------------------------------------------------------------------------------------------------

    def _some_asset(self) -> str:
        market = self._chance.choice(self._markets)
        return self._chance.choice((market.base, market.quote))

    def _pay_in(self) -> None:
        user_id = self._somebody()
        wallet_id = self._wallets.default_of.get(user_id)
        if wallet_id is not None:
            amount = self._chance.choice((1, *self._wealth)) * UNIT
            self._pay(wallet_id, user_id, self._some_asset(), amount)

    def _pay(self, wallet_id: str, user_id: str, asset: str, amount: int) -> None:
        request = Deposit(wallet_id=wallet_id, user_id=user_id, asset=asset, amount=amount)
        self._ask(request, keyed=True)

    def _correct(self, wallet_id: str, asset: str, delta: int) -> None:
        request = Adjust(wallet_id=wallet_id, asset=asset, delta=delta, reason="a correction", author=self._admin_id)
        self._ask(request, keyed=True)

    def _adjust(self) -> None:
        wallet_id = self._wallets.default_of.get(self._somebody())
        if wallet_id is not None:
            amount = self._chance.choice((-100, -3, 2, 50)) * UNIT
            self._correct(wallet_id, self._some_asset(), amount)

    def _open_wallet(self) -> None:
        self._ask(OpenWallet(user_id=self._somebody(), name="second"), keyed=True)

    def _close_wallet(self) -> None:
        if self._extra_wallets:
            wallet_id, user_id = self._chance.choice(self._extra_wallets)
            mine = [each for each in self._wallets.of_user(user_id) if each[0] == wallet_id]
            if not any(held for *_, held in mine):
                for _, asset, available, _ in mine:
                    if available:
                        self._correct(wallet_id, asset, -available)
            self._ask(CloseWallet(wallet_id=wallet_id, user_id=user_id))

    # people come and go --------------------------------------------------------------------------------------------

    def _register(self) -> None:
        self._number += 1
        name = f"user-{self._number}"
        self._ask(RegisterUser(user_name=name, email=None, password_hash=NO_PASSWORD), keyed=True)

    def _leave(self) -> None:
        """Cancel everything; once nothing is held, pay out and go."""
        if not self._leaving:
            if len(self.users) > 3:
                self._leaving.append(self._somebody())
            return
        user_id = self._leaving[0]
        self._ask(CancelAll(user_id=user_id, symbol=None))
        mine = self._wallets.of_user(user_id)
        if not any(held for *_, held in mine):
            for wallet_id, asset, available, _ in mine:
                if available:
                    self._correct(wallet_id, asset, -available)
        if user_id in self.users and self._chance.random() < 0.5:
            self.users.remove(user_id)
        self._ask(DeleteUser(user_id=user_id))
        if self._chance.random() < 0.4:
            self._leaving.pop()
            self._register()

    def _portfolio(self) -> None:
        chance = self._chance
        if not self._portfolios or chance.random() < 0.5:
            name = f"portfolio {chance.randrange(20)}"
            product, amount = chance.choice((("BTC", 5), (None, 0)))
            request = CreatePortfolio(
                user_id=self._somebody(), name=name, product=product, quantity=amount, cost=amount
            )
            self._ask(request, keyed=True)
        elif chance.random() < 0.5:
            name = f"portfolio {chance.randrange(20)}"
            self._ask(RenamePortfolio(portfolio_id=chance.choice(self._portfolios), name=name))
        else:
            self._ask(DeletePortfolio(portfolio_id=chance.choice(self._portfolios)))

    def _notice(self) -> None:
        chance, user_id = self._chance, self._somebody()
        what = chance.randrange(4)
        if what == 0:
            self._ask(SetPreferences(preferences=Preferences(user_id)))
        elif what == 1:
            self._ask(SendMessage(user_id=user_id, title="Hello", body="there"), keyed=True)
        elif what == 2:
            self._ask(MarkRead(notification_id="unknown", user_id=user_id))
        else:
            self._ask(ChangeUser(user_id=user_id, user_name=f"renamed-{self._number}"))

    # admins --------------------------------------------------------------------------------------------------------

    def _change_market(self) -> None:
        chance = self._chance
        symbol = chance.choice(self._halted or [market.symbol for market in self._markets])
        fields: dict[str, Any] = dict.fromkeys(("maker_fee", "taker_fee", "price_band_ppm", "state"))
        if symbol in self._halted:
            self._halted.remove(symbol)
            fields["state"] = "open"
        elif chance.random() < 0.5:
            fields["maker_fee"], fields["taker_fee"] = chance.choice((0, 700, 333)), chance.choice((0, 1000, 2501))
        elif chance.random() < 0.5:
            fields["price_band_ppm"] = chance.choice((0, 2_000, 10_000, 200_000, 200_000))
        else:
            self._halted.append(symbol)
            fields["state"] = chance.choice(("halted", "cancel_only"))
        self._ask(ChangeMarket(symbol=symbol, **fields))

    def open_markets(self) -> None:
        """Whatever was halted opens again."""
        for symbol in self._halted:
            fields: dict[str, Any] = dict.fromkeys(("maker_fee", "taker_fee", "price_band_ppm"))
            self._ask(ChangeMarket(symbol=symbol, state="open", **fields))
        self._halted.clear()

    def _some_trade(self) -> int | None:
        recent = self._trades.recent
        return self._chance.choice(recent) if recent else None

    def _bust(self) -> None:
        trade_id = self._some_trade()
        if trade_id is not None:
            self._ask(BustTrade(trade_id=trade_id, reason="an error"), keyed=self._chance.random() < 0.5)

    def _annotate(self) -> None:
        trade_id = self._some_trade()
        if trade_id is not None:
            self._ask(Annotate(trade_id=trade_id, note="seen", tags=None))
        self._ask(LookAtMarket(symbol=self._chance.choice(self._markets).symbol))

    def _cross(self) -> None:
        """Two open orders that cross: one of them waits for its stop price."""
        found = [self._orders.orders[each.order_id] for each in self._mine]
        live = [order for order in found if not order.is_closed and order.price]
        buys = [order for order in live if order.side == "buy"]
        sells = [order for order in live if order.side == "sell"]
        pairs = [
            (buy, sell)
            for buy in buys[-12:]
            for sell in sells[-12:]
            if buy.symbol == sell.symbol and sell.price <= buy.price and buy.user_id != sell.user_id
        ]
        if not pairs:
            return
        buy, sell = self._chance.choice(pairs)
        market = next(each for each in SHIPPED if each.symbol == buy.symbol)
        lots = min(buy.remaining, sell.remaining)
        if lots:
            request = CrossOrders(
                buy_order_id=buy.order_id,
                sell_order_id=sell.order_id,
                quantity=market.quantity_text(lots),
                price=market.price_text(self._chance.randrange(sell.price, buy.price + 1)),
            )
            self._ask(request, keyed=True)

    def _block(self) -> None:
        market = self._chance.choice(self._markets)
        request = AgreeBlockTrade(
            symbol=market.symbol,
            buyer_id=self._somebody(),
            seller_id=self._somebody(),
            quantity=market.quantity_text(self._quantity(market)),
            price=market.price_text(self._price(market)),
        )
        self._ask(request, keyed=True)
