"""Assets and markets: the grid on which prices and quantities live, and the rule that admits a market.

Inside Borsa a price is a number of ticks, a quantity a number of lots, and a balance a number of an asset's smallest
units. A market is admitted only if one tick times one lot is a whole number of units of the quote asset, so that
price times quantity is always exact.
"""

from collections.abc import Callable
from functools import lru_cache
from typing import Final

import msgspec

from borsa import money
from borsa.errors import Refused

QUOTE_DEFAULT: Final = "USD"
"""The asset against which a bare asset is traded: the symbol `BTC` means `BTC-USD`."""

ASSET_SCALE: Final = 8
"""Decimal places of every asset: what tick times lot of the shipped markets needs."""

PRICE_SCALE: Final = 8
"""Decimal places that a tick size can have."""

OPEN, CANCEL_ONLY, HALTED = "open", "cancel_only", "halted"

_PLACES_SHOWN = {"USD": 2, "EUR": 2, "USDT": 2}


@lru_cache(maxsize=65_536)
def amount_text(asset: str, units: int) -> str:
    """An amount of an asset as it stands on the wire; dollars show at least two places."""
    return money.write(units, ASSET_SCALE, _PLACES_SHOWN.get(asset, 0))


def amount_units(text: str) -> int:
    """The units of an amount on the wire; NotExact when it is no exact number."""
    return money.parse(text, ASSET_SCALE)


def units_of(text: str, scale: int, field: str, parse: Callable[[str, int], int] = money.parse) -> int:
    """The units of 10**-scale in a field's text; refused when it is no exact number."""
    try:
        return parse(text, scale)
    except money.NotExact as error:
        raise Refused("invalid_request", f"{field} {error}", field=field) from None


def units_above_zero(text: str, scale: int, field: str) -> int:
    """As units_of, and refused when it is zero."""
    units = units_of(text, scale, field)
    if units == 0:
        raise Refused("invalid_request", f"{field} must be above zero", field=field)
    return units


def notional_units(price: str, quantity: int) -> int:
    """Units of the quote asset in `quantity` units of the base asset at a price from the wire: exact, or a fault."""
    cost, rest = divmod(money.parse(price, PRICE_SCALE) * quantity, 10**PRICE_SCALE)
    if rest:
        raise ValueError(f"{quantity} units at {price} are not a whole number of units")
    return cost


class Market(msgspec.Struct, frozen=True, gc=False):
    """A tradable pair and its grid.

    `tick` is the price step in 10**-8 quote per base, `lot` the quantity step in units of the base asset,
    `min_notional` in units of the quote asset, fees in millionths, `number` a small dense integer that the matching
    kernel knows the market by, `price_band_ppm` how far from the last trade a price may be in millionths (0: none).
    """

    symbol: str
    base: str
    quote: str
    number: int
    tick: int
    lot: int
    min_notional: int
    maker_fee: int = 0
    taker_fee: int = 0
    price_band_ppm: int = 0
    state: str = OPEN

    @property
    def unit(self) -> int:
        """Units of the quote asset in one tick times one lot."""
        return _unit(self.tick, self.lot)

    def notional(self, price: int, quantity: int) -> int:
        """Units of the quote asset in `quantity` lots at `price` ticks: exact."""
        return price * quantity * self.unit

    def ticks(self, text: str, field: str = "price") -> int:
        """The price of a decimal text, in ticks; refused when it is zero or off the grid."""
        return _steps(text, PRICE_SCALE, self.tick, "off_tick", field)

    def lots(self, text: str, field: str = "quantity") -> int:
        """The quantity of a decimal text, in lots; refused when it is zero or off the grid."""
        return _steps(text, ASSET_SCALE, self.lot, "off_lot", field)

    def furthest(self, side: str, reference: int) -> int:
        """The furthest price from a reference, both in ticks, that the band allows: the highest to buy at, the lowest
        to sell at. 0 where there is no band or no reference."""
        if not reference or not self.price_band_ppm:
            return 0
        # whole ticks within the band: rounded towards the reference, which is the safe side of both
        distance: int = reference * self.price_band_ppm // 10**money.RATE_SCALE
        if side == "buy":
            return min(reference + distance, money.UNITS_MAX // self.tick)
        return max(1, reference - distance)

    def price_text(self, ticks: int) -> str:
        """A price as it stands on the wire: an amount of the quote asset."""
        return amount_text(self.quote, ticks * self.tick)

    def quantity_text(self, lots: int) -> str:
        """A quantity as it stands on the wire."""
        return money.write(lots * self.lot, ASSET_SCALE)


@lru_cache(maxsize=4096)
def _unit(tick: int, lot: int) -> int:
    return tick * lot // 10**PRICE_SCALE


@lru_cache(maxsize=16_384)
def _steps(text: str, scale: int, step: int, code: str, field: str) -> int:
    steps, rest = divmod(units_above_zero(text, scale, field), step)
    if rest:
        raise Refused(code, f"{field} must be a multiple of {money.write(step, scale)}", field=field)
    return steps


def admit(market: Market) -> Market:
    """The market, if every price times quantity on its grid is exact; `invalid_market` otherwise."""
    if market.symbol != f"{market.base}-{market.quote}" or market.base == market.quote:
        raise Refused("invalid_market", "symbol must be BASE-QUOTE, of two different assets", field="symbol")
    if market.tick <= 0:
        raise Refused("invalid_market", "tickSize must be above zero", field="tickSize")
    if market.lot <= 0:
        raise Refused("invalid_market", "lotSize must be above zero", field="lotSize")
    if market.tick * market.lot % 10**PRICE_SCALE:
        detail = f"tickSize times lotSize must be a whole number of 10^-{ASSET_SCALE} {market.quote}"
        raise Refused("invalid_market", detail, field="tickSize")
    for field, rate in (("makerFee", market.maker_fee), ("takerFee", market.taker_fee)):
        if not 0 <= rate < 10**money.RATE_SCALE:
            raise Refused("invalid_market", f"{field} must be at least 0 and below 1", field=field)
    return market


def symbol_of(name: str) -> str:
    """The market's symbol that a client means: a bare asset is traded against the default quote."""
    return name if "-" in name else f"{name}-{QUOTE_DEFAULT}"


def _shipped(number: int, symbol: str, tick: str, lot: str, min_notional: str) -> Market:
    base, _, quote = symbol.partition("-")
    return admit(
        Market(
            symbol=symbol,
            base=base,
            quote=quote,
            number=number,
            tick=money.parse(tick, PRICE_SCALE),
            lot=money.parse(lot, ASSET_SCALE),
            min_notional=money.parse(min_notional, ASSET_SCALE),
        )
    )


SHIPPED: Final = (
    _shipped(1, "BTC-USD", "0.01", "0.000001", "1"),
    _shipped(2, "ETH-USD", "0.01", "0.00001", "1"),
    _shipped(3, "SOL-USD", "0.01", "0.001", "1"),
    _shipped(4, "ETH-BTC", "0.00001", "0.001", "0.00002"),
)
"""The markets of a first start."""
