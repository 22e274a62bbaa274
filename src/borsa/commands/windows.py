"""Recorded rows as commands of the API, cut into windows whose commands may be answered in any order. Pure.

The engine must see what matters in the recorded order; waiting for each answer before the next command would take
hours. What does not matter: a new order and any command of the other side commute as long as their prices don't cross,
and cancels and amendments of different orders always commute. What does: orders of one side compete for a place in the
queue and for what they take. So all new orders of one side of a window are placed by one user in one ordered batch.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator

import msgspec

from borsa.commands.recording import Execution, Row
from borsa.markets import Market

PLACE, CANCEL, AMEND = "place", "cancel", "amend"
SIDES = ("buy", "sell")

PACE_MICROSECONDS = 100_000
"""Longest recorded time in a window when the recorded pace is kept."""

_LOWEST, _HIGHEST = -1, 2**63


class Command(msgspec.Struct, frozen=True, gc=False):
    """What a row asks of the exchange. `quantity` in lots is the order's (of an amendment: its new) total, `price` in
    ticks its limit, `worth` in lots what a cancel or an amendment gives back at most."""

    kind: str
    row_id: int
    side: str
    price: int
    quantity: int
    immediate: bool = False
    worth: int = 0


class Window:
    """Commands that may overtake each other, but for the new orders of one side."""

    def __init__(self, number: int, time: int) -> None:
        self.number = number
        self.time = time
        self.rows = 0
        self.placed: dict[str, list[Command]] = {"buy": [], "sell": []}
        self.changed: list[Command] = []
        self._ids: set[int] = set()
        # the prices nearest to the other side: of new orders, and of all commands
        self._buy_placed = self._buy_any = _LOWEST
        self._sell_placed = self._sell_any = _HIGHEST

    def takes(self, row: Row) -> bool:
        """May this row be played together with what is here?"""
        if row.row_id in self._ids:
            return False
        places = _places(row)
        if row.side == "buy":
            return row.price < (self._sell_any if places else self._sell_placed)
        return row.price > (self._buy_any if places else self._buy_placed)

    def add(self, row: Row, command: Command | None) -> None:
        """Take a row in; `command` is None where there is nothing left to ask for."""
        self.rows += 1
        self._ids.add(row.row_id)
        places = _places(row)
        if row.side == "buy":
            self._buy_any = max(self._buy_any, row.price)
            self._buy_placed = max(self._buy_placed, row.price) if places else self._buy_placed
        else:
            self._sell_any = min(self._sell_any, row.price)
            self._sell_placed = min(self._sell_placed, row.price) if places else self._sell_placed
        if command is not None:
            (self.placed[row.side] if places else self.changed).append(command)


def _places(row: Row) -> bool:
    return row.kind in ("seed", "add", "ioc")


def windows_of(rows: Iterable[Row], paced: bool) -> Iterator[Window]:
    """The rows in windows; `paced`: none is longer than PACE_MICROSECONDS."""
    totals: dict[int, tuple[int, int]] = {}
    window: Window | None = None
    for row in rows:
        late = paced and window is not None and row.time - window.time > PACE_MICROSECONDS
        if window is None or late or not window.takes(row):
            if window is not None:
                yield window
            window = Window(window.number + 1 if window else 0, row.time)
        window.add(row, _command(row, totals))
    if window is not None:
        yield window


def _command(row: Row, totals: dict[int, tuple[int, int]]) -> Command | None:
    """`totals`: limit and total quantity of each order. A reduce names the difference, an amendment the new total."""
    if _places(row):
        totals[row.row_id] = (row.price, row.quantity)
        return Command(PLACE, row.row_id, row.side, row.price, row.quantity, row.kind == "ioc")
    if row.row_id not in totals:
        return None
    price, total = totals[row.row_id]
    if row.kind == "cancel" or row.quantity >= total:
        del totals[row.row_id]
        return Command(CANCEL, row.row_id, row.side, price, 0, worth=total)
    totals[row.row_id] = (price, total - row.quantity)
    return Command(AMEND, row.row_id, row.side, price, total - row.quantity, worth=row.quantity)


# who plays what, and what it costs ---------------------------------------------------------------------------------


class Cast:
    """Who places what: some users only buy, the others only sell, so nobody ever trades with themselves."""

    def __init__(self, users: int) -> None:
        self._buyers = max(1, users // 2)
        self._sellers = max(1, users - self._buyers)

    @property
    def size(self) -> int:
        """How many users take part."""
        return self._buyers + self._sellers

    def of(self, window: Window, side: str) -> int:
        """The user who places the orders of a side of a window."""
        if side == "buy":
            return window.number % self._buyers
        return self._buyers + window.number % self._sellers

    def sells(self, user: int) -> bool:
        """Does this user sell?"""
        return user >= self._buyers


def funds_needed(windows: Iterable[Window], cast: Cast, market: Market, executions: Iterable[Execution]) -> list[int]:
    """Units that each user needs, of the quote asset (buyers) or the base asset (sellers): an upper bound.

    A cancel gives back what was not filled. How much of an order was filled before is not known in advance, but no
    more at a price than was recorded there: so much of what is given back is not counted on.
    """
    traded: Counter[int] = Counter()
    for execution in executions:
        traded[execution.price] += execution.quantity
    unsure: dict[int, Counter[int]] = defaultdict(lambda: Counter(traded))
    owners: dict[int, int] = {}
    need, peak = [0] * cast.size, [0] * cast.size
    for window in windows:
        for side in SIDES:
            user = cast.of(window, side)
            for command in window.placed[side]:
                owners[command.row_id] = user
                need[user] += _units(market, side, command.price, command.quantity)
            peak[user] = max(peak[user], need[user])
        for command in window.changed:
            user = owners[command.row_id]
            kept = min(command.worth, unsure[user][command.price])
            unsure[user][command.price] -= kept
            need[user] -= _units(market, command.side, command.price, command.worth - kept)
    return peak


def _units(market: Market, side: str, price: int, quantity: int) -> int:
    return market.notional(price, quantity) if side == "buy" else quantity * market.lot
