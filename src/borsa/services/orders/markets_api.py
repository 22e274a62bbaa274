"""The door of markets: which there are, and what admins may change of them."""

from msgspec import Raw, UnsetType

from borsa.errors import Refused
from borsa.markets import ASSET_SCALE, PRICE_SCALE, Market, symbol_of, units_of
from borsa.money import RATE_SCALE
from borsa.runtime.codec import number_units, required_number
from borsa.runtime.http.call import Call
from borsa.runtime.http.route import Route
from borsa.services.orders import store
from borsa.services.orders.model import ChangeMarket, CreateMarket
from borsa.services.orders.wire import MarketChange, MarketList, MarketReply, NewMarket, market_reply


async def list_markets(call: Call) -> MarketList:
    """GET /api/markets"""
    return MarketList(data=[market_reply(market) for market in await call.read(store.all_markets)])


async def get_market(call: Call) -> MarketReply:
    """GET /api/markets/{symbol}"""
    market = await call.read(store.market_by_symbol, symbol_of(call.path["symbol"]))
    if market is None:
        raise Refused("unknown_symbol")
    return market_reply(market)


async def create_market(call: Call, body: NewMarket) -> MarketReply:
    """POST /api/markets"""
    market = Market(
        symbol=body.symbol,
        base=body.base,
        quote=body.quote,
        number=0,
        tick=units_of(required_number(body.tick_size, "tickSize"), PRICE_SCALE, "tickSize"),
        lot=units_of(required_number(body.lot_size, "lotSize"), ASSET_SCALE, "lotSize"),
        min_notional=number_units(body.min_notional, ASSET_SCALE, "minNotional") or 0,
        maker_fee=_rate(body.maker_fee, "makerFee") or 0,
        taker_fee=_rate(body.taker_fee, "takerFee") or 0,
        price_band_ppm=_band(call, body.price_band),
    )
    return market_reply(await call.ask(CreateMarket(market=market)))


def _band(call: Call, given: Raw | UnsetType) -> int:
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
    return market_reply(await call.ask(change))


def _rate(value: Raw | UnsetType, field: str) -> int | None:
    return number_units(value, RATE_SCALE, field)


ROUTES = (
    Route("GET", "/api/markets", list_markets, "public", "All markets", reply=MarketList),
    Route(
        "GET", "/api/markets/{symbol}", get_market, "public", "A market", reply=MarketReply, errors=("unknown_symbol",)
    ),
    Route(
        "POST",
        "/api/markets",
        create_market,
        "admin",
        "Admit a market",
        body=NewMarket,
        reply=MarketReply,
        status=201,
        errors=("market_exists", "invalid_market"),
    ),
    Route(
        "PUT",
        "/api/markets/{symbol}",
        change_market,
        "admin",
        "Change a market's fees, price band or state",
        body=MarketChange,
        reply=MarketReply,
        errors=("unknown_symbol", "invalid_market"),
    ),
)
