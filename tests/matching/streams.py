"""Random commands of every kind, few ids, owners and prices, so that they meet."""

from random import Random

from borsa.matching import pack_command
from borsa.matching.layout import Op, OrderType, SelfTradePrevention, State, TimeInForce

MARKETS = range(2)
_OPS = [Op.PLACE] * 30 + [Op.AMEND] * 6 + [Op.CANCEL] * 3 + [Op.CANCEL_ALL, Op.CROSS, Op.SET_STATE]
_STATES = [State.OPEN] * 4 + [State.CANCEL_ONLY, State.HALTED]
_TYPES = [OrderType.LIMIT] * 6 + [OrderType.MARKET, OrderType.STOP, OrderType.STOP_LIMIT]
_TIMES_IN_FORCE = [TimeInForce.GTC] * 4 + [TimeInForce.IOC, TimeInForce.FOK]
_BROKEN = ["side", "order_type", "time_in_force", "post_only", "self_trade_prevention", "price", "quantity"]


def random_command(random: Random, ids: int = 30, owners: int = 4, prices: int = 9) -> bytes:
    """One command; about one in forty has a field that is not allowed."""
    market = random.choice([0, 0, 0, 0, 1])
    op = random.choice(_OPS)
    order_id = random.randint(1, ids)
    if op == Op.PLACE:
        return _random_place(random, market, order_id, owners, prices)
    if op == Op.AMEND:
        price = random.choice([0, *range(1, prices + 1)])
        return pack_command(op, market, order_id, price=price, quantity=random.randint(0, 12))
    if op == Op.CROSS:
        other_id = random.randint(1, ids)
        price = random.randint(0, prices)
        return pack_command(op, market, order_id, other_id=other_id, price=price, quantity=random.randint(0, 3))
    if op == Op.SET_STATE:
        return pack_command(op, market, quantity=random.choice(_STATES))
    if op == Op.CANCEL_ALL:
        return pack_command(op, market, owner=random.randint(1, owners))
    return pack_command(op, market, order_id)


def _random_place(random: Random, market: int, order_id: int, owners: int, prices: int) -> bytes:
    order_type = random.choice(_TYPES)
    fields: dict[str, int] = {
        "order_type": order_type,
        "side": random.randint(0, 1),
        "owner": random.randint(1, owners),
        "quantity": random.randint(1, 9),
        "time_in_force": random.choice(_TIMES_IN_FORCE),
        "self_trade_prevention": random.choice(list(SelfTradePrevention)),
    }
    if order_type in (OrderType.LIMIT, OrderType.STOP_LIMIT):
        fields["price"] = random.randint(1, prices)
        fields["post_only"] = int(fields["time_in_force"] == TimeInForce.GTC and random.randint(0, 5) == 0)
    elif fields["side"] == 0 and random.randint(0, 1):
        fields["budget"] = random.randint(1, 60)
        fields["quantity"] *= random.randint(0, 1)
    if order_type in (OrderType.MARKET, OrderType.STOP) and random.randint(0, 1):
        fields["price"] = random.randint(1, prices)
    if order_type in (OrderType.STOP, OrderType.STOP_LIMIT):
        fields["stop_price"] = random.randint(1, prices)
    if random.randint(0, 39) == 0:
        fields[random.choice(_BROKEN)] = random.choice([0, 9])
    return pack_command(Op.PLACE, market, order_id, **fields)


def random_stream(seed: int, length: int, ids: int = 400, owners: int = 6, prices: int = 40) -> list[bytes]:
    """A long stream: the same for the same seed, on every machine."""
    random = Random(seed)
    return [random_command(random, ids, owners, prices) for _ in range(length)]
