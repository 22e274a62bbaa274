"""The engine is a fold: the same log gives the same events, however it is cut into batches, and after any snapshot."""

from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from borsa.events import (
    BlockTradeAgreed,
    Event,
    MarketCreated,
    MarketUpdated,
    OrderAmendRequested,
    OrderCancelRequested,
    OrderClosed,
    OrderCreated,
    TradeExecuted,
)
from borsa.services.trades.engine import Engine, Input
from borsa.services.trades.publishing import event_of

MARKET: dict[str, Any] = {
    "symbol": "BTC-USD",
    "base": "BTC",
    "quote": "USD",
    "number": 1,
    "tick_size": "1",
    "lot_size": "0.001",
    "min_notional": "0",
    "maker_fee": "0.001",
    "taker_fee": "0.002",
    "price_band": "0",
    "state": "open",
}


def created(order_id: int, side: str, price: int | None, lots: int, **more: Any) -> OrderCreated:
    quantity = f"0.{lots:03d}"
    order: dict[str, Any] = {
        "order_id": str(order_id),
        "user_id": f"user-{order_id % 3}",
        "symbol": "BTC-USD",
        "wallet_id": "w",
        "product": "BTC",
        "side": side,
        "order_type": "limit" if price else "market",
        "time_in_force": "gtc",
        "post_only": False,
        "self_trade_prevention": "cancel_newest",
        "quantity": quantity,
        "price": str(price) if price else None,
        "stop_price": None,
        "quote_quantity": None,
        "held": "1000" if side == "buy" else quantity,
        "filled_quantity": "0",
        "remaining_quantity": quantity,
        "average_price": None,
        "status": "pending",
        "client_order_id": None,
        "version": 1,
    }
    return OrderCreated(**(order | more))


@st.composite
def logs(draw: st.DrawFn) -> list[Event]:
    """An orders log: a market, and whatever may happen in it."""
    log: list[Event] = [MarketCreated(**MARKET)]
    ids: list[int] = []
    limited: list[int] = []
    revision = 0
    for at in range(1, draw(st.integers(5, 60))):
        what = draw(st.sampled_from(["place"] * 6 + ["cancel", "amend", "market", "block"]))
        if what == "place" or (what == "cancel" and not ids) or (what == "amend" and not limited):
            ids.append(at * 10)
            log.append(_placed(draw, at * 10))
            if log[-1].price is not None:  # type: ignore[attr-defined]
                limited.append(at * 10)
        elif what == "cancel":
            order_id = str(draw(st.sampled_from(ids)))
            log.append(OrderCancelRequested(order_id=order_id, user_id="u", symbol="BTC-USD"))
        elif what == "amend":
            revision += 1
            # what has no price is not amended: orders refuses it
            log.append(_amended(draw, draw(st.sampled_from(limited)), revision))
        elif what == "market":
            log.append(_changed(draw))
        else:
            log.extend(_block(at * 10))
    return log


def _placed(draw: st.DrawFn, order_id: int) -> OrderCreated:
    kind = draw(st.sampled_from(["limit"] * 5 + ["market", "stop", "stop_limit"]))
    limited = kind in ("limit", "stop_limit")
    price = draw(st.integers(95, 105)) if limited else None
    return created(
        order_id,
        draw(st.sampled_from(["buy", "sell"])),
        price,
        draw(st.integers(1, 9)),
        order_type=kind,
        stop_price=str(draw(st.integers(95, 105))) if kind.startswith("stop") else None,
        worst_price=None if limited else draw(st.sampled_from([None, "97", "100", "103"])),
        time_in_force=draw(st.sampled_from(["gtc", "gtc", "ioc", "fok"])) if limited else "ioc",
        self_trade_prevention=draw(
            st.sampled_from(["cancel_newest", "cancel_oldest", "cancel_both", "decrement", "none"])
        ),
    )


def _amended(draw: st.DrawFn, order_id: int, revision: int) -> OrderAmendRequested:
    return OrderAmendRequested(
        order_id=str(order_id),
        user_id="u",
        symbol="BTC-USD",
        quantity=f"0.{draw(st.integers(1, 12)):03d}",
        price=str(draw(st.integers(95, 105))),
        revision=revision,
    )


def _changed(draw: st.DrawFn) -> MarketUpdated:
    fee = f"0.00{draw(st.integers(0, 9))}"
    state = draw(st.sampled_from(["open", "open", "open", "halted", "cancel_only"]))
    return MarketUpdated(**(MARKET | {"taker_fee": fee, "state": state}))


def _block(order_id: int) -> list[Event]:
    buy = created(order_id, "buy", 100, 3, order_type="block")
    sell = created(order_id + 1, "sell", 100, 3, order_type="block")
    agreed = BlockTradeAgreed(
        order_id=buy.order_id,
        user_id=buy.user_id,
        symbol="BTC-USD",
        sell_order_id=sell.order_id,
        quantity="0.003",
        price="100",
    )
    return [buy, sell, agreed]


def told(engine: Engine, inputs: list[Input]) -> list[list[Event]]:
    return [[event_of(outcome) for outcome in outcomes] for outcomes in engine.apply(inputs)]


def numbered(log: list[Event]) -> list[Input]:
    return [(at + 1, event) for at, event in enumerate(log)]


@settings(max_examples=150, deadline=None)
@given(logs(), st.data())
def test_the_same_log_gives_the_same_events_in_any_batches_and_after_any_snapshot(
    log: list[Event], data: st.DataObject
) -> None:
    inputs = numbered(log)
    whole = Engine()
    expected = told(whole, inputs)
    cuts = data.draw(st.lists(st.integers(0, len(inputs)), max_size=6).map(sorted))
    cut, found = Engine(), []
    for start, end in zip([0, *cuts], [*cuts, len(inputs)], strict=True):
        found += told(cut, inputs[start:end])
        again = Engine()
        again.load(b"".join(cut.save()))
        assert again.save() == cut.save()
        cut = again
    assert found == expected
    assert cut.save() == whole.save()


@settings(max_examples=150, deadline=None)
@given(logs())
def test_nobody_trades_beyond_a_worst_price_nor_is_cut_off_without_one(log: list[Event]) -> None:
    worst = {event.order_id: event.worst_price for event in log if isinstance(event, OrderCreated)}
    for events in told(Engine(), numbered(log)):
        for event in events:
            if isinstance(event, TradeExecuted):
                price = _units(event.price)
                assert price <= _units(worst[event.buy_order_id] or "105")
                assert price >= _units(worst[event.sell_order_id] or "95")
            elif isinstance(event, OrderClosed) and event.reason == "price_band":
                assert worst[event.order_id]


def test_a_worst_price_bounds_a_market_order_and_a_stop_that_fires() -> None:
    log: list[Event] = [
        MarketCreated(**MARKET),
        *(created(order_id, "sell", price, 1) for order_id, price in ((1, 100), (4, 101), (7, 102))),
        created(2, "buy", None, 2, order_type="stop", stop_price="100", worst_price="101"),
        created(5, "buy", None, 1, worst_price="100"),
    ]
    events = [event for told_of in told(Engine(), numbered(log)) for event in told_of]
    assert [(event.buy_order_id, event.price) for event in events if isinstance(event, TradeExecuted)] == [
        ("5", "100.00"),
        ("2", "101.00"),
    ]
    closed = {event.order_id: event for event in events if isinstance(event, OrderClosed)}
    assert (closed["2"].reason, closed["2"].remaining_quantity) == ("price_band", "0.001")


@settings(max_examples=150, deadline=None)
@given(logs())
def test_fees_are_never_more_than_the_proceeds_and_no_trade_is_worth_nothing(log: list[Event]) -> None:
    for events in told(Engine(), numbered(log)):
        for event in events:
            if isinstance(event, TradeExecuted):
                quantity, price = _units(event.quantity), _units(event.price) // 10**8
                assert quantity > 0
                assert price > 0
                assert 0 <= _units(event.buyer_fee) <= quantity
                assert 0 <= _units(event.seller_fee) <= quantity * price


def _units(text: str) -> int:
    whole, _, fraction = text.partition(".")
    return int(whole + fraction.ljust(8, "0"))


def test_splitting_a_fill_changes_nothing_of_the_fee() -> None:
    def fee(parts: list[int]) -> int:
        log: list[Event] = [MarketCreated(**MARKET)]
        log += [created(3 * at + 1, "sell", 100, lots) for at, lots in enumerate(parts, 1)]
        log.append(created(1000 * 3 + 2, "buy", 100, sum(parts)))
        events = [event for told_of in told(Engine(), numbered(log)) for event in told_of]
        return sum(_units(event.buyer_fee) for event in events if isinstance(event, TradeExecuted))

    assert fee([9]) == fee([1] * 9) == fee([4, 5])


def test_an_event_that_the_engine_must_never_see_stops_it() -> None:
    engine = Engine()
    engine.apply(numbered([MarketCreated(**MARKET), created(1, "buy", 100, 1)]))
    with pytest.raises(ValueError, match="duplicate_order"):
        engine.apply([(3, created(1, "buy", 100, 1))])


def test_a_damaged_state_is_refused() -> None:
    engine = Engine()
    saved = bytearray(b"".join(engine.save()))
    saved[len(saved) // 2] ^= 0xFF
    with pytest.raises(ValueError, match=r".+"):
        Engine().load(bytes(saved))
    with pytest.raises(ValueError, match="not a state"):
        Engine().load(msgspec.msgpack.encode("something else"))
