"""portfolios as a follower: each effect once, in any order of the sources, through restarts and after goodbyes."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from borsa.errors import Refused
from borsa.events import Event, PortfolioUpdated, UserCreated, UserDeleted, WalletUpdated
from borsa.runtime.bus import Once
from borsa.runtime.http.page import DEFAULT_FIRST
from borsa.services.portfolios import PORTFOLIOS, store
from borsa.services.portfolios.model import CreatePortfolio, DeletePortfolio, PortfolioState, RenamePortfolio
from tests.services.portfolios.wallet import Wallet, printed
from tests.support.alone import Alone

ADA = UserCreated(user_id="ada", user_name="Ada")


@pytest.fixture
def alone(tmp_path: Path) -> Iterator[Alone]:
    service = Alone(PORTFOLIOS, tmp_path)
    yield service
    service.close()


def portfolios_of(alone: Alone, user_id: str) -> list[PortfolioState]:
    return store.portfolios_page(alone.reader, user_id, DEFAULT_FIRST, 1000)


def held(alone: Alone, user_id: str = "ada") -> dict[str, str]:
    """Quantities in the default portfolio, in units."""
    state = portfolios_of(alone, user_id)[0]
    return {holding.product: holding.quantity for holding, _ in state.holdings}


def updates(alone: Alone) -> list[PortfolioUpdated]:
    found = alone.told()
    assert all(isinstance(each, PortfolioUpdated) for each in found)
    return found  # type: ignore[return-value]


def making(user_id: str = "ada", name: str = "long term", **more: Any) -> CreatePortfolio:
    return CreatePortfolio(user_id=user_id, name=name, **({"product": None, "quantity": 0, "cost": 0} | more))


# following ---------------------------------------------------------------------------------------------------------


def test_a_new_user_has_a_default_portfolio(alone: Alone) -> None:
    alone.happen(ADA)
    (state,) = portfolios_of(alone, "ada")
    assert (state.portfolio.name, state.portfolio.is_default, state.holdings) == ("default", 1, [])
    (update,) = updates(alone)
    assert (update.change, update.product, update.quantity) == ("created", None, "0")


def test_a_wallet_may_be_heard_of_before_its_user(alone: Alone) -> None:
    alone.happen(Wallet().adjusted(btc="2"), ADA)
    assert len(portfolios_of(alone, "ada")) == 1
    assert held(alone) == {"BTC": "200000000"}


def test_the_update_says_what_is_held_now(alone: Alone) -> None:
    wallet = Wallet()
    alone.happen(ADA, wallet.traded("buy", btc="4", usd="-600"), wallet.traded("sell", btc="-1", usd="200"))
    last = updates(alone)[-1]
    assert (last.product, last.quantity, last.change) == ("BTC", "3", "holding")
    assert (last.average_cost, last.realized_pnl) == ("150.00", "50.00")


def test_quantities_are_what_all_wallets_of_a_user_hold(alone: Alone) -> None:
    first, second = Wallet(wallet_id="w-1"), Wallet(wallet_id="w-2")
    alone.happen(ADA, first.adjusted(btc="20", usd="5"), second.adjusted(btc="1", eth="3"))
    alone.happen(first.traded("sell", btc="-5", usd="500"), second.held("btc"))
    assert held(alone) == {"BTC": "1600000000", "ETH": "300000000"}


def test_an_event_delivered_three_times_has_one_effect(alone: Alone) -> None:
    recorded = [alone.log(ADA), alone.log(Wallet().adjusted(btc="2"))]
    for _ in range(3):
        for each in recorded:
            alone.writer.deliver(each.source, [each])
        alone.settle()
    alone.restart()
    for each in recorded:
        alone.writer.deliver(each.source, [each])
    alone.settle()
    assert held(alone) == {"BTC": "200000000"}
    assert [each.change for each in updates(alone)] == ["created", "holding"]


def test_versions_only_grow(alone: Alone) -> None:
    wallet = Wallet()
    alone.happen(ADA, *(wallet.adjusted(btc="1", eth="1") for _ in range(5)))
    versions = [each.version for each in updates(alone)]
    assert versions == sorted(set(versions))


def test_the_tape_makes_the_price_and_block_trades_do_not(alone: Alone) -> None:
    alone.happen(ADA, printed("100"), printed("900", block=True), Wallet().adjusted(btc="2"))
    ((holding, price),) = portfolios_of(alone, "ada")[0].holdings
    assert (price, holding.cost) == (100 * 10**8, str(200 * 10**8))


def test_a_hold_writes_nothing(alone: Alone) -> None:
    wallet = Wallet()
    alone.happen(ADA, wallet.adjusted(btc="2"))
    before = updates(alone)
    alone.happen(wallet.held("btc"), wallet.held("usd"), wallet.held("usdt"))
    assert updates(alone) == before


def test_a_cost_beyond_64_bits_is_kept_exactly(alone: Alone) -> None:
    alone.happen(ADA, printed("50000"), Wallet().adjusted(btc="90000000000"))
    ((holding, _),) = portfolios_of(alone, "ada")[0].holdings
    assert int(holding.cost) == 90_000_000_000 * 50_000 * 10**8


def test_a_poisonous_event_is_set_aside_and_the_rest_goes_on(alone: Alone) -> None:
    wallet, other = Wallet(), Wallet("bob", "w-9")
    impossible = wallet.adjusted(btc="-1")
    alone.happen(ADA, impossible, other.adjusted(btc="1"))
    assert held(alone, "bob") == {"BTC": "100000000"}
    assert alone.rows("SELECT source, sequence FROM dead_letters") == [("wallets", 1)]


# goodbyes ----------------------------------------------------------------------------------------------------------


def test_somebody_who_left_leaves_nothing_and_late_news_changes_nothing(alone: Alone) -> None:
    wallet = Wallet()
    alone.users.add("ada")
    alone.happen(ADA, wallet.adjusted(btc="2"))
    alone.say(making())
    alone.happen(UserDeleted(user_id="ada"), wallet.adjusted(btc="-2"))
    assert portfolios_of(alone, "ada") == []
    assert alone.rows("SELECT * FROM holdings") == []
    assert [each.change for each in updates(alone)][-2:] == ["deleted", "deleted"]
    assert alone.say(making(name="again")).code == "invalid_request"


# what admins make --------------------------------------------------------------------------------------------------


def test_a_named_portfolio_holds_its_opening_position_and_nothing_else(alone: Alone) -> None:
    alone.users.add("ada")
    alone.happen(ADA)
    state = alone.say(making(product="BTC", quantity=2 * 10**8, cost=300 * 10**8))
    alone.happen(Wallet().adjusted(btc="7"))
    default, named = portfolios_of(alone, "ada")
    assert named.portfolio == state.portfolio
    assert [holding.quantity for holding, _ in named.holdings] == ["200000000"]
    assert [holding.quantity for holding, _ in default.holdings] == ["700000000"]
    assert [(each.change, each.quantity, each.average_cost) for each in updates(alone)][1:3] == [
        ("created", "0", "0.00"),
        ("holding", "2", "150.00"),
    ]


def test_a_portfolio_needs_a_user_who_exists(alone: Alone) -> None:
    refused = alone.say(making("nobody"))
    assert (refused.code, refused.field) == ("invalid_request", "userId")
    assert portfolios_of(alone, "nobody") == []


def test_a_name_is_given_once_to_each_user(alone: Alone) -> None:
    alone.users.update(("ada", "bob"))
    assert isinstance(alone.say(making()), PortfolioState)
    assert alone.say(making()).code == "portfolio_exists"
    assert alone.say(making(name="default")).code == "portfolio_exists"
    assert isinstance(alone.say(making("bob")), PortfolioState)


def test_the_same_key_makes_one_portfolio(alone: Alone) -> None:
    alone.users.add("ada")
    once = Once("admin", "key", b"body")
    first, again = alone.say(making(), once), alone.say(making(), once)
    assert first == again
    assert len(portfolios_of(alone, "ada")) == 2


def test_renaming(alone: Alone) -> None:
    alone.users.add("ada")
    made = alone.say(making()).portfolio
    other = alone.say(making(name="other")).portfolio
    renamed = alone.say(RenamePortfolio(portfolio_id=made.portfolio_id, name="short term"))
    assert renamed.portfolio.name == "short term"
    assert renamed.portfolio.version > made.version
    assert updates(alone)[-1].change == "renamed"
    count = len(updates(alone))
    alone.say(RenamePortfolio(portfolio_id=made.portfolio_id, name="short term"))
    assert len(updates(alone)) == count
    assert alone.say(RenamePortfolio(portfolio_id=made.portfolio_id, name="other")).code == "portfolio_exists"
    assert alone.say(RenamePortfolio(portfolio_id=other.portfolio_id, name="long term")).portfolio.name == "long term"
    assert alone.say(RenamePortfolio(portfolio_id="unknown", name="x")).code == "not_found"


def test_deleting(alone: Alone) -> None:
    alone.users.add("ada")
    made = alone.say(making(product="BTC", quantity=1, cost=0)).portfolio
    assert not isinstance(alone.say(DeletePortfolio(portfolio_id=made.portfolio_id)), Refused)
    assert alone.say(DeletePortfolio(portfolio_id=made.portfolio_id)).code == "not_found"
    (default,) = portfolios_of(alone, "ada")
    assert alone.say(DeletePortfolio(portfolio_id=default.portfolio.portfolio_id)).code == "default_portfolio"
    assert alone.rows("SELECT * FROM holdings") == []
    assert updates(alone)[-1].change == "deleted"


# any life ----------------------------------------------------------------------------------------------------------

steps = st.lists(st.tuples(st.integers(0, 1), st.sampled_from(("BTC", "ETH")), st.integers(-500, 1000)), max_size=15)


@settings(max_examples=25, deadline=None)
@given(life=steps, again=st.lists(st.integers(0, 14), max_size=5))
def test_however_often_events_come_quantities_are_those_of_the_wallets(
    life: list[tuple[int, str, int]], again: list[int], tmp_path_factory: pytest.TempPathFactory
) -> None:
    alone = Alone(PORTFOLIOS, tmp_path_factory.mktemp("life"))
    wallets = [Wallet(wallet_id="w-1"), Wallet(wallet_id="w-2")]
    events: list[Event] = [event for step in life if (event := _step(wallets, *step)) is not None]
    recorded = [alone.log(event) for event in events]
    alone.writer.deliver("users", [alone.log(ADA)])
    for at, each in enumerate(recorded):
        alone.writer.deliver("wallets", [each])
        if at in again:
            alone.writer.deliver("wallets", recorded[: at + 1])
            alone.settle()
    alone.settle()
    total = {asset: sum(wallet.units.get(asset, 0) for wallet in wallets) for asset in ("BTC", "ETH")}
    found = {product: int(quantity) for product, quantity in held(alone).items()}
    assert {asset: found.get(asset, 0) for asset in total} == total
    alone.close()


def _step(wallets: list[Wallet], which: int, asset: str, delta: int) -> WalletUpdated | None:
    wallet = wallets[which]
    if delta == 0 or wallet.units.get(asset, 0) + delta < 0:
        return None
    return wallet.adjusted(**{asset: delta})
