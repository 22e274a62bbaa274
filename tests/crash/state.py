"""What an exchange has come to: all that is in its tables, without times, random ids and secrets, so that exchanges of
every shape that went through the same can be compared; and what its services published.
"""

import hashlib
import re
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import msgspec
import sqlalchemy as sa

from borsa import app
from borsa.runtime.store import Reader, Statement
from borsa.settings import load

_RANDOM = (
    (re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}"), "<id>"),
    (re.compile(r"20\d\d-\d\d-\d\dT\d\d:\d\d:\d\d\.\d+Z"), "<time>"),
)

OF_COMMITS = {"log", "cursors", "answers", "seals", "snapshots", "snapshot_pieces", "candles"}
"""Tables that tell how the work was shared out between commits or over time, which is as it comes. Of the logs the
events are compared, the seals say the same as what they seal, and candles follow from trades."""

AS_IT_COMES = {"time", "sequence", "entry_id", "line", "digest", "hash", "verifier", "webhook_secret", "origin"}
"""Columns with times, numbers of what several did at once, and chance; `*_at` too."""


SAYS_LESS = "portfolios"
"""A service that says one thing about all that came in one commit, and counts as many versions. What it has is
compared, what it says is not."""

AS_LATE_AS_IT_IS = {"version", "cost", "realized", "sold_cost"}
"""Columns of it that also tell how late it was: what comes in costs the last price that it has heard of by then."""

HEARD_OF_IT = {"notifications_of_user"}
"""Tables with a row for each thing that it says."""

State = dict[str, Counter[str]]


def come_to(environment: dict[str, str]) -> State:
    """The rows of every table, and what was published about each thing, in order.

    What was published about others meanwhile may be before it or behind: a service that follows another hears of it
    sooner or later.
    """
    settings = load({name: value for name, value in environment.items() if name.startswith("BORSA_")})
    found: State = {}
    for service in app.SERVICES:
        with closing(app.databases(settings)[service.name].reader()) as reader:
            for name, table in service.tables.tables.items():
                if name not in OF_COMMITS and name.removesuffix("_recent") not in HEARD_OF_IT:
                    # what is new in a list is in another table for a second
                    of = found.setdefault(f"{service.name}.{name.removesuffix('_recent')}", Counter())
                    left_out = AS_LATE_AS_IT_IS if service.name == SAYS_LESS else set()
                    of.update(_rows(reader, table, left_out))
            if service.name != SAYS_LESS:
                found[f"{service.name}.log"] = _events(reader, service.tables.tables["log"])
    return found


def _rows(reader: Reader, table: sa.Table, left_out: set[str]) -> Iterator[str]:
    """Each row by the names of its columns: a list has them in another order while it is new."""
    names = sorted(each.name for each in table.columns if not _is_as_it_comes(each.name) and each.name not in left_out)
    for row in reader.read(Statement(sa.select(*(table.c[name] for name in names)))) if names else ():
        if "portfolio_changed" not in row:
            yield without_chance(repr([_plain(value) for value in row]))


def _events(reader: Reader, log: sa.Table) -> Counter[str]:
    about: dict[str, list[str]] = {}
    columns = sa.select(log.c.subject, log.c.type, log.c.data).order_by(log.c.sequence)
    for subject, kind, data in reader.read(Statement(columns)):
        about.setdefault(subject, []).append(without_chance(f"{kind} {_plain(data)!r}"))
    return Counter(map(repr, about.values()))


def _plain(value: Any) -> Any:
    return bytes(value) if isinstance(value, memoryview) else value


def _is_as_it_comes(column: str) -> bool:
    return column in AS_IT_COMES or column.endswith("_at")


def without_chance(text: str) -> str:
    """Without ids and times that are made anew each time."""
    for pattern, instead in _RANDOM:
        text = pattern.sub(instead, text)
    return text


def state_hash(state: State) -> str:
    """A digest of all of it."""
    rows = [(name, sorted(of.items())) for name, of in sorted(state.items())]
    return hashlib.sha256(msgspec.json.encode(rows)).hexdigest()


def differences(one: State, other: State) -> dict[str, Any]:
    """What only one of them has, by table."""
    return {name: (one[name] - other[name], other[name] - one[name]) for name in one if one[name] != other[name]}
