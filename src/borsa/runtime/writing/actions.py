"""What admins did: one row for each act, written in the transaction of the act, each sealing all before it.

A row's digest is the SHA-256 of the digest before it and of everything that the row says. So a row that is changed,
put in or taken out does not fit those after it: `borsa verify` follows the chain.
"""

import hashlib
from collections.abc import Mapping

import msgspec
import sqlalchemy as sa

from borsa.runtime.clock import time_text
from borsa.runtime.codec import encode
from borsa.runtime.log import actions_table
from borsa.runtime.records.session import Session
from borsa.runtime.store import Reader, Statement

EXCHANGE = "borsa"
"""The author of what the exchange itself does with what an admin began, such as ending it when its time is over."""

START = bytes(32)
"""The digest before the first row."""


class Action(msgspec.Struct, frozen=True):
    """One act: who did what (`wallet.adjusted`) to what (an id), in which request. `details` is a JSON object."""

    sequence: int
    time: int
    author: str
    action: str
    target: str
    correlation: str
    details: bytes
    digest: bytes


def sealed(before: bytes, service: str, action: Action) -> bytes:
    """The digest of a row that follows the digest `before`: over a JSON array of all its columns but this one."""
    said = (*msgspec.structs.astuple(action)[:-2], action.details.decode())
    return hashlib.sha256(before + encode((service, *said))).digest()


_actions = actions_table(sa.MetaData())
_LAST = Statement(
    sa.select(_actions.c.sequence, _actions.c.digest, _actions.c.time).order_by(_actions.c.sequence.desc()).limit(1)
)
_PAGE = (
    sa.select(_actions)
    .where(_actions.c.time <= sa.bindparam("time"), _actions.c.sequence < sa.bindparam("sequence"))
    .order_by(_actions.c.time.desc(), _actions.c.sequence.desc())
    .limit(sa.bindparam("limit"))
)
_OF_ALL = Statement(_PAGE)
_OF_AUTHOR = Statement(_PAGE.where(_actions.c.author == sa.bindparam("author")))


class Actions:
    """The audit of a service, as its writer has it. `newest_time` is when the last act was, at the opening."""

    def __init__(self, service: str, session: Session, table: sa.Table) -> None:
        self._service = service
        self._journal = session.journal(table, Action)
        rows = session.read(_LAST)
        sequence, digest, time = rows[0] if rows else (0, START, 0)
        self.newest_time: int = time
        # taken back with the deed that acted
        self._last = session.remembered({"last": (sequence, digest)})

    def add(
        self, now: int, author: str, correlation: str, action: str, target: str, details: Mapping[str, object]
    ) -> None:
        """Write an act, behind all others."""
        sequence, before = self._last.get("last") or (0, START)
        open_row = Action(sequence + 1, now, author, action, target, correlation, encode(details), b"")
        row = msgspec.structs.replace(open_row, digest=sealed(before, self._service, open_row))
        self._journal.append(row)
        self._last.set("last", (row.sequence, row.digest))


def actions_before(reader: Reader, author: str | None, time: int, sequence: int, limit: int) -> list[Action]:
    """Actions of a service, newest first: not later than a time, and before a sequence; of one author, or of all."""
    given = {"time": time, "sequence": sequence, "limit": limit}
    if author is None:
        return [Action(*row) for row in reader.read(_OF_ALL, **given)]
    return [Action(*row) for row in reader.read(_OF_AUTHOR, author=author, **given)]


class ActionReply(msgspec.Struct, frozen=True, rename="camel"):
    """An action on the wire; `correlation_id` is the id of the request, as in the events that it caused."""

    service: str
    sequence: int
    time: str
    author: str
    action: str
    target: str
    correlation_id: str
    details: msgspec.Raw
    digest: str


def action_reply(service: str, row: Action) -> ActionReply:
    """An action as it is answered."""
    return ActionReply(
        service=service,
        sequence=row.sequence,
        time=time_text(row.time),
        author=row.author,
        action=row.action,
        target=row.target,
        correlation_id=row.correlation,
        details=msgspec.Raw(row.details),
        digest=row.digest.hex(),
    )
