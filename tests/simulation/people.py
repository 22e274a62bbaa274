"""Random people at the door, who hold the exchange to what it answered.

What was answered is on disk. A key that is asked again gets the same answer. Whoever got no answer in time asks again,
and finds that it happened at most once.
"""

import random
from collections import Counter, deque
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import msgspec

from borsa.errors import Refused
from borsa.requests import AgreeBlockTrade, CrossOrders, Done, Request, Requested
from borsa.runtime.bus import Once, Origin, Outcome
from borsa.runtime.codec import encode
from borsa.services.orders.model import (
    AmendOrder,
    CancelAll,
    Cancelling,
    CancelOrder,
    ChangeMarket,
    Order,
    OrderState,
    Placements,
    PlaceOrder,
    PlaceOrders,
)
from borsa.services.portfolios.model import CreatePortfolio
from borsa.services.trades.model import Annotate, BustTrade
from borsa.services.users.model import DeleteUser, RefreshSession, RegisterUser, User
from borsa.services.wallets.model import Adjust, CloseWallet, Deposit, OpenWallet, Wallet
from tests.simulation.bus import DOOR, NO_ANSWER, SimBus
from tests.simulation.coverage import Coverage
from tests.simulation.invariants import Watch, check
from tests.simulation.trading import Placed
from tests.simulation.wishes import UNIT, Wishes

OF_ADMINS = (Adjust, AgreeBlockTrade, Annotate, BustTrade, ChangeMarket, CrossOrders)
"""What only admins may ask."""

AGAIN_MAX = 3


class Asked(msgspec.Struct, eq=False):
    """A question that somebody put, and how often."""

    request: Request[Any]
    once: Once | None
    times: int


class People(Wishes):
    """Everybody at the door. `act` puts questions, `deliver` takes what comes back."""

    def __init__(
        self, chance: random.Random, bus: SimBus, coverage: Coverage, watches: Mapping[str, Watch], admin_id: str
    ) -> None:
        super().__init__(chance, coverage, watches, admin_id)
        self._bus = bus
        self._coverage = coverage
        self._asked: dict[int, Asked] = {}
        self._again: list[Asked] = []
        self._answers: dict[str, bytes] = {}
        self._repeatable: deque[Asked] = deque(maxlen=30)
        self._keys_of: dict[str, str] = {}
        self._ids: dict[tuple[str, str], int] = {}
        self._paid: dict[str, bool] = {}
        self._deleted: list[str] = []

    # asking --------------------------------------------------------------------------------------------------------

    def act(self, number: int) -> None:
        """Put so many questions, and those again that were not answered in time."""
        super().act(number)
        again, self._again = self._again, []
        for asked in again:
            self._put(asked)

    def _ask(self, request: Request[Any], *, keyed: bool = False) -> None:
        once = None
        if keyed:
            self._number += 1
            once = Once("somebody", f"key-{self._number}", str(self._number).encode())
        self._put(Asked(request, once, 0))

    def _repeat(self) -> None:
        if self._repeatable:
            self._put(self._chance.choice(self._repeatable))

    def _put(self, asked: Asked) -> None:
        asked.times += 1
        self._number += 1
        number = self._number
        self._asked[number] = asked
        origin = Origin(f"asked-{number}", admin=self._admin_id if isinstance(asked.request, OF_ADMINS) else None)
        if asked.once is not None:
            self._keys_of[origin.correlation] = asked.once.key
        self._bus.ask(DOOR, asked.request, origin, self, number, asked.once)

    # being answered ------------------------------------------------------------------------------------------------

    def deliver(self, outcomes: Sequence[tuple[int, Outcome]]) -> None:
        for number, outcome in outcomes:
            asked = self._asked.pop(number)
            request = asked.request
            if isinstance(outcome, Refused) and outcome.detail == NO_ANSWER:
                if asked.times < AGAIN_MAX and self._may_ask_again(asked):
                    self._again.append(asked)
                    self._coverage.branches["batch asked for again"] += isinstance(request, PlaceOrders)
                else:
                    self.sessions.gave_up(request)
                continue
            if asked.once is not None:
                self._same_answer(asked, outcome)
            if isinstance(outcome, Refused):
                self._refused(request, outcome)
            else:
                _TAKES.get(type(request), _nothing)(self, request, outcome)
                self.sessions.took(request, outcome)

    @staticmethod
    def _may_ask_again(asked: Asked) -> bool:
        if isinstance(asked.request, PlaceOrders):
            return all(each.client_order_id is not None for each in asked.request.orders)
        if isinstance(asked.request, RefreshSession):
            return True
        return asked.once is not None or getattr(asked.request, "client_order_id", None) is not None

    def _same_answer(self, asked: Asked, outcome: Outcome) -> None:
        assert asked.once is not None
        if isinstance(outcome, Refused):
            if outcome.status >= 500 or outcome.code.startswith("idempotency_key"):
                return
            said = outcome.code.encode()
        else:
            said = encode(outcome)
        if isinstance(asked.request, Adjust | Deposit):
            self._paid[asked.once.key] = not isinstance(outcome, Refused)
        before = self._answers.setdefault(asked.once.key, said)
        check(before == said, "I-41", "a key had another answer than before", asked.request, before, said)
        if asked.times > 1:
            self._coverage.branches["answer repeated by its key"] += 1
        self._repeatable.append(asked)

    def _refused(self, request: Request[Any], refused: Refused) -> None:
        check(refused.code != "internal_error", "P0", "a deed broke", request)
        if isinstance(request, PlaceOrders):
            check(refused.status == 503, "P0", "a batch was refused for one of its orders", refused)
        self._count(refused.code, refused.detail)
        self.sessions.refused(request, refused)

    def _count(self, code: str, detail: str) -> None:
        branches = self._coverage.branches
        self._coverage.refusals[code] += 1
        branches["order lost against a tombstone"] += "too late" in detail
        branches["market halted"] += code == "market_halted"
        branches["user not empty"] += code == "user_not_empty"
        branches["bust refused"] += code == "funds_gone"

    def _took_order(self, request: PlaceOrder, state: OrderState) -> None:
        self._has(request, state.order)
        if request.client_order_id is not None:
            self._coverage.branches["order repeated by its client id"] += state.repeated
            self._repeatable.append(Asked(request, None, 1))

    def _has(self, request: PlaceOrder, order: Order) -> None:
        kept = self._orders.orders.get(order.order_id)
        check(kept is not None, "P1", "an order was answered, and is not on disk", order)
        asked = request.user_id, request.symbol, request.side, request.client_order_id
        got = order.user_id, order.symbol, order.side, order.client_order_id
        check(asked == got, "P0", "somebody asked for one order, and was told of another", request, order)
        self._mine.append(Placed(order.order_id, order.user_id, order.symbol))
        if request.client_order_id is not None:
            key = request.user_id, request.client_order_id
            before = self._ids.setdefault(key, order.order_id)
            check(before == order.order_id, "P2", "a client id has two orders", key)

    def _took_orders(self, request: PlaceOrders, said: Placements) -> None:
        for asked, placement in zip(request.orders, said.placements, strict=True):
            if placement.order is not None:
                self._has(asked, placement.order)
            else:
                assert placement.refusal is not None
                self._count(placement.refusal.code, placement.refusal.detail)
        placed = sum(each.order is not None for each in said.placements)
        self._coverage.branches["batch placed"] += placed == len(request.orders)
        self._coverage.branches["batch placed in part"] += 0 < placed < len(request.orders)

    def _took_cancelling(self, _: CancelAll, said: Cancelling) -> None:
        if said.rest is not None:
            self._ask(said.rest)

    def _took_cancel(self, request: CancelOrder, _: OrderState) -> None:
        kept = self._orders.orders[request.order_id]
        check(bool(kept.is_closed or kept.cancel_requested), "P1", "a cancel was answered, and is not on disk", kept)

    def _took_amend(self, request: AmendOrder, state: OrderState) -> None:
        kept = self._orders.orders[request.order_id]
        check(kept.revision >= state.order.revision > 0, "P1", "an amendment was answered, and is not on disk", kept)

    def _took_user(self, request: RegisterUser, user: User) -> None:
        if user.user_id not in self.users:
            self.users.append(user.user_id)
            self._poor.append(user.user_id)

    def _took_wallet(self, request: OpenWallet, wallet: Wallet) -> None:
        check(wallet.wallet_id in self._wallets.wallets, "P1", "a wallet was answered, and is not on disk", wallet)
        self._extra_wallets.append((wallet.wallet_id, wallet.user_id))
        self._pay(wallet.wallet_id, wallet.user_id, self._some_asset(), 100 * UNIT)

    def _took_closing(self, request: CloseWallet, _: Done) -> None:
        self._coverage.branches["wallet closed"] += 1
        check(self._wallets.wallets[request.wallet_id][1] == "closed", "P1", "a closed wallet is open", request)

    def _took_deletion(self, request: DeleteUser, _: Done) -> None:
        self._deleted.append(request.user_id)
        if request.user_id in self.users:
            self.users.remove(request.user_id)

    def _took_portfolio(self, request: CreatePortfolio, state: Any) -> None:
        self._portfolios.append(state.portfolio.portfolio_id)

    def _took_cross(self, request: CrossOrders, said: Requested) -> None:
        end = int(said.event_id.partition("/")[2])
        check(end <= self._orders.log_end, "P1", "a cross was answered, and is not on disk", said)

    # at the end ----------------------------------------------------------------------------------------------------

    def judge(self, status: Mapping[str, str]) -> None:
        """Everything that was promised was kept, and what nobody promised happened once at most."""
        check(not self._asked, "I-43", "somebody still waits for an answer", *self._asked.values())
        done: Counter[str] = Counter()
        for correlation, times in self._wallets.deposits.items():
            done[self._keys_of.get(correlation, correlation)] += times
        for key, times in done.items():
            check(times == 1, "P2", f"{key} moved money {times} times")
        for key, paid in self._paid.items():
            check(done[key] == paid, "P1", f"{key} moved money {done[key]} times, and was told that it did: {paid}")
        for user_id in self._deleted:
            check(status[user_id] == "deleted", "P1", f"{user_id} was told to be gone, and is {status[user_id]}")


def _nothing(*_: Any) -> None:
    """Nothing is made of this answer."""


_TAKES: Mapping[type[Any], Callable[..., None]] = {
    PlaceOrder: People._took_order,
    PlaceOrders: People._took_orders,
    CancelAll: People._took_cancelling,
    CancelOrder: People._took_cancel,
    AmendOrder: People._took_amend,
    RegisterUser: People._took_user,
    OpenWallet: People._took_wallet,
    CloseWallet: People._took_closing,
    DeleteUser: People._took_deletion,
    CreatePortfolio: People._took_portfolio,
    CrossOrders: People._took_cross,
    AgreeBlockTrade: People._took_cross,
}
