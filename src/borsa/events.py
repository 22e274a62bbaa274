"""The published facts of all six services: past tense, frozen, one page.

Amounts, prices and quantities are decimal strings. The fields that the specification names keep its names on the wire
(`type` is the side of an order, `product` the base asset). An event goes into its service's log in the transaction
that made it true; `key` names the field that becomes the CloudEvents subject.
"""

from typing import ClassVar

import msgspec
from msgspec import field


class Event(msgspec.Struct, frozen=True, kw_only=True, rename="camel", gc=False):
    """A fact. `source` is the service that publishes it."""

    source: ClassVar[str]
    key: ClassVar[str]

    @property
    def subject(self) -> str:
        """What the fact is about: the id of the order, trade, wallet, portfolio or user."""
        return str(getattr(self, self.key))


# users -------------------------------------------------------------------------------------------------------------


class UserEvent(Event, frozen=True, kw_only=True):
    """What every fact about a user says."""

    source: ClassVar[str] = "users"
    key: ClassVar[str] = "user_id"
    user_id: str


class UserCreated(UserEvent, frozen=True, kw_only=True):
    """A user registered."""

    user_name: str


class UserUpdated(UserEvent, frozen=True, kw_only=True):
    """A user's name, e-mail address, password or role changed."""

    user_name: str


class UserDeleted(UserEvent, frozen=True, kw_only=True):
    """A user is gone: no money was left, no order open."""


class AccessRevoked(UserEvent, frozen=True, kw_only=True):
    """Access ended before its time: of one session or API key, or, without a session, of all tokens of a user
    whose version is below `token_version`."""

    session_id: str | None
    token_version: int


# orders ------------------------------------------------------------------------------------------------------------


class MarketEvent(Event, frozen=True, kw_only=True):
    """A market as it is from this point of the log on."""

    source: ClassVar[str] = "orders"
    key: ClassVar[str] = "symbol"
    symbol: str
    base: str
    quote: str
    number: int
    tick_size: str
    lot_size: str
    min_notional: str
    maker_fee: str
    taker_fee: str
    price_band: str
    state: str


class MarketCreated(MarketEvent, frozen=True, kw_only=True):
    """A market was admitted."""


class MarketUpdated(MarketEvent, frozen=True, kw_only=True):
    """A market's fees, band or state changed."""


class MarketAssigned(MarketEvent, frozen=True, kw_only=True):
    """The book of a market, which is empty, is with another shard of `trades` from here on. `last_price` is that of its
    last trade, by which stops are judged; "0" before the first."""

    shard: str
    last_price: str


class OrderEvent(Event, frozen=True, kw_only=True):
    """What every fact about an order says."""

    source: ClassVar[str] = "orders"
    key: ClassVar[str] = "order_id"
    order_id: str
    user_id: str
    symbol: str


class OrderSnapshot(OrderEvent, frozen=True, kw_only=True):
    """An order as it stands. Orders from before there was a `worst_price` say nothing of one."""

    wallet_id: str
    product: str
    side: str = field(name="type")
    order_type: str
    time_in_force: str
    post_only: bool
    self_trade_prevention: str
    quantity: str | None
    price: str | None
    stop_price: str | None
    worst_price: str | None = None
    quote_quantity: str | None
    held: str
    filled_quantity: str
    remaining_quantity: str
    average_price: str | None
    status: str
    client_order_id: str | None
    version: int


class OrderCreated(OrderSnapshot, frozen=True, kw_only=True):
    """An order was accepted: its hold is placed, it is on disk, the engine takes it next."""


class OrderUpdated(OrderSnapshot, frozen=True, kw_only=True):
    """An order's status, fill or terms changed."""


class OrderCancelRequested(OrderEvent, frozen=True, kw_only=True):
    """Somebody asked to end an order; the engine has the last word."""


class OrderAmendRequested(OrderEvent, frozen=True, kw_only=True):
    """Its user asked for another price or total quantity; a larger need is held already.

    `revision` counts the amendments of the order, from 1.
    """

    quantity: str
    price: str
    revision: int


class OrderCancelled(OrderEvent, frozen=True, kw_only=True):
    """The engine ended an order before it was filled."""

    product: str
    filled_quantity: str
    remaining_quantity: str
    reason: str


class CrossRequested(OrderEvent, frozen=True, kw_only=True):
    """An admin asked to execute two open orders against each other; the event is keyed by the buy order."""

    sell_order_id: str
    quantity: str
    price: str


class BlockTradeAgreed(OrderEvent, frozen=True, kw_only=True):
    """Two `block` orders, both held for, are to be executed against each other, off the book."""

    sell_order_id: str
    quantity: str
    price: str


# trades ------------------------------------------------------------------------------------------------------------


class TradeEvent(Event, frozen=True, kw_only=True):
    """What every fact about a trade says."""

    source: ClassVar[str] = "trades"
    key: ClassVar[str] = "trade_id"
    trade_id: str
    buy_order_id: str
    sell_order_id: str
    product: str
    symbol: str
    quantity: str
    price: str
    buyer_id: str
    seller_id: str


class TradeExecuted(TradeEvent, frozen=True, kw_only=True):
    """Two orders matched. Fees are taken from what each side receives; `buyer_hold` and `seller_hold` are what the
    two orders still need on hold after this fill."""

    taker_side: str
    buyer_fee: str
    buyer_fee_asset: str
    seller_fee: str
    seller_fee_asset: str
    buyer_hold: str
    seller_hold: str
    sequence: int
    block: bool = False


class TradeBusted(TradeEvent, frozen=True, kw_only=True):
    """An admin declared a trade void; its money was moved back before."""

    reason: str


class EngineEvent(Event, frozen=True, kw_only=True):
    """What every word of the engine about one order says."""

    source: ClassVar[str] = "trades"
    key: ClassVar[str] = "order_id"
    order_id: str
    user_id: str
    symbol: str


class OrderOpened(EngineEvent, frozen=True, kw_only=True):
    """An order came to rest on the book."""

    remaining_quantity: str


class OrderTriggered(EngineEvent, frozen=True, kw_only=True):
    """A stop order's price was reached."""


class OrderClosed(EngineEvent, frozen=True, kw_only=True):
    """An order ended; `reason` says how (filled, cancelled, expired, would_cross, self_trade, halted ...)."""

    reason: str
    filled_quantity: str
    remaining_quantity: str


class OrderAmended(EngineEvent, frozen=True, kw_only=True):
    """An amendment holds from now on; `hold` is what the order needs under its new terms."""

    revision: int
    quantity: str
    price: str
    remaining_quantity: str
    hold: str


class OrderAmendRejected(EngineEvent, frozen=True, kw_only=True):
    """An amendment came too late or is not possible; the order stands as it was."""

    revision: int
    reason: str


class CrossRejected(EngineEvent, frozen=True, kw_only=True):
    """Two orders could not be crossed as asked; keyed by the buy order."""

    sell_order_id: str
    reason: str


# wallets -----------------------------------------------------------------------------------------------------------


class BalanceChange(msgspec.Struct, frozen=True, rename="camel", gc=False):
    """One asset of a wallet after a change, and by how much its total moved."""

    asset: str
    delta: str
    balance: str
    available: str
    held: str

    @property
    def moves_total(self) -> bool:
        """Does the total move? A hold or a release moves none."""
        return bool(self.delta.strip("0."))


class Cause(msgspec.Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True, gc=False):
    """Why money moved: `kind` is hold, release, trade, bust, adjustment or faucet; a trade names its price.

    `reference` is the id of the order, of the trade, or of the request; of several orders that were held for at once,
    their ids with spaces between them.
    """

    kind: str
    reference: str
    symbol: str | None = None
    side: str | None = None
    price: str | None = None
    reason: str | None = None


class WalletUpdated(Event, frozen=True, kw_only=True):
    """A wallet's balances changed. `balance` has the totals of all its assets, `changes` what moved."""

    source: ClassVar[str] = "wallets"
    key: ClassVar[str] = "wallet_id"
    wallet_id: str
    user_id: str
    balance: dict[str, str]
    changes: list[BalanceChange]
    cause: Cause
    version: int


# portfolios --------------------------------------------------------------------------------------------------------


class PortfolioUpdated(Event, frozen=True, kw_only=True):
    """A portfolio was created, renamed or deleted, or one of its holdings changed (`change` says which)."""

    source: ClassVar[str] = "portfolios"
    key: ClassVar[str] = "portfolio_id"
    portfolio_id: str
    user_id: str
    product: str | None
    quantity: str
    average_cost: str
    realized_pnl: str
    change: str
    version: int


PUBLISHED: tuple[type[Event], ...] = (
    UserCreated,
    UserUpdated,
    UserDeleted,
    AccessRevoked,
    MarketCreated,
    MarketUpdated,
    MarketAssigned,
    OrderCreated,
    OrderUpdated,
    OrderCancelled,
    OrderCancelRequested,
    OrderAmendRequested,
    CrossRequested,
    BlockTradeAgreed,
    TradeExecuted,
    OrderOpened,
    OrderTriggered,
    OrderClosed,
    OrderAmended,
    OrderAmendRejected,
    CrossRejected,
    TradeBusted,
    WalletUpdated,
    PortfolioUpdated,
)
"""Every event, in the order of the services."""
