"""One client id, one order: also where one commit places more orders than are kept in memory."""

from pathlib import Path

from borsa.services.orders.model import PlaceOrders
from tests.support.stepped import Stepped, limit


def test_an_order_is_repeated_in_the_commit_that_places_it_and_many_more(tmp_path: Path) -> None:
    with Stepped(tmp_path, cached_records_max=2) as stepped:
        ada = stepped.user("ada", USD=10**12)
        orders = [limit(ada, "buy", "0.1", "100", client_order_id=f"c{at}", digest=b"same") for at in range(5)]
        batch = stepped.put(PlaceOrders(orders=orders))
        stepped.writers["orders"].step()
        stepped.writers["wallets"].step()
        # it waits beside the holds of the batch, and shares their commit
        again = stepped.put(orders[0])
        stepped.settle()
        placed = [each.order.order_id for each in stepped.outcomes.of[batch].placements]
        assert len(set(placed)) == 5
        repeated = stepped.outcomes.of[again]
        assert (repeated.order.order_id, repeated.repeated) == (placed[0], True)
