"""What one user asks for in masses, others do not wait for."""

import asyncio
import socket
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from borsa import app
from borsa.errors import Refused
from borsa.runtime.http.limits import REFUSALS_FREE, REFUSALS_SECONDS, Limits
from borsa.services.orders.model import CancelOrder, PlaceOrders
from borsa.settings import Settings
from tests.api.stage import an_order
from tests.api.test_slow_clients import ask_without_end
from tests.security.test_limits import limited, refused
from tests.support.alone import HandClock
from tests.support.running import Running, until
from tests.support.stepped import Stepped, limit

# turns -------------------------------------------------------------------------------------------------------------


def masses_of(user_id: str, count: int, start: int) -> PlaceOrders:
    """Many orders at a time, each at a price of its own."""
    return PlaceOrders(orders=[limit(user_id, "buy", "0.01", str(start + at)) for at in range(count)])


def test_an_order_waits_for_no_more_than_one_commit_of_another_user(tmp_path: Path) -> None:
    with Stepped(tmp_path / "data", commit_requests_max=50) as stepped:
        flooder, honest = stepped.user("flooder", USD=10**15), stepped.user("honest", USD=10**15)
        flood = [stepped.put(masses_of(flooder, 50, 1_000 + 50 * at)) for at in range(8)]
        stepped.writers["orders"].hear()
        mine = stepped.put(limit(honest, "buy", "0.01", "999"))
        for name in ("wallets", "orders", "wallets", "orders"):
            stepped.writers[name].step()
        assert stepped.outcomes.of[mine].order.user_id == honest
        assert sum(each in stepped.outcomes.of for each in flood) <= 3
        stepped.settle()
        assert all(each in stepped.outcomes.of for each in flood)


def test_a_cancel_waits_for_no_order_of_its_own_user(tmp_path: Path) -> None:
    with Stepped(tmp_path / "data", commit_requests_max=10) as stepped:
        user = stepped.user("ann", USD=10**15)
        order = stepped.ask(limit(user, "buy", "0.01", "999")).order
        placed = [stepped.put(limit(user, "buy", "0.01", str(1_000 + at))) for at in range(100)]
        cancelled = stepped.put(CancelOrder(order_id=order.order_id, user_id=user))
        stepped.writers["orders"].step()
        assert cancelled in stepped.outcomes.of
        stepped.settle()
        assert all(not isinstance(stepped.outcomes.of[each], Refused) for each in placed)


def test_what_is_small_is_placed_between_the_steps_of_a_turn_and_takes_nothing_large_along(tmp_path: Path) -> None:
    with Stepped(tmp_path / "data", commit_requests_max=100) as stepped:
        flooder, honest = stepped.user("flooder", USD=10**15), stepped.user("honest", USD=10**15)
        between = app.between(stepped.writers)
        flood = [stepped.put(masses_of(flooder, 50, 1_000 + 50 * at)) for at in range(4)]
        stepped.writers["orders"].hear()
        mine = stepped.put(limit(honest, "buy", "0.01", "999"))
        for step in between:
            step()
        assert mine not in stepped.outcomes.of  # wallets has not seen anything large yet
        for name in ("wallets", "orders"):
            stepped.writers[name].step()
        again = stepped.put(limit(honest, "buy", "0.01", "998"))
        assert [step() for step in between] == [True, True, True]
        assert stepped.outcomes.of[again].order.user_id == honest
        assert sum(each in stepped.outcomes.of for each in flood) == 2
        stepped.settle()
        assert all(all(placed.order for placed in stepped.outcomes.of[each].placements) for each in flood)
        assert stepped.outcomes.of[mine].order.user_id == honest
        assert not any(step() for step in between)


def test_a_user_whose_requests_fill_their_share_is_refused_and_others_are_not(tmp_path: Path) -> None:
    with Stepped(tmp_path / "data", inbox_user_items_max=60) as stepped:
        flooder, honest = stepped.user("flooder", USD=10**15), stepped.user("honest", USD=10**15)
        flood = [stepped.put(masses_of(flooder, 50, 1_000 + 50 * at)) for at in range(3)]
        mine = stepped.put(limit(honest, "buy", "0.01", "999"))
        assert stepped.outcomes.of[flood[2]].code == "overloaded"
        assert mine not in stepped.outcomes.of
        stepped.settle()
        assert stepped.outcomes.of[mine].order.user_id == honest
        again = stepped.ask(masses_of(flooder, 50, 1_000))  # there is room again
        assert all(placed.order for placed in again.placements)


# refusals ----------------------------------------------------------------------------------------------------------


async def held_back(limits: Limits, who: str) -> bool:
    """Does a refusal have to wait?"""
    task = asyncio.create_task(limits.slow_down(who))
    await asyncio.sleep(0)
    task.cancel()
    return not task.done()


def test_whoever_is_refused_again_and_again_is_answered_later() -> None:
    async def refusals() -> None:
        clock = HandClock()
        limits = Limits(clock, Settings())
        assert [await held_back(limits, "ann") for _ in range(REFUSALS_FREE)] == [False] * REFUSALS_FREE
        assert await held_back(limits, "ann")
        assert not await held_back(limits, "bob")
        clock.advance(REFUSALS_SECONDS)
        assert not await held_back(limits, "ann")

    asyncio.run(refusals())


# reading -----------------------------------------------------------------------------------------------------------


def test_a_long_list_costs_more_of_the_limit_than_a_short_one(tmp_path: Path) -> None:
    with Running(tmp_path / "data", rows_per_second=50) as running:
        reader, other = running.person(USD="100000"), running.person(USD="100000")
        reader.call("POST", "/api/orders/batch", {"orders": [an_order()] * 30})
        other.call("POST", "/api/orders", an_order())
        refused(limited(lambda _: reader.call("GET", "/api/orders?limit=1000")))
        assert other.call("GET", "/api/orders?limit=1000").status_code == 200
        assert reader.call("DELETE", "/api/orders").status_code == 200
        until(lambda: reader.call("GET", "/api/orders?limit=1").status_code == 200, "the next second")


def test_when_too_much_waits_to_be_read_those_with_most_are_let_go(tmp_path: Path) -> None:
    with Running(tmp_path / "data", unread_bytes_max=100_000) as running:
        address = urlsplit(running.url)
        with socket.create_connection((address.hostname, address.port), timeout=30) as deaf:
            deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            with pytest.raises((ConnectionResetError, BrokenPipeError)):
                ask_without_end(deaf)
        until(lambda: running.http.get("/openapi.json").status_code == 200, "an answer")
