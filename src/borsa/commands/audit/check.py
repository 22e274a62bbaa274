"""What a check is, and what it has in hand."""

from collections.abc import Callable, Iterator
from typing import Any

import msgspec

from borsa.commands.audit.moment import Moment
from borsa.commands.audit.witness import Witness

Row = tuple[Any, ...]


class Look:
    """One check at work: reads rows of the moment, and counts those that it looked at."""

    def __init__(self, moment: Moment, witness: Witness) -> None:
        self.moment = moment
        self.witness = witness
        self.rows_seen = 0

    def each(self, sql: str, *given: Any) -> Iterator[Row]:
        """Rows that are looked at one by one."""
        for row in self.moment.connection.execute(sql, given):
            self.rows_seen += 1
            yield row

    def named(self, sql: str, given: dict[str, Any]) -> Iterator[Row]:
        """As `each`, of a statement whose parameters have names."""
        for row in self.moment.connection.execute(sql, given):
            self.rows_seen += 1
            yield row

    def wrong(self, sql: str, *given: Any) -> Iterator[Row]:
        """Rows that are wrong by being found; what was searched is counted by `among`."""
        yield from self.moment.connection.execute(sql, given)

    def among(self, sql: str, *given: Any) -> None:
        """Count the rows that a search goes through: the statement selects their number."""
        self.rows_seen += self.moment.one(sql, *given)[0] or 0

    def witnessed(self, check_id: str) -> Iterator[str]:
        """What the witness noted under a check while it followed the logs."""
        self.rows_seen += self.witness.inputs + self.witness.outcomes
        yield from self.witness.notes.get(check_id, ())


class Check(msgspec.Struct, frozen=True):
    """What is looked at: the number of the invariant that it proves (see invariants.py), what it says, and what finds
    the breaches of it. `also` are other invariants that it proves with it."""

    id: str
    says: str
    breaches: Callable[[Look], Iterator[str]]
    also: tuple[str, ...] = ()

    @property
    def proves(self) -> tuple[str, ...]:
        """The numbers of all that it proves."""
        return (self.id, *self.also)


def whole(high: int | None, low: int | None) -> int:
    """The sum of 64-bit integers whose halves were added apart: a database's own sum could overflow."""
    return ((high or 0) << 32) + (low or 0)
