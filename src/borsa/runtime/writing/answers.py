"""Answers to requests with an Idempotency-Key: kept in the transaction of their effect, repeated word for word."""

from typing import Any

import msgspec
import sqlalchemy as sa

from borsa.errors import Refused
from borsa.requests import Request, reply_type
from borsa.runtime.bus import Once, Outcome
from borsa.runtime.codec import encode
from borsa.runtime.log import Answer
from borsa.runtime.records.session import Session


class Answers:
    """What was answered under which key. A key belongs to its owner; the same key of another user is another key."""

    def __init__(self, session: Session, table: sa.Table) -> None:
        self._kept = session.records(table, Answer)
        self._running: set[tuple[str, str]] = set()

    def begin(self, once: Once, request: Request[Any]) -> Outcome | None:
        """The answer of the first time, or None when this is the first; refused when it does not fit."""
        key = (once.owner, once.key)
        if key in self._running:
            raise Refused("idempotency_key_in_progress")
        kept = self._kept.get(key)
        if kept is None:
            self._running.add(key)
            return None
        if kept.fingerprint != once.fingerprint:
            raise Refused("idempotency_key_reused")
        return _outcome(kept, request)

    def end(self, once: Once, outcome: Outcome, now: int) -> None:
        """Keep the outcome. What may turn out otherwise next time (a fault, an overload) is not kept."""
        self._running.discard((once.owner, once.key))
        if not isinstance(outcome, Refused):
            kept = Answer(once.owner, once.key, once.fingerprint, None, encode(outcome), now)
        elif outcome.status < 500:
            said = encode({"detail": outcome.detail, "field": outcome.field, "extra": outcome.extra})
            kept = Answer(once.owner, once.key, once.fingerprint, outcome.code, said, now)
        else:
            return
        self._kept.put(kept)


def _outcome(kept: Answer, request: Request[Any]) -> Outcome:
    if kept.code is None:
        return msgspec.json.decode(kept.reply, type=reply_type(type(request)))
    said = msgspec.json.decode(kept.reply)
    return Refused(kept.code, said["detail"], field=said["field"], **said["extra"])
