"""The ledger against a dict: after every step of any history the books balance, and both say the same."""

import tempfile
from collections import Counter
from contextlib import ExitStack
from pathlib import Path

import hypothesis.strategies as st
from hypothesis import settings
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from borsa.events import OrderCreated
from borsa.markets import amount_text
from borsa.requests import Done, HoldFunds, HoldPlaced, ReverseTrade
from borsa.services.wallets import tables
from tests.services.wallets.vault import (
    ONE,
    Vault,
    amend_rejected,
    amend_requested,
    amended,
    closed,
    is_refused,
    trade,
)

USERS = ("ann", "bob", "eve")
ASSETS = ("USD", "BTC")


class Order:
    """An open order of the model: whole BTC at whole dollars."""

    def __init__(self, order_id: int, user_id: str, side: str, price: int, quantity: int) -> None:
        self.order_id = order_id
        self.user_id = user_id
        self.side = side
        self.price = price
        self.remaining = quantity
        self.revision = 0

    @property
    def asset(self) -> str:
        return "USD" if self.side == "buy" else "BTC"

    @property
    def needs(self) -> int:
        return self.remaining * ONE * (self.price if self.side == "buy" else 1)


amounts = st.integers(1, 60).map(lambda whole: whole * ONE)
chosen = st.integers(0, 10**6)


class LedgerMachine(RuleBasedStateMachine):
    """Wallets as a whole, and `available` and `held` by user and asset."""

    def __init__(self) -> None:
        super().__init__()
        self.stack = ExitStack()
        folder = Path(self.stack.enter_context(tempfile.TemporaryDirectory()))
        self.vault = self.stack.enter_context(Vault(folder))
        self.available: Counter[tuple[str, str]] = Counter()
        self.held: Counter[tuple[str, str]] = Counter()
        self.deposits: Counter[str] = Counter()
        self.fees: Counter[str] = Counter()
        self.orders: dict[int, Order] = {}
        self.orphans: dict[int, HoldFunds] = {}
        self.asked: list[tuple[HoldFunds, HoldPlaced | None]] = []
        self.lost: list[HoldFunds] = []
        self.trades: list[tuple[ReverseTrade, bool]] = []
        self.next_id = 1

    @initialize()
    def users(self) -> None:
        self.wallet_of = {user_id: self.vault.user(user_id) for user_id in USERS}
        for user_id in USERS:
            for asset in ASSETS:
                self.deposit(user_id, asset, 100 * ONE)

    # money ---------------------------------------------------------------------------------------------------------

    @rule(user_id=st.sampled_from(USERS), asset=st.sampled_from(ASSETS), delta=st.integers(-80, 80))
    def deposit_or_withdraw(self, user_id: str, asset: str, delta: int) -> None:
        self.deposit(user_id, asset, delta * ONE)

    def deposit(self, user_id: str, asset: str, delta: int) -> None:
        outcome = self.vault.deposit(self.wallet_of[user_id], asset, delta)
        if self.available[user_id, asset] + delta < 0:
            assert is_refused(outcome)
            return
        self.available[user_id, asset] += delta
        self.deposits[asset] += delta

    # holds ---------------------------------------------------------------------------------------------------------

    def hold(self, order: Order, amount: int, hold_id: str, at_most: bool = False) -> HoldPlaced | None:
        request = HoldFunds(
            hold_id=hold_id,
            order_id=order.order_id,
            user_id=order.user_id,
            wallet_id=None,
            asset=order.asset,
            amount=amount,
            at_most=at_most,
        )
        key = (order.user_id, order.asset)
        due = min(amount, self.available[key]) if at_most else amount
        outcome = self.vault.question(request)
        if due <= 0 or due > self.available[key]:
            assert is_refused(outcome)
            self.lost.append(request)
            return None
        assert outcome == HoldPlaced(self.wallet_of[order.user_id], due)
        self.available[key] -= due
        self.held[key] += due
        self.asked.append((request, outcome))
        return outcome

    @rule(
        user_id=st.sampled_from(USERS),
        side=st.sampled_from(["buy", "sell"]),
        price=st.integers(1, 9),
        quantity=st.integers(1, 30),
        confirmed=st.sampled_from([True, True, True, False]),
    )
    def place(self, user_id: str, side: str, price: int, quantity: int, confirmed: bool) -> None:
        order = Order(self.next_id, user_id, side, price, quantity)
        self.next_id += 1
        if self.hold(order, order.needs, str(order.order_id)) is None:
            return
        if confirmed:
            self.vault.exist.add(str(order.order_id))
            self.vault.tell("orders", created(order))
            self.orders[order.order_id] = order
        else:
            self.orphans[order.order_id] = self.asked.pop()[0]

    @rule(user_id=st.sampled_from(USERS), asset=st.sampled_from(ASSETS), amount=amounts)
    def hold_what_there_is(self, user_id: str, asset: str, amount: int) -> None:
        """A market order's budget: at most what is available; nobody confirms it, so it is let go of some time."""
        order = Order(self.next_id, user_id, "buy" if asset == "USD" else "sell", 1, 1)
        self.next_id += 1
        if self.hold(order, amount, str(order.order_id), at_most=True) is not None:
            self.orphans[order.order_id] = self.asked.pop()[0]

    @precondition(lambda self: self.asked)
    @rule(at=chosen)
    def ask_again(self, at: int) -> None:
        """The same hold asked again has the same answer and no second effect, even after it was spent."""
        request, answer = self.asked[at % len(self.asked)]
        assert self.vault.question(request) == answer

    @precondition(lambda self: self.lost)
    @rule(at=chosen)
    def what_was_lost_stays_lost(self, at: int) -> None:
        """However much there is by now."""
        assert is_refused(self.vault.question(self.lost[at % len(self.lost)]))

    @precondition(lambda self: self.orphans)
    @rule()
    def sweep(self) -> None:
        """Holds without an order are voided, with a tombstone."""
        self.vault.clock.microseconds += 10_000_000
        self.vault.settle()
        for order_id, request in self.orphans.items():
            placed = next(row[5] for row in self.vault.rows(tables.HOLDS) if row[0] == str(order_id))
            self.release(request.user_id, request.asset, placed)
            self.lost.append(request)
        self.orphans.clear()

    def release(self, user_id: str, asset: str, amount: int) -> None:
        self.held[user_id, asset] -= amount
        self.available[user_id, asset] += amount

    # the engine's word ---------------------------------------------------------------------------------------------

    def two(self, at: int) -> tuple[Order, Order] | None:
        sides = [[each for each in self.orders.values() if each.side == side] for side in ("buy", "sell")]
        pairs = [(buy, sell) for buy in sides[0] for sell in sides[1] if buy.remaining and sell.remaining]
        return pairs[at % len(pairs)] if pairs else None

    @rule(at=chosen, below=st.integers(0, 3), quantity=st.integers(1, 30), fees=st.tuples(chosen, chosen))
    def match(self, at: int, below: int, quantity: int, fees: tuple[int, int]) -> None:
        """A trade at or below the buyer's limit, with some fees, told one to three times."""
        pair = self.two(at)
        if pair is None:
            return
        buy, sell = pair
        price = max(1, buy.price - below)
        quantity = min(quantity, buy.remaining, sell.remaining)
        cost = price * quantity * ONE
        before = buy.needs
        buy.remaining -= quantity
        sell.remaining -= quantity
        charged = (min(fees[0], quantity * ONE), min(fees[1], cost))
        trade_id = len(self.trades) + 1
        self.vault.tell("trades", trade(trade_id, buy, sell, price, quantity, charged), times=1 + at % 3)
        self.held[buy.user_id, "USD"] -= before - buy.needs
        self.available[buy.user_id, "USD"] += before - buy.needs - cost
        self.held[sell.user_id, "BTC"] -= quantity * ONE
        self.available[sell.user_id, "USD"] += cost - charged[1]
        self.available[buy.user_id, "BTC"] += quantity * ONE - charged[0]
        self.fees["BTC"] += charged[0]
        self.fees["USD"] += charged[1]
        self.trades.append((reversal(trade_id, buy, sell, price, quantity, charged), False))

    @precondition(lambda self: self.orders)
    @rule(at=chosen)
    def close(self, at: int) -> None:
        order = list(self.orders.values())[at % len(self.orders)]
        del self.orders[order.order_id]
        self.vault.tell("trades", closed(order), times=1 + at % 2)
        self.release(order.user_id, order.asset, order.needs)

    @precondition(lambda self: self.orders)
    @rule(at=chosen, price=st.integers(1, 9), quantity=st.integers(1, 30), accepted=st.booleans())
    def amend(self, at: int, price: int, quantity: int, accepted: bool) -> None:
        order = list(self.orders.values())[at % len(self.orders)]
        terms = Order(order.order_id, order.user_id, order.side, price, quantity)
        extra = terms.needs - order.needs
        order.revision += 1
        hold_id = f"{order.order_id}:r{order.revision}"
        if extra > 0 and self.hold(order, extra, hold_id) is None:
            return
        self.vault.exist.add(hold_id)
        self.vault.tell("orders", amend_requested(order, order.revision))
        if not accepted:
            self.vault.tell("trades", amend_rejected(order, order.revision))
            self.release(order.user_id, order.asset, max(0, extra))
            return
        self.vault.tell("trades", amended(terms, order.revision))
        self.release(order.user_id, order.asset, max(0, -extra))
        order.price, order.remaining = price, quantity

    @precondition(lambda self: self.trades)
    @rule(at=chosen)
    def bust(self, at: int) -> None:
        at %= len(self.trades)
        request, busted = self.trades[at]
        outcome = self.vault.question(request)
        back = [
            ((request.buyer_id, "BTC"), request.buyer_fee - request.quantity),
            ((request.seller_id, "BTC"), request.quantity),
            ((request.seller_id, "USD"), request.seller_fee - request.notional),
            ((request.buyer_id, "USD"), request.notional),
        ]
        if busted:
            assert outcome == Done()
            return
        after = self.available.copy()
        for key, amount in back:
            after[key] += amount
        lines = [self.available[key] + amount < 0 for key, amount in back]
        if any(after[key] < 0 for key, _ in back) or (any(lines) and is_refused(outcome)):
            assert is_refused(outcome)
            return
        assert outcome == Done()
        self.available = after
        self.fees["BTC"] -= request.buyer_fee
        self.fees["USD"] -= request.seller_fee
        self.trades[at] = (request, True)

    @rule()
    def crash(self) -> None:
        """What was committed is what there is."""
        self.vault.writer.close()
        self.vault.open()

    # the invariants ------------------------------------------------------------------------------------------------

    @invariant()
    def balances_are_those_of_the_model(self) -> None:
        kept = {row[:2]: row[2:4] for row in self.vault.rows(tables.BALANCES)}
        for user_id, wallet_id in getattr(self, "wallet_of", {}).items():
            for asset in ASSETS:
                due = (self.available[user_id, asset], self.held[user_id, asset])
                assert kept.get((wallet_id, asset), (0, 0)) == due, (user_id, asset)
        for asset in ASSETS:
            assert kept.get(("fees", asset), (0, 0)) == (self.fees[asset], 0)
            assert kept.get(("world", asset), (0, 0)) == (-self.deposits[asset], 0)

    @invariant()
    def the_books_balance(self) -> None:
        """I-01, I-02, I-05, I-06, I-07."""
        balances = self.vault.rows(tables.BALANCES)
        sums, folds, versions = Counter[str](), Counter[tuple[str, str, str]](), dict[tuple[str, str], int]()
        entries: dict[int, list[tuple[str, int]]] = {}
        for entry_id, _, wallet_id, asset, bucket, amount in self.vault.rows(tables.POSTINGS):
            entries.setdefault(entry_id, []).append((asset, amount))
            folds[wallet_id, asset, bucket] += amount
            versions[wallet_id, asset] = max(versions.get((wallet_id, asset), 0), entry_id)
        for wallet_id, asset, available, held, version in balances:
            sums[asset] += available + held
            assert wallet_id == "world" or (available >= 0 and held >= 0)
            folded = (folds[wallet_id, asset, "available"], folds[wallet_id, asset, "held"])
            assert (available, held, version) == (*folded, versions[wallet_id, asset])
        assert not any(sums.values())
        assert sorted(entries) == sorted(row[0] for row in self.vault.rows(tables.ENTRIES))
        for lines in entries.values():
            assert len(lines) >= 2
            assert all(sum(amount for each, amount in lines if each == asset) == 0 for asset, _ in lines)

    @invariant()
    def holds_are_what_orders_need(self) -> None:
        """I-03, I-04, I-08."""
        open_holds, remaining = Counter[tuple[str, str]](), Counter[int]()
        for _, order_id, user_id, _, asset, placed, spent, released, status, _ in self.vault.rows(tables.HOLDS):
            left = placed - spent - released
            assert min(spent, released, left) >= 0
            assert (left > 0) == (status == "open")
            open_holds[user_id, asset] += left
            remaining[order_id] += left
        assert +open_holds == +self.held
        for order_id, left in remaining.items():
            if order_id not in self.orphans:
                assert left == (self.orders[order_id].needs if order_id in self.orders else 0)

    def teardown(self) -> None:
        self.stack.close()


def created(order: Order) -> OrderCreated:
    return OrderCreated(
        order_id=str(order.order_id),
        user_id=order.user_id,
        symbol="BTC-USD",
        wallet_id="",
        product="BTC",
        side=order.side,
        order_type="limit",
        time_in_force="gtc",
        post_only=False,
        self_trade_prevention="none",
        quantity=str(order.remaining),
        price=str(order.price),
        stop_price=None,
        quote_quantity=None,
        held=amount_text(order.asset, order.needs),
        filled_quantity="0",
        remaining_quantity=str(order.remaining),
        average_price=None,
        status="pending",
        client_order_id=None,
        version=1,
    )


def reversal(trade_id: int, buy: Order, sell: Order, price: int, quantity: int, fees: tuple[int, int]) -> ReverseTrade:
    return ReverseTrade(
        trade_id=trade_id,
        symbol="BTC-USD",
        base="BTC",
        quote="USD",
        buyer_id=buy.user_id,
        seller_id=sell.user_id,
        buyer_order_id=buy.order_id,
        seller_order_id=sell.order_id,
        price=str(price),
        quantity=quantity * ONE,
        notional=price * quantity * ONE,
        buyer_fee=fees[0],
        seller_fee=fees[1],
        reason="a test",
        attempt=1,
    )


TestLedger = LedgerMachine.TestCase
TestLedger.settings = settings(max_examples=30, stateful_step_count=40, deadline=None, report_multiple_bugs=False)
