"""Fees: set by an admin, taken from what each side receives, rounded up once for each order."""

from tests.journeys.floor import Floor


def test_maker_and_taker_pay_their_rates_of_what_they_receive(floor: Floor) -> None:
    changed = floor.admin.call("PUT", f"/api/markets/{floor.symbol}", {"makerFee": "0.001", "takerFee": "0.002"})
    assert (changed.json()["makerFee"], changed.json()["takerFee"]) == ("0.001", "0.002")
    ann, bea = floor.person(usd="1000"), floor.person(base="10")
    floor.place(bea, "sell", "2", "100")
    floor.place(ann, "buy", "2", "100")
    floor.settled(ann, "800.00", "1.996")  # the taker gets 2 less 0.2 %
    floor.settled(bea, "199.80", "8")  # the maker gets 200 less 0.1 %
    (bought,) = ann.get(f"/api/trades?symbol={floor.symbol}")["data"]
    (sold,) = bea.get(f"/api/trades?symbol={floor.symbol}")["data"]
    assert (bought["fee"], bought["feeAsset"], bought["role"]) == ("0.004", floor.base, "taker")
    assert (sold["fee"], sold["feeAsset"], sold["role"]) == ("0.20", "USD", "maker")
    seen = floor.admin.get(f"/api/trades/{bought['tradeId']}")
    assert (seen["buyerFee"], seen["sellerFee"], seen["buyerId"]) == ("0.004", "0.20", ann.user_id)


def test_many_small_fills_cost_no_more_than_a_large_one(floor: Floor) -> None:
    floor.admin.call("PUT", f"/api/markets/{floor.symbol}", {"makerFee": "0.001", "takerFee": "0"})
    ann, bea = floor.person(usd="1000"), floor.person(base="10")
    bid = floor.place(ann, "buy", "0.00001", "100")
    for _ in range(10):
        floor.place(bea, "sell", "0.000001", "100")
    floor.becomes(ann, bid, "filled")
    # ten times 0.1 % of 0.000001 is 0.00000001, and not ten times as much
    floor.settled(ann, "999.999", "0.00000999")
    floor.settled(bea, "0.001", "9.99999")


def test_dust_is_not_free(floor: Floor) -> None:
    floor.admin.call("PUT", f"/api/markets/{floor.symbol}", {"makerFee": "0.001", "takerFee": "0.000001"})
    ann, bea = floor.person(usd="1000"), floor.person(base="10")
    floor.place(ann, "buy", "0.000001", "100")
    floor.place(bea, "sell", "0.000001", "100")
    floor.settled(ann, "999.9999", "0.00000099")
    floor.settled(bea, "0.00009999", "9.999999")


def test_new_fees_hold_from_the_next_order_of_the_log_on(floor: Floor) -> None:
    ann, bea = floor.person(usd="1000"), floor.person(base="10")
    floor.place(bea, "sell", "2", "100")
    floor.place(ann, "buy", "1", "100")
    floor.admin.call("PUT", f"/api/markets/{floor.symbol}", {"makerFee": "0.01", "takerFee": "0.01"})
    floor.place(ann, "buy", "1", "100")
    floor.settled(ann, "800.00", "1.99")
    floor.settled(bea, "199.00", "8")


def test_a_fee_of_everything_is_refused(floor: Floor) -> None:
    for fee in ("1", "2"):
        answer = floor.admin.call("PUT", f"/api/markets/{floor.symbol}", {"makerFee": fee})
        assert (answer.status_code, answer.json()["code"]) == (422, "invalid_market")
