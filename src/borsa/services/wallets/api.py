"""The door of wallets."""

from borsa.errors import Refused
from borsa.markets import ASSET_SCALE, amount_units, units_of
from borsa.money import parse_signed
from borsa.runtime.codec import required_number
from borsa.runtime.http.call import Call
from borsa.runtime.http.page import DEFAULT_FIRST, NEWEST_NUMBER, PageQuery, after_cursor, next_cursor
from borsa.runtime.http.route import Route
from borsa.services.wallets import store
from borsa.services.wallets.model import CloseWallet, Deposit, OpenWallet, Wallet
from borsa.services.wallets.wire import (
    Adjustment,
    EntryPage,
    NewWallet,
    PlayMoney,
    WalletPage,
    WalletReply,
    entry_reply,
    wallet_reply,
)


async def open_wallet(call: Call, body: NewWallet) -> WalletReply:
    """POST /api/wallets"""
    wallet = await call.ask(OpenWallet(user_id=call.identity.user_id, name=body.name))
    return wallet_reply(wallet, [])


async def list_wallets(call: Call) -> WalletPage:
    """GET /api/wallets"""
    query: PageQuery = call.query
    found = store.wallets_page(call.reader, call.owner, after_cursor(query.cursor, DEFAULT_FIRST), query.limit)
    data = [wallet_reply(wallet, store.balances_of(call.reader, wallet.wallet_id)) for wallet in found]
    cursor = next_cursor(found, query.limit, lambda wallet: (wallet.is_default, wallet.wallet_id))
    return WalletPage(data=data, next_cursor=cursor)


async def get_wallet(call: Call) -> WalletReply:
    """GET /api/wallets/{id}"""
    wallet = _mine(call)
    return wallet_reply(wallet, store.balances_of(call.reader, wallet.wallet_id))


async def list_entries(call: Call) -> EntryPage:
    """GET /api/wallets/{id}/entries"""
    wallet = _mine(call)
    query: PageQuery = call.query
    (before,) = after_cursor(query.cursor, NEWEST_NUMBER)
    found = store.entries_page(call.reader, wallet.wallet_id, before, query.limit)
    cursor = next_cursor(found, query.limit, lambda each: (each.entry.entry_id,))
    return EntryPage(data=[entry_reply(each) for each in found], next_cursor=cursor)


async def adjust(call: Call, body: Adjustment) -> WalletReply:
    """PUT /api/wallets/{id}"""
    delta = _not_zero(units_of(required_number(body.delta, "delta"), ASSET_SCALE, "delta", parse_signed), "delta")
    return await _deposit(call, None, body.asset, delta, "adjustment", body.reason)


async def draw(call: Call, body: PlayMoney) -> WalletReply:
    """POST /api/wallets/{id}/faucet"""
    if not call.settings.sandbox:
        raise Refused("sandbox_off")
    amount = _not_zero(units_of(required_number(body.amount, "amount"), ASSET_SCALE, "amount"), "amount")
    if amount > amount_units(call.settings.faucet_max):
        raise Refused("above_cap", f"At most {call.settings.faucet_max} at once", field="amount")
    return await _deposit(call, call.identity.user_id, body.asset, amount, "faucet", None)


async def close_wallet(call: Call) -> None:
    """DELETE /api/wallets/{id}"""
    await call.ask(CloseWallet(wallet_id=call.path["id"], user_id=call.owner))


async def _deposit(call: Call, owner: str | None, asset: str, delta: int, kind: str, reason: str | None) -> WalletReply:
    state = await call.ask(
        Deposit(
            wallet_id=call.path["id"],
            user_id=owner,
            asset=asset,
            delta=delta,
            kind=kind,
            reason=reason,
            author=call.identity.user_id,
        )
    )
    return wallet_reply(state.wallet, state.balances)


def _not_zero(units: int, field: str) -> int:
    if units == 0:
        raise Refused("invalid_request", f"{field} must not be zero", field=field)
    return units


def _mine(call: Call) -> Wallet:
    wallet = store.wallet_by_id(call.reader, call.path["id"])
    if wallet is None or wallet.state != "open" or not call.identity.may_see(wallet.user_id):
        raise Refused("not_found")
    return wallet


_ONE = "/api/wallets/{id}"

ROUTES = (
    Route(
        "POST",
        "/api/wallets",
        open_wallet,
        "user",
        "Open a further wallet",
        body=NewWallet,
        reply=WalletReply,
        status=201,
        errors=("too_many_wallets",),
    ),
    Route(
        "GET",
        "/api/wallets",
        list_wallets,
        "user",
        "Own wallets, the default one first; all of them for admins",
        query=PageQuery,
        reply=WalletPage,
    ),
    Route("GET", _ONE, get_wallet, "user", "A wallet", reply=WalletReply, errors=("not_found",)),
    Route(
        "GET",
        _ONE + "/entries",
        list_entries,
        "user",
        "Every entry of the ledger that touches a wallet, newest first",
        query=PageQuery,
        reply=EntryPage,
        errors=("not_found",),
    ),
    Route(
        "PUT",
        _ONE,
        adjust,
        "admin",
        "Adjust a balance: one balanced posting against the outside world",
        body=Adjustment,
        reply=WalletReply,
        errors=("idempotency_key_required", "insufficient_funds", "approval_needed", "amount_too_large"),
        key_required=True,
    ),
    Route(
        "POST",
        _ONE + "/faucet",
        draw,
        "user",
        "Take play money (sandbox only)",
        body=PlayMoney,
        reply=WalletReply,
        errors=("sandbox_off", "above_cap", "amount_too_large"),
    ),
    Route(
        "DELETE",
        _ONE,
        close_wallet,
        "user",
        "Close an empty wallet; its history stays",
        status=204,
        errors=("default_wallet", "wallet_not_empty"),
    ),
)
