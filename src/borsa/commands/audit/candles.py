"""Candles: what the trades of the tape come to, in each stretch of time."""

from collections.abc import Iterator

from borsa.commands.audit.check import Check, Look, whole
from borsa.commands.audit.moment import of

INTERVALS = (1, 60, 300, 900, 3_600, 14_400, 86_400)
MOST = 2**63 - 1

_FOLDED = """
    WITH stretches AS (
        SELECT symbol, executed_at - executed_at % :length AS start, min(trade_id) AS first, max(trade_id) AS last,
            max(price) AS high, min(price) AS low, count(*) AS trades,
            sum(quantity >> 32) AS base_high, sum(quantity & 4294967295) AS base_low,
            sum(notional >> 32) AS quote_high, sum(notional & 4294967295) AS quote_low
        FROM $service.trades WHERE block = 0 GROUP BY 1, 2),
    kept AS (SELECT * FROM $service.candles WHERE interval = :interval)
    SELECT coalesce(s.symbol, k.symbol), coalesce(s.start, k.start), base_high, base_low, quote_high, quote_low,
        k.volume, k.quote_volume,
        (SELECT price FROM $service.trades WHERE trade_id = s.first), s.high, s.low,
        (SELECT price FROM $service.trades WHERE trade_id = s.last), s.trades,
        k.open, k.high, k.low, k.close, k.trades
    FROM stretches s FULL JOIN kept k ON k.symbol = s.symbol AND k.start = s.start
"""


def are_the_fold(look: Look) -> Iterator[str]:
    """A candle for each stretch in which something was traded, and what was; no other. Old ones of a second may be
    gone."""
    for shard in look.moment.shards:
        yield from _of_shard(look, shard)


def _of_shard(look: Look, shard: str) -> Iterator[str]:
    oldest = look.moment.one(of(shard, "SELECT min(start) FROM $service.candles WHERE interval = 1"))[0]
    for interval in INTERVALS:
        given = {"interval": interval, "length": interval * 1_000_000}
        for symbol, start, *rest in look.named(of(shard, _FOLDED), given):
            sums, (volume, quote_volume), traded, kept = rest[:4], rest[4:6], rest[6:11], rest[11:]
            if interval == 1 and kept[-1] is None and oldest is not None and start < oldest:
                continue
            due = (*traded, min(MOST, whole(*sums[:2])), min(MOST, whole(*sums[2:])))
            found = (*kept, volume, quote_volume)
            if found != due:
                yield f"the candle of {symbol} of {interval} s at {start} is {found}, its trades come to {due}"


CHECKS = (Check("I-37", "each candle is the fold of the trades of its stretch", are_the_fold),)
