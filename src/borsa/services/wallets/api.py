"""The door of wallets."""

from typing import Annotated, Any, Literal

from msgspec import Meta

from borsa import money
from borsa.errors import Refused
from borsa.markets import ASSET_SCALE, amount_text, amount_units
from borsa.runtime.clock import time_text
from borsa.runtime.codec import Body, Number, Reply, SignedNumber, required_number
from borsa.runtime.http.call import Call
from borsa.runtime.http.page import PageQuery, after_cursor, encode_cursor
from borsa.runtime.http.route import Route
from borsa.services.wallets import store
from borsa.services.wallets.model import Balance, CloseWallet, Deposit, OpenWallet, Wallet

AssetCode = Annotated[str, Meta(pattern=r"^[A-Z0-9]{1,12}\Z", examples=["USD"])]
Text = Annotated[str, Meta(min_length=1, max_length=200, pattern=r"^[^\x00-\x1f\x7f]+\Z")]


class NewWallet(Body, frozen=True):
    """A further wallet."""

    name: Annotated[str, Meta(min_length=1, max_length=64, pattern=r"^[^\x00-\x1f\x7f]+\Z")]


class Adjustment(Body, frozen=True):
    """What an admin posts, and why."""

    asset: AssetCode
    delta: SignedNumber
    reason: Text


class PlayMoney(Body, frozen=True):
    """What somebody takes from the faucet."""

    asset: AssetCode
    amount: Number


class WalletReply(Reply, frozen=True):
    """A wallet: for each asset the total, and what of it is free or held. `version` grows with each change."""

    wallet_id: str
    user_id: str
    name: str
    balance: dict[str, str]
    available: dict[str, str]
    held: dict[str, str]
    version: int


class WalletPage(Reply, frozen=True):
    """Wallets, the default one first."""

    data: list[WalletReply]
    next_cursor: str | None


class LineReply(Reply, frozen=True):
    """What an entry added to a bucket of the wallet."""

    asset: str
    bucket: Literal["available", "held"]
    amount: str


class EntryReply(Reply, frozen=True):
    """An entry of the ledger, with its cause, and the lines that concern the wallet."""

    entry_id: str
    time: str
    kind: str
    reference: str
    reason: str | None
    lines: list[LineReply]


class EntryPage(Reply, frozen=True):
    """Entries, newest first."""

    data: list[EntryReply]
    next_cursor: str | None


async def open_wallet(call: Call, body: NewWallet) -> WalletReply:
    """POST /api/wallets"""
    wallet = await call.ask(OpenWallet(user_id=call.identity.user_id, name=body.name))
    return _reply(wallet, [])


async def list_wallets(call: Call) -> WalletPage:
    """GET /api/wallets"""
    query: PageQuery = call.query
    owner = None if call.identity.is_admin else call.identity.user_id
    found = store.wallets_page(call.reader, owner, after_cursor(query.cursor, store.FIRST), query.limit)
    last = found[-1] if len(found) == query.limit else None
    data = [_reply(wallet, store.balances_of(call.reader, wallet.wallet_id)) for wallet in found]
    return WalletPage(data=data, next_cursor=encode_cursor(last.is_default, last.wallet_id) if last else None)


async def get_wallet(call: Call) -> WalletReply:
    """GET /api/wallets/{id}"""
    wallet = _mine(call)
    return _reply(wallet, store.balances_of(call.reader, wallet.wallet_id))


async def list_entries(call: Call) -> EntryPage:
    """GET /api/wallets/{id}/entries"""
    wallet = _mine(call)
    query: PageQuery = call.query
    (before,) = after_cursor(query.cursor, (money.UNITS_MAX,))
    found = store.entries_page(call.reader, wallet.wallet_id, before, query.limit)
    more = found and len(found) == query.limit
    cursor = encode_cursor(found[-1].entry.entry_id) if more else None
    return EntryPage(data=[_entry_reply(each) for each in found], next_cursor=cursor)


async def adjust(call: Call, body: Adjustment) -> WalletReply:
    """PUT /api/wallets/{id}"""
    delta = _units(money.parse_signed, required_number(body.delta, "delta"), "delta")
    return await _deposit(call, None, body.asset, delta, "adjustment", body.reason)


async def draw(call: Call, body: PlayMoney) -> WalletReply:
    """POST /api/wallets/{id}/faucet"""
    if not call.settings.sandbox:
        raise Refused("sandbox_off")
    amount = _units(money.parse, required_number(body.amount, "amount"), "amount")
    if amount > amount_units(call.settings.faucet_max):
        raise Refused("above_cap", f"At most {call.settings.faucet_max} at once", field="amount")
    return await _deposit(call, call.identity.user_id, body.asset, amount, "faucet", None)


async def close_wallet(call: Call) -> None:
    """DELETE /api/wallets/{id}"""
    owner = None if call.identity.is_admin else call.identity.user_id
    await call.ask(CloseWallet(wallet_id=call.path["id"], user_id=owner))


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
    return _reply(state.wallet, state.balances)


def _units(parse: Any, text: str, field: str) -> int:
    try:
        units: int = parse(text, ASSET_SCALE)
    except money.NotExact as error:
        raise Refused("invalid_request", f"{field} {error}", field=field) from None
    if units == 0:
        raise Refused("invalid_request", f"{field} must not be zero", field=field)
    return units


def _mine(call: Call) -> Wallet:
    wallet = store.wallet_by_id(call.reader, call.path["id"])
    if wallet is None or not (call.identity.is_admin or wallet.user_id == call.identity.user_id):
        raise Refused("not_found")
    if wallet.state != "open":
        raise Refused("not_found")
    return wallet


def _reply(wallet: Wallet, balances: list[Balance]) -> WalletReply:
    return WalletReply(
        wallet_id=wallet.wallet_id,
        user_id=wallet.user_id,
        name=wallet.name,
        balance={each.asset: amount_text(each.asset, each.available + each.held) for each in balances},
        available={each.asset: amount_text(each.asset, each.available) for each in balances},
        held={each.asset: amount_text(each.asset, each.held) for each in balances},
        version=max((each.version for each in balances), default=0),
    )


def _entry_reply(found: store.EntryLines) -> EntryReply:
    entry = found.entry
    return EntryReply(
        entry_id=str(entry.entry_id),
        time=time_text(entry.time),
        kind=entry.kind,
        reference=entry.reference,
        reason=entry.reason,
        lines=[
            LineReply(asset=line.asset, bucket=_bucket(line.bucket), amount=amount_text(line.asset, line.amount))
            for line in found.lines
        ],
    )


def _bucket(name: str) -> Literal["available", "held"]:
    return "held" if name == "held" else "available"


_ONE = "/api/wallets/{id}"

ROUTES = (
    Route(
        method="POST",
        path="/api/wallets",
        handle=open_wallet,
        access="user",
        summary="Open a further wallet",
        body=NewWallet,
        reply=WalletReply,
        status=201,
        errors=("above_cap",),
    ),
    Route(
        method="GET",
        path="/api/wallets",
        handle=list_wallets,
        access="user",
        summary="Own wallets, the default one first; all of them for admins",
        query=PageQuery,
        reply=WalletPage,
    ),
    Route(
        method="GET",
        path=_ONE,
        handle=get_wallet,
        access="user",
        summary="A wallet",
        reply=WalletReply,
        errors=("not_found",),
    ),
    Route(
        method="GET",
        path=_ONE + "/entries",
        handle=list_entries,
        access="user",
        summary="Every entry of the ledger that touches a wallet, newest first",
        query=PageQuery,
        reply=EntryPage,
        errors=("not_found",),
    ),
    Route(
        method="PUT",
        path=_ONE,
        handle=adjust,
        access="admin",
        summary="Adjust a balance: one balanced posting against the outside world",
        body=Adjustment,
        reply=WalletReply,
        errors=("idempotency_key_required", "insufficient_funds", "approval_needed", "amount_too_large"),
        key_required=True,
    ),
    Route(
        method="POST",
        path=_ONE + "/faucet",
        handle=draw,
        access="user",
        summary="Take play money (sandbox only)",
        body=PlayMoney,
        reply=WalletReply,
        errors=("sandbox_off", "above_cap", "amount_too_large"),
    ),
    Route(
        method="DELETE",
        path=_ONE,
        handle=close_wallet,
        access="user",
        summary="Close an empty wallet; its history stays",
        status=204,
        errors=("default_wallet", "wallet_not_empty"),
    ),
)
