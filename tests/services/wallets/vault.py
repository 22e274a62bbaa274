"""The writer of wallets alone, on a database of its own: the test is the other services."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Self

import sqlalchemy as sa

from borsa.errors import Refused
from borsa.events import (
    Event,
    OrderAmended,
    OrderAmendRejected,
    OrderAmendRequested,
    OrderClosed,
    TradeExecuted,
    UserCreated,
)
from borsa.markets import amount_text
from borsa.requests import ConfirmHolds, HoldsKnown, Request
from borsa.runtime.bus import Once, Origin, Outcome, Replies
from borsa.runtime.databases.sqlite import SqliteDatabase, engine_of
from borsa.runtime.log import Recorded, recorded
from borsa.runtime.store import Statement
from borsa.runtime.writing.inbox import Question
from borsa.runtime.writing.writer import Writer
from borsa.services.wallets import WALLETS, tables
from borsa.services.wallets.model import Adjust
from borsa.settings import Settings
from tests.runtime.toys import ToyClock

ONE = 10**8


class Vault:
    """Wallets, with a bus that only keeps what it is given. `exist` are the holds that orders would confirm."""

    def __init__(self, folder: Path) -> None:
        self.database = SqliteDatabase("wallets", folder, tables.METADATA)
        engine = engine_of(self.database.path)
        tables.METADATA.create_all(engine)
        engine.dispose()
        self.clock = ToyClock()
        self.settings = Settings()
        self.logs: dict[str, list[Recorded]] = {"users": [], "orders": [], "trades": []}
        self.exist: set[str] = set()
        self.outcomes: list[Outcome] = []
        self.open()

    def open(self) -> None:
        """Start, or start again with what is on disk."""
        self.writer = Writer(WALLETS, self.database.connect(), self, self.clock, self.settings, lambda: None)
        self.writer.start()
        self.settle()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.writer.close()

    # the bus -------------------------------------------------------------------------------------------------------

    def ask(
        self, request: Request[Any], origin: Origin, replies: Replies, token: Any, once: Once | None = None
    ) -> None:
        assert isinstance(request, ConfirmHolds)
        known = [hold_id for hold_id in request.hold_ids if hold_id in self.exist]
        replies.deliver([(token, HoldsKnown(known))])

    def publish(self, source: str, events: Sequence[Recorded]) -> None:
        """Nobody listens."""

    def listen(self, source: str, listener: Any) -> None:
        """Nobody listens."""

    def broadcast(self, source: str, messages: Sequence[bytes]) -> None:
        """Nobody is there."""

    def tune(self, source: str, receiver: Any) -> None:
        raise NotImplementedError

    def fetch(self, source: str, after: int) -> Sequence[Recorded]:
        return self.logs[source][after:]

    # what the others do --------------------------------------------------------------------------------------------

    def deliver(self, outcomes: Sequence[tuple[Any, Outcome]]) -> None:
        self.outcomes.extend(outcome for _, outcome in outcomes)

    def tell(self, source: str, *events: Event, times: int = 1) -> None:
        """Log and deliver events of another service, as often as one likes."""
        log = self.logs[source]
        fresh = [
            recorded(source, len(log) + at, self.clock.now(), "c", None, event) for at, event in enumerate(events, 1)
        ]
        log.extend(fresh)
        for _ in range(times):
            self.writer.deliver(source, fresh)
        self.settle()

    def question(self, request: Request[Any]) -> Outcome:
        """The outcome of a question, refusals included."""
        self.writer.inbox.put(Question(request, Origin("test"), self, None, None))
        self.settle()
        return self.outcomes.pop()

    def questions(self, requests: Sequence[Request[Any]]) -> list[Outcome]:
        """The outcomes of questions that one commit answers."""
        for at, request in enumerate(requests):
            self.writer.inbox.put(Question(request, Origin("test"), self, at, None))
        self.settle()
        found, self.outcomes = self.outcomes, []
        return found

    def settle(self) -> None:
        """Step until nothing waits; a stream that stopped is a failure."""
        while self.writer.step():
            pass
        assert not [stream for stream in self.writer.streams if stream.halted]

    def rows(self, table: sa.Table) -> list[tuple[Any, ...]]:
        """What is on disk."""
        reader = self.database.reader()
        try:
            return reader.read(Statement(sa.select(table)))
        finally:
            reader.close()

    def user(self, user_id: str) -> str:
        """A user and the id of their default wallet."""
        self.tell("users", UserCreated(user_id=user_id, user_name=user_id))
        wallet = self.writer.memory.default_of(user_id)
        assert wallet is not None
        return str(wallet.wallet_id)

    def deposit(self, wallet_id: str, asset: str, delta: int) -> Outcome:
        """Money from outside, or (negative) back."""
        return self.question(
            Adjust(
                wallet_id=wallet_id, asset=asset, delta=delta, reason="test funds", author="admin"
            )
        )  # fmt: skip


def trade(trade_id: int, buy: Any, sell: Any, price: int, quantity: int, fees: tuple[int, int]) -> TradeExecuted:
    """A trade of whole BTC at whole dollars; `buy` and `sell` are orders after it."""
    return TradeExecuted(
        trade_id=str(trade_id),
        buy_order_id=str(buy.order_id),
        sell_order_id=str(sell.order_id),
        product="BTC",
        symbol="BTC-USD",
        quantity=str(quantity),
        price=str(price),
        buyer_id=buy.user_id,
        seller_id=sell.user_id,
        taker_side="buy",
        buyer_fee=amount_text("BTC", fees[0]),
        buyer_fee_asset="BTC",
        seller_fee=amount_text("USD", fees[1]),
        seller_fee_asset="USD",
        buyer_hold=amount_text("USD", buy.needs),
        seller_hold=amount_text("BTC", sell.needs),
        sequence=1,
    )


def closed(order: Any) -> OrderClosed:
    """The engine's last word."""
    return OrderClosed(
        order_id=str(order.order_id),
        user_id=order.user_id,
        symbol="BTC-USD",
        reason="cancelled",
        filled_quantity="0",
        remaining_quantity="0",
    )


def amend_requested(order: Any, revision: int) -> OrderAmendRequested:
    """The amendment is in the log."""
    return OrderAmendRequested(
        order_id=str(order.order_id),
        user_id=order.user_id,
        symbol="BTC-USD",
        quantity="1",
        price="1",
        revision=revision,
    )


def amended(order: Any, revision: int) -> OrderAmended:
    """New terms hold; `order` has them."""
    return OrderAmended(
        order_id=str(order.order_id),
        user_id=order.user_id,
        symbol="BTC-USD",
        revision=revision,
        quantity="1",
        price="1",
        remaining_quantity="1",
        hold=amount_text("USD", order.needs),
    )


def amend_rejected(order: Any, revision: int) -> OrderAmendRejected:
    """The old terms stand."""
    return OrderAmendRejected(
        order_id=str(order.order_id), user_id=order.user_id, symbol="BTC-USD", revision=revision, reason="unknown_order"
    )


def is_refused(outcome: Outcome, code: str = "insufficient_funds") -> bool:
    """Was it refused so?"""
    return isinstance(outcome, Refused) and outcome.code == code
