"""Where the participants act: they look at the exchange, decide, and do it, turn after turn."""

import asyncio
from collections.abc import Coroutine, Iterable, Mapping, Sequence
from random import Random
from typing import Any, Final, Literal

import msgspec

from borsa.demo.accounts import Account, Answer, Exchange, Unwelcome, patiently
from borsa.demo.participants import (
    COARSE,
    FAR,
    LOADS,
    MILLION,
    NEAR,
    SIZES,
    Amend,
    Cancel,
    Decision,
    Maker,
    Momentum,
    Noise,
    Own,
    Place,
    style,
)
from borsa.demo.prices import FINE, SYMBOLS, Prices
from borsa.markets import SHIPPED, Market, amount_units

LOOK_TURNS: Final = 5
"""How many turns pass between two looks at orders, wallets and tapes."""

REACH_PPM: Final = 3_000
"""How far from the fair price those who take would pay, in millionths: beyond the first levels of a coarse book."""

MAKER_FUNDS: Final = {"USD": "5000000", "BTC": "100", "ETH": "2000", "SOL": "40000"}
TAKER_FUNDS: Final = {"USD": "1000000", "BTC": "20", "ETH": "400", "SOL": "6000"}

ORDERS_MAX: Final = 500
"""Orders of one batch."""

FAR_FIRST_TURNS: Final = 3
"""How often the maker further out comes first: it has little to do, and must not be forgotten."""

EVEN: Final[Mapping[str, int]] = dict.fromkeys(SYMBOLS, 1_000)

_OPEN: Final = ("open", "partially_filled")
_ENDED: Final = ("order_filled", "order_closed", "not_found")


class Pace(msgspec.Struct, frozen=True):
    """How much happens in a turn: at most `commands` in all, of them `changes` of the makers in a market, in each of so
    many `rounds`. `chance` is that of a noise trader's order in a market and `tended` that of a maker's look at it, in
    millionths, of which each market has its `share`, in thousandths. Takers' orders have `weight` times the usual size.
    `book` says which ways of the makers count."""

    commands: int
    changes: int
    chance: int
    share: Mapping[str, int]
    tended: int = MILLION
    rounds: int = 1
    weight: int = 1
    book: Literal["coarse", "full"] = "full"

    def chance_in(self, symbol: str) -> int:
        """Of a noise trader's order in a market, in millionths."""
        return self.chance * self.share[symbol] // 1_000

    def tended_in(self, symbol: str) -> int:
        """Of a maker's look at a market, in millionths."""
        return self.tended * self.share[symbol] // 1_000


class Stage:
    """Everybody who takes part, in every shipped market that is there."""

    def __init__(self, exchange: Exchange, seed: str) -> None:
        # a game, no secret
        self.prices = Prices(Random(f"{seed} prices"))  # noqa: S311  # nosec B311
        self._exchange = exchange
        self._seed = seed
        self._chance = self._random("all", "attention")
        self._turns = 0
        self._last: dict[str, int] = {}
        self._markets: dict[str, Market] = {}
        self._makers = [_Keeper("demo-maker-1"), _Keeper("demo-maker-2")]
        self._noisy = [Account(f"demo-trader-{number}", _units(TAKER_FUNDS)) for number in (1, 2)]
        self._follower = Account("demo-follower", _units(TAKER_FUNDS))

    async def enter(self, secret: bytes) -> None:
        """Everybody signs in, and looks; Unwelcome."""
        found = await patiently(self._exchange, "GET", "/api/markets")
        if not found.is_success:
            raise Unwelcome(f"the exchange does not say which markets it has: {found.status}")
        there = {(each["symbol"], each["tickSize"], each["lotSize"]) for each in found.body["data"]}
        grids = {market.symbol: market for market in SHIPPED if market.symbol in SYMBOLS}
        self._markets = {name: market for name, market in grids.items() if _grid(market) in there}
        for account in self._accounts:
            await account.enter(self._exchange, secret)
        self._assign()
        await self._look()
        self.prices.begin_at(self._last)

    @property
    def _accounts(self) -> list[Account]:
        return [*(maker.account for maker in self._makers), *self._noisy, self._follower]

    def _assign(self) -> None:
        near, far = self._makers
        for symbol in self._markets:
            home = self.prices.fair(symbol) // FINE
            near.keep(symbol, "full", Maker(symbol, style(symbol, NEAR, 1), home, self._random(symbol, "near")))
            near.keep(symbol, "coarse", Maker(symbol, style(symbol, COARSE, 8), home, self._random(symbol, "coarse")))
            far.keep(symbol, "full", Maker(symbol, style(symbol, FAR, 3), home, self._random(symbol, "far")))
        self._noise = [
            (account, Noise(symbol, SIZES[symbol] // 2, REACH_PPM, LOADS[symbol], self._random(symbol, account.name)))
            for symbol in self._markets
            for account in self._noisy
        ]
        self._momentum = [Momentum(symbol, SIZES[symbol], REACH_PPM, LOADS[symbol] // 4) for symbol in self._markets]

    def _random(self, symbol: str, who: str) -> Random:
        # a game, no secret
        return Random(f"{self._seed} {symbol} {who}")  # noqa: S311  # nosec B311

    async def _look(self) -> None:
        doing: list[Any] = [account.look() for account in self._accounts]
        doing += [maker.look(self._markets) for maker in self._makers]
        await asyncio.gather(*doing, *(self._read_tape(market) for market in self._markets.values()))

    async def _read_tape(self, market: Market) -> None:
        answer = await self._exchange.ask("GET", f"/api/markets/{market.symbol}/trades?limit=1")
        if answer.is_success and answer.body["data"]:
            self._last[market.symbol] = market.ticks(answer.body["data"][0]["price"])

    async def turn(self, microseconds: int, pace: Pace) -> int:
        """So much time has passed: everybody acts. Seconds that the exchange asks to wait, 0 mostly."""
        self._turns += 1
        self.prices.walk(microseconds)
        looks = self._turns % LOOK_TURNS == 0
        if looks:
            await self._look()
            self.prices.lean(self._last)
        first, *others = self._decide_to_take(pace, looks)
        left = pace.commands - len(first[1]) - sum(len(orders) for _, orders in others)
        # one takes what the makers have not moved yet, the others what they have: a candle begins where one ended
        pause = await self._done(_place(*first, self._markets))
        for _ in range(pace.rounds):
            if pause:
                return pause
            decided = self._decide_to_make(pace, left)
            left -= sum(len(changes) for _, changes in decided)
            pause = await self._done(*(each.carry_out(changes, self._markets) for each, changes in decided))
        return pause or await self._done(*(_place(account, orders, self._markets) for account, orders in others))

    async def _done(self, *doing: Coroutine[Any, Any, int]) -> int:
        return max(await asyncio.gather(*doing), default=0)

    def _decide_to_take(self, pace: Pace, looks: bool) -> list[tuple[Account, list[Decision]]]:
        takers = [*self._noisy, self._follower]
        found: dict[str, list[Decision]] = {account.name: [] for account in takers}
        heat = self.prices.heat * pace.weight
        for account, noise in self._noise:
            fair, inventory = self.prices.fair(noise.symbol), self._inventory(account, noise.symbol)
            found[account.name] += noise.decide(fair, inventory, pace.chance_in(noise.symbol), heat)
        for momentum in self._momentum if looks else ():
            symbol = momentum.symbol
            if last := self._last.get(symbol):
                fair, inventory = self.prices.fair(symbol), self._inventory(self._follower, symbol)
                found[self._follower.name] += momentum.decide(fair, last, inventory)
        return [(account, found[account.name]) for account in takers]

    def _decide_to_make(self, pace: Pace, commands: int) -> list[tuple["_Keeper", list[Decision]]]:
        """Another market comes first in each turn, for where there is much to do the last ones have to wait."""
        symbols = list(self._markets)
        first = self._turns % max(1, len(symbols))
        makers = self._makers[:: -1 if self._turns % FAR_FIRST_TURNS == 0 else 1]
        found: list[tuple[_Keeper, list[Decision]]] = []
        for symbol in symbols[first:] + symbols[:first]:
            is_tended = self._chance.randrange(MILLION) < pace.tended_in(symbol)
            left = min(pace.changes, max(0, commands))
            for keeper in makers:
                if is_tended or keeper.is_thin(symbol, pace.book):
                    fair, inventory = self.prices.fair(symbol), self._inventory(keeper.account, symbol)
                    decided = keeper.decide(symbol, pace.book, fair, inventory, left)
                    left -= len(decided)
                    commands -= len(decided)
                    found.append((keeper, decided))
        return found

    def _inventory(self, account: Account, symbol: str) -> int:
        market = self._markets[symbol]
        return account.surplus(market.base) // market.lot


class _Keeper:
    """A maker's account, its ways in each market, and the orders that it has there as far as it knows."""

    def __init__(self, name: str) -> None:
        self.account = Account(name, _units(MAKER_FUNDS))
        self._ways: dict[tuple[str, str], Maker] = {}
        self._own: dict[str, dict[str, Own]] = {}

    def keep(self, symbol: str, book: str, maker: Maker) -> None:
        """Quote a market in this way, where the book is to be so."""
        self._ways[symbol, book] = maker

    def is_thin(self, symbol: str, book: str) -> bool:
        """Is more missing in a market than there is?"""
        maker = self._ways.get((symbol, book))
        return maker is not None and maker.is_thin(self._orders(symbol))

    def decide(self, symbol: str, book: str, fair: int, inventory: int, changes_max: int) -> list[Decision]:
        """What to change in a market."""
        maker = self._ways.get((symbol, book))
        return maker.decide(fair, self._orders(symbol), inventory, changes_max) if maker else []

    def _orders(self, symbol: str) -> list[Own]:
        return list(self._own.get(symbol, {}).values())

    async def look(self, markets: Mapping[str, Market]) -> None:
        """Which orders are open; what was believed before counts no more."""
        answers = [await self.account.ask("GET", f"/api/orders?limit=1000&status={status}") for status in _OPEN]
        if all(answer.is_success for answer in answers):
            self._own = {}
            for reply in [each for answer in answers for each in answer.body["data"]]:
                if reply["symbol"] in markets:
                    self._learn(reply, markets[reply["symbol"]])

    def _learn(self, reply: Mapping[str, Any], market: Market) -> None:
        own = self._own.setdefault(market.symbol, {})
        if reply["status"] not in (*_OPEN, "pending"):
            own.pop(reply["orderId"], None)
            return
        filled = amount_units(reply["filledQuantity"]) // market.lot
        own[reply["orderId"]] = Own(
            reply["orderId"], reply["type"], market.ticks(reply["price"]), market.lots(reply["quantity"]), filled
        )

    async def carry_out(self, decided: Sequence[Decision], markets: Mapping[str, Market]) -> int:
        """Do it all; the seconds that the exchange asks to wait."""
        placed = [each for each in decided if isinstance(each, Place)]
        doing = [self._place(placed, markets)] if placed else []
        doing += [self._amend(each, markets[each.symbol]) for each in decided if isinstance(each, Amend)]
        doing += [self._cancel(each) for each in decided if isinstance(each, Cancel)]
        return max(await asyncio.gather(*doing), default=0)

    async def _place(self, placed: Sequence[Place], markets: Mapping[str, Market]) -> int:
        answer = await _batch(self.account, placed, markets)
        if answer.is_success:
            for reply in answer.body["results"]:
                if "orderId" in reply:
                    self._learn(reply, markets[reply["symbol"]])
        return answer.pause

    async def _amend(self, wanted: Amend, market: Market) -> int:
        body = {"price": market.price_text(wanted.price), "quantity": market.quantity_text(wanted.quantity)}
        answer = await self.account.ask("PUT", f"/api/orders/{wanted.order_id}", body)
        if answer.is_success:
            self._learn(answer.body, market)
        elif answer.code in _ENDED:
            self._own[market.symbol].pop(wanted.order_id, None)
        return answer.pause

    async def _cancel(self, ended: Cancel) -> int:
        answer = await self.account.ask("DELETE", f"/api/orders/{ended.order_id}")
        if answer.is_success or answer.code in _ENDED:
            for own in self._own.values():
                own.pop(ended.order_id, None)
        return answer.pause


async def _place(account: Account, orders: Iterable[Decision], markets: Mapping[str, Market]) -> int:
    placed = [each for each in orders if isinstance(each, Place)]
    return (await _batch(account, placed, markets)).pause if placed else 0


async def _batch(account: Account, orders: Sequence[Place], markets: Mapping[str, Market]) -> Answer:
    bodies = [_order(order, markets[order.symbol]) for order in orders[:ORDERS_MAX]]
    return await account.ask("POST", "/api/orders/batch", {"orders": bodies})


def _order(order: Place, market: Market) -> dict[str, Any]:
    """Whoever makes the market never takes, and the other way round."""
    body = {
        "symbol": order.symbol,
        "type": order.side,
        "price": market.price_text(order.price),
        "quantity": market.quantity_text(order.quantity),
    }
    return body | ({"timeInForce": "ioc"} if order.taking else {"postOnly": True})


def _units(funds: Mapping[str, str]) -> dict[str, int]:
    return {asset: amount_units(amount) for asset, amount in funds.items()}


def _grid(market: Market) -> tuple[str, str, str]:
    """As the exchange shows it."""
    return market.symbol, market.price_text(1), market.quantity_text(1)
