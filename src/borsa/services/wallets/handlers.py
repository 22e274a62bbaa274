"""The deeds of wallets: holds before an order, settlement after a trade, releases when an order ends."""

from collections import Counter
from collections.abc import Sequence

import msgspec

from borsa import markets
from borsa.errors import Refusal, Refused
from borsa.events import (
    Cause,
    MarketCreated,
    OrderAmended,
    OrderAmendRejected,
    OrderAmendRequested,
    OrderClosed,
    OrderCreated,
    TradeExecuted,
    UserCreated,
)
from borsa.markets import amount_text, amount_units, notional_units
from borsa.requests import (
    CloseWallets,
    ConfirmHolds,
    Done,
    HoldAll,
    HoldFunds,
    HoldPlaced,
    HoldsAnswered,
    HoldsKnown,
    ReverseTrade,
    hold_id_of,
)
from borsa.runtime.bus import Origin
from borsa.runtime.log import Fetch
from borsa.runtime.service import Asking
from borsa.runtime.writing.transaction import Transaction
from borsa.services.wallets import model
from borsa.services.wallets.ledger import post
from borsa.services.wallets.model import (
    CLOSED,
    OPEN,
    VOID,
    Asset,
    CloseWallet,
    Hold,
    OpenWallet,
    Reversal,
    Wallet,
)
from borsa.services.wallets.store import Memory

CONFIRMED_AT_ONCE_MAX = 500

DONE = Done()


# holds -------------------------------------------------------------------------------------------------------------


def hold_funds(
    tx: Transaction, memory: Memory, asked: Sequence[tuple[Origin, HoldFunds]]
) -> list[HoldPlaced | Refused]:
    """Reserve funds for orders; the same id asked again has the same answer.

    What a wallet holds for many orders at a time is one entry of the ledger, with two lines for each of them.
    """
    outcomes: list[HoldPlaced | Refused] = []
    placed: dict[str, tuple[Origin, list[Hold]]] = {}
    taken: Counter[tuple[str, str]] = Counter()
    for origin, request in asked:
        known = memory.known_hold(request.hold_id, request.order_id)
        if known is not None:
            outcomes.append(_known(known, request))
            continue
        try:
            hold = _place(memory, request, taken, tx.now)
        except Refused as refused:
            # that this id was refused is kept
            memory.holds.add(model.refused(request, tx.now))
            outcomes.append(refused)
            continue
        placed.setdefault(hold.wallet_id, (origin, []))[1].append(hold)
        outcomes.append(HoldPlaced(hold.wallet_id, hold.placed))
    for origin, holds in placed.values():
        tx.for_origin(origin)
        moves = [move for hold in holds for move in model.hold_moves(hold)]
        post(tx, memory, moves, Cause(kind="hold", reference=" ".join(str(hold.order_id) for hold in holds)))
    return outcomes


def hold_all(tx: Transaction, memory: Memory, request: HoldAll) -> HoldsAnswered:
    """Reserve funds for many orders of one request."""
    origin = Origin(tx.correlation, tx.causation)
    outcomes = hold_funds(tx, memory, [(origin, hold) for hold in request.holds])
    return HoldsAnswered([Refusal.of(each) if isinstance(each, Refused) else each for each in outcomes])


def _place(memory: Memory, request: HoldFunds, taken: Counter[tuple[str, str]], now: int) -> Hold:
    """A hold that is to be posted; `taken` is what others before it will take, by wallet and asset."""
    wallet = _wallet_for(memory, request)
    key = wallet.wallet_id, request.asset
    hold = model.place(request, wallet.wallet_id, memory.balance(*key).available - taken[key], now)
    taken[key] += hold.placed
    memory.holds.add(hold)
    memory.unconfirmed.set(hold.hold_id, now)
    return hold


def _known(hold: Hold, request: HoldFunds) -> HoldPlaced | Refused:
    if hold.status in (model.REFUSED, VOID):
        return Refused("insufficient_funds", f"There was not enough {request.asset} available")
    same = hold.order_id == request.order_id and hold.asset == request.asset
    # amendments that were merged into it made it larger since
    amount = hold.placed if request.at_most else request.amount
    if not same or hold.placed < amount:
        raise ValueError(f"hold {hold.hold_id} exists for something else")
    return HoldPlaced(hold.wallet_id, amount)


def _wallet_for(memory: Memory, request: HoldFunds) -> Wallet:
    if request.wallet_id is None:
        wallet = memory.default_of(request.user_id)
        if wallet is None:
            raise Refused("insufficient_funds", "The user has no wallet yet")
    else:
        wallet = memory.wallets.get(request.wallet_id)
    if wallet is None or wallet.user_id != request.user_id:
        raise Refused("not_found", "There is no such wallet", field="walletId")
    if wallet.state != OPEN:
        raise Refused("wallet_closed")
    return wallet


def on_order_created(_: Transaction, memory: Memory, event: OrderCreated) -> None:
    """The order of a hold exists."""
    memory.unconfirmed.set(event.order_id, None)


def on_amend_requested(_: Transaction, memory: Memory, event: OrderAmendRequested) -> None:
    """The amendment of an extra hold exists."""
    memory.unconfirmed.set(hold_id_of(event.order_id, event.revision), None)


def confirm_holds(tx: Transaction, memory: Memory) -> Asking:
    """Ask about holds that have been without an order for seconds, and void those that will never have one."""
    before = tx.now - memory.settings.unconfirmed_hold_seconds * 1_000_000
    stale = [hold_id for hold_id, placed_at in memory.unconfirmed.items() if placed_at <= before]
    stale = stale[:CONFIRMED_AT_ONCE_MAX]
    if not stale:
        return
    known: HoldsKnown = yield ConfirmHolds(hold_ids=stale)
    exist = set(known.exist)
    for hold_id in stale:
        lost = hold_id not in exist and memory.unconfirmed.get(hold_id) is not None
        memory.unconfirmed.set(hold_id, None)
        if lost:
            _release(tx, memory, memory.holds.get(hold_id), 0, VOID)


def _release(tx: Transaction, memory: Memory, hold: Hold | None, needed: int, status: str = CLOSED) -> None:
    """Bring an open hold down to what is still needed."""
    if hold is None or hold.status != OPEN:
        return
    after, released = model.release(hold, needed, status)
    memory.holds.put(after)
    moves = model.release_moves(hold, released)
    if moves:
        post(tx, memory, moves, Cause(kind="release", reference=str(hold.order_id)))


# the engine's word -------------------------------------------------------------------------------------------------


def on_trade(tx: Transaction, memory: Memory, event: TradeExecuted) -> None:
    """Settle both legs and the fees as one entry; what a fill below the limit saved is free at once."""
    buyer, seller = _hold(memory, event.buy_order_id), _hold(memory, event.sell_order_id)
    quantity = amount_units(event.quantity)
    cost = notional_units(event.price, quantity)
    buyer, improvement = model.spend(buyer, cost, amount_units(event.buyer_hold))
    memory.holds.put(buyer)
    seller, beyond = model.spend(seller, quantity, amount_units(event.seller_hold))
    memory.holds.put(seller)
    if beyond:
        raise ValueError(f"sell order {event.sell_order_id} held {beyond} more than its quantity")
    fees = amount_units(event.buyer_fee), amount_units(event.seller_fee)
    moves = model.settle_moves(buyer, seller, cost, quantity, *fees, improvement)
    causes = {
        seller.wallet_id: _trade_cause(event, "sell"),
        buyer.wallet_id: _trade_cause(event, "buy"),
    }
    post(tx, memory, moves, Cause(kind="trade", reference=event.trade_id), of_wallet=causes)


def _hold(memory: Memory, order_id: str) -> Hold:
    hold = memory.holds.get(order_id)
    if hold is None:
        raise LookupError(f"order {order_id} has no hold")
    return hold


def _trade_cause(event: TradeExecuted, side: str) -> Cause:
    return Cause(kind="trade", reference=event.trade_id, symbol=event.symbol, side=side, price=event.price)


def on_closed(tx: Transaction, memory: Memory, event: OrderClosed) -> None:
    """Release what an ended order still holds: exactly what the ledger has."""
    _release(tx, memory, memory.holds.get(event.order_id), 0)


def on_amended(tx: Transaction, memory: Memory, event: OrderAmended) -> None:
    """The new terms hold: an extra hold becomes part of the order's, a smaller need is released."""
    hold = _hold(memory, event.order_id)
    # revision 0 is what self-trade prevention took off: nobody asked for it, nothing was held for it
    extra = memory.holds.get(hold_id_of(event.order_id, event.revision)) if event.revision else None
    if extra is not None and extra.status == OPEN:
        hold, extra = model.merge(hold, extra)
        memory.holds.put(hold)
        memory.holds.put(extra)
    _release(tx, memory, hold, amount_units(event.hold))


def on_amend_rejected(tx: Transaction, memory: Memory, event: OrderAmendRejected) -> None:
    """The old terms stand: what the amendment held is released."""
    _release(tx, memory, memory.holds.get(hold_id_of(event.order_id, event.revision)), 0)


def reverse_trade(tx: Transaction, memory: Memory, request: ReverseTrade) -> Done:
    """Bust: one reversing entry, or a refusal when a party no longer has what it received."""
    if memory.reversals.get(request.trade_id) is not None:
        return DONE
    buyer = _hold(memory, str(request.buyer_order_id))
    seller = _hold(memory, str(request.seller_order_id))
    moves = model.reverse_moves(request, buyer.wallet_id, seller.wallet_id)
    cause = Cause(
        kind="bust", reference=str(request.trade_id), symbol=request.symbol, price=request.price, reason=request.reason
    )
    sides = {seller.wallet_id: _side(cause, "sell"), buyer.wallet_id: _side(cause, "buy")}
    entry_id = post(tx, memory, moves, cause, of_wallet=sides)
    memory.reversals.add(Reversal(request.trade_id, entry_id))
    return DONE


def _side(cause: Cause, side: str) -> Cause:
    return msgspec.structs.replace(cause, side=side)


# wallets -----------------------------------------------------------------------------------------------------------


def first_start(_: Transaction, memory: Memory, _fetch: Fetch) -> None:
    """Know the assets of the shipped markets."""
    for market in markets.SHIPPED:
        _learn(memory, market.base, market.quote)


def on_market_created(_: Transaction, memory: Memory, event: MarketCreated) -> None:
    """Know the assets of a new market."""
    _learn(memory, event.base, event.quote)


def _learn(memory: Memory, *assets: str) -> None:
    for asset in assets:
        if memory.assets.get(asset) is None:
            memory.assets.add(Asset(asset))


def on_user_created(tx: Transaction, memory: Memory, event: UserCreated) -> None:
    """Every user has a default wallet."""
    if memory.default_of(event.user_id) is None:
        memory.wallets.add(Wallet(tx.new_id(), event.user_id, "default", 1, OPEN, "", tx.now))


def open_wallet(tx: Transaction, memory: Memory, request: OpenWallet) -> Wallet:
    """A further wallet."""
    mine = [wallet for wallet in memory.of_user(request.user_id) if wallet.state == OPEN]
    if len(mine) >= memory.settings.wallets_max:
        raise Refused("too_many_wallets", f"A user may have {memory.settings.wallets_max} wallets")
    wallet = Wallet(tx.new_id(), request.user_id, request.name, 0, OPEN, "", tx.now)
    memory.wallets.add(wallet)
    return wallet


def close_wallet(tx: Transaction, memory: Memory, request: CloseWallet) -> Done:
    """Close an empty wallet; its history stays."""
    wallet = memory.wallet_of(request.wallet_id, request.user_id)
    if wallet.is_default:
        raise Refused("default_wallet")
    if left := _left(memory, wallet):
        raise Refused("wallet_not_empty", f"The wallet still holds {left}")
    memory.wallets.put(msgspec.structs.replace(wallet, state=CLOSED))
    if tx.admin not in (None, wallet.user_id):
        tx.act("wallet.closed", wallet.wallet_id, userId=wallet.user_id)
    return DONE


def close_wallets(tx: Transaction, memory: Memory, request: CloseWallets) -> Done:
    """Close all wallets of a user who leaves, or say what is left in them."""
    mine = memory.of_user(request.user_id)
    if left := ", ".join(filter(None, (_left(memory, wallet) for wallet in mine))):
        raise Refused("user_not_empty", f"The user's wallets still hold {left}")
    for wallet in mine:
        memory.wallets.put(msgspec.structs.replace(wallet, state=CLOSED))
    if not any(wallet.is_default for wallet in mine):
        # UserCreated is still on its way: it must find that this user has come and gone
        memory.wallets.add(Wallet(tx.new_id(), request.user_id, "default", 1, CLOSED, "", tx.now))
    return DONE


def _left(memory: Memory, wallet: Wallet) -> str:
    return ", ".join(
        f"{amount_text(each.asset, each.available + each.held)} {each.asset}"
        for each in memory.balances_of(wallet)
        if each.available or each.held
    )
