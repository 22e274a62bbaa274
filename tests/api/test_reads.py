"""Whoever was answered sees what came of it at the next read: nobody has to wait for what was said to be so."""

import uuid

from tests.journeys.floor import Floor
from tests.support.running import Running


def test_what_was_answered_is_there_at_the_next_read(shared_exchange: Running) -> None:
    """Orders, holds and deposits, each read at once and without waiting for the engine."""
    floor = Floor(shared_exchange)
    ann = floor.person(usd="1000")
    for at in range(1, 21):
        placed = ann.post("/api/orders", {"symbol": floor.symbol, "type": "buy", "quantity": "1", "price": "10"})
        assert ann.get(f"/api/orders/{placed['orderId']}")["orderId"] == placed["orderId"]
        assert ann.get("/api/orders")["data"][0]["orderId"] == placed["orderId"]
        wallet = ann.wallet()
        assert (wallet["held"]["USD"], wallet["available"]["USD"]) == (f"{10 * at}.00", f"{1000 + at - 1 - 10 * at}.00")
        given = {"asset": "USD", "delta": "+1", "reason": "more"}
        answer = floor.admin.call("PUT", f"/api/wallets/{ann.wallet_id}", given, {"idempotency-key": str(uuid.uuid4())})
        assert ann.wallet()["balance"]["USD"] == answer.json()["balance"]["USD"] == f"{1000 + at}.00"
