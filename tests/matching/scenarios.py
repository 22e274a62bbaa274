"""Reads and plays the scenario files in `scenarios/`.

    scenario an ioc remainder never rests

    book                                orders with their remaining, first in the queue first; =5:ann is Ann's order
              | 101 | s1=5 s2=3:ann
        b1=10 |  99 |
    x buy 9 @ 101 ioc                   a command, and indented below it every result it must give
        accepted x 9
        filled x s1 5 @ 101
        closed s1 filled 5              reason, filled; "cut 4" when something was cut off
        ...
    book                                the first book is set up, each later one must be what is there (none: empty)
        b1=10 |  99 |
    armed y z                           the armed stops in arming order
    last 101                            the last trade price

Commands:  NAME buy|sell QUANTITY @ PRICE | QUANTITY market | market budget BUDGET, then any of: ioc, fok, post_only,
stop PRICE, worst PRICE (of a market order), budget BUDGET, by OWNER, and a mode of self-trade prevention;  cancel NAME;
amend NAME QUANTITY @ PRICE;  cross BUY SELL QUANTITY @ PRICE;  state open|cancel_only|halted;  cancel_all OWNER.
Everybody is a different owner unless named. Text behind `#` is a remark.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from borsa.matching import Kernel, Result, iter_results, pack_command
from borsa.matching.layout import (
    FLAG_BUDGET,
    Kind,
    Op,
    OrderType,
    Reason,
    SelfTradePrevention,
    Side,
    State,
    TimeInForce,
)

FOLDER = Path(__file__).parent / "scenarios"
MARKET = 7

Drawn = tuple[list[str], list[str]]
"""Bids and asks, best first, each level as "PRICE: NAME=REMAINING ..."."""


@dataclass
class Step:
    """One unindented line and the indented ones below it."""

    line: str
    below: list[str] = field(default_factory=list)


@dataclass
class Scenario:
    """One scenario of a file."""

    name: str
    steps: list[Step] = field(default_factory=list)


def read_scenarios() -> Iterator[Scenario]:
    """Every scenario of every file."""
    for path in sorted(FOLDER.glob("*.txt")):
        yield from _read_file(path)


def _read_file(path: Path) -> Iterator[Scenario]:
    found: list[Scenario] = []
    for raw in path.read_text().splitlines():
        line = raw.split("#")[0].rstrip()
        if not line:
            continue
        if line.startswith("scenario "):
            found.append(Scenario(f"{path.stem}: {line.removeprefix('scenario ')}"))
        elif line[0] == " ":
            found[-1].steps[-1].below.append(" ".join(line.split()))
        else:
            found[-1].steps.append(Step(" ".join(line.split())))
    yield from found


class Player:
    """Plays one scenario on a kernel. Names become ids and owners in the order in which they come up."""

    def __init__(self, kernel: Kernel) -> None:
        self.kernel = kernel
        self.ids: dict[str, int] = {}
        self.owners: dict[str, int] = {}

    def play(self, scenario: Scenario) -> None:
        """Every step of it; an AssertionError says where it went another way."""
        steps = list(scenario.steps)
        if steps and steps[0].line == "book":
            self._set_up(steps.pop(0).below)
        for step in steps:
            word, *rest = step.line.split()
            if word == "book":
                assert self._book() == _drawn(step.below), f"{scenario.name}: the book"
            elif word == "armed":
                assert self._armed() == rest, f"{scenario.name}: armed stops"
            elif word == "last":
                assert self.kernel.last_price(MARKET) == int(rest[0]), f"{scenario.name}: last price"
            else:
                results = self.kernel.process(self._command(word, rest))
                said = [self._say(result) for result in iter_results(results)]
                assert said == step.below, f"{scenario.name}: {step.line}"

    def _set_up(self, rows: list[str]) -> None:
        for row in rows:
            bids, price, asks = (part.strip() for part in row.split("|"))
            for side, orders in (("buy", bids), ("sell", asks)):
                for order in orders.split():
                    name, _, amount = order.partition("=")
                    quantity, _, owner = amount.partition(":")
                    words = [side, quantity, "@", price] + (["by", owner] if owner else [])
                    results = list(iter_results(self.kernel.process(self._command(name, words))))
                    assert [result.kind for result in results] == [Kind.ACCEPTED], f"the book at {order}"

    # Text to commands

    def _command(self, word: str, rest: list[str]) -> bytes:
        if word == "cancel":
            return pack_command(Op.CANCEL, MARKET, self._id(rest[0]))
        if word == "amend":
            name, quantity, *limit = rest
            return pack_command(
                Op.AMEND, MARKET, self._id(name), quantity=int(quantity), price=int(limit[1]) if limit else 0
            )
        if word == "cross":
            buy, sell, quantity, _, price = rest
            return pack_command(
                Op.CROSS,
                MARKET,
                self._id(buy),
                other_id=self._id(sell),
                quantity=int(quantity),
                price=int(price),
            )
        if word == "state":
            return pack_command(Op.SET_STATE, MARKET, quantity=State[rest[0].upper()])
        if word == "cancel_all":
            return pack_command(Op.CANCEL_ALL, MARKET, owner=self._owner(rest[0]))
        return self._place(word, rest)

    def _place(self, name: str, words: list[str]) -> bytes:
        fields: dict[str, int] = {"side": Side[words[0].upper()], "owner": self._owner(f"owner of {name}")}
        rest = iter(words[1:])
        for word in rest:
            if word.isdigit():
                fields["quantity"] = int(word)
            elif word in ("@", "worst"):
                fields["price"] = int(next(rest))
            elif word == "stop":
                fields["stop_price"] = int(next(rest))
            elif word == "budget":
                fields["budget"] = int(next(rest))
            elif word == "by":
                fields["owner"] = self._owner(next(rest))
            elif word == "post_only":
                fields["post_only"] = 1
            elif word in ("ioc", "fok"):
                fields["time_in_force"] = TimeInForce[word.upper()]
            elif word != "market":
                fields["self_trade_prevention"] = SelfTradePrevention[word.upper()]
        fields["order_type"] = _order_type("@" in words, "stop_price" in fields)
        return pack_command(Op.PLACE, MARKET, self._id(name), **fields)

    def _id(self, name: str) -> int:
        return self.ids.setdefault(name, len(self.ids) + 1)

    def _owner(self, name: str) -> int:
        return self.owners.setdefault(name, len(self.owners) + 1)

    # Results and state to text

    def _name(self, order_id: int) -> str:
        return next((name for name, known in self.ids.items() if known == order_id), str(order_id))

    def _say(self, result: Result) -> str:
        kind = Kind(result.kind).name.lower()
        words = [kind, self._name(result.order_id)]
        if result.other_id:
            words.append(self._name(result.other_id))
        if result.kind == Kind.ACCEPTED:
            words.append(f"budget {result.remaining}" if result.flags & FLAG_BUDGET else str(result.quantity))
        if result.kind in (Kind.FILLED, Kind.PREVENTED):
            words.append(f"{result.quantity} @ {result.price}")
        if result.kind in (Kind.CLOSED, Kind.REFUSED):
            words.append(Reason(result.reason).name.lower())
        if result.kind == Kind.CLOSED:
            words.append(f"{result.quantity} cut {result.remaining}" if result.remaining else str(result.quantity))
        if result.kind == Kind.AMENDED:
            words.append(f"{result.quantity} @ {result.price} left {result.remaining}")
        return " ".join(words)

    def _book(self) -> Drawn:
        drawn: Drawn = ([], [])
        for order in self.kernel.open_orders():
            if not order.armed:
                _draw(drawn[order.side], order.price, f"{self._name(order.order_id)}={order.remaining}")
        return drawn

    def _armed(self) -> list[str]:
        return [self._name(order.order_id) for order in self.kernel.open_orders() if order.armed]


def _order_type(has_price: bool, has_stop: bool) -> OrderType:
    if has_stop:
        return OrderType.STOP_LIMIT if has_price else OrderType.STOP
    return OrderType.LIMIT if has_price else OrderType.MARKET


def _draw(levels: list[str], price: int, order: str) -> None:
    if levels and levels[-1].startswith(f"{price}:"):
        levels[-1] += f" {order}"
    else:
        levels.append(f"{price}: {order}")


def _drawn(rows: list[str]) -> Drawn:
    """A drawn book, asks above bids with the best in the middle, as the kernel lists it."""
    drawn: Drawn = ([], [])
    for row in rows:
        bids, price, asks = (part.strip() for part in row.split("|"))
        if bids:
            drawn[Side.BUY].append(f"{price}: {bids}")
        if asks:
            drawn[Side.SELL].insert(0, f"{price}: {asks}")
    return drawn
