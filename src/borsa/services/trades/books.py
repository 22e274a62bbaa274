"""What the engine keeps beside the kernel: its markets, and what each open order is to the services around it."""

import msgspec

from borsa import money
from borsa.events import Event, MarketEvent, OrderCreated
from borsa.markets import ASSET_SCALE, PRICE_SCALE, Market, amount_units


class Live(msgspec.Struct, gc=False, array_like=True):
    """An open order: ticks, lots, and units of the asset that it spends. Snapshots have the fields in this order.

    `capped`: it has no limit price, so what it held is the most that it may spend. `fee_numerator` is the sum of
    proceeds times rate over its fills, `fee_charged` what it paid of that.
    """

    order_id: int
    user_id: str
    owner: int
    symbol: str
    side: str
    price: int
    quantity: int
    held: int
    capped: bool
    prevention: str
    filled: int = 0
    spent: int = 0
    prevented: int = 0
    fee_numerator: int = 0
    fee_charged: int = 0

    @property
    def remaining(self) -> int:
        """Lots still to fill: quantity = filled + prevented + remaining. 0 for a buy by budget."""
        return max(0, self.quantity - self.filled - self.prevented)

    def needs(self, market: Market) -> int:
        """Units that must stay on hold for what remains."""
        if self.side == "sell":
            return self.remaining * market.lot
        if self.capped:
            # what is left over is released when the order closes
            return self.held - self.spent
        return market.notional(self.price, self.remaining)


class Books(msgspec.Struct, omit_defaults=True):
    """Markets by symbol, open orders by id, dense numbers of users, and each market's sequence. `elsewhere` are the
    markets that other shards match."""

    markets: dict[str, Market] = msgspec.field(default_factory=dict)
    live: dict[int, Live] = msgspec.field(default_factory=dict)
    owners: dict[str, int] = msgspec.field(default_factory=dict)
    sequences: dict[str, int] = msgspec.field(default_factory=dict)
    elsewhere: dict[str, Market] = msgspec.field(default_factory=dict)

    def market(self, symbol: str) -> Market:
        """The market of a symbol; LookupError when the log has not brought it."""
        return self.markets[symbol]

    def put_market(self, market: Market) -> None:
        """A market is so from now on."""
        (self.elsewhere if market.symbol in self.elsewhere else self.markets)[market.symbol] = market

    def known(self) -> list[Market]:
        """All markets, here and elsewhere, by number."""
        return sorted((*self.markets.values(), *self.elsewhere.values()), key=lambda market: market.number)

    def add(self, event: OrderCreated, market: Market) -> Live:
        """Know an order that comes in."""
        live = Live(
            order_id=int(event.order_id),
            user_id=event.user_id,
            owner=self.owners.setdefault(event.user_id, len(self.owners) + 1),
            symbol=event.symbol,
            side=event.side,
            price=market.ticks(event.price) if event.price else 0,
            quantity=market.lots(event.quantity) if event.quantity else 0,
            held=amount_units(event.held),
            capped=event.price is None and event.side == "buy",
            prevention=event.self_trade_prevention,
        )
        self.live[live.order_id] = live
        return live

    def count_change(self, event: Event) -> None:
        """The event changes a book."""
        symbol = getattr(event, "symbol", None)
        if symbol is not None:
            self.sequences[symbol] = self.sequences.get(symbol, 0) + 1


def market_of(event: MarketEvent) -> Market:
    """The market that an event describes."""
    return Market(
        symbol=event.symbol,
        base=event.base,
        quote=event.quote,
        number=event.number,
        tick=money.parse(event.tick_size, PRICE_SCALE),
        lot=money.parse(event.lot_size, ASSET_SCALE),
        min_notional=money.parse(event.min_notional, ASSET_SCALE),
        maker_fee=money.parse(event.maker_fee, money.RATE_SCALE),
        taker_fee=money.parse(event.taker_fee, money.RATE_SCALE),
        price_band_ppm=money.parse(event.price_band, money.RATE_SCALE),
        state=event.state,
    )
