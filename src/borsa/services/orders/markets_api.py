"""The door of markets: which there are, and what admins may change of them."""

from typing import Annotated, Any, Literal

import msgspec
from msgspec import UNSET, Meta, UnsetType

from borsa import money
from borsa.errors import Refused
from borsa.markets import ASSET_SCALE, PRICE_SCALE, Market, symbol_of
from borsa.runtime.codec import Body, Number, Reply, number_text, required_number
from borsa.runtime.http.call import Call
from borsa.runtime.http.route import Route
from borsa.services.orders import store
from borsa.services.orders.model import ChangeMarket, CreateMarket
from borsa.services.orders.publishing import market_texts

Code = Annotated[str, Meta(pattern=r"^[A-Z0-9]{1,12}\Z", examples=["BTC"])]
State = Literal["open", "cancel_only", "halted"]


class NewMarket(Body, frozen=True):
    """A market to admit. Fees and `priceBand` are fractions: "0.001" is 0.1 %; a band of "0" is none."""

    symbol: Annotated[str, Meta(max_length=32)]
    base: Code
    quote: Code
    tick_size: Number
    lot_size: Number
    min_notional: Number | UnsetType = UNSET
    maker_fee: Number | UnsetType = UNSET
    taker_fee: Number | UnsetType = UNSET
    price_band: Number | UnsetType = UNSET


class MarketChange(Body, frozen=True):
    """What may change of a market, from this point of the orders log on."""

    maker_fee: Number | UnsetType = UNSET
    taker_fee: Number | UnsetType = UNSET
    price_band: Number | UnsetType = UNSET
    state: State | None = None


class MarketReply(Reply, frozen=True):
    """A market: prices are multiples of `tickSize`, quantities of `lotSize`."""

    symbol: str
    base: str
    quote: str
    tick_size: str
    lot_size: str
    min_notional: str
    maker_fee: str
    taker_fee: str
    price_band: str
    state: State


class MarketList(Reply, frozen=True):
    """All markets."""

    data: list[MarketReply]


async def list_markets(call: Call) -> MarketList:
    """GET /api/markets"""
    return MarketList(data=[_reply(market) for market in store.all_markets(call.reader)])


async def get_market(call: Call) -> MarketReply:
    """GET /api/markets/{symbol}"""
    market = store.market_by_symbol(call.reader, symbol_of(call.path["symbol"]))
    if market is None:
        raise Refused("unknown_symbol")
    return _reply(market)


async def create_market(call: Call, body: NewMarket) -> MarketReply:
    """POST /api/markets"""
    market = Market(
        symbol=body.symbol,
        base=body.base,
        quote=body.quote,
        number=0,
        tick=_units(required_number(body.tick_size, "tickSize"), PRICE_SCALE, "tickSize"),
        lot=_units(required_number(body.lot_size, "lotSize"), ASSET_SCALE, "lotSize"),
        min_notional=_least(body.min_notional),
        maker_fee=_rate(body.maker_fee, "makerFee") or 0,
        taker_fee=_rate(body.taker_fee, "takerFee") or 0,
        price_band_ppm=_band(call, body.price_band),
    )
    return _reply(await call.ask(CreateMarket(market=market)))


def _least(given: msgspec.Raw | UnsetType) -> int:
    text = number_text(given, "minNotional")
    return 0 if text is None else _units(text, ASSET_SCALE, "minNotional")


def _band(call: Call, given: msgspec.Raw | UnsetType) -> int:
    band = _rate(given, "priceBand")
    return call.settings.price_band_ppm if band is None else band


async def change_market(call: Call, body: MarketChange) -> MarketReply:
    """PUT /api/markets/{symbol}"""
    change = ChangeMarket(
        symbol=symbol_of(call.path["symbol"]),
        maker_fee=_rate(body.maker_fee, "makerFee"),
        taker_fee=_rate(body.taker_fee, "takerFee"),
        price_band_ppm=_rate(body.price_band, "priceBand"),
        state=body.state,
    )
    return _reply(await call.ask(change))


def _rate(value: msgspec.Raw | UnsetType, field: str) -> int | None:
    text = number_text(value, field)
    return None if text is None else _units(text, money.RATE_SCALE, field)


def _units(text: str, scale: int, field: str) -> int:
    try:
        return money.parse(text, scale)
    except money.NotExact as error:
        raise Refused("invalid_request", f"{field} {error}", field=field) from None


def _reply(market: Market) -> MarketReply:
    texts: dict[str, Any] = market_texts(market)
    del texts["number"]
    return MarketReply(**texts)


ROUTES = (
    Route(
        method="GET",
        path="/api/markets",
        handle=list_markets,
        access="public",
        summary="All markets",
        reply=MarketList,
    ),
    Route(
        method="GET",
        path="/api/markets/{symbol}",
        handle=get_market,
        access="public",
        summary="A market",
        reply=MarketReply,
        errors=("unknown_symbol",),
    ),
    Route(
        method="POST",
        path="/api/markets",
        handle=create_market,
        access="admin",
        summary="Admit a market",
        body=NewMarket,
        reply=MarketReply,
        status=201,
        errors=("market_exists", "invalid_market"),
    ),
    Route(
        method="PUT",
        path="/api/markets/{symbol}",
        handle=change_market,
        access="admin",
        summary="Change a market's fees, price band or state",
        body=MarketChange,
        reply=MarketReply,
        errors=("unknown_symbol", "invalid_market"),
    ),
)
