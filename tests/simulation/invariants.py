"""What must hold after every commit, judged from the rows that reached the disk and from nothing else.

One `Watch` stands below each service's driver. It keeps what the rows add up to, in plain dictionaries of its own, and
after each commit looks at everything that the commit touched. Numbers are those of the reliability rules that
`borsa verify` has too; at the end of a run that audit reads the files themselves.
"""

import hashlib
from collections import Counter, defaultdict, deque
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from operator import itemgetter
from typing import Any

from borsa.app import SERVICES
from borsa.services.orders.model import FILLED, TERMINAL, Order
from borsa.services.trades.model import Trade
from borsa.services.wallets.model import WORLD, Hold
from tests.simulation.coverage import Coverage

Rows = Sequence[Sequence[Any]]
AsInserted = Callable[[Sequence[Any]], Sequence[Any]]


class Broken(AssertionError):
    """An invariant does not hold."""


def check(holds: bool, rule: str, said: str, *about: object) -> None:
    """Raise Broken, unless it holds."""
    if not holds:
        raise Broken(f"{rule}: {said} {' '.join(map(repr, about))}".rstrip())


def _what(text: str) -> tuple[str, AsInserted | None]:
    """What a statement does to which table, and how its rows are brought into the order of that table's columns."""
    words = text.replace('"', "").replace("(", " ").split()
    if words[0] == "UPDATE":
        return f"insert {words[1]}", _as_inserted(words[1])
    return f"{words[0].lower()} {words[2]}", None


@cache
def _as_inserted(table: str) -> AsInserted:
    """Brings a row as it is overwritten (its key comes last) into the order of the table's columns."""
    columns = next(service.tables.tables[table].c for service in SERVICES if table in service.tables.tables)
    rest = [column.name for column in columns if not column.primary_key]
    keys = [column.name for column in columns if column.primary_key]
    return itemgetter(*([*rest, *keys].index(column.name) for column in columns))


class Watch:
    """The rows of one service's database: those of the open transaction, and what the committed ones come to."""

    def __init__(self, name: str, coverage: Coverage, logs: Mapping[str, "Watch"], trace: "hashlib._Hash") -> None:
        self.name = name
        self.log_end = 0
        self.cursors: dict[str, int] = {}
        self._coverage = coverage
        self._logs = logs
        self._trace = trace
        self._time = 0
        self._open: list[tuple[str, Rows]] = []
        self._kinds: Counter[str] = Counter()
        self._known: dict[str, tuple[str, AsInserted | None]] = {}
        self.looks: dict[str, Callable[[Rows], None]] = {
            "insert log": self._log,
            "insert cursors": self._cursors,
            "insert dead_letters": self._dead,
        }
        """Who looks at the rows of which statement."""

    @property
    def is_open(self) -> bool:
        """Is anything written that is not committed?"""
        return bool(self._open)

    @property
    def newest_time(self) -> int:
        """The time of the newest event, in microseconds: the service never says that it is earlier."""
        return self._time

    def wrote(self, text: str, rows: Rows) -> None:
        """Rows were written in the open transaction."""
        known = self._known.get(text)
        if known is None:
            known = self._known[text] = _what(text)
        what, as_inserted = known
        self._open.append(
            (what, rows if as_inserted is None or what not in self.looks else list(map(as_inserted, rows)))
        )

    def forget(self) -> None:
        """The open transaction was rolled back."""
        self._open = []

    def committed(self) -> None:
        """The open transaction is on disk."""
        written, self._open = self._open, []
        for what, rows in written:
            look = self.looks.get(what)
            if look is not None:
                look(rows)
        self.settle()
        self._kinds.clear()

    def settle(self) -> None:
        """Judge what a commit touched, when all of its rows are known."""

    def _log(self, rows: Rows) -> None:
        said: list[bytes] = []
        for row in rows:
            sequence, time, kind, subject, correlation, causation, data = row
            if sequence != self.log_end + 1 or time < self._time:
                self._disorder(sequence, time)
            self.log_end, self._time = sequence, time
            if causation is not None:
                self._look_back(sequence, causation)
            self._kinds[kind] += 1
            said += (f"{self.name}/{sequence} {time} {kind} {subject} {correlation} {causation} ".encode(), data)
            self.logged(kind, subject, data)
        self._trace.update(b"".join(said))

    def _disorder(self, sequence: int, time: int) -> None:
        check(sequence == self.log_end + 1, "I-30", f"{self.name} logged {sequence} after {self.log_end}")
        check(time >= self._time, "F17", f"{self.name}/{sequence} is older than the one before it")

    def _look_back(self, sequence: int, causation: str) -> None:
        """Is the cause in a log by now?"""
        source, _, cause = causation.partition("/")
        known = self._logs[source].log_end
        if int(cause) > known:
            raise Broken(f"I-35: {self.name}/{sequence} was caused by {causation} of {known}")

    def logged(self, kind: str, subject: str, data: bytes) -> None:
        """An event is in the log."""

    def _cursors(self, rows: Rows) -> None:
        for source, sequence, _ in rows:
            before, end = self.cursors.get(source, 0), self._logs[source].log_end
            if not before <= sequence <= end:
                raise Broken(f"I-30: {self.name} went from {before} to {sequence} of {end} {source}")
            self.cursors[source] = sequence

    def _dead(self, rows: Rows) -> None:
        raise Broken(f"I-30: {self.name} gave up on {rows}")


def _nothing() -> list[int]:
    """Available and held of what was never posted to."""
    return [0, 0]


class WatchedWallets(Watch):
    """The ledger, the balances that are its fold, and the holds."""

    def __init__(self, *given: Any) -> None:
        super().__init__(*given)
        self.folds: defaultdict[tuple[str, str], list[int]] = defaultdict(_nothing)
        self.holds: dict[str, Hold] = {}
        self.wallets: dict[str, tuple[str, str]] = {}
        self.default_of: dict[str, str] = {}
        self.deposits: Counter[str] = Counter()
        self._held: Counter[tuple[str, str]] = Counter()
        self._balances: dict[tuple[str, str], tuple[int, int]] = {}
        self._assets_of: dict[str, list[tuple[str, str]]] = {}
        self._entries: dict[int, str] = {}
        self._last_entry = 0
        self._sums: defaultdict[tuple[int, str], int] = defaultdict(int)
        self._settled: set[int] = set()
        self._touched: dict[tuple[str, str], None] = {}
        self._seen: set[tuple[str, str]] = set()
        self.looks |= {
            "insert entries": self._entered,
            "insert postings": self._posted,
            "insert balances": self._balanced,
            "insert holds": self._kept,
            "insert wallets": self._walleted,
        }

    def _entered(self, rows: Rows) -> None:
        for entry_id, _, kind, reference, _, _ in rows:
            if entry_id != self._last_entry + 1:
                raise Broken(f"I-05: entry {entry_id} after {self._last_entry}")
            self._last_entry = entry_id
            if kind in ("faucet", "adjustment"):
                self.deposits[reference] += 1
            elif kind == "trade":
                if int(reference) in self._settled:
                    raise Broken(f"I-12: trade {reference} was settled twice")
                self._settled.add(int(reference))

    def _posted(self, rows: Rows) -> None:
        for entry_id, _, wallet_id, asset, bucket, amount in rows:
            key = wallet_id, asset
            self._sums[entry_id, asset] += amount
            self.folds[key][bucket == "held"] += amount
            self._touched[key] = None

    def _balanced(self, rows: Rows) -> None:
        for wallet_id, asset, available, held, _ in rows:
            if wallet_id != WORLD and (available < 0 or held < 0):
                raise Broken(f"I-02: {wallet_id} has {available} available and {held} held of {asset}")
            self._balances[wallet_id, asset] = (available, held)
            self._touched[wallet_id, asset] = None

    def _kept(self, rows: Rows) -> None:
        for row in rows:
            hold, before = Hold(*row), self.holds.get(row[0])
            remaining, key = hold.remaining, (hold.wallet_id, hold.asset)
            check(hold.spent >= 0 and hold.released >= 0 and remaining >= 0, "I-04", "a hold does not add up", hold)
            check((remaining > 0) == (hold.status == "open"), "I-04", "an open hold has something left", hold)
            if before is not None:
                lost = before.status in ("void", "refused") and hold != before
                check(not lost, "I-09", "a hold that was lost came back", before, hold)
                self._held[key] -= before.remaining
                self._count(before, hold)
            else:
                self._coverage.branches["hold refused"] += hold.status == "refused"
            self._held[key] += remaining
            self.holds[hold.hold_id] = hold
            if hold.wallet_id:
                self._touched[key] = None

    def _count(self, before: Hold, after: Hold) -> None:
        improved = after.spent > before.spent and after.released > before.released
        self._coverage.branches["price improvement"] += improved
        self._coverage.branches["tombstoned hold"] += after.status == "void"

    def _walleted(self, rows: Rows) -> None:
        for wallet_id, user_id, _, is_default, state, _, _ in rows:
            before = self.wallets.get(wallet_id)
            reopened = before is not None and before[1] == "closed" and state != "closed"
            check(not reopened, "I-11", f"wallet {wallet_id} was opened again")
            self.wallets[wallet_id] = (user_id, state)
            if is_default:
                self.default_of[user_id] = wallet_id

    def settle(self) -> None:
        for (entry_id, asset), total in self._sums.items():
            if total:
                raise Broken(f"I-01: entry {entry_id} sums to {total} {asset}")
        self._sums.clear()
        for key in self._touched:
            fold, balance, held = tuple(self.folds.get(key, (0, 0))), self._balances.get(key, (0, 0)), self._held[key]
            if fold != balance:
                raise Broken(f"I-06: {key} is {balance}, its postings come to {fold}")
            if balance[1] != held:
                raise Broken(f"I-03: {key} has {balance[1]} held, holds are {held}")
            if key not in self._seen and key[0] in self.wallets:
                self._seen.add(key)
                self._assets_of.setdefault(self.wallets[key[0]][0], []).append(key)
        self._touched.clear()

    def of_user(self, user_id: str) -> list[tuple[str, str, int, int]]:
        """Wallet, asset, available and held of all that a user has."""
        return sorted(
            (wallet_id, asset, *self._balances[wallet_id, asset])
            for wallet_id, asset in self._assets_of.get(user_id, ())
        )


class WatchedOrders(Watch):
    """Orders: what they become, once each, and never back."""

    def __init__(self, *given: Any) -> None:
        super().__init__(*given)
        self.orders: dict[int, Order] = {}
        self.by_client_id: dict[tuple[str, str], int] = {}
        self._created: set[str] = set()
        self._new: list[Order] = []
        self.looks |= {"insert orders": self._ordered}

    def logged(self, kind: str, subject: str, data: bytes) -> None:
        if kind == "OrderCreated":
            check(subject not in self._created, "I-31", f"order {subject} was created twice")
            self._created.add(subject)

    def _ordered(self, rows: Rows) -> None:
        for row in rows:
            order, before = Order(*row), self.orders.get(row[0])
            self.orders[order.order_id] = order
            bounded = not order.quantity or order.filled + order.prevented <= order.quantity
            check(bounded or order.status in TERMINAL, "I-10", "more was filled than asked for", order)
            if before is None:
                self._new.append(order)
                self._claim(order)
                continue
            left = before.status in TERMINAL and order.status != before.status
            check(not left, "I-11", "an order left its last status", before.status, order)
            back = order.version < before.version or order.filled < before.filled or order.spent < before.spent
            check(not back, "I-11", "an order went back", before, order)
            self._count(before, order)

    def _claim(self, order: Order) -> None:
        if order.client_order_id is not None:
            key = order.user_id, order.client_order_id
            check(key not in self.by_client_id, "P2", "a client id was used for two orders", key)
            self.by_client_id[key] = order.order_id

    def _count(self, before: Order, after: Order) -> None:
        branches = self._coverage.branches
        if after.status == FILLED and before.status != FILLED:
            branches["cancel asked, fill won"] += after.cancel_requested
        branches["amendment asked, fill came first"] += bool(before.amending and after.filled > before.filled)
        branches["self-trade prevented"] += after.prevented > before.prevented
        if after.reason != before.reason and after.reason in _REASONS:
            branches[_REASONS[after.reason]] += 1

    def settle(self) -> None:
        for order in self._new:
            check(str(order.order_id) in self._created, "I-31", f"order {order.order_id} has no event")
        check(len(self._created) == len(self.orders), "I-31", "an event tells of an order that is not there")
        self._new.clear()


_REASONS = {
    "self_trade": "self-trade prevented",
    "price_band": "cut off at the price band",
    "budget_spent": "budget spent",
    "would_cross": "post-only refused by the engine",
    "expired_fok": "fill-or-kill killed",
    "amended_down": "amended to less than was filled",
}


class WatchedTrades(Watch):
    """Trades: facts, of which only the status moves."""

    def __init__(self, *given: Any) -> None:
        super().__init__(*given)
        self.trades: dict[int, Trade] = {}
        self.recent: deque[int] = deque(maxlen=60)
        self._fresh = 0
        self.looks |= {"insert trades": self._traded}

    def logged(self, kind: str, subject: str, data: bytes) -> None:
        if kind in _WORDS:
            self._coverage.branches[_WORDS[kind]] += 1

    def _traded(self, rows: Rows) -> None:
        fresh = 0
        for row in rows:
            trade, before = Trade(*row), self.trades.get(row[0])
            self.trades[trade.trade_id] = trade
            if before is None:
                fresh += 1
                self.recent.append(trade.trade_id)
                check(trade.notional > 0 and trade.quantity > 0, "I-15", "a trade of nothing", trade)
                check(trade.buy_order_id != trade.sell_order_id, "I-12", "an order traded with itself", trade)
                self._coverage.branches["self-trade allowed"] += trade.buyer_id == trade.seller_id
                self._coverage.branches["block trade"] += trade.block
            else:
                same = row[:_ESSENCE] == _values(before)[:_ESSENCE]
                check(same, "I-12", "a trade changed", before, trade)
                check(before.status != "busted" or trade.status == "busted", "I-11", "a bust was undone", trade)
        self._fresh += fresh

    def settle(self) -> None:
        fresh, self._fresh = self._fresh, 0
        told = self._kinds["TradeExecuted"]
        check(fresh == told, "I-31", f"{fresh} trades, of which {told} were told")
        self._coverage.totals["trades"] += fresh


_WORDS = {
    "OrderTriggered": "stop triggered",
    "OrderAmendRejected": "amendment rejected by the engine",
    "CrossRejected": "cross rejected",
    "TradeBusted": "trade busted",
}
_ESSENCE = Trade.__struct_fields__.index("status")


def _values(trade: Trade) -> tuple[Any, ...]:
    return tuple(getattr(trade, name) for name in Trade.__struct_fields__)
