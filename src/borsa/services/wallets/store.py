"""The memory of wallets: balances and holds by key, the ledger's journals and their seals, and what the door reads."""

from collections.abc import Sequence

import msgspec
import sqlalchemy as sa

from borsa.errors import Refused
from borsa.money import UNITS_MAX
from borsa.runtime.records.chain import Chain
from borsa.runtime.records.listing import newest
from borsa.runtime.records.session import Remembered, Session
from borsa.runtime.store import Reader, Statement
from borsa.services.wallets import tables
from borsa.services.wallets.model import (
    OPEN,
    WORLD,
    Approval,
    Asset,
    Balance,
    Entry,
    Hold,
    Posting,
    Reversal,
    Wallet,
    WalletState,
    custody_of,
)
from borsa.settings import Settings

_w, _b, _e, _p, _h = tables.WALLETS, tables.BALANCES, tables.ENTRIES, tables.POSTINGS, tables.HOLDS
_a = tables.APPROVALS

_NEWEST_ORDER = Statement(sa.select(sa.func.max(_h.c.order_id)))
_LAST_ENTRY = Statement(sa.select(sa.func.max(_e.c.entry_id)))
# said as text, as in the index: a bound value would not find it
_OPEN_HOLDS = Statement(sa.select(_h.c.hold_id, _h.c.placed_at).where(sa.text("status = 'open'")))
_OF_USER = Statement(
    sa.select(_w).where(_w.c.user_id == sa.bindparam("user_id")).order_by(_w.c.is_default.desc(), _w.c.wallet_id.desc())
)
# what is said as text is said so in an index
_POSTED_SINCE = Statement(
    sa.select(sa.func.coalesce(sa.func.sum(sa.func.abs(_p.c.amount)), 0))
    .join_from(_p, _e, _e.c.entry_id == _p.c.entry_id)
    .where(
        sa.text("kind = 'adjustment'"),
        _e.c.time >= sa.bindparam("since"),
        _p.c.wallet_id == WORLD,
        _p.c.asset == sa.bindparam("asset"),
    )
)

_APPROVED_SINCE = Statement(
    sa.select(sa.func.coalesce(sa.func.sum(sa.func.abs(_a.c.delta)), 0)).where(
        sa.text("status = 'approved'"),
        _a.c.decided_at >= sa.bindparam("since"),
        _a.c.asset == sa.bindparam("asset"),
        _a.c.entry_id < sa.bindparam("fresh"),
    )
)
_EXPIRED = Statement(sa.select(_a).where(sa.text("status = 'pending'"), _a.c.expires_at <= sa.bindparam("now")))


class Memory:
    """What the handlers work on."""

    def __init__(self, session: Session, settings: Settings) -> None:
        self.settings = settings
        self.custody = custody_of(settings.custody)
        self._session = session
        self.wallets = session.records(_w, Wallet)
        self.balances = session.records(_b, Balance)
        self.holds = session.records(_h, Hold)
        self.approvals = session.records(_a, Approval)
        self.reversals = session.records(tables.REVERSALS, Reversal)
        self.assets = session.records(tables.ASSETS, Asset)
        self.entries = session.journal(_e, Entry)
        self.postings = session.journal(_p, Posting)
        Chain(session, tables.SEALS, self.entries, self.postings)
        self.entries_of = tables.ENTRIES_OF_WALLET.opened(session)
        self.unconfirmed: Remembered[str, int] = session.remembered(dict(session.read(_OPEN_HOLDS)))
        # the newest adjustments: at least all of the open commit
        self._adjusted: Remembered[int, tuple[str, int]] = session.remembered({}, settings.commit_requests_max)
        self._numbers = session.remembered({"entry": int(session.read(_LAST_ENTRY)[0][0] or 0)})
        self._default: dict[str, str] = {}
        self._newest_order = int(session.read(_NEWEST_ORDER)[0][0] or 0)

    def known_hold(self, hold_id: str, order_id: int) -> Hold | None:
        """The hold with an id, if there is one. Of an order that is newer than all before there is none: the database
        is not asked."""
        if order_id > self._newest_order:
            self._newest_order = order_id
            return None
        return self.holds.get(hold_id)

    def next_entry_id(self) -> int:
        """The number of the next entry of the ledger: dense, from 1."""
        entry_id = (self._numbers.get("entry") or 0) + 1
        self._numbers.set("entry", entry_id)
        return entry_id

    def of_user(self, user_id: str) -> list[Wallet]:
        """All wallets of a user, the default one first."""
        return [self.wallets.load(row) for row in self._session.read(_OF_USER, user_id=user_id)]

    def wallet_of(self, wallet_id: str, user_id: str | None) -> Wallet:
        """An open wallet, of a user or (None, when an admin asks) of anybody; refused with not_found."""
        wallet = self.wallets.get(wallet_id)
        if wallet is None or wallet.state != OPEN or user_id not in (None, wallet.user_id):
            raise Refused("not_found")
        return wallet

    def default_of(self, user_id: str) -> Wallet | None:
        """A user's default wallet."""
        wallet_id = self._default.get(user_id)
        if wallet_id is None:
            found = self.of_user(user_id)
            if not found or not found[0].is_default:
                return None
            wallet_id = found[0].wallet_id
            if len(self._default) >= self.settings.cached_records_max:
                self._default.clear()
            self._default[user_id] = wallet_id
        return self.wallets.get(wallet_id)

    def balance(self, wallet_id: str, asset: str) -> Balance:
        """One asset of a wallet; zero where it never had any."""
        return self.balances.get((wallet_id, asset)) or Balance(wallet_id, asset, 0, 0, 0)

    def balances_of(self, wallet: Wallet) -> list[Balance]:
        """Every asset that a wallet ever had."""
        return [self.balance(wallet.wallet_id, asset) for asset in wallet.assets.split()]

    def adjusted_alone_since(self, asset: str, since: int) -> int:
        """Units of an asset that admins posted since a time without a second one, in both directions."""
        # entries of this commit are not in the database yet
        fresh = self.entries.rows[0].entry_id if self.entries.rows else UNITS_MAX
        given = {"asset": asset, "since": since, "fresh": fresh}
        posted, approved = (int(self._session.read(each, **given)[0][0]) for each in (_POSTED_SINCE, _APPROVED_SINCE))
        staged = sum(units for at, (of, units) in self._adjusted.items() if at >= fresh and of == asset)
        return posted - approved + staged

    def note_adjusted(self, entry_id: int, asset: str, units: int) -> None:
        """An admin posted so many units alone."""
        self._adjusted.set(entry_id, (asset, units))

    def expired(self, now: int) -> list[Approval]:
        """Approvals that nobody gave in time."""
        return [self.approvals.load(row) for row in self._session.read(_EXPIRED, now=now)]


# what the door reads -----------------------------------------------------------------------------------------------

_PAGE = (
    sa.select(_w)
    .where(
        sa.tuple_(_w.c.is_default, _w.c.wallet_id) < sa.tuple_(sa.bindparam("is_default"), sa.bindparam("wallet_id"))
    )
    .where(_w.c.state == "open")
    .order_by(_w.c.is_default.desc(), _w.c.wallet_id.desc())
    .limit(sa.bindparam("limit"))
)
_ALL_PAGE = Statement(_PAGE)
_OWN_PAGE = Statement(_PAGE.where(_w.c.user_id == sa.bindparam("user_id")))
_ONE = Statement(sa.select(_w).where(_w.c.wallet_id == sa.bindparam("wallet_id")))
_BALANCES = Statement(sa.select(_b).where(_b.c.wallet_id == sa.bindparam("wallet_id")).order_by(_b.c.asset))
_ENTRY_IDS = tables.ENTRIES_OF_WALLET.pages(
    lambda listed: (
        sa.select(listed.c.entry_id)
        .where(listed.c.wallet_id == sa.bindparam("wallet_id"), listed.c.entry_id < sa.bindparam("before"))
        .order_by(listed.c.entry_id.desc())
        .limit(sa.bindparam("limit"))
    )
)
_ENTRY = Statement(sa.select(_e).where(_e.c.entry_id == sa.bindparam("entry_id")))
_LINES = Statement(
    sa.select(_p)
    .where(_p.c.entry_id == sa.bindparam("entry_id"), _p.c.wallet_id == sa.bindparam("wallet_id"))
    .order_by(_p.c.line)
)


_APPROVALS = (
    sa.select(_a)
    .where(_a.c.approval_id < sa.bindparam("before"))
    .order_by(_a.c.approval_id.desc())
    .limit(sa.bindparam("limit"))
)
_ALL_APPROVALS = Statement(_APPROVALS)
_APPROVALS_SO = Statement(_APPROVALS.where(_a.c.status == sa.bindparam("status")))


def approvals_page(reader: Reader, status: str | None, before: str, limit: int) -> list[Approval]:
    """Adjustments that needed a second admin, newest first; those of one status, or all."""
    given = {"before": before, "limit": limit}
    if status is None:
        return [Approval(*row) for row in reader.read(_ALL_APPROVALS, **given)]
    return [Approval(*row) for row in reader.read(_APPROVALS_SO, status=status, **given)]


def wallets_page(reader: Reader, user_id: str | None, after: tuple[int, str], limit: int) -> list[WalletState]:
    """Open wallets, default ones first and then the newest; of one user, or of all (None)."""
    given = {"is_default": after[0], "wallet_id": after[1], "limit": limit}
    page = _ALL_PAGE if user_id is None else _OWN_PAGE
    found = [Wallet(*row) for row in reader.read(page, user_id=user_id, **given)]
    return [WalletState(wallet, balances_of(reader, wallet.wallet_id)) for wallet in found]


def wallet_by_id(reader: Reader, wallet_id: str) -> Wallet | None:
    """One wallet, closed ones included."""
    rows = reader.read(_ONE, wallet_id=wallet_id)
    return Wallet(*rows[0]) if rows else None


def balances_of(reader: Reader, wallet_id: str) -> list[Balance]:
    """All assets of a wallet."""
    return [Balance(*row) for row in reader.read(_BALANCES, wallet_id=wallet_id)]


class EntryLines(msgspec.Struct, frozen=True):
    """An entry with those of its postings that concern one wallet."""

    entry: Entry
    lines: Sequence[Posting]


def entries_page(reader: Reader, wallet_id: str, before: int, limit: int) -> list[EntryLines]:
    """Ledger entries that touch a wallet, newest first, older than the entry `before`."""
    found = []
    for (entry_id,) in newest(reader, _ENTRY_IDS, limit, wallet_id=wallet_id, before=before):
        entry = Entry(*reader.read(_ENTRY, entry_id=entry_id)[0])
        lines = [Posting(*row) for row in reader.read(_LINES, entry_id=entry_id, wallet_id=wallet_id)]
        found.append(EntryLines(entry, lines))
    return found
