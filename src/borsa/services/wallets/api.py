"""The door of wallets."""

from borsa.errors import Refused
from borsa.markets import ASSET_SCALE, amount_units, units_of
from borsa.money import parse_signed
from borsa.runtime.codec import required_number
from borsa.runtime.http.call import Call
from borsa.runtime.http.page import (
    DEFAULT_FIRST,
    NEWEST,
    NEWEST_NUMBER,
    OwnedQuery,
    PageQuery,
    after_cursor,
    next_cursor,
)
from borsa.runtime.http.route import Answered, Route
from borsa.services.wallets import store
from borsa.services.wallets.model import Adjust, CloseWallet, Decide, Deposit, OpenWallet, Wallet, WalletState
from borsa.services.wallets.wire import (
    Adjustment,
    ApprovalPage,
    ApprovalQuery,
    ApprovalReply,
    EntryPage,
    NewWallet,
    PlayMoney,
    Verdict,
    WalletPage,
    WalletReply,
    approval_reply,
    entry_reply,
    wallet_reply,
)


async def open_wallet(call: Call, body: NewWallet) -> WalletReply:
    """POST /api/wallets"""
    wallet = await call.ask(OpenWallet(user_id=call.identity.user_id, name=body.name))
    return wallet_reply(wallet, [])


async def list_wallets(call: Call) -> WalletPage:
    """GET /api/wallets"""
    query: OwnedQuery = call.query
    found = await call.read(store.wallets_page, call.listed, after_cursor(query.cursor, DEFAULT_FIRST), query.limit)
    cursor = next_cursor(found, query.limit, lambda each: (each.wallet.is_default, each.wallet.wallet_id))
    return WalletPage(data=[_reply_of(each) for each in found], next_cursor=cursor)


async def get_wallet(call: Call) -> WalletReply:
    """GET /api/wallets/{id}"""
    wallet = await _mine(call)
    return wallet_reply(wallet, await call.read(store.balances_of, wallet.wallet_id))


async def list_entries(call: Call) -> EntryPage:
    """GET /api/wallets/{id}/entries"""
    wallet = await _mine(call)
    query: PageQuery = call.query
    (before,) = after_cursor(query.cursor, NEWEST_NUMBER)
    found = await call.read(store.entries_page, wallet.wallet_id, before, query.limit)
    cursor = next_cursor(found, query.limit, lambda each: (each.entry.entry_id,))
    return EntryPage(data=[entry_reply(each) for each in found], next_cursor=cursor)


async def adjust(call: Call, body: Adjustment) -> Answered:
    """PUT /api/wallets/{id}"""
    delta = _not_zero(units_of(required_number(body.delta, "delta"), ASSET_SCALE, "delta", parse_signed), "delta")
    author = call.identity.user_id
    adjusted = await call.ask(
        Adjust(wallet_id=call.path["id"], asset=body.asset, delta=delta, reason=body.reason, author=author)
    )
    if adjusted.approval is not None:
        return Answered(approval_reply(adjusted.approval), 202)
    return Answered(_reply_of(adjusted.state), 200)


async def list_approvals(call: Call) -> ApprovalPage:
    """GET /api/wallets/approvals"""
    query: ApprovalQuery = call.query
    (before,) = after_cursor(query.cursor, NEWEST)
    found = await call.read(store.approvals_page, query.status, before, query.limit)
    cursor = next_cursor(found, query.limit, lambda approval: (approval.approval_id,))
    return ApprovalPage(data=[approval_reply(each) for each in found], next_cursor=cursor)


async def approve(call: Call, body: Verdict) -> ApprovalReply:
    """POST /api/wallets/approvals/{id}/approve"""
    if call.identity.by_api_key:
        raise Refused("forbidden", "An API key can't approve: a second person must, signed in")
    return await _decide(call, body, approve=True)


async def reject(call: Call, body: Verdict) -> ApprovalReply:
    """POST /api/wallets/approvals/{id}/reject"""
    return await _decide(call, body, approve=False)


async def _decide(call: Call, body: Verdict, *, approve: bool) -> ApprovalReply:
    admin = call.identity.user_id
    asked = Decide(approval_id=call.path["id"], admin=admin, approve=approve, verdict=body.reason)
    return approval_reply(await call.ask(asked))


async def draw(call: Call, body: PlayMoney) -> WalletReply:
    """POST /api/wallets/{id}/faucet"""
    if not call.settings.sandbox:
        raise Refused("sandbox_off")
    amount = _not_zero(units_of(required_number(body.amount, "amount"), ASSET_SCALE, "amount"), "amount")
    if amount > amount_units(call.settings.faucet_max):
        raise Refused("above_cap", f"At most {call.settings.faucet_max} at once", field="amount")
    user_id = call.identity.user_id
    return _reply_of(
        await call.ask(Deposit(wallet_id=call.path["id"], user_id=user_id, asset=body.asset, amount=amount))
    )


async def close_wallet(call: Call) -> None:
    """DELETE /api/wallets/{id}"""
    await call.ask(CloseWallet(wallet_id=call.path["id"], user_id=call.owner))


def _reply_of(state: WalletState) -> WalletReply:
    return wallet_reply(state.wallet, state.balances)


def _not_zero(units: int, field: str) -> int:
    if units == 0:
        raise Refused("invalid_request", f"{field} must not be zero", field=field)
    return units


async def _mine(call: Call) -> Wallet:
    wallet = await call.read(store.wallet_by_id, call.path["id"])
    if wallet is None or wallet.state != "open" or not call.identity.may_see(wallet.user_id):
        raise Refused("not_found")
    return wallet


_ONE = "/api/wallets/{id}"
_APPROVALS = "/api/wallets/approvals"
_BORDER = ("insufficient_funds", "amount_too_large", "above_custody")

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
        query=OwnedQuery,
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
        "Adjust a balance: one balanced posting against the outside world; 202 when it needs a second admin",
        body=Adjustment,
        reply=WalletReply,
        also=(202,),
        accepted=ApprovalReply,
        errors=("idempotency_key_required", *_BORDER),
        key_required=True,
    ),
    Route(
        "GET",
        _APPROVALS,
        list_approvals,
        "admin",
        "Adjustments that needed a second admin, newest first",
        query=ApprovalQuery,
        reply=ApprovalPage,
    ),
    Route(
        "POST",
        _APPROVALS + "/{id}/approve",
        approve,
        "admin",
        "Approve another admin's adjustment: it is posted now",
        body=Verdict,
        reply=ApprovalReply,
        errors=("not_found", "own_approval", "approval_closed", *_BORDER),
    ),
    Route(
        "POST",
        _APPROVALS + "/{id}/reject",
        reject,
        "admin",
        "Reject an adjustment",
        body=Verdict,
        reply=ApprovalReply,
        errors=("not_found", "approval_closed"),
    ),
    Route(
        "POST",
        _ONE + "/faucet",
        draw,
        "user",
        "Take play money (sandbox only)",
        body=PlayMoney,
        reply=WalletReply,
        errors=("sandbox_off", "above_cap", "amount_too_large", "above_custody"),
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
