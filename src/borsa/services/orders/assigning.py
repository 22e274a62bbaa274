"""Which shard of trades has the book of which market: a fact in the log, at its place between the orders."""

from collections.abc import Collection, Iterable, Mapping, Sequence

from borsa.errors import Refused
from borsa.markets import HALTED
from borsa.requests import Assigned, AssignMarkets, FindShards, Shards
from borsa.runtime.shards import shards_of
from borsa.runtime.writing.transaction import Transaction
from borsa.services.orders import publishing
from borsa.services.orders.store import Memory


def find_shards(_: Transaction, memory: Memory, __: FindShards) -> Shards:
    """Say which markets are not with the first shard."""
    return Shards(memory.shard_of_markets())


def assign_markets(tx: Transaction, memory: Memory, request: AssignMarkets) -> Assigned:
    """Give markets to the shard that has some of them already, or else to one that has none. All of them, or none."""
    wanted, assigned = _known(memory, request.markets), memory.shard_of_markets()
    shard = shard_for(wanted, assigned, shards_of("trades", memory.settings.trades_shards)[1:])
    for symbol in wanted:
        if symbol not in assigned:
            _assign(tx, memory, symbol, shard)
    return Assigned(shard)


def shard_for(wanted: Collection[str], assigned: Mapping[str, str], shards: Sequence[str]) -> str:
    """The one of these shards that has these markets, or is to have them. Refused where several have some of them, and
    where that one has others, too: nobody matches what it was not started for."""
    having = sorted({assigned[symbol] for symbol in wanted if symbol in assigned})
    free = [shard for shard in shards if shard not in assigned.values()]
    if not having and not free:
        told = ", ".join(f"{shard} has {_list(_of(shard, assigned))}" for shard in shards)
        raise _elsewhere(f"no shard is free: {told or 'BORSA_TRADES_SHARDS is 0'}")
    shard = having[0] if having else free[0]
    if len(having) > 1:
        told = "; ".join(f"{each} has {_list(_of(each, assigned).intersection(wanted))}" for each in having)
        raise _elsewhere(f"these markets are not of one shard: {told}")
    if more := _of(shard, assigned).difference(wanted):
        raise _elsewhere(f"{shard} has {_list(_of(shard, assigned))}: name {_list(more)}, too")
    return shard


def _of(shard: str, assigned: Mapping[str, str]) -> set[str]:
    return {symbol for symbol, has in assigned.items() if has == shard}


def _list(symbols: Iterable[str]) -> str:
    return ", ".join(sorted(symbols))


def _elsewhere(detail: str) -> Refused:
    return Refused("market_assigned", detail, field="markets")


def _known(memory: Memory, symbols: Sequence[str]) -> Sequence[str]:
    if not symbols or len(set(symbols)) < len(symbols):
        raise Refused("invalid_request", "markets must name each market once, and at least one", field="markets")
    for symbol in symbols:
        if memory.find_market(symbol) is None:
            raise Refused("unknown_symbol", f"there is no market {symbol}", field="markets")
    return symbols


def _assign(tx: Transaction, memory: Memory, symbol: str, shard: str) -> None:
    """What is asked from here on finds an empty book at the shard: nothing of what came before is on it."""
    market = memory.market(symbol)
    if market.state != HALTED or not memory.is_empty(symbol):
        raise Refused(
            "market_not_empty", f"{symbol} is {market.state}: halt it, and cancel what is open", field="markets"
        )
    memory.put_shard(symbol, shard)
    tx.publish(publishing.market_assigned(market, shard, memory.last_price(symbol)))
    tx.act("market.assigned", symbol, shard=shard)
