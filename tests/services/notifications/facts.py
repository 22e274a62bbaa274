"""Events of the other services, with what matters to a notification filled in."""

from typing import Any

from borsa.events import (
    BalanceChange,
    Cause,
    OrderClosed,
    OrderCreated,
    PortfolioUpdated,
    TradeExecuted,
    UserCreated,
    WalletUpdated,
)


def registered(user_id: str) -> UserCreated:
    return UserCreated(user_id=user_id, user_name=user_id.title())


def ordered(user_id: str = "ada", order_id: str = "1", **more: Any) -> OrderCreated:
    given: dict[str, Any] = {
        "wallet_id": "w-1",
        "product": "BTC",
        "side": "buy",
        "order_type": "limit",
        "time_in_force": "gtc",
        "post_only": False,
        "self_trade_prevention": "cancel_newest",
        "quantity": "0.5",
        "price": "50000.00",
        "stop_price": None,
        "quote_quantity": None,
        "held": "25000",
        "filled_quantity": "0",
        "remaining_quantity": "0.5",
        "average_price": None,
        "status": "pending",
        "client_order_id": None,
        "version": 1,
    }
    return OrderCreated(order_id=order_id, user_id=user_id, symbol="BTC-USD", **(given | more))


def traded(buyer_id: str = "ada", seller_id: str = "bob") -> TradeExecuted:
    return TradeExecuted(
        trade_id="7000",
        buy_order_id="1",
        sell_order_id="2",
        product="BTC",
        symbol="BTC-USD",
        quantity="0.5",
        price="50000.00",
        buyer_id=buyer_id,
        seller_id=seller_id,
        taker_side="buy",
        buyer_fee="0.0005",
        buyer_fee_asset="BTC",
        seller_fee="25.00",
        seller_fee_asset="USD",
        buyer_hold="0",
        seller_hold="0",
        sequence=1,
    )


def closed(user_id: str = "ada", order_id: str = "1", reason: str = "filled") -> OrderClosed:
    return OrderClosed(
        order_id=order_id,
        user_id=user_id,
        symbol="BTC-USD",
        reason=reason,
        filled_quantity="0.5",
        remaining_quantity="0",
    )


def wallet_moved(user_id: str = "ada", **deltas: str) -> WalletUpdated:
    changes = [BalanceChange(asset.upper(), delta, "10", "10", "0") for asset, delta in deltas.items()]
    cause = Cause(kind="trade", reference="7000", symbol="BTC-USD", side="buy", price="50000.00")
    balance = {each.asset: each.balance for each in changes}
    return WalletUpdated(wallet_id="w-1", user_id=user_id, balance=balance, changes=changes, cause=cause, version=1)


def portfolio_moved(user_id: str = "ada", product: str | None = "BTC", change: str = "holding") -> PortfolioUpdated:
    return PortfolioUpdated(
        portfolio_id="p-1",
        user_id=user_id,
        product=product,
        quantity="15" if product else "0",
        average_cost="50000.00",
        realized_pnl="-1.50",
        change=change,
        version=1,
    )
